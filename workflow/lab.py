"""JupyterLab for the notebooks: what `make lab` calls.

Kernels work in `notebooks/`; folders that the environment names keep the meaning they have here.
"""

from __future__ import annotations

import os
import sys

import beside

# isort: split
from tblib.settings.profiles import settled_environment


def command(extra: list[str]) -> list[str]:
    """Return the command line that this process becomes; `extra` are options of JupyterLab."""
    return [sys.executable, "-m", "jupyterlab", str(beside.ROOT / "notebooks"), *extra]


if __name__ == "__main__":
    os.environ |= settled_environment()
    os.execv(sys.executable, command(sys.argv[1:]))
