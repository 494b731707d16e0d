"""Notebooks run from top to bottom at smoke and print what is stored."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tblib.lesson.chapters import FOLDER, ROOT, chapters

SECONDS = 480


def nbval(paths, runs: Path, cell_seconds: int = 240) -> subprocess.CompletedProcess:
    """Run nbval on notebooks in the given order, with time limits on cells and on the whole."""
    line = [sys.executable, "-m", "pytest", "--nbval-lax", f"--nbval-cell-timeout={cell_seconds}"]
    # nbval's own options; the project's pytest settings are for the test suite.
    line += ["--nbval-current-env", "-c", os.devnull, "--rootdir", str(ROOT), "-q", "-x"]
    line += ["-p", "no:cacheprovider", "-p", "no:randomly", *map(str, paths)]
    environment = {**os.environ, "TB_PROGRESS": "0", "TB_RUNS": str(runs)}
    return subprocess.run(
        line, env=environment, capture_output=True, text=True, timeout=SECONDS, cwd=ROOT
    )


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 30)
def test_every_notebook_runs_and_prints_what_is_stored(tmp_path):
    done = nbval([path.with_suffix(".ipynb") for path in chapters().values()], tmp_path)
    assert done.returncode == 0, done.stdout[-6000:]


def toy(folder: Path, source: str, text: str) -> Path:
    """Write a notebook with one checked cell that claims to have printed `text`."""
    cell = nbformat.v4.new_code_cell(
        source,
        metadata={"tags": ["nbval-check-output"]},
        outputs=[nbformat.v4.new_output("stream", name="stdout", text=text)],
        execution_count=1,
    )
    path = folder / "toy.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=KERNEL), path)
    return path


KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "text", "code"),
    [
        ("print('ok')", "ok\n", 0),
        ("print('ok')", "something else\n", 1),
        ("raise ValueError('no')", "ok\n", 1),
        ("import time; time.sleep(60)", "ok\n", 1),
    ],
    ids=["same", "changed", "raises", "too slow"],
)
def test_the_check_itself(tmp_path, source, text, code):
    assert nbval([toy(tmp_path, source, text)], tmp_path, cell_seconds=3).returncode == code


def test_notebook_folder_is_the_one_of_this_checkout():
    assert FOLDER.is_dir()
    assert FOLDER.parent == ROOT
