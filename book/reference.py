"""The overview of the package's reference: its pages, and a line for each module."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import yaml

from tblib.lesson.chapters import ROOT


def pages(contents: Path = ROOT / "_toc.yml") -> list[str]:
    """Return the pages of a book in reading order, without endings; its first page comes first."""
    toc = yaml.safe_load(contents.read_text())
    entries = [entry for part in toc["parts"] for entry in part["chapters"]]
    files = [e["file"] for entry in entries for e in (entry, *entry.get("sections", []))]
    return [toc["root"], *(name.removesuffix(".ipynb") for name in files)]


@cache
def sections() -> dict[str, tuple[str, list[str]]]:
    """Return title and modules of each page of the reference, by the page's name."""
    found = {}
    for name in pages():
        if name.startswith("book/api/"):
            text = (ROOT / f"{name}.md").read_text()
            title = text.partition("\n")[0].removeprefix("# ")
            found[name] = (title, re.findall(r"automodule:: (\S+)", text))
    return found


def page_of(module: str) -> str | None:
    """Return the page of a module or, if it has none, of the package it is in.

    Args:
        module: such as `tblib.lesson.plot.style`, which is documented with `tblib.lesson.plot`.
    """
    pages_of = {listed: name for name, (_, modules) in sections().items() for listed in modules}
    while module and module not in pages_of:
        module = module.rpartition(".")[0]
    return pages_of.get(module)


def first_sentence(module: str) -> str:
    """Return the sentence that a module's docstring begins with."""
    path = ROOT / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    words = " ".join(ast.get_docstring(ast.parse(path.read_text())).split())
    sentence = re.match(r".+?[.?](?=\s|$)", words)[0]
    return re.sub(r"(?<![`:])`([^`]+)`", r"``\1``", sentence)  # names link only on their own page


def overview() -> str:
    """Write each page's title and below it a line for each of its modules."""
    return "\n".join(
        f"## [{title}](/{name}.md)\n\n```{{eval-rst}}\n"
        + "".join(f"- :py:mod:`{module}`. {first_sentence(module)}\n" for module in modules)
        + "```\n"
        for name, (title, modules) in sections().items()
    )


def fill(page: str) -> str:
    """Put the overview where the page has its mark."""
    return page.replace("<!-- modules -->\n", overview())
