"""How the frames of one video lie on disk: raw, or as JPEG pictures at a tenth of the size.

Both are a single `.npy` file that says itself whether it is whole, and both give any frames without
reading the others.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..errors import DataError

QUALITY = 90
OPTIONS = [
    *(cv2.IMWRITE_JPEG_QUALITY, QUALITY),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
]
BYTES_PER_PIXEL = {"raw": 3.0, "jpeg": 0.28}  # jpeg: measured on 10 UCF101 clips at 128 px
HEADER = 3  # N, h, w, then N + 1 offsets, all int64


class JpegFrames:
    """Frames uint8 `[N, h, w, 3]` that are decoded when asked for, each at most once."""

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, content: np.ndarray):
        self.shape = (*_numbers(content, 0, HEADER).tolist(), 3)
        self._starts = _numbers(content, HEADER, len(self) + 1)
        self._bytes = np.asarray(content)[8 * (HEADER + len(self) + 1) :]
        self._decoded: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, which) -> np.ndarray:
        """Return one frame `[h, w, 3]` for an integer, several for a slice or an index array."""
        index = np.arange(len(self))[which]
        if index.ndim == 0:
            return self._frame(int(index))
        chosen = [self._frame(at) for at in index.ravel().tolist()]
        stacked = np.stack(chosen) if chosen else np.empty((0, *self.shape[1:]), np.uint8)
        return stacked.reshape(*index.shape, *self.shape[1:])

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        """Decode all frames."""
        return self[:] if dtype is None else self[:].astype(dtype)

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
    swapped = (cv2.cvtColor(frame, cv2.COLOR_RGB2BGR) for frame in frames)
    pictures = [cv2.imencode(".jpg", picture, OPTIONS)[1].ravel() for picture in swapped]
    starts = np.cumsum([0, *map(len, pictures)])
    numbers = np.array([*frames.shape[:3], *starts], "<i8")
    return np.concatenate([numbers.view(np.uint8), *pictures])


def read(path: str | Path, kind: str) -> np.ndarray | JpegFrames:
    """Open a cache file: a read-only memmap, or frames that are decoded when asked for."""
    content = np.load(path, mmap_mode="r")
    return content if kind == "raw" else JpegFrames(content)


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
