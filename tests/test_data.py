"""Data sets by name, their parts, scaling and augmentation."""

import functools
import hashlib
import http.server
import inspect
import io
import pathlib
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pooch
import pytest
import scipy.ndimage
import sklearn.preprocessing
from hypothesis import given, settings
from hypothesis import strategies as st

from lessons import data

TOYS = ["line", "diagonal", "xor", "moons", "circles", "spirals"]
KEY = jax.random.key(7)
N = 401  # one size for most toy tests, because each size compiles anew


@pytest.fixture(scope="module")
def mnist():
    return data.load("mnist")


# Loading


def test_mnist_parts(mnist):
    for (x, y), n in zip(mnist, (8000, 2000), strict=True):
        assert (x.shape, x.dtype) == ((n, 28, 28, 1), jnp.float32)
        assert (y.shape, y.dtype) == ((n,), jnp.int32)
        assert (float(x.min()), float(x.max())) == (0.0, 1.0)
        assert np.bincount(y).min() > 0.08 * n
        assert set(y.tolist()) == set(range(10))
    assert mnist.train is mnist[0]
    assert mnist.test is mnist[1]


def test_mnist_parts_share_no_image(mnist):
    assert data.overlap(mnist.train[0], mnist.test[0]) == 0


def test_mnist_is_the_file(mnist):
    file = np.load(pathlib.Path(data.__file__).parent / "datasets/mnist_10k.npz")
    for part in ("train", "test"):
        x, y = getattr(mnist, part)
        np.testing.assert_array_equal(
            np.round(np.asarray(x)[..., 0] * 255), file[f"x_{part}"]
        )
        np.testing.assert_array_equal(y, file[f"y_{part}"])


