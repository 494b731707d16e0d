"""One smoke run of all chapters and one rendered book for the tests of this folder."""

import subprocess
import sys
from pathlib import Path

import pytest
from smoke import ROOT, reproduce


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory) -> Path:
    """Run directory of all chapters at smoke, made by Snakemake."""
    folder = tmp_path_factory.mktemp("runs") / "smoke"
    done = reproduce(folder)
    assert done.returncode == 0, done.stdout[-6000:]
    return folder


@pytest.fixture(scope="session")
def html(smoke_run, tmp_path_factory) -> Path:
    """Folder of the rendered pages."""
    out = tmp_path_factory.mktemp("book")
    line = [sys.executable, "book/build.py", "--run", str(smoke_run), "--out", str(out)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return out / "_build" / "html"
