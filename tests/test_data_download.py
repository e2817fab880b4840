"""The full set, from a server on this machine."""

import functools
import hashlib
import http.server
import io
import pathlib
import threading

import jax.numpy as jnp
import numpy as np
import pooch
import pytest

from lessons import data


@pytest.fixture(scope="module")
def mnist():
    return data.load("mnist")


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
    given, asked = {}, []

    def downloader(**options):
        given.update(options)
        made = original(**options)
        return lambda url, *rest: asked.append(url) or made(url, *rest)

    original = pooch.HTTPDownloader
    monkeypatch.setattr(pooch, "HTTPDownloader", downloader)
    data.load("mnist", full=True)
    assert given == {"progressbar": True, "timeout": 30}
    assert asked == [server["url"]]


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
