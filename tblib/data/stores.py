"""How the frames of one video lie on disk: raw, or as JPEG pictures at a tenth of the size.

Both are a single `.npy` file that says itself whether it is whole, and both give any frames without
reading the others.

Raw frames could be used through a memory map of the file.  They are read by position instead: a
map made for each clip costs more than the clip (a page fault for every 4 kB), maps that are kept
hold an open file each, and where a file became shorter a map ends the process without a word.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from ..errors import DataError

QUALITY = 90
OPTIONS = [
    *(cv2.IMWRITE_JPEG_QUALITY, QUALITY),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
]
BYTES_PER_PIXEL = {"raw": 3.0, "jpeg": 0.28}  # jpeg: measured on 10 UCF101 clips at 128 px
UNREADABLE = (
    "cached frames cannot be read ({}); run the same command again and they are decoded anew."
)
SPOOLED = 1 << 26  # bytes of JPEG pictures kept in memory until their places are known
HEADER = 3  # N, h, w, then N + 1 offsets, all int64


class Frames:
    """Frames uint8 `[N, h, w, 3]` of one file, read when they are indexed along the first axis.

    `frames[:]` or `np.asarray(frames)` reads them all into an array.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, which) -> np.ndarray:
        """Return one frame `[h, w, 3]` for an integer, several for a slice or an index array.

        Raises:
            DataError: the file is gone, was cut or is damaged.
        """
        index = np.arange(len(self))[which]
        out = np.empty((index.size, *self.shape[1:]), np.uint8)
        self._fill(out, index.ravel().tolist())
        return out.reshape(*index.shape, *self.shape[1:])

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        """Read all frames."""
        return self[:] if dtype is None else self[:].astype(dtype)

    def _fill(self, out: np.ndarray, wanted: list[int]) -> None:
        raise NotImplementedError


class RawFrames(Frames):
    """Frames that lie in their file as they are."""

    def __init__(self, path: Path, changed: int):
        self.path = path
        self.shape, self._start = _layout(path, changed)

    def _fill(self, out: np.ndarray, wanted: list[int]) -> None:
        size = int(np.prod(self.shape[1:]))
        try:
            with self.path.open("rb", buffering=0) as file:
                for picture, at in zip(out, wanted, strict=True):
                    if os.preadv(file.fileno(), [picture], self._start + at * size) != size:
                        raise OSError(f"{self.path} ends before frame {at}")
        except OSError as error:
            raise DataError(UNREADABLE.format(error)) from None


@lru_cache(maxsize=1 << 16)
def _layout(path: Path, changed: int) -> tuple[tuple[int, ...], int]:
    """Return the shape of the frames and where the first begins, read once for each change."""
    content = np.load(path, mmap_mode="r")
    return content.shape, content.offset


class JpegFrames(Frames):
    """Frames that are decoded when asked for, each at most once."""

    def __init__(self, content: np.ndarray):
        self.shape = (*_numbers(content, 0, HEADER).tolist(), 3)
        self._starts = _numbers(content, HEADER, len(self) + 1)
        self._bytes = np.asarray(content)[8 * (HEADER + len(self) + 1) :]
        self._decoded: dict[int, np.ndarray] = {}

    def _fill(self, out: np.ndarray, wanted: list[int]) -> None:
        for picture, at in zip(out, wanted, strict=True):
            picture[:] = self._frame(at)

    def _frame(self, at: int) -> np.ndarray:
        if at not in self._decoded:
            picture = cv2.imdecode(self._bytes[self._starts[at] : self._starts[at + 1]], 1)
            if picture is None or picture.shape != self.shape[1:]:
                raise DataError(
                    f"frame {at} of a compressed cache file is damaged; delete the cache folder "
                    "below TB_DATA and run again."
                )
            self._decoded[at] = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        return self._decoded[at]


def _numbers(content: np.ndarray, first: int, count: int) -> np.ndarray:
    return np.frombuffer(content[8 * first : 8 * (first + count)].tobytes(), "<i8")


def folder_name(px: int, kind: str) -> str:
    """Return the folder of a cache: one per size and format."""
    return str(px) if kind == "raw" else f"{px}-jpeg{QUALITY}"


def encode(frames: np.ndarray, kind: str) -> np.ndarray:
    """Turn frames uint8 `[N, h, w, 3]` into the array that is saved."""
    if kind == "raw":
        return frames
    pictures = [_jpeg(frame) for frame in frames]
    starts = np.cumsum([0, *map(len, pictures)])
    numbers = np.array([*frames.shape[:3], *starts], "<i8")
    return np.concatenate([numbers.view(np.uint8), *pictures])


def _jpeg(frame: np.ndarray) -> np.ndarray:
    swapped = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", swapped, OPTIONS)[1].ravel()


def write(path: Path, frames: Iterable[np.ndarray], kind: str) -> tuple[int, ...]:
    """Write frames `[h, w, 3]` one by one as what `np.save` makes of `encode`; return their shape.

    Args:
        path: the file to write.
        frames: uint8, at least one; none of them is kept in memory.
        kind: `raw` or `jpeg`.

    Returns:
        (N, h, w, 3).
    """
    with path.open("wb") as file:
        return (_write_raw if kind == "raw" else _write_jpeg)(file, frames)


def _write_raw(file: BinaryIO, frames: Iterable[np.ndarray]) -> tuple[int, ...]:
    count, size = 0, (0, 0, 0)
    for frame in frames:
        if not count:
            size = frame.shape
            file.write(_header((0, *size)))
        file.write(np.ascontiguousarray(frame).data)
        count += 1
    file.seek(0)
    file.write(_header((count, *size)))  # as long as the first: it has room for any count
    return count, *size


def _write_jpeg(file: BinaryIO, frames: Iterable[np.ndarray]) -> tuple[int, ...]:
    starts, size = [0], (0, 0, 0)
    with tempfile.SpooledTemporaryFile(SPOOLED, dir=Path(file.name).parent) as pictures:
        for frame in frames:
            size = frame.shape
            starts.append(starts[-1] + pictures.write(_jpeg(frame).data))
        numbers = np.array([len(starts) - 1, *size[:2], *starts], "<i8")
        file.write(_header((numbers.nbytes + starts[-1],)))
        file.write(numbers.data)
        pictures.seek(0)
        shutil.copyfileobj(pictures, file)
    return len(starts) - 1, *size


def _header(shape: tuple[int, ...]) -> bytes:
    header = io.BytesIO()
    about = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, about)
    return header.getvalue()


def read(path: Path, kind: str, changed: int) -> Frames:
    """Open a cache file; `changed` is its time of change in nanoseconds."""
    if kind == "raw":
        return RawFrames(path, changed)
    return JpegFrames(np.load(path, mmap_mode="r"))


def intact_shape(path: Path, kind: str, px: int) -> tuple[int, ...] | None:
    """Return the shape of the frames in a whole file; None if it is damaged.

    Raises:
        FileNotFoundError: there is no such file.
    """
    try:
        content = np.load(path, mmap_mode="r")
        whole = path.stat().st_size == content.offset + content.nbytes
        whole = whole and content.dtype == np.uint8 and content.ndim == (4 if kind == "raw" else 1)
        frames = (content if kind == "raw" else _checked(content)) if whole else None
    except FileNotFoundError:
        raise
    except (ValueError, OSError, EOFError, AttributeError, IndexError):
        return None
    return frames.shape if frames is not None and min(frames.shape[1:3]) == px else None


def _checked(content: np.ndarray) -> JpegFrames | None:
    """Check that the pictures end where the file ends."""
    frames = JpegFrames(content)
    return frames if frames._starts[-1] == len(frames._bytes) else None
