"""House rules that every notebook keeps; its outputs are compared by nbval."""

import ast
import importlib.util
import math
import re
import statistics
import textwrap
from pathlib import Path

import nbformat
import pytest

from lessons import widgets

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WIDGETS = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
# What names a machine, a run or an address in memory.
MACHINE = re.compile(
    r"/home/|/root/|/Users/|/tmp/|[A-Z]:\\\\|ipykernel|site-packages|\b0x[0-9a-f]{6,}"
    + "|"
    + re.escape(str(ROOT))
)
NO_ASSERT = re.compile(
    r"set-?up|check yourself|exercise|summary|sources", re.IGNORECASE
)


def load_tool():
    """Import tools/notebooks.py, which is no package."""
    spec = importlib.util.spec_from_file_location(
        "notebooks_tool", ROOT / "tools" / "notebooks.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = load_tool()


@pytest.fixture(params=NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def path(request):
    """Each notebook in turn."""
    return request.param


@pytest.fixture
def notebook(path):
    """Its contents."""
    return TOOL.read(path)


def code_cells(notebook):
    """Return the code cells."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell):
    """Return a cell's tags."""
    return cell.metadata.get("tags", [])


def outputs(notebook):
    """Yield every output with its cell."""
    for cell in code_cells(notebook):
        for output in cell.outputs:
            yield cell, output


def text_parts(output):
    """Return what an output says in words: streams, errors, text and mark-up."""
    if output.output_type == "stream":
        return [output.text]
    if output.output_type == "error":
        return [output.evalue, *output.traceback]
    return [
        str(value)
        for kind, value in output.data.items()
        if kind.startswith("text/") or kind == "image/svg+xml"
    ]


def images(cell):
    """Return the pictures a cell yields."""
    return [
        data
        for output in cell.outputs
        for kind, data in output.get("data", {}).items()
        if kind.startswith("image/")
    ]


def sections(notebook):
    """Return (heading, Markdown, code cells) for each part under a '## ' heading."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            pieces = re.split(r"^## (.+)$", cell.source, flags=re.MULTILINE)
            if found:
                found[-1][1].append(pieces[0])
            for heading, body in zip(pieces[1::2], pieces[2::2], strict=True):
                found.append((heading.strip(), [body], []))
        elif found and cell.cell_type == "code":
            found[-1][2].append(cell)
    return [(heading, "\n".join(text), code) for heading, text, code in found]


def tree(cell):
    """Parse a cell, its IPython magics made plain."""
    lines = re.sub(r"^(\s*)[%!].*$", r"\1pass", cell.source, flags=re.MULTILINE)
    return ast.parse(lines)


def asserts(cells):
    """Return every assert statement of some cells."""
    return [
        node
        for cell in cells
        for node in ast.walk(tree(cell))
        if isinstance(node, ast.Assert)
    ]


def test_name(path):
    assert re.fullmatch(r"\d\d[a-z]?_[a-z0-9_]+", path.stem)


def test_normal_form(path):
    assert TOOL.is_normal(path), f"run: make notebooks NAME={path.stem}"


def test_size(path):
    assert path.stat().st_size < 3_000_000


def test_every_code_cell_was_run_in_order(notebook):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


def test_no_empty_cell(notebook):
    assert all(cell.source.strip() for cell in notebook.cells)


def test_errors_are_declared_and_declared_errors_happen(notebook):
    for cell in code_cells(notebook):
        failed = any(output.output_type == "error" for output in cell.outputs)
        assert failed == ("raises-exception" in tags(cell)), cell.source


def test_nothing_on_stderr(notebook):
    said = [out.text for _, out in outputs(notebook) if out.get("name") == "stderr"]
    assert not said


def test_outputs_name_no_machine(notebook):
    for cell, output in outputs(notebook):
        for text in text_parts(output):
            assert not MACHINE.search(text), f"{cell.source}\n{text}"


def test_cells_are_short(notebook):
    lines = [cell.source.count("\n") + 1 for cell in code_cells(notebook)]
    assert 20 <= len(lines) <= 40
    assert statistics.median(lines) <= 8
    assert max(lines) <= 25


def test_more_prose_than_code(notebook):
    code = sum(
        bool(line.strip())
        for cell in code_cells(notebook)
        for line in cell.source.splitlines()
    )
    # A paragraph is one line in the file: count it as a page 88 wide would.
    prose = sum(
        math.ceil(len(line) / 88)
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
    )
    assert prose > code


def test_no_trailing_semicolon(notebook):
    ends = [c.source for c in code_cells(notebook) if c.source.rstrip().endswith(";")]
    assert not ends, "nbval shows the value all the same: assign it to _"


def test_no_progress_bar_is_stored(notebook):
    # A bar holds times. The environment silences it while notebooks are executed.
    outputs = [o for cell in code_cells(notebook) for o in cell.outputs]
    assert "epoch/s" not in str(outputs)
    assert "epoch/s" not in str(notebook.metadata)


def test_one_set_up_cell_before_every_other(notebook):
    first, *others = code_cells(notebook)
    assert "setup" in tags(first)
    assert not any("setup" in tags(cell) for cell in others)
    assert not first.outputs


def test_every_section_with_code_asserts_its_claim(notebook):
    for heading, _, code in sections(notebook):
        if code and not NO_ASSERT.search(heading):
            assert asserts(code), f"no assert under '{heading}'"


def test_asserts_say_the_fact(notebook):
    for node in asserts(code_cells(notebook)):
        assert node.msg is not None, ast.unparse(node)


def test_images_have_alternative_text_and_are_shown_once(notebook):
    for cell in code_cells(notebook):
        shown = images(cell)
        if shown:
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(alt) >= 20, f"no alternative text:\n{cell.source}"
            assert len(set(shown)) == len(shown), f"shown twice:\n{cell.source}"


def test_citations_are_in_the_bibliography(notebook):
    keys = {
        key.strip()
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for group in re.findall(r"\{cite[:\w]*\}`([^`]+)`", cell.source)
        for key in group.split(",")
    }
    library = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    known = set(re.findall(r"^@\w+\{\s*([^,\s]+)", library, flags=re.MULTILINE))
    assert keys, "a chapter cites its sources"
    assert keys <= known, f"not in book/references.bib: {sorted(keys - known)}"


def test_every_widget_has_its_state(notebook):
    state = notebook.metadata.get("widgets", {}).get(WIDGETS, {}).get("state", {})
    for _, output in outputs(notebook):
        view = output.get("data", {}).get(VIEW)
        assert view is None or view["model_id"] in state


def test_every_figure_is_stored_with_its_present_script(notebook):
    state = notebook.metadata.get("widgets", {}).get(WIDGETS, {}).get("state", {})
    for entry in state.values():
        name = entry["state"].get("_anywidget_id", "").rsplit(".", 1)[-1]
        if name:
            figure = getattr(widgets, name)
            assert entry["state"]["_esm"] == figure._esm, f"execute again: {name}"
            assert entry["state"]["_css"] == figure._css, f"execute again: {name}"


def test_it_opens_with_a_title_and_closes_with_exercises_and_sources(notebook):
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    headings = [heading.lower() for heading, _, _ in sections(notebook)]
    assert re.search(r"summary|sources", headings[-1])
    assert any("exercise" in heading for heading in headings[-3:])


def test_three_to_six_exercises(notebook):
    [text] = [t for h, t, _ in sections(notebook) if h.lower().startswith("exercise")]
    count = len(re.findall(r"^(?:\d+\. |### )", text, flags=re.MULTILINE))
    assert 3 <= count <= 6


# The tool itself.

PNG = "iVBORw0KGgo="
OLD = ("f" * 32, "a" * 32)


def untidy():
    """Return a notebook as an editor leaves it."""
    code = nbformat.v4.new_code_cell
    stream = {"output_type": "stream", "name": "stdout"}
    view = {"model_id": OLD[1], "version_major": 2, "version_minor": 0}
    cells = [
        nbformat.v4.new_markdown_cell("# A title\n"),
        code("anything", metadata={"tags": ["setup"], "scrolled": True}),
        code("1 + 1  \n", execution_count=2, metadata={"execution": {"busy": "now"}}),
        code(
            "print(1); print(2)",
            execution_count=3,
            outputs=[
                nbformat.from_dict({**stream, "text": "1\n"}),
                nbformat.from_dict({**stream, "text": "2\n"}),
                nbformat.v4.new_output("display_data", {VIEW: view, "image/png": PNG}),
            ],
        ),
        code("1 + 1"),
    ]
    models = {
        OLD[0]: {"model_name": "LayoutModel", "state": {}},
        OLD[1]: {"model_name": "M", "state": {"layout": f"IPY_MODEL_{OLD[0]}"}},
    }
    state = {"state": models, "version_major": 2, "version_minor": 0}
    machine = {"kernelspec": {"name": "mine", "display_name": "Mine"}, "vscode": {}}
    return nbformat.v4.new_notebook(
        cells=cells, metadata={**machine, "widgets": {WIDGETS: state}}
    )


def test_normal_form_is_reached_in_one_step():
    once = TOOL.normalise(untidy(), "07_topic")
    twice = TOOL.normalise(once, "07_topic")
    assert TOOL.text_of(once) == TOOL.text_of(twice)
    read_back = nbformat.reads(TOOL.text_of(once), as_version=4)
    assert TOOL.text_of(TOOL.normalise(read_back, "07_topic")) == TOOL.text_of(once)


def test_normal_form_forgets_the_machine_and_the_run():
    text = TOOL.text_of(TOOL.normalise(untidy(), "07_topic"))
    for word in ("scrolled", "busy", "vscode", "Mine", *OLD):
        assert word not in text
    assert text.endswith("}\n")


def test_normal_form_keeps_what_the_reader_sees():
    notebook = TOOL.normalise(untidy(), "07_topic")
    last = notebook.cells[3]
    assert last.outputs[0].text == "1\n2\n"
    assert last.outputs[1].data["image/png"].strip() == PNG
    assert last.execution_count == 3
    state = notebook.metadata.widgets[WIDGETS]["state"]
    layout, model = sorted(state)
    assert last.outputs[1].data[VIEW]["model_id"] == model
    assert state[model]["state"]["layout"] == f"IPY_MODEL_{layout}"
    assert state[layout]["model_name"] == "LayoutModel"


def test_ids_are_unique_and_follow_the_source():
    notebook = TOOL.normalise(untidy(), "07_topic")
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert ids[4] == f"{ids[2]}-2"
    assert all(cell_id.startswith("07-") for cell_id in ids)


def test_the_set_up_cell_is_stamped():
    notebook = TOOL.normalise(untidy(), "07_topic")
    source = notebook.cells[1].source
    assert source == TOOL.setup_source()
    assert TOOL.repository() in source
    assert f"lessons-{TOOL.version()}-py3" in source
    assert len(source.splitlines()) <= 10
    assert max(map(len, source.splitlines())) <= 88


def test_the_argument_is_left_as_it_was():
    notebook = untidy()
    TOOL.normalise(notebook, "07_topic")
    assert notebook.metadata.kernelspec.name == "mine"
    assert notebook.cells[1].source == "anything"


def write_notebook(folder: Path, source: str) -> Path:
    """Store a notebook of one code cell."""
    path = folder / "98_small.ipynb"
    cell = nbformat.v4.new_code_cell(textwrap.dedent(source))
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return path


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Keep the record of executed notebooks out of the real one."""
    monkeypatch.setattr(TOOL, "SEEN", tmp_path / ".cache" / "seen.json")


def test_executing_twice_gives_the_same_bytes(tmp_path, own_cache, capfd):
    path = write_notebook(
        tmp_path,
        """\
        import os, ipywidgets
        print(os.path.basename(os.getcwd()) != "notebooks")
        ipywidgets.IntSlider()""",
    )
    assert TOOL.main([str(path)]) == 0
    first = path.read_bytes()
    assert TOOL.main([str(path)]) == 0
    assert path.read_bytes() == first
    assert TOOL.check([path]) == 0
    notebook = TOOL.read(path)
    assert notebook.cells[0].execution_count == 1
    assert notebook.cells[0].outputs[0].text == "True\n"
    assert len(notebook.metadata.widgets[WIDGETS]["state"]) == 3
    assert "the same bytes as before" in capfd.readouterr().out
    assert TOOL.refresh([path], everything=False) == 0
    assert "unchanged" in capfd.readouterr().out


def test_a_failing_notebook_keeps_its_file(tmp_path, own_cache, capfd):
    path = write_notebook(tmp_path, "raise RuntimeError('on purpose')")
    before = path.read_bytes()
    assert TOOL.main([str(path)]) == 1
    assert path.read_bytes() == before
    said = capfd.readouterr().out
    assert "on purpose" in said and "FAILED" in said
    assert [file.name for file in tmp_path.iterdir()] == ["98_small.ipynb"]


def test_check_names_the_untidy_file(tmp_path, capsys):
    path = write_notebook(tmp_path, "1 + 1   ")
    assert TOOL.main(["--check", str(path)]) == 1
    assert path.name in capsys.readouterr().out
    assert TOOL.main(["--normalise", str(path)]) == 0
    assert TOOL.main(["--check", str(path)]) == 0


def test_an_unknown_name_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="0 notebooks of that name"):
        TOOL.find(["no_such_chapter"])


@pytest.mark.parametrize(
    ("part", "counts"),
    [("source", True), ("tags", True), ("outputs", False), ("prose", False)],
)
def test_the_fingerprint_sees_what_outputs_depend_on(tmp_path, part, counts):
    path = write_notebook(tmp_path, "1 + 1")
    before = TOOL.fingerprint(path)
    notebook = TOOL.read(path)
    if part == "source":
        notebook.cells[0].source = "1 + 2"
    elif part == "tags":
        notebook.cells[0].metadata["tags"] = ["nbval-ignore-output"]
    elif part == "outputs":
        notebook.cells[0].execution_count = 7
    else:
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell("# Words"))
    nbformat.write(notebook, path)
    assert (TOOL.fingerprint(path) != before) is counts
