"""Keep each notebook's text source (edited) and its `.ipynb` (generated, with outputs) in step.

The `.ipynb` is, byte for byte, what JupyterLab would save: opened and saved unchanged, no file
changes.  Anything else, be it the blank lines after a cell, and JupyterLab refuses to open a
chapter whose `.ipynb` is newer than its text, as it is after a pull that touches outputs only.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

from ..files import atomic_write
from .chapters import FOLDER, chapters
from .execute import drop_injected, execute, inputs, read

SETTINGS = FOLDER / "jupytext.toml"


def pair(check: bool = False, executed: Path | None = None) -> list[str]:
    """Bring every `.ipynb` in line with its `.py`, keeping outputs of unchanged cells.

    Args:
        check: change nothing, only report.
        executed: folder with executed notebooks whose outputs are stored instead.

    Returns:
        Names of the notebooks that were (or, with `check`, are) out of step.
    """
    changed = []
    for path in chapters().values():
        target = path.with_suffix(".ipynb")
        donor = executed / target.name if executed else target
        fresh = _as_jupytext_saves(path)
        old = drop_injected(nbformat.read(donor, as_version=4)) if donor.exists() else None
        if executed or old is None or _typed(old) != _typed(fresh):
            changed.append(path.stem)
            if not check:
                _keep_outputs(fresh, old)
                atomic_write(target, lambda temporary, nb=fresh: nbformat.write(nb, temporary))
    return changed


def _as_jupytext_saves(path: Path) -> nbformat.NotebookNode:
    """Read a chapter and note in it what jupytext and the kernel would: filters and language."""
    from ipykernel.ipkernel import IPythonKernel

    notebook = read(path)
    settings = tomllib.loads(SETTINGS.read_text())
    filters = {name: value for name, value in settings.items() if name.endswith("_filter")}
    notebook.metadata |= {"jupytext": filters, "language_info": IPythonKernel.language_info}
    return notebook


def _typed(notebook: nbformat.NotebookNode) -> tuple:
    """Return what a person typed, and what jupytext keeps beside it."""
    filters = notebook.metadata.get("jupytext")
    return inputs(notebook), filters, [dict(cell.metadata) for cell in notebook.cells]


def _keep_outputs(fresh: nbformat.NotebookNode, old: nbformat.NotebookNode | None) -> None:
    """Copy outputs from cells of the same text; a changed cell starts without."""
    stored = {c.source: c for c in (old.cells if old else []) if c.cell_type == "code"}
    for cell in fresh.cells:
        if cell.cell_type == "code" and cell.source in stored:
            cell.outputs = stored[cell.source].outputs
            cell.execution_count = stored[cell.source].execution_count


def main() -> None:
    """Regenerate the paired notebooks and store their outputs at smoke: `make notebooks`."""
    with TemporaryDirectory() as folder:
        for chapter in chapters():
            execute(chapter, "smoke", folder)
        print("stored:", ", ".join(pair(executed=Path(folder) / "notebooks")) or "nothing")


if __name__ == "__main__":
    main()
