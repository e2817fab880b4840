"""Resuming a fit: the same bits after any death, and no mistaken run."""

import io
import itertools
import os
import pathlib
import random
import signal
import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lessons import checkpoints, optimizers, training

RANDOM = np.random.default_rng(0)
X = jnp.asarray(RANDOM.normal(0.5, 1.0, (10, 3)), jnp.float32)
# By NumPy: another process has these bits too, whatever device it finds.
Y = jnp.asarray(np.asarray(X) @ np.array([1.0, -2.0, 0.5], np.float32))
START = {"w": jnp.array([0.3, 0.1, -0.2])}
ADAM = optimizers.adam(optimizers.cosine_decay_schedule(0.1, 24))


def bits(tree):
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
    return [(str(x.dtype), x.shape, x.tobytes()) for x in leaves]


def noisy_squares(params, batch, key=None):
    x, y = batch
    if key is not None:
        x = x + 0.1 * jax.random.normal(key, x.shape)
    return (x @ params["w"] - y) ** 2


def distance(params, batch):
    return jnp.abs(batch[0] @ params["w"] - batch[1])


def fit(path=None, params=START, **changes):
    arguments = {
        "loss": noisy_squares,
        "params": params,
        "data": (X, Y),
        "optimizer": ADAM,
        "key": jax.random.key(5),
        "epochs": 6,
        "batch_size": 4,
        "validation": (X[:3] + 1, Y[:3]),
        "metrics": {"distance": distance},
        "patience": 4,
        "checkpoint": path,
    }
    return training.fit(**{**arguments, **changes})


def same(a, b):
    return bits(a[:3]) == bits(b[:3]) and a[3:] == b[3:]


@pytest.mark.parametrize("first", [1, 3, 6])
def test_stopping_and_going_on_gives_the_same_bits(tmp_path, first):
    path = tmp_path / "run.npz"
    fit(path, epochs=first)
    assert training.checkpoint_about(path)["epochs done"] == first
    assert same(fit(path), fit())
    assert training.checkpoint_about(path)["epochs done"] == 6


def test_a_finished_run_comes_back_without_training(tmp_path):
    traces = []

    def loss(params, batch, key=None):
        traces.append(1)
        return noisy_squares(params, batch, key)

    done = fit(tmp_path / "c", loss=loss)
    before = (tmp_path / "c").read_bytes()
    count = len(traces)
    assert same(fit(tmp_path / "c", loss=loss), done)
    assert len(traces) == count
    assert (tmp_path / "c").read_bytes() == before


def test_early_stopping_survives_a_stop(tmp_path):
    """The best epoch lies before the stop, the end of patience after it."""

    def worse_and_worse(params, batch, key=None):
        sign = -1.0 if key is None else 1.0
        return sign * noisy_squares(params, batch, key)

    whole = fit(loss=worse_and_worse, epochs=20, patience=3)
    assert whole.epochs == whole.best_epoch + 3 < 20
    for first in range(1, whole.epochs + 1):
        path = tmp_path / str(first)
        fit(path, loss=worse_and_worse, epochs=first, patience=3)
        assert same(fit(path, loss=worse_and_worse, epochs=20, patience=3), whole)


def test_nan_leaves_the_checkpoint_at_the_last_good_epoch(tmp_path):
    def loss(w, batch, key=None):
        return jnp.where(w > 6.5, jnp.nan, -w) * jnp.ones(len(batch))

    arguments = {
        "loss": loss, "params": 0.0, "data": jnp.arange(10),
        "optimizer": optimizers.sgd(1.0), "validation": None,
        "metrics": None, "patience": None,
    }  # fmt: skip
    for _ in range(2):
        with pytest.raises(training.NonFiniteLoss, match="in epoch 3") as caught:
            fit(tmp_path / "c", **arguments)
        assert training.checkpoint_about(tmp_path / "c")["epochs done"] == 2
        assert float(caught.value.fit.params) == pytest.approx(6.0)


