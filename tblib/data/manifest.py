"""What is known for certain about each video file, because it was decoded once from end to end."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from ..errors import DecodeError
from ..files import sha256
from ..progress import track
from . import container, exact, video

COLUMNS = ["video", "path", "bytes", "mtime_ns", "sha256", "frames", "fps", "width", "height"]
COLUMNS += ["steady", "decoder"]  # 1 if frames stay equally long; what decoded them
TEXT = ["video", "path", "sha256", "decoder"]
BEFORE = {"steady": 1, "decoder": "an earlier version"}  # manifests that do not say
HANG_SECONDS = 600  # a file that takes longer hangs: a UCF101 clip takes a tenth of a second
KILLED = (
    "the process that decoded it was killed twice, most likely because memory ran out; free some, "
    "or convert it to a smaller size"
)
SLOWEST = 200_000  # bytes a second; a long film takes longer


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
        keep: called with the file's SHA-256 and a function that returns an iterator over its
            frames, uint8 `[h, w, 3]`; returns their number.  By default it decodes and counts.

    Raises:
        DecodeError: the file cannot be read, or changes while it is read.
    """
    about = container.inspect(path)
    before, digest = stamp(path), sha256(path)
    count = (keep or _count)(digest, lambda: video.frames(path, px, about))
    if stamp(path) != before:
        raise DecodeError(path, "unreadable", "it changed while it was read; run again")
    size, changed = before
    seen = [about.fps, about.width, about.height, int(about.steady), video.DECODER]
    return dict(zip(COLUMNS, [name, str(path), size, changed, digest, count, *seen], strict=True))


def _count(digest: str, frames) -> int:
    return sum(1 for _ in frames())


def read(path: Path) -> dict[str, dict]:
    """Return the rows of a manifest by video name; empty if there is none yet.

    A manifest that cannot be understood is named, and its rows are made anew.
    """
    try:
        table = exact.load(path, TEXT)
        for column, value in BEFORE.items():
            table[column] = table.get(column, value)
        table = table[COLUMNS]
        table = table[table["sha256"].str.fullmatch("[0-9a-f]{64}").astype(bool)]
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, OSError, OverflowError) as error:
        said = str(error).partition("\n")[0]
        print(f"manifest {path} is damaged ({said}); its videos are checked again.", flush=True)
        return {}
    return {item["video"]: item for item in table.to_dict("records")}


def write(path: Path, rows: Iterable[dict]) -> pd.DataFrame:
    """Write rows as CSV, atomically, and return them as a table with `COLUMNS`.

    Raises:
        DataError: what is read back is not what was written; the old manifest stays.
    """
    table = as_table(rows)
    exact.save(path, table, TEXT)
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


def outdated(rows: Iterable[dict]) -> str:
    """Say how many rows another decoder made, and which; nothing if there are none."""
    makers = [row["decoder"] for row in rows if row["decoder"] != video.DECODER]
    if not makers:
        return ""
    return f"{len(makers)} videos were decoded by {makers[0]}; this is {video.DECODER}"


def verify(videos, workers: int = 2, known: dict[str, dict] | None = None) -> pd.DataFrame:
    """Decode every video of a `VideoSet` completely, twice, and report on each file.

    Args:
        videos: the dataset.
        workers: processes to use; at least two, so that one that hangs can be ended.
        known: rows of an earlier manifest.  A file whose content differs from it though size and
            time of change do not was damaged on the disk.

    Returns:
        One row per video: `COLUMNS`, then `reason` and `detail`, both "" for a good file.
    """
    pairs = list(zip(videos.table["video"], videos.table["path"], strict=True))
    known = known or {}
    todo = [(name, path, known.get(name)) for name, path in pairs]
    reports = run_all(_report, todo, max(workers, 2), "verify", _as_row)
    return pd.DataFrame(reports, columns=[*COLUMNS, "reason", "detail"])


def _refuse(name: str, error: DecodeError) -> None:
    raise error from None


def run_all(
    function,
    arguments: list[tuple],
    workers: int,
    desc: str,
    hung: Callable[[str, DecodeError], object] = _refuse,
    seen: Callable[[object], None] | None = None,
) -> list:
    """Call `function` on each tuple `(name, path, ...)` in worker processes and keep the order.

    Args:
        hung: makes the result of a call that hangs or is killed, from its name and the error, and
            the others go on; by default the error is raised.
        seen: called with each result as soon as it and all before it are there.

    Raises:
        DecodeError: a call hangs, as damaged files trap decord, or is killed twice for its memory.
    """
    limit = _patience(arguments) if workers > 1 else None  # in this process nothing can be stopped
    done, alone = [], 0  # alone: how many calls are made one by one, to find the one that kills

    def keep(result) -> None:
        done.append(result)
        if seen is not None:
            seen(result)

    def fail(reason: str, detail: str) -> None:
        name, path = arguments[len(done)][:2]
        keep(hung(name, DecodeError(path, reason, detail)))

    while len(done) < len(arguments):
        rest = arguments[len(done) :][: 1 if alone else None]
        try:
            for result in track(_side_by_side(function, rest, workers, limit), desc, len(rest)):
                keep(result)
        except (TimeoutError, multiprocessing.TimeoutError):
            fail("timeout", f"decoding it did not end within {limit:.0f} s")
        except BrokenProcessPool:
            if alone:
                fail("killed", KILLED)
            else:
                alone = 1 + 2 * workers  # as many may have been under way
                print(f"{desc}: a process was killed; what it held is done again.", flush=True)
        alone = max(0, alone - 1)
    return done


def _patience(arguments: list[tuple]) -> float:
    """Return the seconds after which a file hangs, from the largest one."""
    size = 0
    for _, path, *_ in arguments:
        with suppress(OSError):
            size = max(size, Path(path).stat().st_size)
    return HANG_SECONDS + size // SLOWEST


def _side_by_side(function, items: list[tuple], workers: int, limit: float | None):
    if limit:  # new workers import for seconds; that is not decoding
        Parallel(n_jobs=workers)(delayed(_single_threaded)(int) for _ in range(workers))
    parallel = Parallel(n_jobs=workers, return_as="generator", timeout=limit)
    return parallel(delayed(_single_threaded)(function, *item) for item in items)


def _single_threaded(function, *arguments):
    """Keep OpenCV from starting a thread per core in each of several processes."""
    cv2.setNumThreads(1)
    return function(*arguments)


def _report(name: str, path: str, known: dict | None) -> dict:
    try:
        found = row(name, path)
        container.check_clean(path)
        if unchanged(known, path) and known["sha256"] != found["sha256"]:
            detail = "its bytes are not those it was first read with; copy it again"
            raise DecodeError(path, "changed", detail)
        return found | {"reason": "", "detail": ""}
    except DecodeError as error:
        return _as_row(name, error)


def _as_row(name: str, error: DecodeError) -> dict:
    blank = dict.fromkeys(COLUMNS, np.nan) | {"video": name, "path": error.path}
    return blank | {"reason": error.reason, "detail": error.detail}
