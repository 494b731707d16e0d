"""What is known for certain about each video file, because it was decoded once from end to end."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from ..errors import DecodeError
from ..io import atomic_write, sha256
from ..progress import track
from . import video

COLUMNS = ["video", "path", "bytes", "mtime_ns", "sha256", "frames", "fps", "width", "height"]
TEXT = ["video", "path", "sha256"]


def row(name: str, path, frames: int, container: video.Container, digest: str | None = None):
    """Describe one decoded file as a dict with the keys `COLUMNS`."""
    status = Path(path).stat()
    return {
        "video": name,
        "path": str(path),
        "bytes": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "sha256": digest or sha256(path),
        "frames": frames,
        "fps": round(container.fps, 4),
        "width": container.width,
        "height": container.height,
    }


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
    table = pd.DataFrame(list(rows), columns=COLUMNS)
    atomic_write(path, lambda temporary: table.to_csv(temporary, index=False))
    return table


def unchanged(known: dict | None, path) -> bool:
    """Say whether the file is the one in the manifest, by place, size and time of change."""
    if known is None or known["path"] != str(path):
        return False
    try:
        status = Path(path).stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (known["bytes"], known["mtime_ns"])


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


def run_all(function, arguments: list[tuple], workers: int, desc: str) -> list:
    """Call `function` on each tuple of arguments in worker processes and keep the order."""
    if not arguments:
        return []
    parallel = Parallel(n_jobs=workers, return_as="generator")
    results = parallel(delayed(_single_threaded)(function, *item) for item in arguments)
    return list(track(results, desc, total=len(arguments)))


def _single_threaded(function, *arguments):
    """Keep OpenCV from starting a thread per core in each of several processes."""
    cv2.setNumThreads(1)
    return function(*arguments)


def _report(name: str, path: str) -> dict:
    try:
        frames, container = video.read(path)
    except DecodeError as error:
        blank = dict.fromkeys(COLUMNS, np.nan) | {"video": name, "path": path}
        return blank | {"reason": error.reason, "detail": error.detail}
    return row(name, path, len(frames), container) | {"reason": "", "detail": ""}
