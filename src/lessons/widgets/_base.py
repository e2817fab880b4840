"""What interactive figures share: their scripts in one piece, and a still picture."""

import base64
import functools
import math
import re
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from lessons import plots

JS = Path(__file__).with_name("js")
# A module names each import on lines of its own: import { a, b } from "./ui.js";
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=const |function |class |async )", re.MULTILINE)


@functools.cache
def bundle(name: str) -> str:
    """Join a module of `js/` and the modules that it imports into one text.

    Jupyter's widgets and the static page take a module as one text, which can import
    nothing beside it. The imported modules come first, each once, without their
    `import` and `export`, so their names share one scope.

    Parameters
    ----------
    name : str
        The module's file, such as ``"activation.js"``.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If two of the modules give one name to different things.

    Notes
    -----
    Used by every interactive figure.

    Examples
    --------
    >>> text = bundle("activation.js")
    >>> "import {" in text, "export default" in text
    (False, True)
    """
    parts = {part: (JS / part).read_text(encoding="utf-8") for part in _order(name)}
    _check_names(parts)
    helpers = [_EXPORT.sub("", parts[part]) for part in parts if part != name]
    return _IMPORT.sub("", "\n".join([*helpers, parts[name]]))


def _order(name: str) -> list[str]:
    """List the modules that a module needs, each after those it imports itself."""
    found: list[str] = []
    for needed in _IMPORT.findall((JS / name).read_text(encoding="utf-8")):
        found += [part for part in _order(needed) if part not in found]
    return [*found, name]


def _check_names(parts: dict[str, str]) -> None:
    """Refuse modules that would hide each other's names."""
    owner: dict[str, str] = {}
    top = re.compile(
        r"^(?:export )?(?:const|let|function\*?|class|async function) (\w+)", re.M
    )
    for part, text in parts.items():
        for given in top.findall(text):
            if given in owner:
                raise ValueError(f"{part} and {owner[given]} both define {given}")
            owner[given] = part


class Number(traitlets.Float):
    """A number between `min` and `max`; NaN, which passes every comparison, does not.

    Examples
    --------
    >>> class Dial(traitlets.HasTraits):
    ...     rate = Number(0.1, min=0, max=1)
    >>> Dial(rate=float("nan"))
    Traceback (most recent call last):
    ...
    traitlets.traitlets.TraitError: expected a number for rate, got nan
    """

    def validate(self, obj: Any, value: Any) -> float:
        """Refuse NaN, then what is out of range."""
        if isinstance(value, float) and math.isnan(value):
            raise traitlets.TraitError(f"expected a number for {self.name}, got nan")
        return super().validate(obj, value)


class LiveFigure(anywidget.AnyWidget):
    """A figure that answers to the reader.

    A class names its module as ``_esm = bundle("name.js")``, declares what reader and
    Python share as traits with ``sync=True``, and draws ``still``.

    Notes
    -----
    Used from chapter 01 on.
    """

    _css = (JS / "ui.css").read_text(encoding="utf-8")
    # ipywidgets 7, which Colab has, would show the view without the stand-in.
    _ipython_display_ = None

    def still(self) -> Any:
        """Draw what stands in where no script runs: a Figure of `lessons.plots`."""
        raise NotImplementedError

    def stand_in(self) -> dict[str, str]:
        """Return the stand-in by MIME type: the still picture, as PNG."""
        picture = base64.b64encode(plots.png(self.still())).decode("ascii")
        return {"image/png": picture}

    def __repr__(self) -> str:
        """Name the class alone: compared outputs hold no state and no address."""
        return f"{type(self).__name__}()"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict]:
        """Add the stand-in to what Jupyter shows."""
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return {**data, **self.stand_in()}, metadata
