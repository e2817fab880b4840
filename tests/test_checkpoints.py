"""Checkpoints: whole or not there, the same bits after any death, no mistaken run."""

import io
import itertools
import os
import pathlib
import pickle
import random
import signal
import subprocess
import sys
import textwrap
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lessons import checkpoints, optimizers, training

TREE = {
    "weights": [jnp.arange(6.0).reshape(2, 3) / 7, jnp.array(-0.0)],
    "half": jnp.array([0.1, jnp.nan, jnp.inf], jnp.bfloat16),
    "tiny": (jnp.float32(1e-45), jnp.zeros((0, 4)), jnp.zeros(0, jnp.bfloat16)),
    "count": jnp.int32(7),
    "yes": jnp.array([True, False]),
    "wide": np.array([0.1, np.pi]),
    "nothing": None,
}


def bits(tree):
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
    return [(str(x.dtype), x.shape, x.tobytes()) for x in leaves]


# --- The file ------------------------------------------------------------------


def test_a_tree_comes_back_to_the_bit(tmp_path):
    path = tmp_path / "new folder" / "run.npz"
    training.save_checkpoint(path, TREE)
    back = training.load_checkpoint(path, like=TREE)
    assert bits(back) == bits(TREE)
    assert jax.tree.structure(back) == jax.tree.structure(TREE)
    assert isinstance(back["wide"], np.ndarray)
    assert isinstance(back["count"], jax.Array)
    assert os.listdir(path.parent) == ["run.npz"]


def test_like_may_be_a_description_of_shapes(tmp_path):
    training.save_checkpoint(tmp_path / "c", {"w": jnp.ones((2, 3))})
    like = jax.eval_shape(lambda: {"w": jnp.zeros((2, 3))})
    assert (
        training.load_checkpoint(tmp_path / "c", like)["w"].tolist() == [[1.0] * 3] * 2
    )


def test_the_states_of_optimizers_come_back(tmp_path):
    params = {"w": jnp.ones(3)}
    for library in (optimizers, optax):
        state = library.adamw(library.constant_schedule(0.1)).init(params)
        training.save_checkpoint(tmp_path / "c", state)
        back = training.load_checkpoint(tmp_path / "c", like=state)
        assert jax.tree.structure(back) == jax.tree.structure(state)


def test_notes_are_kept_and_default_to_none(tmp_path):
    training.save_checkpoint(tmp_path / "a", TREE, {"epoch": 3, "note": "naïve"})
    training.save_checkpoint(tmp_path / "b", TREE)
    assert training.checkpoint_about(tmp_path / "a") == {"epoch": 3, "note": "naïve"}
    assert training.checkpoint_about(tmp_path / "b") == {}


def test_saving_replaces_the_old_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for value in (1.0, 2.0):
        training.save_checkpoint("plain name", jnp.float32(value))
    assert float(training.load_checkpoint("plain name", jnp.float32(0))) == 2.0
    assert os.listdir() == ["plain name"]


@pytest.mark.parametrize(
    ("like", "message"),
    [
        (
            {"w": jnp.zeros((3, 2))},
            r"\['w'\] float32 of shape \(3, 2\), got float32 of",
        ),
        ({"w": jnp.zeros((2, 3), jnp.int32)}, r"int32 of shape \(2, 3\), got float32"),
        ({"v": jnp.zeros((2, 3))}, r"\['v'\] float32 of shape \(2, 3\), got nothing"),
        ({}, r"\['w'\] nothing, got float32 of shape \(2, 3\)"),
        ([jnp.zeros((2, 3))], r"tree\[0\] float32 .* got nothing"),
        (
            {"w": jnp.zeros((2, 3)), "b": jnp.zeros(3)},
            r"\['b'\] float32 of shape \(3,\), got nothing",
        ),
    ],
)
def test_a_tree_of_another_form_is_refused(tmp_path, like, message):
    training.save_checkpoint(tmp_path / "c", {"w": jnp.ones((2, 3))})
    with pytest.raises(ValueError, match=message):
        training.load_checkpoint(tmp_path / "c", like)


@pytest.mark.parametrize("leaf", ["words", np.array([object()]), np.array(["a"])])
def test_only_numbers_are_stored(tmp_path, leaf):
    with pytest.raises(ValueError, match=r"expected numbers in tree\['x'\], got"):
        training.save_checkpoint(tmp_path / "c", {"x": leaf})
    assert os.listdir(tmp_path) == []


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        training.load_checkpoint(tmp_path / "none", TREE)


