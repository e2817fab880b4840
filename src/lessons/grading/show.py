"""Inside the sandbox: runs a whole notebook and tells what each cell showed."""

from __future__ import annotations

import base64
import io
import signal
import traceback
from collections.abc import Callable
from typing import Any

MAX_TEXT = 10_000
MAX_FIGURES = 4
MAX_PICTURE = 350_000


class TooLong(BaseException):
    """A cell that ran out of time."""


def ring(*_: object) -> None:
    """End the cell that runs."""
    raise TooLong("the cell ran out of time")


def show(cells: list[str], seconds: int, tell: Callable[[dict], None]) -> None:
    """Run cells one after another, each within its time, and tell their outputs.

    Parameters
    ----------
    cells : list of str
        The sources, which may hold IPython's magics.
    seconds : int
        The time of a cell.
    tell : function
        Gets a message for each cell as it ends.
    """
    import matplotlib.pyplot as plt
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    shell = InteractiveShell.instance()
    shell.showtraceback = lambda *args, **options: None
    shell.showsyntaxerror = lambda *args, **options: None
    signal.signal(signal.SIGALRM, ring)
    for place, source in enumerate(cells):
        with capture_output() as caught:
            signal.alarm(seconds)
            try:
                result = shell.run_cell(source)
                error = result.error_before_exec or result.error_in_exec
            except TooLong as late:
                error = late
            finally:
                signal.alarm(0)
        outputs = [stream(name, getattr(caught, name)) for name in ("stdout", "stderr")]
        outputs += [rich(each) for each in caught.outputs] + figures(plt)
        outputs += [failed(error)] if error else []
        tell({"shown": place, "outputs": [each for each in outputs if each]})


def stream(name: str, text: str) -> dict:
    """Return what a cell printed, cut at a limit."""
    cut = f"{text[:MAX_TEXT]}\n[cut]\n" if len(text) > MAX_TEXT else text
    return {"output_type": "stream", "name": name, "text": cut} if text else {}


def rich(output: Any) -> dict:
    """Return what a cell displayed, as plain text or as a picture."""
    data = {"text/plain": str(output.data.get("text/plain", ""))[:MAX_TEXT]}
    picture = output.data.get("image/png")
    if isinstance(picture, bytes) and len(picture) <= MAX_PICTURE:
        data["image/png"] = base64.b64encode(picture).decode()
    return {"output_type": "display_data", "data": data, "metadata": {}}


def figures(plt: Any) -> list[dict]:
    """Return the figures that a cell left open, and close them."""
    found = []
    for number in plt.get_fignums()[:MAX_FIGURES]:
        file = io.BytesIO()
        try:
            plt.figure(number).savefig(file, format="png", dpi=72)
        except Exception:
            continue
        picture = base64.b64encode(file.getvalue()).decode()
        data = {"image/png": picture, "text/plain": "a figure"}
        found.append({"output_type": "display_data", "data": data, "metadata": {}})
    plt.close("all")
    return found


def failed(error: BaseException) -> dict:
    """Return an error with the lines of the student's own code."""
    text = "".join(traceback.format_exception_only(error))[:2000]
    lines = [
        f"line {frame.lineno}, in {frame.name}\n"
        for frame in traceback.extract_tb(error.__traceback__)
        if "ipykernel" in frame.filename or "<ipython" in frame.filename
    ]
    return {
        "output_type": "error",
        "ename": type(error).__name__,
        "evalue": str(error)[:500],
        "traceback": [*lines[-5:], text],
    }
