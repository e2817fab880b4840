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


def best(rows: dict, family: str) -> list[float]:
    """Return the quartiles of a peer's fastest variant, ours = 1."""
    ratios = [row["ratios"] for label, row in rows.items() if label.startswith(family)]
    return min(ratios, key=lambda quartiles: quartiles[1])


def table(results: dict) -> list[str]:
    """Return a row for each task and peer: the ratio first."""
    lines = [
        "| Task | Peer | Time, ours = 1 | Milliseconds a step | Share of peak |",
        "|---|---|---:|---:|---:|",
    ]
    for name, task in results["tasks"].items():
        for label, row in task["rows"].items():
            step = 1000 * row["seconds"] / task["steps"]
            low, middle, high = row["ratios"]
            spread = "" if label == "lessons" else f" ({low:.2f} to {high:.2f})"
            lines.append(
                f"| {name} | {label} | {middle:.2f}{spread} "
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
    ("Transformer", "PyTorch"): (
        "At the machine's measured peak the matrix products alone would take "
        "{share:.0%} of our time. To be {aim} times as fast as PyTorch, all else "
        "(norms, softmax, exponentials, Adam, moving memory) would have to fit into "
        "{rest:.0%} of it."
    ),
}
AIM = 1.5  # times as fast as PyTorch, for the transformer


def behind(name: str, family: str, rows: dict) -> str:
    """Say what bounds ours where a peer is faster or nearer than the aim allows."""
    low, middle, high = best(rows, family)
    if middle >= (AIM if (name, family) == ("Transformer", "PyTorch") else 1):
        return ""
    if high >= 1 and (name, family) not in BOUNDS:
        return (
            f"{family} and ours are level: half of the rounds lie between {low:.2f} "
            f"and {high:.2f}, on both sides of 1."
        )
    share = rows["lessons"]["share of peak"]
    why = BOUNDS[name, family].format(share=share, aim=AIM, rest=middle / AIM - share)
    return f"{family} takes {middle:.2f} of our time. {why}"


def bounds(results: dict) -> list[str]:
    """Say for each task what bounds ours where a peer is ahead of the aim."""
    lines = []
    for name, task in results["tasks"].items():
        families = ("PyTorch", "Flax NNX")
        said = [behind(name, each, task["rows"]) for each in families]
        if any(said):
            lines.append(f"- **{name}**: {' '.join(filter(None, said))}")
    return lines


def comparison(results: dict | None) -> list[str]:
    """Return the lines on the peers, or why there are none."""
    if results is None:
        return ["No comparison is stored with this edition: run `make bench`."]
    peak = sorted(task["peak"] for task in results["tasks"].values())[1] / 1e9
    return [
        f"Measured on {results['date']}, on {results['machine']}; medians of "
        f"{results['rounds']} rounds, in brackets the quartiles. The machine's own "
        f"matrix product of 2048 x 2048 reached {peak:.0f} GFLOP/s.",
        "",
        f"```{{image}} images/speed.png\n:alt: {ALT}\n:width: 90%\n```",
        "",
        *table(results),
        "",
        "Where ours is not ahead, this is what bounds it:",
        "",
        *bounds(results),
    ]


def elsewhere(results: dict) -> str:
    """Return the sentences on the machine that was measured before this one."""
    peak = sorted(task["peak"] for task in results["tasks"].values())[1] / 1e9
    said = []
    for family in ("PyTorch", "Flax NNX"):
        ratios = {n: best(t["rows"], family)[1] for n, t in results["tasks"].items()}
        shown = ", ".join(f"{ratio:.2f} ({name})" for name, ratio in ratios.items())
        said.append(f"{family} took {shown}")
    return (
        f"The ratios differ from machine to machine. On {results['machine']}, with "
        f"{peak:.0f} GFLOP/s and the code of {results['date']}, the faster variant of "
        f"{said[0]} of our time, and that of {said[1]}."
    )


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
    before = stored("elsewhere")
    other = ["", elsewhere(before)] if before else []
    parts = [*comparison(stored()), *other, "", longer_run(longer), "", graded(took)]
    return "\n".join(parts)


def stored(name: str = "results") -> dict | None:
    """Return the stored comparison, or that of the machine before, if there is one."""
    path = HERE / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def draw(results: dict) -> None:
    """Draw the ratios of the best variant of each peer."""
    heights = {}
    for name, task in results["tasks"].items():
        for family in ("PyTorch", "Flax NNX"):
            heights[f"{name}\n{family}"] = best(task["rows"], family)[1]
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
