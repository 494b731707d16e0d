"""One video file in, all of its frames out, or an error that says what is wrong with the file.

A file is read once, from the first frame to the last.  Jumping to a frame is never done: on MPEG-4
AVI files with B-frames (all of UCF101) decord's random access returns other frames than the ones
asked for, without an error.  Reading forward is exact.

FFmpeg decodes, through PyAV.  Plain MPEG-4 in AVI goes through decord, whose older FFmpeg rounds
some pixels of that code by 1 or 2 of 255 differently: recorded runs saw its frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from itertools import islice

import numpy as np

from ..errors import DecodeError
from .container import Container, inspect
from .readers import by_decord, by_pyav
from .stillness import Stillness
from .turning import resize as resize

RULES = 2  # goes up when another frame, size or side would come out of the same file


def _version(*names: str) -> str:
    for name in names:
        with suppress(PackageNotFoundError):
            return f"{name} {version(name)}"
    return f"no {names[0]}"


DECODER = f"rules {RULES}, {_version('av')}, {_version('decord', 'decord2')}"


def decode(path, px: int | None = None, max_frames: int | None = None) -> np.ndarray:
    """Return the frames of a video, read front to back.

    Args:
        path: the video file.
        px: length of the short side after resizing, in pixels; None keeps the size.
        max_frames: stop after this many frames; None reads all and checks that none is missing.

    Returns:
        uint8 `[N, h, w, 3]`, RGB, 0 to 255.

    Raises:
        DecodeError: as `frames`.
    """
    return np.stack(list(islice(frames(path, px), max_frames)))


def frames(path, px: int | None = None, about: Container | None = None) -> Iterator[np.ndarray]:
    """Yield each frame that a player shows, once, in its order; scaled as soon as it is decoded.

    Pixels are those that are stored: a note that they are not square, or that two half-pictures
    are interlaced, changes nothing.

    Args:
        path: the video file.
        px: length of the short side after resizing, in pixels; None keeps the size.
        about: what `container.inspect` says of the file, if it is known.

    Yields:
        uint8 `[h, w, 3]`, RGB, 0 to 255.

    Raises:
        DecodeError: the file is missing, empty, not a video, without a video stream, cut short,
            one still picture, or unreadable; `.reason` says which.
    """
    about = about or inspect(path)
    still, count = Stillness(), 0
    for frame in (by_decord if about.plain else by_pyav)(path, px, about):
        still.see(frame)
        count += 1
        yield frame
    if not count:
        raise DecodeError(path, "truncated", "not one frame can be read; copy it again")
    still.check(path)
