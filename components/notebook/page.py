"""The page of an executed notebook: one HTML file that asks no other host for anything."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import bleach
import nbformat
from nbconvert import HTMLExporter

from components.notebook.execution import Executed
from components.notebook.specs import Notebook

_TEMPLATES = Path(__file__).parent / "templates"
#: What Markdown and tables are made of; everything else in an output loses its tags.
_TEXT = ("a", "b", "blockquote", "br", "code", "div", "em", "hr", "i", "img", "p", "pre", "small", "span", "strong")
_LISTS = ("h1", "h2", "h3", "h4", "h5", "h6", "li", "ol", "table", "tbody", "td", "th", "thead", "tr", "ul")
_TAKEN = {"*": ["class", "id"], "a": ["href", "title"], "img": ["alt", "src"], "td": ["colspan"], "th": ["colspan"]}
#: A link to elsewhere, or one without a scheme, however it is spelled.
_LINK = re.compile(r"(https?://|mailto:)|[^:&]*$", re.IGNORECASE)
_UNSEEN = re.compile(r"<(style|script)\b.*?</\1>", re.DOTALL | re.IGNORECASE)
_QUOTED = re.compile(r"(<td[^>]*>)&quot;([^<]*?)(?:&quot;)?(</td>)")


def write(executed: Executed, notebook: Notebook, folder: Path) -> None:
    """Write `notebook.ipynb` and `index.html` into a new folder."""
    folder.mkdir()
    nbformat.write(executed.notebook, folder / "notebook.ipynb")
    (folder / "index.html").write_text(html(executed, notebook), encoding="utf-8")


def html(executed: Executed, notebook: Notebook) -> str:
    """The page; scripts, styles and tags that came in outputs and are more than a table's are removed."""
    exporter = HTMLExporter(
        template_name="traceo",
        extra_template_basedirs=[str(_TEMPLATES)],
        sanitize_html=True,
        embed_images=True,
        exclude_output_prompt=True,
        exclude_input_prompt=True,
    )
    # nbconvert's own list escapes headings and tables.
    exporter.register_filter("clean_html", _clean)
    about = {"title": notebook.spec.title, "name": notebook.spec.name, "failure": executed.failure}
    body: str = exporter.from_notebook_node(_plain(executed.notebook), resources={"traceo": about})[0]
    return body


def _clean(markup: str) -> str:
    protocols = [*bleach.ALLOWED_PROTOCOLS, "data"]
    cleaned: str = bleach.clean(markup, tags=[*_TEXT, *_LISTS], attributes=_is_allowed, protocols=protocols, strip=True)
    return cleaned


def _is_allowed(tag: str, name: str, value: str) -> bool:
    """Whether an attribute stays: no picture is asked of another host, and no link opens what it carries itself."""
    if name == "src":
        return tag == "img" and value.startswith("data:image/")
    if name == "href":
        return tag == "a" and bool(_LINK.match(value))
    return name in _TAKEN["*"] or name in _TAKEN.get(tag, ())


def _plain(notebook: Any) -> Any:
    """Tables without the style sheets and the quotes around texts that Polars gives them; pictures from no file."""
    copy = deepcopy(notebook)
    for output in (output for cell in copy.cells for output in cell.get("outputs", ())):
        output.get("metadata", {}).pop("filenames", None)
        if "text/html" in output.get("data", {}):
            output.data["text/html"] = _QUOTED.sub(r"\1\2\3", _UNSEEN.sub("", output.data["text/html"]))
    return copy
