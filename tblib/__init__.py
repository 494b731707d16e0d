"""The core of the TimeBalance book: from video files to semi-supervised action recognition."""

from typing import Any

__version__ = "0.1.0"


def start(namespace: dict[str, Any], chapter: int):
    """Validate a notebook's parameters and open its run directory; see `tblib.runs.start`."""
    from .runs import start as open_chapter

    return open_chapter(namespace, chapter)
