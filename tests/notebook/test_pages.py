"""The page of a notebook asks no other host for anything, whatever its texts and outputs hold."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
from nbformat import v4

from components.notebook import page, specs
from components.notebook.execution import Executed
from tests.notebook.adding import write

PIXEL = "data:image/png;base64,iVBORw0KGgo="
#: Each would make a browser ask a host, or run something.
LOADING = [
    '<img src="http://evil.example/a.png">',
    '<img src="//evil.example/a.png">',
    '<IMG SRC="&#104;ttps://evil.example/a.png">',
    '<img srcset="https://evil.example/a.png 2x" alt="x">',
    '<img src="data:text/html,x" onerror="alert(1)">',
    '<link rel="stylesheet" href="https://evil.example/a.css">',
    '<iframe src="https://evil.example/"></iframe>',
    '<div style="background: url(https://evil.example/a.png)">x</div>',
    '<table background="https://evil.example/a.png"><tr><td>1</td></tr></table>',
    '<style>@import "https://evil.example/a.css";</style>',
    '<video poster="https://evil.example/a.png"></video>',
    '<object data="https://evil.example/"></object>',
    '<svg><image href="https://evil.example/a.png"/></svg>',
    '<a href="https://evil.example/" ping="https://evil.example/">text</a>',
    '<a href="data:text/html,<script>alert(1)</script>">text</a>',
    '<a href="&#100;ata:text/html,<script>alert(1)</script>">text</a>',
    '<meta http-equiv="refresh" content="0; url=https://evil.example/">',
    '<base href="https://evil.example/">',
]
_LOADING_TAGS = {"link", "iframe", "script", "object", "embed", "video", "audio", "source", "svg", "base"}
_LOADING_ATTRIBUTES = {"src", "srcset", "background", "ping", "style", "poster", "onerror"}


class Loads(HTMLParser):
    """Collects what a page would load, and whether it forbids it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.policy = ""
        self.pictures: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "meta" and given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given.get("content") or ""
        elif tag in _LOADING_TAGS or given.get("http-equiv"):
            self.found.append(tag)
        for name, value in given.items():
            if name == "src" and (value or "").startswith("data:image/"):
                self.pictures.append(value or "")
            elif name in _LOADING_ATTRIBUTES or (value or "").startswith("data:"):
                self.found.append(f"{tag} {name}={value}")


def loads(folder: Path, *cells: object) -> Loads:
    notebook = specs.read(write(folder))
    assert notebook
    found = Loads()
    found.feed(page.html(Executed(v4.new_notebook(cells=list(cells)), None), notebook))
    return found


@pytest.mark.parametrize("markup", LOADING)
def test_nothing_is_asked_of_another_host(tmp_path: Path, markup: str) -> None:
    outputs = [
        v4.new_output("display_data", {kind: markup}) for kind in ("text/html", "text/markdown", "image/svg+xml")
    ]
    found = loads(tmp_path, v4.new_markdown_cell(markup), v4.new_code_cell("1", outputs=outputs))
    assert found.found == []
    assert "default-src 'none'" in found.policy
    assert "img-src data:;" in found.policy


def test_a_picture_is_not_read_from_a_named_file(tmp_path: Path) -> None:
    named = {"filenames": {"image/png": "https://evil.example/a.png"}}
    output = v4.new_output("display_data", {"image/png": "iVBORw0KGgo="}, metadata=named)
    found = loads(tmp_path, v4.new_code_cell("1", outputs=[output]))
    assert found.found == []
    assert found.pictures == [PIXEL]


def test_pictures_and_links_of_a_text_stay(tmp_path: Path) -> None:
    text = f'<img src="{PIXEL}" alt="x"> <a href="https://example.com/" title="there">text</a>'
    found = loads(tmp_path, v4.new_markdown_cell(text))
    assert found.found == []
    assert found.pictures == [PIXEL]
    assert '<a href="https://example.com/" title="there">' in page._clean(text)
    assert '<a href="README.md#limits">' in page._clean('<a href="README.md#limits">here</a>')
