"""The fingerprint of a chapter: all code that its notebook uses, and what it trains.

A chapter names the methods it trains by text, `Job("ssl_joint", "joint", …)`; so a method counts
whose name stands as text in the notebook or in code that it uses.  The backbone and the method of
the student are those of the profile.  A method that no chapter names makes no chapter out of date.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path

from ..lesson.chapters import source
from ..methods import pretrain, semi
from . import fingerprint, syntax

SHELVES = {"tblib.methods.pretrain:METHODS": pretrain.METHODS,
           "tblib.methods.semi:METHODS": semi.METHODS}  # fmt: skip
APART = (*SHELVES, "tblib.models:BACKBONES")


def chapter_code(chapter: str | int, backbone: str, student: str = "timebalance") -> str:
    """Return twelve digits that change with the code a chapter uses, not with its words.

    Args:
        backbone, student: names of the profile's network and of its student's method.

    Raises:
        ConfigError: there is no such chapter.
    """
    return _chapter_code(source(chapter).stem, backbone, student, fingerprint.ROOT)


@lru_cache(maxsize=64)  # code is read once by a process, as Python does
def _chapter_code(stem: str, backbone: str, student: str, root: Path) -> str:
    entries, before = [f"notebooks.{stem}:", f"tblib.models:BACKBONES[{backbone}]"], 0
    entries += [f"tblib.methods.semi:METHODS[{student}]"]
    while before < len(entries):
        before, text = len(entries), "\n".join(fingerprint.closure(entries, APART).values())
        named = (f"{shelf}[{name}]" for shelf, methods in SHELVES.items()
                 for name in methods if syntax.shape(ast.Constant(name)) in text)  # fmt: skip
        entries += [entry for entry in named if entry not in entries]
    return fingerprint.fingerprint(entries, APART)
