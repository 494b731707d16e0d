"""Progress for people in a terminal or notebook, log lines for everything else."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator

from tqdm import tqdm


def interactive() -> bool:
    """Say whether a moving bar makes sense: a terminal or a live notebook, and not forbidden.

    `TB_PROGRESS=0` (set for batch runs, tests and the book) turns bars into plain lines;
    `TB_PROGRESS=1` forces bars.
    """
    forced = os.environ.get("TB_PROGRESS")
    if forced is not None:
        return forced != "0"
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def track(items: Iterable, desc: str, total: int | None = None) -> Iterator:
    """Yield `items` and show how far we are, with time left.

    Args:
        items: anything iterable.
        desc: what is being done, e.g. `decode`.
        total: number of items when `items` has no length.
    """
    total = total if total is not None else len(items)  # type: ignore[arg-type]
    if interactive():
        yield from tqdm(items, desc=desc, total=total, file=sys.stdout, dynamic_ncols=True)
    else:
        yield from _logged(items, desc, total)


def _logged(items: Iterable, desc: str, total: int) -> Iterator:
    """Print a line at about every quarter of the work instead of redrawing a bar."""
    start, step = time.monotonic(), max(1, -(-total // 4))
    for count, item in enumerate(items, 1):
        yield item
        if count % step == 0 or count == total:
            seconds = time.monotonic() - start
            print(f"{desc}: {count}/{total} ({seconds:.0f} s)", flush=True)
