"""The book's extension for interactive figures: state files and the boxes for them."""

import importlib.util
import json

from book_site import ROOT

spec = importlib.util.spec_from_file_location(
    "alive", ROOT / "book" / "extensions" / "alive.py"
)
alive = importlib.util.module_from_spec(spec)
spec.loader.exec_module(alive)


def parts(script):
    """Read a state file back: the name and the entry."""
    inner = script.removeprefix("lessonsWidget(").removesuffix(");\n")
    name, entry = json.JSONDecoder().raw_decode(inner)[0], inner.split(", ", 1)[1]
    return name, json.loads(entry)


def test_a_state_file_keeps_what_the_figure_needs():
    entry = {
        "model_name": "AnyModel",
        "state": {
            "_esm": "export default {}",
            "_css": ".a {}",
            "_view_name": "AnyView",
            "layout": "IPY_MODEL_1",
            "gain": 2.0,
        },
        "buffers": [{"path": ["w"], "encoding": "base64", "data": "AAAA"}],
    }
    name, kept = parts(alive.state_script("07_cnn-1", entry))
    assert name == "07_cnn-1"
    assert kept["state"] == {"_esm": "export default {}", "_css": ".a {}", "gain": 2.0}
    assert kept["buffers"] == entry["buffers"]


def test_a_state_file_is_a_script_whatever_it_holds():
    text = 'quotes " and \u2028 and </script> and 中文'
    script = alive.state_script("x", {"state": {"text": text}})
    assert "\u2028" not in script
    assert parts(script)[1]["state"]["text"] == text


def test_files_are_named_by_chapter_and_place():
    assert alive.file_name("notebooks/07_cnn", 2) == "07_cnn-2"
