"""One smoke run of the whole pipeline, shared by all tests of a session."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def reproduce(folder: Path, *extra: str, profile: str = "smoke") -> subprocess.CompletedProcess:
    """Run `make reproduce`'s program on a run directory; stdout and stderr together."""
    line = [sys.executable, "workflow/run.py", "--profile", profile, "--run-dir", str(folder)]
    return subprocess.run(
        [*line, *extra],
        cwd=ROOT,
        env={**os.environ, "TB_PROGRESS": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