def test_notes_beside_the_file_hold():
    folder = pathlib.Path(data.__file__).parent / "datasets"
    for note in folder.glob("*.txt"):
        fields = dict(line.split(": ", 1) for line in note.read_text().splitlines())
        content = (folder / fields["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == fields["sha256"]
    assert {path.stem for path in folder.glob("*.npz")} == {
        path.stem for path in folder.glob("*.txt")
    }


@pytest.mark.parametrize("name", TOYS)
def test_toys_load(name):
    train, test = data.load(name)
    features = 1 if name == "line" else 2
    for (x, y), n in ((train, 800), (test, 200)):
        assert (x.shape, x.dtype) == ((n, features), jnp.float32)
        assert (y.shape, y.dtype) == ((n,), jnp.int32)
        assert set(y.tolist()) == {0, 1}
    assert data.overlap(train[0], test[0]) == 0
    np.testing.assert_array_equal(data.load(name).train[0], train[0])


@pytest.mark.parametrize(
    "name, noise", [("line", 0.0), ("moons", 0.1), ("circles", 0.05), ("spirals", 0.02)]
)
def test_toys_load_with_their_noise(name, noise):
    x, y = getattr(data, name)(jax.random.key(0), 1000, noise)
    train, test = data.load(name)
    np.testing.assert_array_equal(train[0], x[:800])
    np.testing.assert_array_equal(train[1], y[:800])
    np.testing.assert_array_equal(test[0], x[800:])
    np.testing.assert_array_equal(test[1], y[800:])


def test_names_are_known_and_described():
    assert data.names() == ["mnist", *TOYS]
    for name in data.names():
        about = data.about(name)
        assert all(isinstance(field, str) and field for field in about)
        for field in ("title", "source", "licence", "citation"):
            assert f"{field}: {getattr(about, field)}" in repr(about)
            assert f"{field}: " in str(about)


def test_about_mnist():
    about = data.about("mnist")
    assert "LeCun" in about.citation
    assert "CC BY-SA" in about.licence
    assert "mnist 1.1.0" in about.source
    assert "uint8" in about.conversion
    assert "lessons.data.moons" in data.about("moons").source


@pytest.mark.parametrize("f", [data.load, data.about])
def test_unknown_names_list_the_known(f):
    with pytest.raises(ValueError, match=r"'cifar'.*mnist, line, .*spirals"):
        f("cifar")


@pytest.mark.parametrize("name", TOYS)
def test_toys_have_no_full_set(name):
    with pytest.raises(ValueError, match=rf"{name} is generated.*data\.{name}\(key, n"):
        data.load(name, full=True)


def test_everything_public_is_listed():
    assert all(hasattr(data, name) for name in data.__all__)
    assert data.__all__ == sorted(data.__all__)


# The full set


class Handler(http.server.BaseHTTPRequestHandler):
    """Serve one body: whole, cut off in the middle, or not at all."""

    def __init__(self, server, *args):
        """Keep the plan: what to serve, and how often it was asked for."""
        self.plan = server
        super().__init__(*args)

    def do_GET(self):
        """Answer according to the plan."""
        self.plan["requests"] += 1
        if self.plan["mode"] == "missing":
            self.send_error(404)
            return
        body = self.plan["body"]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        half = self.plan["mode"] == "cut"
        self.wfile.write(body[: len(body) // 2] if half else body)

    def log_message(self, *args):
        """Say nothing."""


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.fixture
def full_file():
    """A small full file: the held-out images, one of them twice, and 45 others."""
    with np.load(pathlib.Path(data.__file__).parent / "datasets/mnist_10k.npz") as f:
        held_x, held_y = f["x_test"], f["y_test"]
    rng = np.random.default_rng(0)
    other = rng.integers(0, 256, (45, 28, 28), dtype=np.uint8)
    return {
        "x_train": np.concatenate([other[:30], held_x[:1500]]),
        "y_train": np.concatenate([np.arange(30) % 10, held_y[:1500]]).astype(np.uint8),
        "x_test": np.concatenate([held_x[1500:], other[30:], held_x[:1]]),
        "y_test": np.concatenate([held_y[1500:], np.arange(15) % 10, held_y[:1]]),
        "other": other,
    }


@pytest.fixture
def server(full_file, monkeypatch, tmp_path):
    """A server on this machine in place of the real one, and an empty cache."""
    other = full_file.pop("other")
    body = npz(**full_file)
    plan = {"mode": "whole", "body": body, "requests": 0, "other": other}
    httpd = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, plan)
    )
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    plan["url"] = f"http://127.0.0.1:{httpd.server_port}/mnist.npz"
    plan["cache"] = tmp_path / "cache"
    monkeypatch.setenv("LESSONS_DATA", str(plan["cache"]))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    register(monkeypatch, plan["url"], body)
    yield plan
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def register(monkeypatch, url, body):
    full = data.FullFile(url, hashlib.sha256(body).hexdigest())
    entry = data._SHIPPED["mnist"]._replace(full=full)
    monkeypatch.setitem(data._SHIPPED, "mnist", entry)


def kept(plan):
    return sorted(path.name for path in plan["cache"].glob("*"))


def test_the_real_full_file_is_the_known_one():
    full = data._SHIPPED["mnist"].full
    assert full.url.startswith("https://storage.googleapis.com/tensorflow/")
    assert full.sha256 == (
        "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
    )


def test_full_leaves_out_what_is_held_out(server, mnist):
    train, test = data.load("mnist", full=True)
    np.testing.assert_array_equal(
        np.round(np.asarray(train[0])[..., 0] * 255), server["other"]
    )
    assert train[1].tolist() == [*(np.arange(30) % 10), *(np.arange(15) % 10)]
    assert (train[0].dtype, train[1].dtype) == (jnp.float32, jnp.int32)
    np.testing.assert_array_equal(test[0], mnist.test[0])
    np.testing.assert_array_equal(test[1], mnist.test[1])
    assert data.overlap(train[0], test[0]) == 0


def test_full_shows_progress_and_does_not_wait_for_ever(server, monkeypatch):
    given = {}

    def downloader(**options):
        given.update(options)
        return original(**options)

    original = pooch.HTTPDownloader
    monkeypatch.setattr(pooch, "HTTPDownloader", downloader)
    data.load("mnist", full=True)
    assert given == {"progressbar": True, "timeout": 30}


def test_full_is_downloaded_once(server):
    data.load("mnist", full=True)
    server["mode"] = "missing"
    data.load("mnist", full=True)
    assert server["requests"] == 1
    assert kept(server) == ["mnist.npz"]


def test_full_warns_of_held_out_images_that_it_does_not_hold(
    server, full_file, monkeypatch
):
    full_file["x_train"] = full_file["x_train"][:-3]
    full_file["y_train"] = full_file["y_train"][:-3]
    server["body"] = npz(**full_file)
    register(monkeypatch, server["url"], server["body"])
    with pytest.warns(UserWarning, match="3 of 2000 held-out images") as caught:
        data.load("mnist", full=True)
    assert caught[0].filename == __file__


def test_a_download_cut_off_leaves_nothing(server):
    server["mode"] = "cut"
    with pytest.raises(ConnectionError, match="could not download") as caught:
        data.load("mnist", full=True)
    assert kept(server) == []
    server["mode"] = "whole"
    assert len(data.load("mnist", full=True).train[1]) == 45
    message = str(caught.value)
    for part in (server["url"], str(server["cache"] / "mnist.npz"), "without full"):
        assert part in message


def test_a_missing_file_is_told(server):
    server["mode"] = "missing"
    with pytest.raises(ConnectionError, match="could not download"):
        data.load("mnist", full=True)
    assert kept(server) == []


def test_a_wrong_checksum_is_refused_and_not_kept(server):
    server["body"] = server["body"][:-1] + b"x"
    with pytest.raises(ValueError, match="wrong checksum from") as caught:
        data.load("mnist", full=True)
    assert kept(server) == []
    assert "another checksum" not in str(caught.value)
    assert hashlib.sha256(server["body"]).hexdigest() not in str(caught.value)


def test_a_bad_kept_file_is_replaced(server):
    server["cache"].mkdir()
    (server["cache"] / "mnist.npz").write_bytes(b"half a file")
    assert len(data.load("mnist", full=True).train[1]) == 45
    assert (server["cache"] / "mnist.npz").read_bytes() == server["body"]


def test_a_bad_kept_file_is_named_when_offline(server):
    server["cache"].mkdir()
    (server["cache"] / "mnist.npz").write_bytes(b"half a file")
    server["mode"] = "missing"
    with pytest.raises(ConnectionError, match="kept there has another checksum"):
        data.load("mnist", full=True)


def test_offline_the_message_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("LESSONS_DATA", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    register(monkeypatch, "http://127.0.0.1:9/mnist.npz", b"")
    with pytest.raises(ConnectionError) as caught:
        data.load("mnist", full=True)
    message = str(caught.value)
    assert "could not download http://127.0.0.1:9/mnist.npz" in message
    assert hashlib.sha256(b"").hexdigest() in message
    assert f"at {tmp_path / 'mnist.npz'} by hand" in message
    assert "load without full=True" in message
    assert "another checksum" not in message


def test_a_file_put_by_hand_needs_no_network(server):
    server["cache"].mkdir()
    (server["cache"] / "mnist.npz").write_bytes(server["body"])
    server["mode"] = "missing"
    assert len(data.load("mnist", full=True).train[1]) == 45
    assert server["requests"] == 0


def test_cache_dir_can_be_moved(monkeypatch, tmp_path):
    monkeypatch.delenv("LESSONS_DATA", raising=False)
    standard = data.cache_dir()
    assert "lessons" in standard.parts
    monkeypatch.setenv("LESSONS_DATA", "")
    assert data.cache_dir() == standard
    monkeypatch.setenv("LESSONS_DATA", str(tmp_path))
    assert data.cache_dir() == tmp_path


# Toy tasks


@pytest.mark.parametrize(
    "f, features, rule",
    [
        (data.line, 1, lambda x: x[:, 0] > 0),
        (data.diagonal, 2, lambda x: x[:, 0] > x[:, 1]),
        (data.xor, 2, lambda x: x[:, 0] * x[:, 1] < 0),
    ],
)
def test_labels_follow_the_rule(f, features, rule):
    x, y = (np.asarray(a) for a in f(KEY, N))
    assert (x.shape, y.shape) == ((N, features), (N,))
    np.testing.assert_array_equal(y, rule(x))
    for column in x.T:
        assert -1 <= column.min() < -0.95
        assert 0.95 < column.max() <= 1
    noisy, same = f(KEY, N, 0.25)
    np.testing.assert_array_equal(same, y)
    assert np.std(np.asarray(noisy) - x) == pytest.approx(0.25, rel=0.15)


def test_moons_lie_on_their_half_circles():
    x, y = (np.asarray(a) for a in data.moons(KEY, N, 0.0))
    upper, lower = x[y == 0], x[y == 1]
    assert (len(upper), len(lower)) == (201, 200)
    np.testing.assert_allclose(np.hypot(*upper.T), 1, atol=1e-5)
    np.testing.assert_allclose(
        np.hypot(lower[:, 0] - 1, lower[:, 1] - 0.5), 1, atol=1e-5
    )
    assert (
        upper[:, 1].min() >= 0 and upper[:, 0].min() < -0.98 < 0.98 < upper[:, 0].max()
    )
    assert lower[:, 1].max() <= 0.5 and lower[:, 0].min() < 0.02
    assert lower[:, 0].max() > 1.98


@pytest.mark.parametrize("factor", [0.5, 0.3])
def test_circles_have_their_radii(factor):
    x, y = (np.asarray(a) for a in data.circles(KEY, N, 0.0, factor))
    np.testing.assert_allclose(np.hypot(*x.T), np.where(y == 0, 1.0, factor), atol=1e-5)
    for k in range(2):
        angles = np.arctan2(*x[y == k].T)
        assert np.histogram(angles, 8, (-np.pi, np.pi))[0].min() > 10


@pytest.mark.parametrize("turns", [1.0, 1.75])
def test_spirals_turn(turns):
    x, y = (np.asarray(a) for a in data.spirals(KEY, N, 0.0, turns))
    r = np.hypot(*x.T)
    expected = 2 * np.pi * turns * r + np.pi * y
    np.testing.assert_allclose(x[:, 0], r * np.cos(expected), atol=1e-4)
    np.testing.assert_allclose(x[:, 1], r * np.sin(expected), atol=1e-4)
    # Spread evenly over the disc: half of the points beyond radius sqrt(1/2).
    assert np.mean(r > np.sqrt(0.5)) == pytest.approx(0.5, abs=0.08)
    assert r.max() <= 1


@pytest.mark.parametrize("name", TOYS)
def test_toys_in_general(name):
    f = getattr(data, name)
    x, y = (np.asarray(a) for a in f(KEY))
    assert len(x) == len(y) == 200
    assert (x.dtype, y.dtype) == (jnp.float32, jnp.int32)
    assert f(KEY, 1)[0].shape[0] == 1
    np.testing.assert_array_equal(f(KEY)[0], x)
    assert not np.array_equal(f(jax.random.key(8))[0], x)
    assert 0.3 < y.mean() < 0.7
    # The order is random: neither half holds one class alone.
    assert 0.2 < y[:100].mean() < 0.8
    alternating = np.abs(np.diff(y)).mean()
    assert 0.3 < alternating < 0.7


NOISE = {
    "line": 0,
    "diagonal": 0,
    "xor": 0,
    "moons": 0.1,
    "circles": 0.05,
    "spirals": 0.02,
}


@pytest.mark.parametrize("name, noise", NOISE.items())
def test_toy_noise(name, noise):
    f = getattr(data, name)
    assert inspect.signature(f).parameters["noise"].default == noise
    clean, noisy = (np.asarray(f(KEY, N, s)[0]) for s in (0.0, 0.2))
    assert np.std(noisy - clean) == pytest.approx(0.2, rel=0.15)
    assert abs(np.mean(noisy - clean)) < 0.05


@pytest.mark.parametrize("name", TOYS)
def test_toys_refuse(name):
    f = getattr(data, name)
    with pytest.raises(ValueError, match="at least 1 point, got n=0"):
        f(KEY, 0)
    with pytest.raises(ValueError, match=r"noise of at least 0, got -0\.1"):
        f(KEY, 5, -0.1)


@pytest.mark.parametrize("factor", [0.0, 1.0, -0.5, 2.0])
def test_circles_refuse_a_factor(factor):
    with pytest.raises(ValueError, match=f"factor between 0 and 1, got {factor}"):
        data.circles(KEY, 5, 0.0, factor)


# Parts and batches


# Few sizes, because each compiles a permutation of its own.
@given(n=st.sampled_from([2, 3, 17]), count=st.integers(1, 16), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_split_is_disjoint_and_complete(n, count, seed):
    count = min(count, n - 1)
    rows = np.arange(n)
    rest, part = data.split(jax.random.key(seed), (rows, -rows), count)
    assert len(part[0]) == count
    assert sorted([*rest[0], *part[0]]) == rows.tolist()
    for x, y in (rest, part):
        np.testing.assert_array_equal(x, -y)


def test_split_fraction_and_key():
    rows = jnp.arange(50)
    rest, part = data.split(KEY, rows, 0.3)
    assert (len(rest), len(part)) == (35, 15)
    np.testing.assert_array_equal(data.split(KEY, rows, 15)[1], part)
    assert not np.array_equal(data.split(jax.random.key(8), rows, 15)[1], part)
    assert not np.array_equal(part, rows[:15])
    assert not np.array_equal(part, rows[-15:])
    assert len(data.split(KEY, rows, 0.25)[1]) == 12  # 12.5 rounds to even


def test_split_draws_every_row_equally_often():
    counts = np.zeros(10)
    for seed in range(300):
        counts[data.split(jax.random.key(seed), np.arange(10), 3)[1]] += 1
    assert counts.sum() == 900
    assert counts.min() > 60 and counts.max() < 120


@pytest.mark.parametrize("count", [1, 5, 12, 33])
def test_split_stratified(count):
    labels = np.repeat([3, 5, 9], [6, 15, 19])
    rows = np.arange(40)
    rest, part = data.split(KEY, (rows, labels), count, stratify=labels)
    assert len(part[0]) == count
    assert sorted([*rest[0], *part[0]]) == rows.tolist()
    for k, size in ((3, 6), (5, 15), (9, 19)):
        assert abs((part[1] == k).sum() - count * size / 40) < 1
    again = data.split(jax.random.key(8), (rows, labels), count, stratify=labels)
    assert not np.array_equal(again[1][0], part[0])


@pytest.mark.parametrize(
    "part, stratify, message",
    [
        (0, None, "both parts to have rows, got 0 of 5"),
        (5, None, "both parts to have rows, got 5 of 5"),
        (-1, None, "both parts to have rows, got -1 of 5"),
        (1.0, None, "both parts to have rows, got 5 of 5"),
        (0.01, None, "both parts to have rows, got 0 of 5"),
        (2, np.zeros(4), r"expected labels of shape \(5,\), got \(4,\)"),
        (2, np.zeros((5, 1)), r"expected labels of shape \(5,\), got \(5, 1\)"),
    ],
)
def test_split_refuses(part, stratify, message):
    with pytest.raises(ValueError, match=message):
        data.split(KEY, np.arange(5), part, stratify)


@pytest.mark.parametrize(
    "f", [lambda d: data.split(KEY, d, 1), lambda d: data.batches(d, 1)]
)
@pytest.mark.parametrize(
    "rows, message",
    [
        (
            (np.ones(3), np.ones(4)),
            r"one leading length, got shapes \[\(3,\), \(4,\)\]",
        ),
        ((np.ones(3), 1.0), r"one leading length, got shapes \[\(3,\), \(\)\]"),
        ((), r"one leading length, got shapes \[\]"),
        ((np.ones((0, 2)),), r"at least one row, got shapes \[\(0, 2\)\]"),
    ],
)
def test_rows_must_match(f, rows, message):
    with pytest.raises(ValueError, match=message):
        f(rows)


@pytest.mark.parametrize("n, size", [(7, 3), (6, 3), (1, 4), (3, 3)])
def test_batches_hold_every_row_once(n, size):
    rows = {"x": jnp.arange(2 * n).reshape(n, 2), "y": jnp.arange(n)}
    plain = list(data.batches(rows, size))
    assert [len(b["y"]) for b in plain] == [min(size, n - i) for i in range(0, n, size)]
    np.testing.assert_array_equal(np.concatenate([b["y"] for b in plain]), rows["y"])
    mixed = list(data.batches(rows, size, KEY))
    order = np.concatenate([b["y"] for b in mixed])
    assert sorted(order.tolist()) == list(range(n))
    np.testing.assert_array_equal(
        np.concatenate([b["x"] for b in mixed]), np.asarray(rows["x"])[order]
    )


def test_batches_shuffle_by_key():
    def order(key):
        return np.concatenate(list(data.batches(np.arange(30), 4, key))).tolist()

    assert order(KEY) == order(KEY) != order(jax.random.key(8))
    assert order(KEY) != list(range(30))


def test_batches_refuse_at_once():
    with pytest.raises(ValueError, match="batch size of at least 1, got 0"):
        data.batches(np.arange(3), 0)


@given(
    a=st.lists(st.integers(0, 5), min_size=1, max_size=12),
    b=st.lists(st.integers(0, 5), min_size=1, max_size=12),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_overlap_counts_rows_of_a(a, b):
    x, y = (np.array(v, np.float32)[:, None] * [[1, 2]] for v in (a, b))
    assert data.overlap(x, y) == sum(value in b for value in a)


def test_overlap_details():
    assert data.overlap(jnp.array([0.0]), jnp.array([-0.0])) == 1
    assert data.overlap(np.array([[1, 2]]), np.array([[2, 1]])) == 0
    assert data.overlap(np.array([[1, 2], [3, 4]]).T, np.array([[1, 3]])) == 1
    with pytest.raises(
        ValueError, match=r"rows alike, got \(1, 2\) int64 and \(1, 3\)"
    ):
        data.overlap(np.ones((1, 2), int), np.ones((1, 3), int))
    with pytest.raises(ValueError, match=r"\(2,\) float32 and \(2,\) float64"):
        data.overlap(np.ones(2, np.float32), np.ones(2))


def test_one_hot():
    labels = np.array([[2, 0], [3, 3], [1, 2]])
    rows = data.one_hot(labels, 5)
    assert (rows.shape, rows.dtype) == ((3, 2, 5), jnp.float32)
    np.testing.assert_array_equal(rows, np.eye(5)[labels])
    np.testing.assert_array_equal(
        jax.jit(data.one_hot, static_argnums=1)(jnp.array([0, 7]), 3),
        [[1, 0, 0], [0, 0, 0]],
    )


@pytest.mark.parametrize(
    "labels, message",
    [
        ([0, 3], r"labels in 0..2, got \[3\]"),
        ([0, -1], r"labels in 0..2, got \[-1\]"),
        ([0.0, 1.0], "integer labels, got float"),
    ],
)
def test_one_hot_refuses(labels, message):
    with pytest.raises(ValueError, match=message):
        data.one_hot(np.array(labels), 3)


# Scaling


FEATURES = np.random.default_rng(0).normal([1, -20, 300], [2, 0.1, 50], (41, 3))


def test_standardiser_equals_sklearn():
    theirs = sklearn.preprocessing.StandardScaler().fit(FEATURES)
    ours = data.fit_standardiser(FEATURES)
    np.testing.assert_allclose(ours.mean, theirs.mean_, rtol=1e-6)
    np.testing.assert_allclose(ours.scale, theirs.scale_, rtol=1e-6)
    fresh = FEATURES[:5] + 1
    np.testing.assert_allclose(
        data.scale(ours, fresh), theirs.transform(fresh), rtol=1e-4, atol=2e-4
    )
    assert ours.mean.dtype == ours.scale.dtype == jnp.float32


@pytest.mark.parametrize("low, high", [(0.0, 1.0), (-1.0, 1.0), (2.0, 5.0)])
def test_min_max_equals_sklearn(low, high):
    theirs = sklearn.preprocessing.MinMaxScaler((low, high)).fit(FEATURES)
    ours = data.fit_min_max(FEATURES, low, high)
    scaled = data.scale(ours, FEATURES)
    np.testing.assert_allclose(scaled, theirs.transform(FEATURES), atol=3e-4)
    np.testing.assert_allclose(scaled.min(axis=0), low, atol=3e-4)
    np.testing.assert_allclose(scaled.max(axis=0), high, atol=3e-4)


def test_min_max_defaults_to_0_and_1():
    ours = data.fit_min_max(FEATURES)
    for found, expected in zip(ours, data.fit_min_max(FEATURES, 0, 1), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("fit", [data.fit_standardiser, data.fit_min_max])
def test_scaling_comes_back(fit):
    scaler = fit(FEATURES)
    np.testing.assert_allclose(
        data.unscale(scaler, data.scale(scaler, FEATURES)), FEATURES, rtol=1e-5
    )


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_constant_columns_divide_by_one(value):
    x = np.stack([np.full(1000, value, np.float32), np.arange(1000)], axis=1)
    standard = data.fit_standardiser(x)
    assert float(standard.scale[0]) == 1
    np.testing.assert_array_equal(data.scale(standard, x)[:, 0], 0)
    ranged = data.scale(data.fit_min_max(x, 2.0, 4.0), x)
    np.testing.assert_allclose(ranged[:, 0], 2, rtol=0, atol=1e-6 * max(value, 1))
    assert float(ranged[:, 1].max()) == pytest.approx(4)


def test_one_pair_over_everything():
    images = np.random.default_rng(0).random((5, 4, 3, 1)).astype(np.float32)
    scaler = data.fit_standardiser(images, axis=None)
    assert scaler.mean.shape == ()
    scaled = data.scale(scaler, images)
    assert float(scaled.mean()) == pytest.approx(0, abs=1e-6)
    assert float(scaled.std()) == pytest.approx(1, abs=1e-6)
    assert data.fit_min_max(images, axis=None).scale.shape == ()
    assert data.fit_min_max(images).scale.shape == (4, 3, 1)


@pytest.mark.parametrize("f", [data.scale, data.unscale])
def test_scaling_does_not_broadcast(f):
    scaler = data.fit_standardiser(FEATURES)
    with pytest.raises(ValueError, match=r"x of shape \(n, 3\), got \(3,\)"):
        f(scaler, FEATURES[0])
    with pytest.raises(ValueError, match=r"x of shape \(n, 3\), got \(4, 1\)"):
        f(scaler, np.ones((4, 1)))


@pytest.mark.parametrize("fit", [data.fit_standardiser, data.fit_min_max])
@pytest.mark.parametrize("x", [np.ones((0, 3)), np.float64(2.0)])
def test_fitting_needs_rows(fit, x):
    with pytest.raises(ValueError, match=r"at least one row, got shape \("):
        fit(x)


@pytest.mark.parametrize("low, high", [(1.0, 1.0), (2.0, 1.0)])
def test_min_max_refuses_an_empty_range(low, high):
    with pytest.raises(ValueError, match=f"low < high, got low={low} and high={high}"):
        data.fit_min_max(FEATURES, low, high)


# Augmentation


IMAGES = jnp.asarray(np.random.default_rng(1).random((3, 7, 10, 2)), jnp.float32)
SQUARE = jnp.asarray(np.random.default_rng(2).random((2, 9, 9, 1)), jnp.float32)


def by_scipy(image, angle, shift):
    """The same warp of one channel by SciPy."""
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    middle = (np.array(image.shape) - 1) / 2
    return scipy.ndimage.affine_transform(
        np.pad(np.asarray(image, np.float64), 30),
        turn,
        middle + 30 - turn @ (middle + 30 + shift),
        order=1,
    )[30:-30, 30:-30]


@pytest.mark.parametrize(
    "angle, shift",
    [(0.0, (0.3, -1.7)), (0.5, (0.0, 0.0)), (-1.2, (1.25, 2.5)), (3.0, (-4.0, 0.1))],
)
def test_warp_equals_scipy(angle, shift):
    angles = jnp.array([angle, 0.1, -angle])
    shifts = jnp.array([shift, (0.5, 0.5), shift])
    ours = data.shift_rotate(IMAGES, angles, shifts)
    assert (ours.shape, ours.dtype) == (IMAGES.shape, jnp.float32)
    for i in range(3):
        for channel in range(2):
            np.testing.assert_allclose(
                ours[i, ..., channel],
                by_scipy(IMAGES[i, ..., channel], float(angles[i]), shifts[i]),
                atol=2e-5,
            )


@pytest.mark.parametrize("rows, columns", [(0, 0), (2, 0), (0, -3), (-1, 4), (7, 0)])
def test_whole_shifts_move_pixels(rows, columns):
    expected = np.zeros(IMAGES.shape, np.float32)
    moved = np.roll(IMAGES, (rows, columns), axis=(1, 2))
    down = slice(max(rows, 0), 7 + min(rows, 0))
    across = slice(max(columns, 0), 10 + min(columns, 0))
    expected[:, down, across] = moved[:, down, across]
    shifts = jnp.tile(jnp.array([[rows, columns]], jnp.float32), (3, 1))
    np.testing.assert_array_equal(
        data.shift_rotate(IMAGES, jnp.zeros(3), shifts), expected
    )


@pytest.mark.parametrize("quarters", [1, 2, 3, -1])
def test_quarter_turns(quarters):
    turned = data.shift_rotate(
        SQUARE, jnp.full(2, quarters * jnp.pi / 2), jnp.zeros((2, 2))
    )
    np.testing.assert_allclose(
        turned, np.rot90(SQUARE, quarters, axes=(1, 2)), atol=1e-5
    )


def test_far_away_is_zero():
    shifts = jnp.array([[1e6, 0.0], [0.0, -1e6]])
    assert not data.shift_rotate(SQUARE, jnp.zeros(2), shifts).any()


def test_random_shift_rotate_is_within_its_limits():
    image = jnp.zeros((1, 21, 21, 1)).at[0, 10, 10, 0].set(1.0)
    many = jnp.tile(image, (500, 1, 1, 1))
    rows, columns = np.indices((21, 21)) - 10.0
    moved = np.asarray(data.random_shift_rotate(KEY, many, 3.0, 0.0))[..., 0]
    # Bilinear interpolation keeps the centre of mass exactly.
    down, right = (moved * rows).sum((1, 2)), (moved * columns).sum((1, 2))
    for amount in (down, right):
        assert -3 <= amount.min() < -2.8 and 2.8 < amount.max() <= 3
        assert abs(amount.mean()) < 0.3
    assert abs(np.corrcoef(down, right)[0, 1]) < 0.15
    turned = data.random_shift_rotate(
        KEY, jnp.roll(many, 8, axis=2), max_shift=0.0, max_angle=0.3
    )
    turned = np.asarray(turned)[..., 0]
    mass = turned.sum((1, 2))
    angles = np.arctan2(-(turned * rows).sum((1, 2)), (turned * columns).sum((1, 2)))
    assert mass.min() > 0.5
    assert -0.32 < angles.min() < -0.26 and 0.26 < angles.max() < 0.32
    assert abs(angles.mean()) < 0.04


def test_random_shift_rotate_defaults():
    signature = inspect.signature(data.random_shift_rotate).parameters
    assert signature["max_shift"].default == 2.5
    assert signature["max_angle"].default == 0.2
    np.testing.assert_array_equal(
        data.random_shift_rotate(KEY, IMAGES),
        data.random_shift_rotate(KEY, IMAGES, 2.5, 0.2),
    )


def test_no_change_gives_the_image_back():
    np.testing.assert_array_equal(
        data.random_shift_rotate(KEY, IMAGES, 0.0, 0.0), IMAGES
    )


def test_random_shift_rotate_by_key_and_under_transformations():
    same = jnp.tile(SQUARE[:1], (2, 1, 1, 1))
    changed = data.random_shift_rotate(KEY, same)
    assert not np.allclose(changed[0], changed[1])
    assert not np.allclose(changed, data.random_shift_rotate(jax.random.key(8), same))
    np.testing.assert_allclose(
        jax.jit(data.random_shift_rotate)(KEY, same), changed, atol=1e-5
    )
    keys = jax.random.split(KEY, 3)
    stacked = jax.vmap(data.random_shift_rotate, (0, None))(keys, same)
    for key, result in zip(keys, stacked, strict=True):
        np.testing.assert_allclose(
            result, data.random_shift_rotate(key, same), atol=1e-5
        )
    half = SQUARE.astype(jnp.bfloat16)
    assert data.random_shift_rotate(KEY, half).dtype == jnp.bfloat16


@pytest.mark.parametrize(
    "images, angles, shifts, message",
    [
        (SQUARE[..., 0], (2,), (2, 2), r"channels\), got float32 \(2, 9, 9\)"),
        (SQUARE.astype(int), (2,), (2, 2), "expected float images .* got int32"),
        (SQUARE, (1,), (2, 2), r"angles of shape \(2,\), got \(1,\)"),
        (SQUARE, (2, 1), (2, 2), r"angles of shape \(2,\), got \(2, 1\)"),
        (SQUARE, (2,), (2,), r"shifts of shape \(2, 2\), got \(2,\)"),
        (SQUARE, (2,), (2, 3), r"shifts of shape \(2, 2\), got \(2, 3\)"),
    ],
)
def test_shift_rotate_refuses(images, angles, shifts, message):
    with pytest.raises(ValueError, match=message):
        data.shift_rotate(images, jnp.zeros(angles), jnp.zeros(shifts))


@pytest.mark.parametrize(
    "images, options, message",
    [
        (SQUARE[0], {}, r"channels\), got float32 \(9, 9, 1\)"),
        (SQUARE, {"max_shift": -1.0}, "max_shift of at least 0, got -1.0"),
        (SQUARE, {"max_angle": -0.1}, "max_angle of at least 0, got -0.1"),
    ],
)
def test_random_shift_rotate_refuses(images, options, message):
    with pytest.raises(ValueError, match=message):
        data.random_shift_rotate(KEY, images, **options)
