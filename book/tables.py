"""Tables of pages: as Markdown, sortable, and as CSV files beside the pages."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any


def cell(value: Any) -> str:
    """Write one table cell; numbers below two keep three decimals, others two at most."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.{3 if abs(value) < 2 else 2}f}".rstrip("0").rstrip(".")
    return str(value).replace("|", "\\|").replace("\n", " ")


def table(columns: list[str], rows: list[list[Any]]) -> str:
    """Write a Markdown table; numbers are aligned right."""
    numeric = [
        bool(rows) and all(isinstance(row[i], int | float | None) for row in rows)
        for i in range(len(columns))
    ]
    lines = [list(map(cell, columns)), ["--:" if right else ":--" for right in numeric]]
    lines += [[cell(value) for value in row] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def sortable(
    name: str, columns: list[str], rows: list[list[Any]], folder: Path, style: str = ""
) -> str:
    """Write a table that readers can order and download, and its CSV file with every digit.

    Args:
        name: becomes the file's name; another table must have another one.
        folder: where the page will be; the file goes to its `tables/`.
        style: further classes of the table.
    """
    path = folder / "tables" / f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", newline="", encoding="utf-8") as file:  # x: two tables, two names
        csv.writer(file, lineterminator="\n").writerows([columns, *rows])
    link = f"{{download}}`table as CSV <tables/{path.name}>`"
    return f"::::{{div}} sortable {style}\n{table(columns, rows)}::::\n\n{link}\n"


def closed(title: str, text: str, fence: str = ":::::") -> str:
    """Write a part of a page that a click on its title opens; on paper all are open.

    Args:
        fence: colons around it, one more if there are closed parts in it.
    """
    return f"{fence}{{dropdown}} {title}\n{text}{fence}\n"
