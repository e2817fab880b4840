"""An interactive figure in JupyterLab: what the reader sets, Python has, and back."""

import os
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from visits import open_context

CELLS = [
    "from lessons import widgets\nfigure = widgets.ActivationExplorer()\nfigure",
    "print('gain', round(figure.gain, 2))",
    "figure.function = 'tanh'",
]


def free_port():
    """Return a port that nobody uses just now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def answers(url):
    """Tell whether a server is up."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture
def lab(tmp_path):
    """Start JupyterLab on a small notebook, with settings of its own."""
    pytest.importorskip("jupyterlab")
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    # Without a kernel's name JupyterLab would ask for one.
    names = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=names)
    nbformat.write(notebook, tmp_path / "small.ipynb")
    own = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    environment = os.environ | {name: str(tmp_path / name.lower()) for name in own}
    port = free_port()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    command += ["--IdentityProvider.token=", f"--ServerApp.root_dir={tmp_path}"]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            url, end = f"http://127.0.0.1:{port}", time.monotonic() + 60
            while not answers(f"{url}/api"):
                assert server.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < end, "JupyterLab did not start in a minute"
                time.sleep(0.2)
            yield url
        finally:
            server.terminate()
            server.wait(timeout=30)


def run(page, place):
    """Run one cell of the open notebook."""
    page.locator(".jp-CodeCell .cm-content").nth(place).click()
    page.keyboard.press("Shift+Enter")


def test_the_reader_and_python_share_a_figure(browser, lab):
    context = open_context(browser, "desktop", "light")
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(f"{lab}/lab/tree/small.ipynb")
    page.locator(".jp-CodeCell .cm-content").first.wait_for()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    run(page, 0)
    figure = page.locator(".jp-OutputArea .lw")
    figure.wait_for()
    assert page.locator(".jp-OutputArea img").count() == 0, "the live figure alone"
    slider = figure.get_by_role("slider", name="Weights")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    shown = float(slider.input_value())
    run(page, 1)
    page.locator(".jp-OutputArea pre", has_text="gain").wait_for()
    said = page.locator(".jp-OutputArea pre", has_text="gain").inner_text().split()
    assert shown > 1 and float(said[1]) == pytest.approx(shown)
    run(page, 2)
    figure.locator(".lw-say", has_text="tanh(").wait_for()
    assert figure.get_by_label("Function").input_value() == "tanh"
    context.close()
