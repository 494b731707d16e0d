"""Where the time of a chapter went: seconds of its sections, by the headings of its text."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

from ..files import read_json, write_json

BEFORE = "start"  # of Python and its packages, and whatever runs before the first heading
HEADING = re.compile(r"^##+ (.+)$", re.M)


def by_section(notebook: nbformat.NotebookNode, total: float) -> dict[str, float]:
    """Add up the seconds of the code cells below each heading of an executed notebook.

    Args:
        notebook: as papermill leaves it, with the duration of every cell.
        total: seconds of the whole run; what no cell accounts for belongs to the start.
    """
    seconds, section = {BEFORE: 0.0}, BEFORE
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (found := HEADING.findall(cell.source)):
            section = found[-1].strip()
        took = cell.metadata.get("papermill", {}).get("duration")
        if cell.cell_type == "code" and took:
            seconds[section] = seconds.get(section, 0.0) + took
    seconds[BEFORE] += max(0.0, total - sum(seconds.values()))
    return {name: round(value, 2) for name, value in seconds.items()}


def note(folder: Path, number: str, notebook: nbformat.NotebookNode, total: float) -> None:
    """Keep the seconds of a chapter's sections as `times/NN.json` of its run directory."""
    write_json(folder / "times" / f"{number}.json", by_section(notebook, total))


def longest(folder: Path, share: float = 0.02) -> list[tuple[str, str, float]]:
    """List the sections that took most of a run, longest first: chapter, section, seconds.

    Sections below `share` of the whole are added up in a last row of no chapter.  A run whose
    chapters were executed one by one in JupyterLab has left no times, and gives an empty list.
    """
    notes = {path.stem: read_json(path) for path in sorted(folder.glob("times/*.json"))}
    rows = [(number, name, s) for number, part in notes.items() for name, s in part.items()]
    total = sum(seconds for *_, seconds in rows)
    long = sorted((row for row in rows if row[2] >= share * total), key=lambda row: -row[2])
    rest = total - sum(seconds for *_, seconds in long)
    return [*long, ("", "all other sections", round(rest, 2))] if rows else []
