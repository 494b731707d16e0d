"""Is the `tblib` that Python imports the one of this checkout?  Importing this module asks.

A `.venv` that was copied or linked from another checkout would silently run the other one's code.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def refusal(found: ModuleSpec | None, prefix: str = sys.prefix) -> str:
    """Say what is wrong with the package that was found; "" if it is that of this checkout."""
    there = Path(found.origin).resolve().parents[1] if found and found.origin else None
    if there == ROOT:
        return ""
    said = "is not installed" if there is None else f"is that of {there}, not that of {ROOT}"
    return (
        f"the package tblib in the environment {prefix} {said}; delete {ROOT / '.venv'} and run "
        f"`make install` in {ROOT}."
    )


if said := refusal(find_spec("tblib")):
    sys.exit(said)
