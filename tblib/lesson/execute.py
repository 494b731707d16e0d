"""Notebooks as programs: run a chapter with checked parameters, keep .py and .ipynb in step.

The text file `notebooks/NN_name.py` is the source.  `execute` runs it through papermill into a run
directory and never touches the source or its paired `.ipynb`, which `tblib.lesson.pairing`
regenerates.
A chapter always runs with `notebooks/` as working folder, as it does in JupyterLab and under nbval.
"""

from __future__ import annotations

import ast
import hashlib
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jupytext
import nbformat

from ..engine import stopping
from ..errors import ConfigError, Stopped, UserError, did_you_mean
from ..files import atomic_write, held
from ..settings.profiles import load_profile, run_folder, settled
from . import section_times
from .chapters import FOLDER, source
from .chapters import numbers as chapter_numbers  # noqa: F401 (part of this module's interface)
from .kernel import LANGUAGE, ThisPython, undisturbed

KERNEL = {**LANGUAGE, "name": "python3"}
METADATA = {"kernelspec": KERNEL, "language_info": {"name": "python", "pygments_lexer": "ipython3"}}
KEPT = ("tags", "lines_to_next_cell")  # what jupytext needs of a cell to write its text again
USER_ERRORS = {"UserError", *(cls.__name__ for cls in UserError.__subclasses__()), "DecodeError"}


def read(path: Path) -> nbformat.NotebookNode:
    """Read a `.py` source as a notebook without outputs; cell ids depend on the text only."""
    return _normalise(jupytext.read(path, fmt="py:percent"))


def _normalise(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop everything that differs between machines or runs but is not input or output."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict(METADATA)
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        kept = {name: cell.metadata[name] for name in KEPT if name in cell.metadata}
        cell.metadata = nbformat.from_dict(kept)
        key = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[key] = seen.get(key, 0) + 1
        cell["id"] = f"{key}-{seen[key]}"
    return notebook


def tagged(cell: nbformat.NotebookNode, tag: str) -> bool:
    """Say whether a cell carries a tag."""
    return tag in cell.metadata.get("tags", [])


def defaults(notebook: nbformat.NotebookNode) -> dict[str, Any]:
    """Return names and values of the cell tagged `parameters`; values must be Python literals.

    Raises:
        ConfigError: no such cell, or a value that is not a literal.
    """
    cells = [cell for cell in notebook.cells if tagged(cell, "parameters")]
    if len(cells) != 1:
        raise ConfigError(f"a notebook needs one cell tagged 'parameters', this has {len(cells)}.")
    found = {}
    for node in ast.parse(cells[0].source).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            raise ConfigError("the parameters cell may hold only lines such as `seed = 0`.")
        found[node.targets[0].id] = ast.literal_eval(node.value)
    return found


def execute(
    chapter: str | int,
    profile: str = "smoke",
    run_dir: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    seed: int | None = None,
) -> Path:
    """Run one chapter and return the executed notebook, `run_dir/notebooks/NN_name.ipynb`.

    The file appears only when every cell has run; a failed run leaves earlier results alone and
    its notebook, with the traceback, in `run_dir/logs/`.

    Args:
        chapter: number or name of the notebook.
        profile: name of the profile to run.
        run_dir: results go here; default `runs/<profile>`, or beside it when settings differ.
        overrides: settings of the profile to change, such as `{"pretrain.steps": 50}`.
        seed: replaces the profile's seed.

    Raises:
        ConfigError: unknown chapter, profile, setting or parameter name.
        UserError: a cell failed, or another process is running this chapter.
        Stopped: a signal came; what was training is saved.
    """
    path, changes = source(chapter), dict(overrides or {})
    config = load_profile(profile, changes, seed)  # says what is wrong before a kernel starts
    folder = run_folder(config, run_dir)
    profile, changes = settled(profile, config, changes)
    values = {"profile": profile, "run_dir": str(folder), "overrides": changes}
    values |= {} if seed is None else {"seed": seed}
    notebook = read(path)
    _check_names(path, values, defaults(notebook))
    logs = folder / "logs"
    with held(logs / f".{path.stem}.lock", f"chapter {path.stem} in {folder}"):
        return _run(path, notebook, values, folder)


def _check_names(path: Path, names: Iterable[str], allowed: Mapping[str, Any]) -> None:
    for name in names:
        if name not in allowed:
            hint = did_you_mean(name, allowed)
            raise ConfigError(f"{path.name} has no parameter {name!r}; {hint}.")


def _run(path: Path, notebook: nbformat.NotebookNode, values: dict, folder: Path) -> Path:
    from nbclient.exceptions import DeadKernelError
    from papermill import PapermillExecutionError

    started = time.monotonic()
    final = folder / "notebooks" / f"{path.stem}.ipynb"
    failed = folder / "logs" / f"{path.stem}.failed.ipynb"
    failed.unlink(missing_ok=True)
    partial = folder / "logs" / f"{path.stem}.part.ipynb"
    try:
        _papermill(notebook, partial, values)
    except Stopped:
        partial.unlink(missing_ok=True)
        raise
    except PapermillExecutionError as error:
        partial.replace(failed)
        raise UserError(_sentence(path, error, failed)) from None
    except DeadKernelError:
        partial.replace(failed)
        raise UserError(
            f"{path.name} stopped because its Python process died, usually for lack of memory; "
            f"use a smaller profile or close other programs. What had run is in {failed}."
        ) from None
    timed = nbformat.read(partial, as_version=4)
    section_times.note(folder, path.stem[:2], timed, time.monotonic() - started)
    executed = _normalise(timed)
    atomic_write(final, lambda temporary: nbformat.write(executed, temporary))
    partial.unlink()
    print(f"{path.stem}: done in {time.monotonic() - started:.0f} s", flush=True)
    return final


def _papermill(notebook: nbformat.NotebookNode, output: Path, values: dict) -> None:
    from papermill import PapermillExecutionError, execute_notebook

    with stopping.listening(), undisturbed():
        try:
            execute_notebook(
                notebook,
                _literal(output),
                parameters=values,
                kernel_name=KERNEL["name"],
                kernel_manager_class=ThisPython,
                progress_bar=False,
                stdout_file=sys.stdout,
                cwd=FOLDER,
            )
        except (PapermillExecutionError, RuntimeError) as error:
            stopping.check()  # a kernel that was not training simply died
            if getattr(error, "ename", "") == "Stopped":
                raise Stopped(error.evalue) from None
            raise


def _literal(path: Path) -> str:
    """Write a path so that papermill, which takes it for a format string, means that path."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _sentence(path: Path, error: Any, failed: Path) -> str:
    """Say why a notebook stopped: the user's mistake in its own words, else the exception."""
    if error.ename in USER_ERRORS:
        return str(error.evalue)
    return f"{path.name} stopped with {error.ename}: {error.evalue} (traceback: {failed})"


def drop_injected(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Remove the parameters that papermill wrote into an executed notebook, in place."""
    notebook.cells = [cell for cell in notebook.cells if not tagged(cell, "injected-parameters")]
    return notebook


def inputs(notebook: nbformat.NotebookNode) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return what a person typed: type, text and tags of every cell."""
    return [
        (cell.cell_type, cell.source, tuple(cell.metadata.get("tags", ())))
        for cell in notebook.cells
    ]