def other_files(tmp_path):
    """Files that are no checkpoints, the last two of other makers."""
    training.save_checkpoint(tmp_path / "good", TREE)
    good = (tmp_path / "good").read_bytes()
    yield b""
    yield b"not a zip file"
    yield good[: len(good) // 2]
    yield good[:-1]
    yield pickle.dumps({"w": 1})
    np.savez(tmp_path / "other.npz", w=np.ones(3))
    yield (tmp_path / "other.npz").read_bytes()
    np.save(tmp_path / "other.npy", np.ones(3))
    yield (tmp_path / "other.npy").read_bytes()


def test_other_and_damaged_files_are_refused(tmp_path):
    for content in other_files(tmp_path):
        (tmp_path / "bad").write_bytes(content)
        for read in (
            training.checkpoint_about,
            lambda p: training.load_checkpoint(p, TREE),
        ):
            with pytest.raises(ValueError, match=r"got another or damaged file: .*bad"):
                read(tmp_path / "bad")


def test_a_file_with_missing_arrays_or_another_format_is_refused(tmp_path):
    for change in ("drop", "format"):
        training.save_checkpoint(tmp_path / "c", TREE)
        with zipfile.ZipFile(tmp_path / "c") as old:
            members = {name: old.read(name) for name in old.namelist()}
        if change == "drop":
            del members["tree['count'].npy"]
        else:
            header = members["header.npy"]
            marked = "checkpoint 1".encode("utf-32-le")
            assert marked in header
            members["header.npy"] = header.replace(
                marked, "checkpoint 2".encode("utf-32-le")
            )
        with zipfile.ZipFile(tmp_path / "c", "w") as new:
            for name, content in members.items():
                new.writestr(name, content)
        with pytest.raises(ValueError, match="another or damaged"):
            training.checkpoint_about(tmp_path / "c")


def test_a_flipped_bit_is_refused_or_changes_nothing(tmp_path):
    """The archive's checksums guard every byte that matters."""
    training.save_checkpoint(tmp_path / "c", TREE)
    good = (tmp_path / "c").read_bytes()
    rng = random.Random(0)
    refused = 0
    for _ in range(300):
        content = bytearray(good)
        content[rng.randrange(len(good))] ^= 1 << rng.randrange(8)
        (tmp_path / "c").write_bytes(content)
        try:
            back = training.load_checkpoint(tmp_path / "c", like=TREE)
        except ValueError:
            refused += 1
        else:
            assert bits(back) == bits(TREE)
    assert refused > 150


def test_no_pickle_is_ever_read(tmp_path):
    class Trap:
        """Unpickling would make a folder."""

        def __reduce__(self):
            """Say what unpickling runs."""
            return os.mkdir, (str(tmp_path / "trapped"),)

    np.savez(tmp_path / "bad.npz", header=np.array([Trap()]), allow_pickle=True)
    with pytest.raises(ValueError, match="another or damaged"):
        training.load_checkpoint(tmp_path / "bad.npz", TREE)
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("moment", ["savez", "fsync", "replace"])
def test_a_failure_while_writing_leaves_the_old_file(tmp_path, monkeypatch, moment):
    path = tmp_path / "c"
    training.save_checkpoint(path, jnp.float32(1.0))
    old = path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError("the disk is full")

    owner = checkpoints.np if moment == "savez" else checkpoints.os
    with monkeypatch.context() as patch:
        patch.setattr(owner, moment, fail)
        with pytest.raises(OSError, match="disk is full"):
            training.save_checkpoint(path, jnp.float32(2.0))
    assert path.read_bytes() == old
    training.save_checkpoint(path, jnp.float32(3.0))
    assert float(training.load_checkpoint(path, jnp.float32(0))) == 3.0


def test_the_bytes_reach_the_disk_before_the_name(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda n: (calls.append("fsync"), fsync(n)))
    monkeypatch.setattr(
        os, "replace", lambda a, b: (calls.append("name"), replace(a, b))
    )
    training.save_checkpoint(tmp_path / "c", TREE)
    assert calls == ["fsync", "name", "fsync"]


# --- Resuming a fit ------------------------------------------------------------

RANDOM = np.random.default_rng(0)
X = jnp.asarray(RANDOM.normal(0.5, 1.0, (10, 3)), jnp.float32)
Y = X @ jnp.array([1.0, -2.0, 0.5])
START = {"w": jnp.array([0.3, 0.1, -0.2])}
ADAM = optimizers.adam(optimizers.cosine_decay_schedule(0.1, 24))


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
def test_a_checkpoint_of_another_run_is_refused_and_left_alone(tmp_path, changes, word):
    path = tmp_path / "run.npz"
    path.write_bytes(two_epochs())
    with pytest.raises(ValueError, match=word):
        fit(path, **changes)
    assert path.read_bytes() == two_epochs()
    assert os.listdir(tmp_path) == ["run.npz"]


CACHE = {}


def two_epochs():
    """The bytes of one checkpoint, for all the cases above."""
    if not CACHE:
        folder = pathlib.Path(os.environ.get("PYTEST_DEBUG_TEMPROOT", "/tmp"))
        path = folder / f"two-epochs-{os.getpid()}.npz"
        fit(path, epochs=2)
        CACHE["bytes"] = path.read_bytes()
        path.unlink()
    return CACHE["bytes"]


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


def test_the_words_of_a_refusal_say_what_to_do(tmp_path):
    (tmp_path / "c").write_bytes(two_epochs())
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
import test_checkpoints

last = int(sys.argv[2])
events = itertools.count(1)

def trace(frame, event, _):
    if not frame.f_code.co_filename.endswith({places!r}):
        return None
    if event == "line" and next(events) == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return trace

sys.settrace(trace)
test_checkpoints.fit(sys.argv[1])
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_process_killed_again_and_again_ends_in_the_same_bits(tmp_path):
    """kill -9 at seeded moments, each life going on from the one before.

    Writing an epoch's checkpoint runs about 3,700 lines, reading one 4,800.
    """
    path = tmp_path / "run.npz"
    tests = pathlib.Path(__file__).parent
    places = ("training.py", "checkpoints.py", "_npyio_impl.py", "zipfile.py")
    child = textwrap.dedent(CHILD).format(
        tests=str(tests), src=str(tests.parent / "src"), places=places
    )
    rng = random.Random(1)
    reached = []
    for _ in range(3):
        moment = rng.randrange(8_000, 20_000)
        life = subprocess.run(
            [sys.executable, "-c", child, str(path), str(moment)],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert life.returncode in (0, -signal.SIGKILL), life.stderr
        about = training.checkpoint_about(path) if path.exists() else {}
        reached.append((life.returncode, about.get("epochs done", 0)))
    assert reached[0][0] == -signal.SIGKILL
    epochs = [epoch for _, epoch in reached]
    assert epochs == sorted(epochs)
    assert epochs[-1] > 0
    assert same(fit(path), fit())
