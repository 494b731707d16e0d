"""Pictures and tables of the rendered chapters for people who do not see them."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from html import escape
from pathlib import Path

import nbformat

from tblib.errors import UserError

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
