"""What is known for certain about each video file, because it was decoded once from end to end."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from ..errors import DecodeError
from ..io import atomic_write, sha256
from ..progress import track
from . import container, video

COLUMNS = ["video", "path", "bytes", "mtime_ns", "sha256", "frames", "fps", "width", "height"]
TEXT = ["video", "path", "sha256"]
HANG_SECONDS = 600  # a file that takes longer hangs: a UCF101 clip takes a tenth of a second


def stamp(path) -> tuple[int, int]:
    """Return size in bytes and time of last change in ns: if they stay, so did the content."""
    status = Path(path).stat()
    return status.st_size, status.st_mtime_ns


def row(name: str, path, px: int | None = None, keep=None) -> dict:
    """Decode one file and describe it as a dict with the keys `COLUMNS`.

    Args:
        name: the video.
        path: its file.
        px: short side of the decoded frames.
        keep: called with the file's SHA-256 and a function that decodes it to uint8
            `[N, h, w, 3]`; returns the number of frames.  By default it decodes and counts.

    Raises:
        DecodeError: the file cannot be read, or changes while it is read.
    """
    about = container.inspect(path)
    before, digest = stamp(path), sha256(path)
    count = (keep or _count)(digest, lambda: video.decode(path, px))
    if stamp(path) != before:
        raise DecodeError(path, "unreadable", "it changed while it was read; run again")
    size, changed = before
    seen = [about.fps, about.width, about.height]
    return dict(zip(COLUMNS, [name, str(path), size, changed, digest, count, *seen], strict=True))


def _count(digest: str, decode) -> int:
    return len(decode())


def read(path: Path) -> dict[str, dict]:
    """Return the rows of a manifest by video name; empty if there is none yet.

    A manifest that cannot be understood is named, and its rows are made anew.
    """
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(TEXT, str), keep_default_na=False)[COLUMNS]
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError) as error:
        print(f"manifest {path} is damaged ({error}); its videos are checked again.", flush=True)
        return {}
    return {item["video"]: item for item in table.to_dict("records")}


def write(path: Path, rows: Iterable[dict]) -> pd.DataFrame:
    """Write rows as CSV, atomically, and return them as a table with `COLUMNS`."""
    table = as_table(rows)
    atomic_write(path, lambda temporary: table.to_csv(temporary, index=False))
    return table


def as_table(rows: Iterable[dict]) -> pd.DataFrame:
    """Return rows as a table with `COLUMNS`."""
    return pd.DataFrame(list(rows), columns=COLUMNS)


def unchanged(known: dict | None, path) -> bool:
    """Say whether the file is the one in the manifest, by place, size and time of change."""
    if known is None or known["path"] != str(path):
        return False
    try:
        return stamp(path) == (known["bytes"], known["mtime_ns"])
    except OSError:
        return False


def verify(videos, workers: int = 2) -> pd.DataFrame:
    """Decode every video of a `VideoSet` completely and report on each file.

    Args:
        videos: the dataset.
        workers: processes to use.

    Returns:
        One row per video: `COLUMNS`, then `reason` and `detail`, both "" for a good file.
    """
    pairs = zip(videos.table["video"], videos.table["path"], strict=True)
    reports = run_all(_report, list(pairs), workers, "verify")
    return pd.DataFrame(reports, columns=[*COLUMNS, "reason", "detail"])


def run_all(
    function, arguments: list[tuple], workers: int, desc: str, seen: Callable | None = None
) -> list:
    """Call `function` on each tuple `(name, path, ...)` in worker processes and keep the order.

    Args:
        seen: called with each result as soon as it and all before it are there.

    Raises:
        DecodeError: one call hangs; damaged files are known to trap decord in an endless loop.
    """
    if not arguments:
        return []
    limit = HANG_SECONDS if workers > 1 else None  # within this process nothing can be stopped
    parallel = Parallel(n_jobs=workers, return_as="generator", timeout=limit)
    results = parallel(delayed(_single_threaded)(function, *item) for item in arguments)
    done = []
    try:
        for result in track(results, desc, total=len(arguments)):
            done.append(result)
            if seen is not None:
                seen(result)
    except (TimeoutError, multiprocessing.TimeoutError):
        detail = f"decoding it did not end within {HANG_SECONDS} s"
        raise DecodeError(arguments[len(done)][1], "unreadable", detail) from None
    return done


def _single_threaded(function, *arguments):
    """Keep OpenCV from starting a thread per core in each of several processes."""
    cv2.setNumThreads(1)
    return function(*arguments)


def _report(name: str, path: str) -> dict:
    try:
        return row(name, path) | {"reason": "", "detail": ""}
    except DecodeError as error:
        blank = dict.fromkeys(COLUMNS, np.nan) | {"video": name, "path": path}
        return blank | {"reason": error.reason, "detail": error.detail}