@pytest.fixture(scope="module")
def two_epochs(tmp_path_factory):
    """The bytes of one checkpoint, for all the cases here."""
    path = tmp_path_factory.mktemp("two") / "epochs.npz"
    fit(path, epochs=2)
    return path.read_bytes()


def other_loss(params, batch, key=None):
    return 2.0 * noisy_squares(params, batch, key)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"batch_size": 5}, "batch size 5, got 4"),
        ({"key": jax.random.key(6)}, r"key \[0, 6\], got \[0, 5\]"),
        ({"patience": 5}, "patience 5, got 4"),
        ({"patience": None}, "patience None, got 4"),
        ({"metrics": {}}, r"metrics \[\], got \['distance'\]"),
        ({"data": (X[:9], Y[:9])}, r"data float32\[9, 3\], float32\[9\]"),
        ({"data": (X.at[3, 1].add(1e-6), Y)}, r"data float32\[10, 3\].*sha256"),
        ({"validation": (X[:3], Y[:3])}, "validation data float32"),
        ({"validation": (X[:3] + 1, Y[1:4])}, "validation data float32"),
        ({"params": {"w": X[0]}}, "starting parameters float32"),
        ({"params": {"v": START["w"]}, "loss": lambda p, b, key=None: (
            noisy_squares({"w": p["v"]}, b, key)), "metrics": {"distance": (
            lambda p, b: distance({"w": p["v"]}, b))}}, "program|form"),
        ({"optimizer": optimizers.sgd(0.1)}, "optimizer state"),
        ({"optimizer": optimizers.adam(0.1)}, "optimizer state"),
        (
            {"optimizer": optimizers.adam(optimizers.cosine_decay_schedule(0.1, 25))},
            "program",
        ),
        (
            {"optimizer": optimizers.adam(
                optimizers.cosine_decay_schedule(0.1, 24), b2=0.99)},
            "program",
        ),
        ({"loss": other_loss}, "program"),
        ({"epochs": 1}, "has 2 epochs done, expected 1 or fewer"),
    ],
)  # fmt: skip
def test_a_checkpoint_of_another_run_is_refused_and_left_alone(
    tmp_path, two_epochs, changes, word
):
    path = tmp_path / "run.npz"
    path.write_bytes(two_epochs)
    with pytest.raises(ValueError, match=word):
        fit(path, **changes)
    assert path.read_bytes() == two_epochs
    assert os.listdir(tmp_path) == ["run.npz"]


@pytest.mark.parametrize("content", [b"", b"my thesis", None])
def test_a_file_that_is_no_checkpoint_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "thesis"
    if content is None:
        training.save_checkpoint(path, START)  # Parameters alone, not a run.
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    message = "expected batch size 4, got nothing" if content is None else "damaged"
    with pytest.raises(ValueError, match=message):
        fit(path)
    assert path.read_bytes() == before


def test_a_run_with_a_raw_key_goes_on_as_well(tmp_path):
    raw = jax.random.PRNGKey(5)
    fit(tmp_path / "c", key=raw, epochs=2)
    assert same(fit(tmp_path / "c", key=raw), fit())
    with pytest.raises(ValueError, match=r"key \[0, 6\], got \[0, 5\]"):
        fit(tmp_path / "c", key=jax.random.PRNGKey(6))


def test_the_words_of_a_refusal_say_what_to_do(tmp_path, two_epochs):
    (tmp_path / "c").write_bytes(two_epochs)
    hashes = r"sha256 [0-9a-f]{16}, got .* sha256 [0-9a-f]{16}\. The file is left"
    with pytest.raises(ValueError, match=hashes):
        fit(tmp_path / "c", data=(X + 1, Y))
    with pytest.raises(ValueError, match=r"belongs to another run.*give another path"):
        fit(tmp_path / "c", batch_size=5)


