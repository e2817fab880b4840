"""The checkpoint's file: whole or not there, checked, and free of code."""

import os
import pickle
import random
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


def test_only_posix_systems_are_asked_to_open_a_folder(tmp_path, monkeypatch):
    path, calls, fsync = str(tmp_path / "c"), [], os.fsync
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda n: (calls.append(1), fsync(n)))
        patch.setattr(os, "name", "nt")
        training.save_checkpoint(path, jnp.float32(3.0))
    assert len(calls) == 1
    assert float(training.load_checkpoint(path, jnp.float32(0))) == 3.0


def test_numpy_alone_can_read_the_numbers(tmp_path):
    training.save_checkpoint(tmp_path / "c", TREE)
    with np.load(tmp_path / "c") as file:
        np.testing.assert_array_equal(file["tree['weights'][0]"], TREE["weights"][0])
        assert file["tree['weights'][0]"].dtype == np.float32
        assert file["tree['half']"].dtype == np.uint8


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="needs /dev/fd")
def test_no_file_stays_open(tmp_path):
    before = len(os.listdir("/dev/fd"))
    for _ in range(5):
        training.save_checkpoint(tmp_path / "c", TREE)
        training.load_checkpoint(tmp_path / "c", TREE)
    assert len(os.listdir("/dev/fd")) == before
