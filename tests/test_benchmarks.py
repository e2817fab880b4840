"""The benchmarks' sizes are counted right, and their page shows what is stored."""

import importlib.util
import sys

import jax
import pytest
from test_project import ROOT

from lessons import cnn, rnn, transformer
from lessons.counts import flops

FOLDER = ROOT / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """Import a program of the folder, which stands outside the package."""

    def load(name):
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setitem(sys.modules, name, module)
        return module

    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    return load


def test_the_page_shows_the_stored_figures(load):
    page = load("page")
    text = page.PAGE.read_text(encoding="utf-8")
    shown = text.split(page.BEGIN)[1].split(page.END)[0]
    assert shown.strip() == page.generated().strip()


def test_another_machine_is_kept_beside_this_one(load, monkeypatch, tmp_path):
    run = load("run")
    monkeypatch.setattr(run, "RESULTS", tmp_path / "results.json")
    run.keep_elsewhere("here")
    assert list(tmp_path.iterdir()) == []
    run.RESULTS.write_text('{"machine": "here"}')
    run.keep_elsewhere("here")
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]
    run.keep_elsewhere("there")
    assert (tmp_path / "elsewhere.json").read_text() == '{"machine": "here"}'
    assert not run.RESULTS.exists()


def test_products_of_lenet_and_of_the_transformer_as_xla_counts_them(load):
    """Element-wise work comes on top: a few per cent."""
    sizes = load("sizes")
    key = jax.random.key(0)
    counted = flops(cnn.lenet, cnn.lenet_init(key), jax.numpy.zeros((1, 28, 28, 1)))
    assert 1 < counted / (2 * sizes.products("LeNet")) < 1.1
    size = sizes.SIZES["Transformer"]
    params = transformer.stack_init(
        key, size.vocabulary, size.width, size.heads, size.layers
    )
    ids = jax.numpy.zeros((1, size.time), jax.numpy.int32)
    counted = flops(
        lambda p, i: transformer.to_logits(p, transformer.decode(p, i)), params, ids
    )
    assert 1 < counted / (2 * sizes.products("Transformer")) < 1.1


def test_products_of_the_lstm_are_those_of_its_matrices(load):
    sizes = load("sizes")
    size = sizes.SIZES["LSTM"]
    params = rnn.lstm_init(jax.random.key(0), size.width, size.width)
    matrices = params["w_x"].size + params["w_h"].size + size.width * size.vocabulary
    assert sizes.products("LSTM") == size.time * matrices


@pytest.mark.parametrize("name", ["LeNet", "LSTM", "Transformer"])
def test_ours_learns_and_has_the_peers_parameters(load, name):
    """One short pass: the loss is finite, and the sizes are the stated ones."""
    sizes, ours = load("sizes"), load("ours")
    size = sizes.SIZES[name]._replace(steps=1)
    shape = (size.batch, size.time + 1)
    ids = jax.random.randint(jax.random.key(1), shape, 0, max(1, size.vocabulary))
    arrays = [ids]
    if name == "LeNet":
        images = jax.random.uniform(jax.random.key(1), (size.batch, 28, 28, 1))
        arrays = [images, ids[:, 0]]
    parameters, run = ours.task(name, "epoch", size, sizes.RATE, arrays)
    assert (
        parameters == {"LeNet": 61_706, "LSTM": 151_116, "Transformer": 803_072}[name]
    )
    assert run() > run() > 0
