"""All frames of a dataset, decoded once and kept as memory-mapped arrays.

`folder/<px>/<first two digits>/<sha256 of the video file>.npy` holds the uint8 frames
`[N, h, w, 3]` of one video.  The name follows from the content, each file appears complete or not
at all, so a killed build goes on where it stopped and two builds at once end with the same files.
The file's own SHA-256 stands beside it and is compared when a process first reads the file.
"""

from __future__ import annotations

import hashlib
import re
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DataError, DecodeError
from ..io import atomic_write, sha256
from . import manifest

STALE_SECONDS = 3600  # a temporary file this old was left by a killed build
SHOWN = 5  # bad files named in an error; `data verify` lists all


class FrameCache:
    """Frames of every video of a dataset, by row of its table.

    Attributes:
        manifest: one row per video with the columns of `manifest.COLUMNS`.
        frames: int64 `[n]`, number of frames of each video.
        px: short side of the frames in pixels.
    """

    def __init__(self, folder: Path, px: int, table: pd.DataFrame):
        self.px, self.manifest = px, table
        self.frames = table["frames"].to_numpy(np.int64)
        self._files = [str(_place(folder, digest)) for digest in table["sha256"]]

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> np.ndarray:
        """Return the frames of table row `index`: read-only uint8 memmap `[N, h, w, 3]`.

        Raises:
            DataError: the file is gone, or changed since it was written.
        """
        try:
            place = Path(self._files[index])
            _check_content(place, place.stat().st_mtime_ns)
            return np.load(place, mmap_mode="r")
        except OSError as error:
            raise DataError(
                f"cached frames cannot be read ({error}); run the same command again and they are "
                "decoded anew."
            ) from None


@cache
def _check_content(place: Path, changed: int) -> None:
    """Compare a cache file with the SHA-256 beside it, once in each process and for each change."""
    if _noted(place) != sha256(place):
        for path in (place, place.with_suffix(".sha256")):
            path.unlink(missing_ok=True)
        raise DataError(
            f"cached frames {place} were damaged: their SHA-256 is not the one noted. The file was "
            "removed; run the same command again and it is decoded anew."
        )


def _noted(place: Path) -> str:
    note = place.with_suffix(".sha256")
    return note.read_text(errors="replace").strip() if note.is_file() else ""


def build(videos, px: int, folder: Path, workers: int = 2) -> FrameCache:
    """Decode what is not in the cache yet and open it.

    Files whose size and time of change equal the manifest's are not read again.

    Args:
        videos: a `VideoSet`.
        px: short side of the cached frames in pixels.
        folder: where caches live; one subfolder per `px`.
        workers: processes that decode.

    Raises:
        DataError: some videos cannot be read; the message counts them and names the first few.
            What was decoded stays for the next build.
    """
    folder = Path(folder) / str(px)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_stale(folder)
        return FrameCache(folder, px, _fill(videos, px, folder, workers))
    except OSError as error:
        raise DataError(
            f"the frame cache {folder} cannot be written or read ({error}); free space there or "
            "set TB_DATA to another folder."
        ) from None


def _fill(videos, px: int, folder: Path, workers: int) -> pd.DataFrame:
    """Put every missing video into the cache; return and record the manifest."""
    record = folder / manifest_name(videos)
    known = manifest.read(record)
    pairs = list(zip(videos.table["video"], videos.table["path"], strict=True))
    done = {name: known[name] for name, path in pairs if _usable(known.get(name), path, folder)}
    todo = [(name, path, px, folder) for name, path in pairs if name not in done]
    results = manifest.run_all(_cache_one, todo, workers, "decode")
    _refuse_bad([item for item in results if isinstance(item, DecodeError)], len(pairs))
    done |= {item["video"]: item for item in results}
    rows = [done[name] for name, _ in pairs]
    return manifest.write(record, rows) if todo else manifest.as_table(rows)


def manifest_name(videos) -> str:
    """Return the manifest's file name: dataset, then a digest of its root and list of videos."""
    content = "\n".join([str(videos.root), *videos.table["video"]])
    name = re.sub(r"[^\w.-]", "_", videos.name)
    return f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}.csv"


def _cache_one(name: str, path: str, px: int, folder: Path) -> dict | DecodeError:
    """Decode one video into the cache unless it is there; runs in a worker process."""

    def keep(digest: str, decode) -> int:
        place = _place(folder, digest)
        shape = _intact_shape(place, px)
        if shape is None:
            frames = decode()
            atomic_write(place, lambda temporary: np.save(temporary, frames))
            digest = sha256(place)
            atomic_write(
                place.with_suffix(".sha256"), lambda temporary: temporary.write_text(digest)
            )
            shape = frames.shape
        return shape[0]

    try:
        return manifest.row(name, path, px, keep)
    except DecodeError as error:
        return error


def _usable(known: dict | None, path: str, folder: Path) -> bool:
    if not manifest.unchanged(known, path):
        return False
    shape = _intact_shape(_place(folder, known["sha256"]), int(folder.name))
    return shape is not None and shape[0] == known["frames"]


def _place(folder: Path, digest: str) -> Path:
    return folder / digest[:2] / f"{digest}.npy"


def _intact_shape(place: Path, px: int) -> tuple[int, ...] | None:
    """Return the shape of a complete cache file; None if it is absent, or damaged and named so.

    A file without a SHA-256 beside it was left by a kill, or by versions that wrote none.
    """
    if not place.with_suffix(".sha256").is_file():
        return None
    try:
        array = np.load(place, mmap_mode="r")
        complete = place.stat().st_size == array.offset + array.nbytes
    except FileNotFoundError:
        return None
    except (ValueError, OSError, EOFError, AttributeError):
        complete = False
    if complete and array.dtype == np.uint8 and array.ndim == 4 and min(array.shape[1:3]) == px:
        return array.shape
    print(f"cache file {place} is damaged and is made again.", flush=True)
    return None


def _refuse_bad(errors: list[DecodeError], total: int) -> None:
    if not errors:
        return
    shown = "; ".join(f"{error.path}: {error.detail} [{error.reason}]" for error in errors[:SHOWN])
    more = f"; and {len(errors) - SHOWN} more" if len(errors) > SHOWN else ""
    raise DataError(
        f"{len(errors)} of {total} videos cannot be read: {shown}{more}. Copy these files again or "
        "take them out of the lists; `python -m tblib data verify --profile …` names them all."
    )


def _remove_stale(folder: Path) -> None:
    oldest = time.time() - STALE_SECONDS
    for temporary in folder.rglob(".*.part.*"):
        with suppress(FileNotFoundError):  # another build was quicker
            if temporary.stat().st_mtime < oldest:
                temporary.unlink()
