"""All frames of a dataset, decoded once and kept as arrays in files.

`folder/<px>/<first two digits>/<sha256 of the video file>-<decoder>.npy` holds the uint8 frames
`[N, h, w, 3]` of one video, `folder/<px>-jpeg90/…` the same as JPEG pictures.  The name follows
from the content and from what decoded it: frames of another decoder are not used, but made anew.
Each file appears complete or not at all, so a killed build goes on where it stopped and two builds
at once end with the same files.
The file's own SHA-256 stands beside it and is compared when a process first reads the file.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DataError, DecodeError
from ..files import atomic_write
from . import checksums, container, manifest, stores, video

STALE_SECONDS = 3600  # a temporary file this old was left by a killed build
SAMPLE = 32  # files whose headers tell the size of all
EVERY = 500  # videos after which the manifest is written during a build
SHOWN = 5  # bad files named in an error; `data verify` lists all


class FrameCache:
    """Frames of every video of a dataset, by row of its table.

    Attributes:
        manifest: one row per video with the columns of `manifest.COLUMNS`.
        frames: int64 `[n]`, number of frames of each video.
        px: short side of the frames in pixels.
    """

    def __init__(self, folder: Path, px: int, table: pd.DataFrame, kind: str = "raw"):
        self.px, self.manifest, self.kind = px, table, kind
        self.frames = table["frames"].to_numpy(np.int64)
        self._files = [str(_place(folder, digest)) for digest in table["sha256"]]

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> stores.Frames:
        """Return the frames of table row `index`, uint8 `[N, h, w, 3]`, read when indexed.

        Raises:
            DataError: the file is gone, or changed since it was written.
        """
        try:
            place = Path(self._files[index])
            changed = place.stat().st_mtime_ns
            checksums.check(place, changed)
            return stores.read(place, self.kind, changed)
        except OSError as error:
            raise DataError(stores.UNREADABLE.format(error)) from None


def build(videos, px: int, folder: Path, workers: int = 2, kind: str = "raw") -> FrameCache:
    """Decode what is not in the cache yet and open it.

    Files whose size and time of change equal the manifest's are not read again.

    Args:
        videos: a `VideoSet`.
        px: short side of the cached frames in pixels.
        folder: where caches live; one subfolder per `px` and `kind`.
        workers: processes that decode.
        kind: `raw`, or `jpeg` for a tenth of the size.

    Raises:
        DataError: there is too little room, or some videos cannot be read; the message counts them
            and names the first few.  What was decoded stays for the next build.
    """
    folder = Path(folder) / stores.folder_name(px, kind)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_stale(folder)
        return FrameCache(folder, px, _fill(videos, px, folder, workers, kind), kind)
    except OSError as error:
        raise DataError(
            f"the frame cache {folder} cannot be written or read ({error}); free space there or "
            "set TB_DATA to another folder."
        ) from None


def _fill(videos, px: int, folder: Path, workers: int, kind: str) -> pd.DataFrame:
    """Put every missing video into the cache; return and record the manifest."""
    record = folder / manifest_name(videos)
    known = manifest.read(record)
    pairs = list(zip(videos.table["video"], videos.table["path"], strict=True))
    place = (folder, px, kind)
    done = {name: known[name] for name, path in pairs if _usable(known.get(name), path, *place)}
    todo = [(name, path, *place) for name, path in pairs if name not in done]
    if old := manifest.outdated(known[name] for name, *_ in todo if name in known):
        print(f"frame cache: {old}: they are decoded anew.", flush=True)
    if todo:
        _announce([item[1] for item in todo], *place)
    bad = _decode(todo, workers, done, record)
    _refuse_bad(bad, len(pairs))
    rows = [done[name] for name, _ in pairs]
    return manifest.write(record, rows) if todo else manifest.as_table(rows)


def _decode(todo: list[tuple], workers: int, done: dict, record: Path) -> list[DecodeError]:
    """Decode videos and add their rows to `done`, recorded now and then; return what failed."""
    bad = []

    def seen(item: dict | DecodeError) -> None:
        if isinstance(item, DecodeError):
            bad.append(item)
            return
        done[item["video"]] = item
        if len(done) % EVERY == 0:
            manifest.write(record, done.values())

    def hung(name: str, error: DecodeError) -> DecodeError:
        return error

    manifest.run_all(_cache_one, todo, workers, "decode", hung, seen)
    if bad:  # the good ones need not be looked at again
        manifest.write(record, done.values())
    return bad


def manifest_name(videos) -> str:
    """Return the manifest's file name: dataset, then a digest of its root and list of videos."""
    content = "\n".join([str(videos.root), *videos.table["video"]])
    name = re.sub(r"[^\w.-]", "_", videos.name)
    return f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}.csv"


