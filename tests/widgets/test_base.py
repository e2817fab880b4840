"""What the interactive figures share: bundles, stand-ins, and what Jupyter is shown."""

import base64
import re

import pytest

from lessons import widgets
from lessons.widgets import _base

CLASSES = [getattr(widgets, name) for name in widgets.__all__]
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.mark.parametrize("module", sorted(p.name for p in _base.JS.glob("*.js")))
def test_a_bundle_is_one_module(module):
    text = _base.bundle(module)
    assert not re.search(r"^import ", text, re.MULTILINE)
    # Sources stand alone: nothing is fetched at reading time.
    assert not re.search(r"\bimport\(|\bfetch\(|https?://(?!www\.w3\.org/)", text)


def test_a_module_comes_after_what_it_imports_and_only_once():
    text = _base.bundle("activation.js")
    assert text.count("function el(") == 1
    assert text.index("function el(") < text.index("function through(")


def test_two_modules_may_not_share_a_name(tmp_path, monkeypatch):
    (tmp_path / "a.js").write_text("export const twice = 1;\n")
    (tmp_path / "b.js").write_text('import { twice } from "./a.js";\nlet twice = 2;\n')
    monkeypatch.setattr(_base, "JS", tmp_path)
    with pytest.raises(ValueError, match=r"b\.js and a\.js both define twice"):
        _base.bundle.__wrapped__("b.js")


def test_every_figure_is_listed():
    listed = {c.__name__ for c in CLASSES}
    subclasses = {c.__name__ for c in _base.LiveFigure.__subclasses__()}
    assert listed == subclasses


def test_a_figure_without_a_still_is_refused():
    with pytest.raises(NotImplementedError):
        _base.LiveFigure.still(None)


def test_jupyter_is_shown_a_view_a_picture_and_a_name():
    figure = widgets.ActivationExplorer()
    data, _ = figure._repr_mimebundle_()
    assert data[VIEW]["model_id"] == figure.model_id
    assert data["text/plain"] == "ActivationExplorer()"
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")


@pytest.mark.parametrize("figure", CLASSES)
def test_no_other_way_to_show_a_figure_goes_first(figure):
    """The oldest ipywidgets has one, which leaves the stand-in out."""
    assert not callable(getattr(figure, "_ipython_display_", None))
