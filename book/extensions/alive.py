"""Sphinx extension: interactive figures that live in a static page.

A notebook stores each widget twice: a view in the cell's output, and its state in the
notebook's metadata. The book's builder would put the whole state into the page, to be
read by Jupyter's own manager from another host. Here each state becomes a file of its
own, which `mount.js` fetches when the reader comes near; the output's still picture
stays in the page for where no script runs, and for paper.
"""

from __future__ import annotations

import json
from pathlib import Path

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector, SelectMimeType
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform

VIEW = "application/vnd.jupyter.widget-view+json"
# Better first: words with mark-up, then pictures.
STAND_INS = ("text/html", "image/svg+xml", "image/png")
# What a widget brings that only Jupyter's manager needs.
UNUSED = ("layout", "tabbable", "tooltip")
FOLDER = "_static/widgets"


def state_script(name: str, entry: dict) -> str:
    """Write a widget's stored entry as a script for `mount.js`.

    Only its own state is kept: not the manager's names, which begin with an underscore,
    but for the two that hold the module and its style.
    """
    state = {
        key: value
        for key, value in entry["state"].items()
        if key in ("_esm", "_css") or not (key.startswith("_") or key in UNUSED)
    }
    kept = {"state": state, "buffers": entry.get("buffers", [])}
    body = json.dumps(kept, ensure_ascii=False, sort_keys=True)
    # A script may hold neither of these two as they are.
    body = body.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f"lessonsWidget({json.dumps(name)}, {body});\n"


def file_name(document: str, place: int) -> str:
    """Name the state of a document's widget: 07_cnn-1."""
    return f"{document.rsplit('/', 1)[-1]}-{place}"


def take_states(app, env) -> list[str]:
    """Move the widget states out of the pages, where the builder would put them."""
    if not hasattr(env, "alive_states"):
        env.alive_states = {}
    for document, stored in NbMetadataCollector.get_doc_data(env).items():
        script = stored.get("js_files", {}).pop("ipywidgets_state", None)
        if script is not None:
            _, options = script
            env.alive_states[document] = json.loads(options["body"])["state"]
    return []


class BringAlive(SphinxPostTransform):
    """Replace a widget's output by its still picture in a box that `mount.js` fills."""

    default_priority = SelectMimeType.default_priority - 1
    formats = ("html",)

    def run(self, **kwargs) -> None:
        """Run the transform on one document."""
        document, place = self.env.docname, 0
        states = getattr(self.env, "alive_states", {}).get(document, {})
        for bundle in list(self.document.findall(nodes.container)):
            kinds = [child.get("mime_type") for child in bundle.children]
            if bundle.get("nb_element") != "mime_bundle" or VIEW not in kinds:
                continue
            place += 1
            view = json.loads(
                bundle.children[kinds.index(VIEW)]
                .astext()
                .split(">", 1)[1]
                .rsplit("<", 1)[0]
            )
            if view["model_id"] not in states:
                raise ExtensionError(f"{document}: a widget has no stored state")
            self.env.alive_files = getattr(self.env, "alive_files", {})
            name = file_name(document, place)
            self.env.alive_files[name] = states[view["model_id"]]
            bundle.replace_self(self.box(document, name, bundle, kinds))

    def box(self, document, name, bundle, kinds) -> list[nodes.Node]:
        """Return the nodes of one figure: the box around the stand-in."""
        depth = "../" * document.count("/")
        found = [kind for kind in STAND_INS if kind in kinds]
        if not found:
            raise ExtensionError(f"{document}: {name} has no stand-in")
        url = f"{depth}{FOLDER}/{name}.js"
        before = f'<div class="alive" data-state="{url}"><div class="alive-still">'
        return [
            nodes.raw(text=before, format="html"),
            *bundle.children[kinds.index(found[0])].children,
            nodes.raw(text="</div></div>", format="html"),
        ]


def add_script(app, pagename, templatename, context, doctree) -> None:
    """Load `mount.js` on pages that have something to bring alive."""
    if getattr(app.env, "alive_states", {}).get(pagename):
        app.add_js_file("js/mount.js", loading_method="defer")


def write_states(app, error) -> None:
    """Write the state files beside the pages."""
    if error is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, entry in getattr(app.env, "alive_files", {}).items():
        script = state_script(name, entry)
        (folder / f"{name}.js").write_text(script, encoding="utf-8")


def setup(app):
    """Register with Sphinx."""
    app.connect("env-updated", take_states)
    app.add_post_transform(BringAlive)
    app.connect("html-page-context", add_script)
    app.connect("build-finished", write_states)
    return {"version": "1", "parallel_read_safe": True}