def _cache_one(name: str, path: str, folder: Path, px: int, kind: str) -> dict | DecodeError:
    """Decode one video into the cache unless it is there; runs in a worker process."""

    def keep(digest: str, frames) -> int:
        place = _place(folder, digest)
        shape = _intact_shape(place, px, kind) or _store(place, frames(), kind)
        _remove_older(place, digest)
        return shape[0]

    try:
        return manifest.row(name, path, px, keep)
    except DecodeError as error:
        return error


def _usable(known: dict | None, path: str, folder: Path, px: int, kind: str) -> bool:
    if not manifest.unchanged(known, path) or known["decoder"] != video.DECODER:
        return False
    shape = _intact_shape(_place(folder, known["sha256"]), px, kind)
    return shape is not None and shape[0] == known["frames"]


def estimate(paths: list[str], px: int, kind: str) -> float:
    """Estimate the bytes that videos need in a cache, from the headers of a sample of the files.

    Files that cannot be read are left to the build, which names them.
    """
    sizes = []
    for path in paths[:: max(1, len(paths) // SAMPLE)]:
        with suppress(DecodeError):
            about = container.inspect(path)
            scale = px / max(1, min(about.width, about.height))
            sizes.append(about.frames * about.width * about.height * scale**2)
    pixels = float(np.mean(sizes)) if sizes else 0.0
    return pixels * stores.BYTES_PER_PIXEL[kind] * len(paths)


def _announce(paths: list[str], folder: Path, px: int, kind: str) -> None:
    """Say how much is to be decoded; refuse to start what cannot fit."""
    needed, free = estimate(paths, px, kind), shutil.disk_usage(folder).free
    print(f"frame cache: {len(paths)} videos at {px} px, {kind}, about {size(needed)}", flush=True)
    if needed > free:
        smaller = " or data.cache_format to jpeg" if kind == "raw" else " or data.cache_px lower"
        raise DataError(
            f"the frame cache needs about {size(needed)}, but {size(free)} are free in {folder}; "
            f"free space there, set TB_DATA to another folder,{smaller}."
        )


def size(count: float) -> str:
    """Write a number of bytes for people: `12 MB`, `163 GB`."""
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 1000:
            return f"{count:.0f} {unit}" if count >= 10 else f"{count:.1f} {unit}"
    return f"{count / 1000:.1f} TB"


def _place(folder: Path, digest: str) -> Path:
    maker = hashlib.sha256(video.DECODER.encode()).hexdigest()[:8]
    return folder / digest[:2] / f"{digest}-{maker}.npy"


def _store(place: Path, frames: Iterable[np.ndarray], kind: str) -> tuple[int, ...]:
    """Write frames to their file as they come, so that a long film needs little memory."""
    shapes: list[tuple[int, ...]] = []
    atomic_write(place, lambda temporary: shapes.append(stores.write(temporary, frames, kind)))
    checksums.seal(place)
    return shapes[0]


def _remove_older(place: Path, digest: str) -> None:
    """Delete what another decoder made of the same video."""
    for other in place.parent.glob(f"{digest}*"):
        if other.stem != place.stem:
            other.unlink(missing_ok=True)


def _intact_shape(place: Path, px: int, kind: str) -> tuple[int, ...] | None:
    """Return the shape of a complete cache file; None if it is absent, or damaged and named so.

    A file without a SHA-256 beside it was left by a kill, or by versions that wrote none.
    """
    if not checksums.note(place).is_file():
        return None
    try:
        shape = stores.intact_shape(place, kind, px)
    except FileNotFoundError:
        return None
    if shape is None:
        print(f"cache file {place} is damaged and is made again.", flush=True)
    return shape


def _refuse_bad(errors: list[DecodeError], total: int) -> None:
    if not errors:
        return
    shown = "; ".join(f"{error.path}: {error.detail} [{error.reason}]" for error in errors[:SHOWN])
    more = f"; and {len(errors) - SHOWN} more" if len(errors) > SHOWN else ""
    raise DataError(
        f"{len(errors)} of {total} videos cannot be read: {shown}{more}. Do what is "
        "said or take them out of the lists; `python -m tblib data verify --profile …` names all."
    )


def _remove_stale(folder: Path) -> None:
    oldest = time.time() - STALE_SECONDS
    for temporary in folder.rglob(".*.part.*"):
        with suppress(FileNotFoundError):  # another build was quicker
            if temporary.stat().st_mtime < oldest:
                temporary.unlink()
