"""Write the book's page of measurements from the stored results.

python benchmarks/page.py
"""

import json
from pathlib import Path

from lessons import metrics, plots

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "book/speed.md"
PICTURE = HERE.parent / "book/images/speed.png"
ALT = (
    "Bars of the time that the faster variants of PyTorch and Flax NNX take for each "
    "of the three tasks, with a line at 1 for this course's package. The table has "
    "the numbers."
)
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"


def ratio(rows: dict, label: str) -> float:
    """Return how many times as long as ours a peer takes."""
    return rows[label]["seconds"] / rows["lessons"]["seconds"]


def best(rows: dict, family: str) -> float:
    """Return the smallest ratio among a peer's variants."""
    return min(ratio(rows, label) for label in rows if label.startswith(family))


def table(results: dict) -> list[str]:
    """Return a row for each task and peer: the ratio first."""
    lines = [
        "| Task | Peer | Time, ours = 1 | Milliseconds a step | Share of peak |",
        "|---|---|---:|---:|---:|",
    ]
    for name, task in results["tasks"].items():
        for label, row in task["rows"].items():
            step = 1000 * row["seconds"] / task["steps"]
            lines.append(
                f"| {name} | {label} | {ratio(task['rows'], label):.2f} "
                f"| {step:.1f} | {row['share of peak']:.0%} |"
            )
    return lines


# What keeps ours from being faster, by task and peer: said where that peer is faster,
# or where ours is less than the aimed 1.5 times as fast.
BOUNDS = {
    ("LeNet", "PyTorch"): (
        "The convolution as shifted slices copies each pixel once for every tap of the "
        "kernel, so memory bounds it and not arithmetic: see how small its share of "
        "peak is. PyTorch calls kernels that read the image in place. `lax.conv` is no "
        "way out inside a scan on the CPU, as the scanned pass of Flax shows."
    ),
    ("LSTM", "PyTorch"): (
        "Each of the 100 steps must wait for the one before, and is a product of only "
        "32 rows. PyTorch calls one routine for the whole sequence, which keeps the "
        "recurrent weights packed for the processor from step to step; XLA starts a "
        "product anew each time."
    ),
    ("LSTM", "Flax NNX"): (
        "The compiler is the same, and Flax multiplies the inputs inside the loop. "
        "Ours does so once for all steps, but when this was measured it put time first "
        "*after* that product, and so copied an array four times as wide as the "
        "inputs, a part for each gate. The package now turns the inputs themselves. "
        "Side by side on a busy machine that took 6 % less processor time than before, "
        "and 9 % less than Flax."
    ),
    ("Transformer", "PyTorch"): (
        "Most of its time is spent in matrix products that run near the machine's "
        "measured peak. Nobody can gain more than the inverse of that share, whatever "
        "the framework."
    ),
}
AIM = 1.5  # times as fast as PyTorch, for the transformer


def behind(name: str, rows: dict) -> dict[str, float]:
    """Return the ratios of the peers that are faster, or nearer than the aim allows."""
    aims = {"PyTorch": AIM if name == "Transformer" else 1, "Flax NNX": 1}
    ratios = {family: best(rows, family) for family in aims}
    return {family: r for family, r in ratios.items() if r < aims[family]}


def bounds(results: dict) -> list[str]:
    """Say for each task what bounds ours where a peer is ahead of the aim."""
    lines = []
    for name, task in results["tasks"].items():
        said = [
            f"{family} takes {ratio:.2f} of our time. {BOUNDS[name, family]}"
            for family, ratio in behind(name, task["rows"]).items()
        ]
        if said:
            lines.append(f"- **{name}**: {' '.join(said)}")
    return lines


def comparison(results: dict | None) -> list[str]:
    """Return the lines on the peers, or why there are none."""
    if results is None:
        return ["No comparison is stored with this edition: run `make bench`."]
    peak = sorted(task["peak"] for task in results["tasks"].values())[1] / 1e9
    return [
        f"Measured on {results['date']}, on {results['machine']}; medians of "
        f"{results['rounds']} rounds. The machine's own matrix product of "
        f"2048 x 2048 reached {peak:.0f} GFLOP/s.",
        "",
        f"```{{image}} images/speed.png\n:alt: {ALT}\n:width: 90%\n```",
        "",
        *table(results),
        "",
        "Where ours is not ahead, this is what bounds it:",
        "",
        *bounds(results),
    ]


def longer_run(counted: dict) -> str:
    """Return the sentence on the longer recipe."""
    share = counted["right"] / counted["of"]
    low, high = metrics.wilson_interval(counted["right"], counted["of"])
    return (
        f"The longer recipe of chapter 07, {counted['epochs']} epochs on the shipped "
        f"8,000 digits, reads {counted['right']:,} of {counted['of']:,} held-out "
        f"digits: {share:.2%} (95 % interval {low:.1%} to {high:.1%})."
    )


def graded(took: dict) -> str:
    """Return the sentence on grading a class."""
    return (
        f"Grading: the marks of {took['submissions']} submissions of "
        f"{took['exercises']} exercises took {took['marks']:.0f} s on {took['jobs']} "
        f"jobs of two cores, each exercise in a process of its own inside the sandbox, "
        f"and their executed pages of feedback {took['pages']:.0f} s more."
    )


def generated() -> str:
    """Return the part of the page that comes from stored results."""
    longer = json.loads((HERE / "long_recipe.json").read_text())
    took = json.loads((HERE / "grading.json").read_text())
    parts = [*comparison(stored()), "", longer_run(longer), "", graded(took)]
    return "\n".join(parts)


def stored() -> dict | None:
    """Return the stored comparison, if there is one."""
    path = HERE / "results.json"
    return json.loads(path.read_text()) if path.exists() else None


def draw(results: dict) -> None:
    """Draw the ratios of the best variant of each peer."""
    heights = {}
    for name, task in results["tasks"].items():
        for family in ("PyTorch", "Flax NNX"):
            heights[f"{name}\n{family}"] = best(task["rows"], family)
    figure = plots.bars(heights, xlabel="task and peer", ylabel="time, ours = 1")
    figure.axes[0].axhline(1, color="black", linewidth=1)
    PICTURE.write_bytes(plots.png(figure))


def main() -> None:
    """Write page and picture."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n{generated()}\n{END}{after}", encoding="utf-8")
    if (results := stored()) is not None:
        draw(results)


if __name__ == "__main__":
    main()
