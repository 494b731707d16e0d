"""Keep each notebook's text source (edited) and its `.ipynb` (generated, with outputs) in step."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

from ..files import atomic_write
from .chapters import chapters
from .execute import drop_injected, execute, inputs, read


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
        fresh = read(path)
        old = drop_injected(nbformat.read(donor, as_version=4)) if donor.exists() else None
        if executed or old is None or inputs(old) != inputs(fresh):
            changed.append(path.stem)
            if not check:
                _keep_outputs(fresh, old)
                atomic_write(target, lambda temporary, nb=fresh: nbformat.write(nb, temporary))
    return changed


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
