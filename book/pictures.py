"""Pictures and tables of the rendered chapters for people who do not see them."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from html import escape
from pathlib import Path

import nbformat

from tblib.errors import UserError

HEADING = re.compile(r"<(h[1-6]|summary)\b[^>]*>(?P<text>.*?)</\1>|<table\b[^>]*>", re.S)
FILE_NAME = re.compile(r'alt="[^"]*?([0-9a-f]{64})\.png"')


def words_of(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """Return what each picture of a notebook shows, by the name that MyST-NB gives its file."""
    found = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                name = hashlib.sha256(b64decode(output.data["image/png"])).hexdigest()
                found[name] = output.metadata.get("image/png", {}).get("alt", "")
    return found


def describe(html: Path, staging: Path) -> None:
    """Write the words of each picture into the pages, where Sphinx writes the name of a file.

    Raises:
        UserError: a picture has no words; figures of `tblib.lesson.plot` bring their own.
    """
    for path in sorted((staging / "notebooks").glob("*.ipynb")):
        said = words_of(nbformat.read(path, as_version=4))
        if silent := [name for name, words in said.items() if not words]:
            raise UserError(
                f"{path.name}: {len(silent)} picture(s) have no words; show a figure of "
                "tblib.lesson.plot, or give Image(…, alt='what it shows')."
            )
        page = html / "notebooks" / f"{path.stem}.html"
        page.write_text(FILE_NAME.sub(lambda m, s=said: _alt(m, s), page.read_text()))


def _alt(match: re.Match, said: dict[str, str]) -> str:
    return f'alt="{escape(said.get(match[1], ""))}"' if match[1] in said else match[0]


def name_tables(page: str) -> str:
    """Give each table of a page a caption for screen readers, and its header cells their direction.

    Tables have no titles of their own; the heading or the closed part they stand in is one.
    """
    heading = ""

    def captioned(match: re.Match) -> str:
        nonlocal heading
        if match["text"] is not None:
            heading = " ".join(re.sub(r"<[^>]+>", "", match["text"]).rstrip("#").split())
            return match[0]
        if page[match.end() : match.end() + 20].lstrip().startswith("<caption"):
            return match[0]
        return f'{match[0]}\n<caption class="visually-hidden">{heading}</caption>'

    before, mark, article = page.partition("<article")
    article = HEADING.sub(captioned, article)
    for part, scope in (("thead", "col"), ("tbody", "row")):
        article = re.sub(
            rf"<{part}\b.*?</{part}>",
            lambda m, s=scope: re.sub(r"<th(?![^>]*scope)(?=[ >])", f'<th scope="{s}"', m[0]),
            article,
            flags=re.S,
        )
    return before + mark + article


def finish(html: Path, staging: Path) -> None:
    """Describe pictures and name tables on every page; see `describe` and `name_tables`."""
    describe(html, staging)
    for folder in ("book", "notebooks"):
        for path in sorted((html / folder).rglob("*.html")):
            path.write_text(name_tables(path.read_text()))
