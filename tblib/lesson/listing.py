"""Code as a chapter shows it: the source of a function, equations by number instead of by label."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import cache

from IPython.display import Code

from .chapters import ROOT

NOTATION = ROOT / "book" / "notation.md"


@cache
def equations() -> dict[str, int]:
    """Return the number of each labelled equation of the page *Notation*."""
    labels = re.findall(r"^\$\$ \((eq-[\w-]+)\)$", NOTATION.read_text(), re.M)
    return {label: number for number, label in enumerate(labels, 1)}


def readable(source: str) -> str:
    """Write references to equations as their numbers: only a rendered page can follow a label."""
    return re.sub(r":eq:`([\w-]+)`", lambda m: f"({equations().get(m[1], m[1])})", source)


def listing(*objects: Callable | type) -> Code:
    """Show the source of functions and classes below each other, as text of Python."""
    return Code(readable("\n\n".join(map(inspect.getsource, objects))), language="python")