# --- Death at any moment -------------------------------------------------------


class Death(BaseException):
    """Nothing in the package may catch this."""


def dies_at(moment, monkeypatch):
    """Make the given write, sync or renaming the last thing that happens.

    Only these change what lies on the disk, so they are all the moments there
    are. A write dies half way.
    """
    events = itertools.count(1)

    def last(event):
        return event >= moment

    class File(io.FileIO):
        """A file without a buffer, so that nothing is written after death."""

        def write(self, data):
            """Write, or write half and die."""
            if last(next(events)):
                super().write(bytes(data)[: len(data) // 2])
                raise Death
            return super().write(data)

    def before(function):
        def call(*args):
            if last(next(events)):
                raise Death
            return function(*args)

        return call

    monkeypatch.setattr(checkpoints, "open", File, raising=False)
    monkeypatch.setattr(os, "fsync", before(os.fsync))
    monkeypatch.setattr(os, "replace", before(os.replace))


def test_dying_at_any_write_and_going_on_gives_the_same_bits(tmp_path, monkeypatch):
    whole = fit(epochs=3)
    done, litter = [], set()
    for moment in itertools.count(1, 7):
        path = tmp_path / f"{moment}.npz"
        try:
            with monkeypatch.context() as patch:
                dies_at(moment, patch)
                fit(path, epochs=3)
            break
        except Death:
            litter.add(os.path.exists(f"{path}.tmp"))
        about = training.checkpoint_about(path) if path.exists() else {}
        done.append(about.get("epochs done", 0))
        assert same(fit(path, epochs=3), whole), f"died at moment {moment}"
        assert not os.path.exists(f"{path}.tmp")
    assert set(done) >= {0, 1, 2}
    assert done == sorted(done)
    assert True in litter


CHILD = """
import itertools, os, signal, sys
sys.path[:0] = [{tests!r}, {src!r}]
import test_training_resume

last = int(sys.argv[2])
events = itertools.count(1)

def trace(frame, event, _):
    if not frame.f_code.co_filename.endswith({places!r}):
        return None
    if event == "line" and next(events) == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return trace

sys.settrace(trace)
test_training_resume.fit(sys.argv[1])
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_process_killed_again_and_again_ends_in_the_same_bits(tmp_path):
    """kill -9 at seeded moments, each life going on from the one before.

    Writing an epoch's checkpoint runs about 3,700 lines, reading one 4,800.
    """
    path = tmp_path / "run.npz"
    tests = pathlib.Path(__file__).parent
    places = ("training.py", "checkpoints.py", "_npyio_impl.py")
    places += ("zipfile.py", "zipfile/__init__.py")  # a package since Python 3.12
    child = textwrap.dedent(CHILD).format(
        tests=str(tests), src=str(tests.parent / "src"), places=places
    )
    # Bits are the same where programs are compiled alike: see conftest.py.
    quick = jax.config.values["jax_disable_most_optimizations"]
    env = os.environ | {"JAX_DISABLE_MOST_OPTIMIZATIONS": str(int(quick))}
    flags = os.environ.get("LESSONS_TEST_XLA_FLAGS")
    env |= {"XLA_FLAGS": flags} if flags else {}
    rng = random.Random(1)
    reached = []
    for _ in range(3):
        moment = rng.randrange(8_000, 20_000)
        life = subprocess.run(
            [sys.executable, "-c", child, str(path), str(moment)],
            capture_output=True, text=True, timeout=300, check=False, env=env,
        )  # fmt: skip
        assert life.returncode in (0, -signal.SIGKILL), life.stderr
        about = training.checkpoint_about(path) if path.exists() else {}
        reached.append((life.returncode, about.get("epochs done", 0)))
    assert reached[0][0] == -signal.SIGKILL
    epochs = [epoch for _, epoch in reached]
    assert epochs == sorted(epochs)
    assert epochs[-1] > 0
    assert same(fit(path), fit())
