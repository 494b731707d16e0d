"""One video file in, all of its frames out, or an error that says what is wrong with the file.

A file is read once, from the first frame to the last.  Jumping to a frame is never done: on MPEG-4
AVI files with B-frames (all of UCF101) decord's random access returns other frames than the ones
asked for, without an error.  Reading forward is exact.
"""

from __future__ import annotations

import os
import platform
import re
from contextlib import suppress
from itertools import islice, pairwise

import cv2
import numpy as np

from ..errors import DecodeError, UserError
from .container import check_complete, inspect, slack

# How often decord polls its decoder thread for the last frames.  At 128 it gave up on one good file
# in six here; a broken file still fails within a second at this value.
os.environ.setdefault("DECORD_EOF_RETRY_MAX", "20480")

CHUNK = 64  # frames per call to decord: bounds the memory of full-size frames when px is given
NARROW = 64  # pixels; see _decode_narrow
FROZEN_SHARE = 0.9  # of frames equal to the one before
STILL_LEVELS = 32  # grey levels; 21 in x264's still picture


def decode(path, px: int | None = None, max_frames: int | None = None) -> np.ndarray:
    """Return the frames of a video, read front to back.

    Args:
        path: the video file.
        px: length of the short side after resizing, in pixels; None keeps the size.
        max_frames: stop after this many frames; None reads all and checks that none is missing.

    Returns:
        uint8 `[N, h, w, 3]`, RGB, 0 to 255.

    Raises:
        DecodeError: the file is missing, empty, not a video, without a video stream, cut short,
            one repeated picture, or unreadable; `.reason` says which.
    """
    container = inspect(path)
    forward = _decode_narrow if container.width < NARROW else _decode_forward
    frames = forward(path, px, max_frames)
    if max_frames is None or len(frames) < max_frames:
        check_complete(path, len(frames), container.frames)
        _check_moving(path, frames, container.frames)
    return frames


def _check_moving(path, frames: np.ndarray, promised: int) -> None:
    """Refuse a still picture, and repeats that decord put in place of frames it could not decode.

    Real clips repeat frames too (39 % of one UCF101 Archery clip), so a second decoder is asked.
    """
    repeats = sum(np.array_equal(one, two) for one, two in pairwise(frames))
    if repeats and repeats >= FROZEN_SHARE * (len(frames) - 1):
        detail = f"{repeats + 1} of {len(frames)} frames are one still picture"
        raise DecodeError(path, "frozen", f"{detail}; replace the file")
    # x264 and MPEG-4 repeat some frames of a still picture exactly; of a dim or small one that
    # moves they repeat none, though all may be as alike.
    if repeats and _is_still(frames):
        detail = f"in {len(frames)} frames nothing moves but the traces of compression"
        raise DecodeError(path, "frozen", f"{detail}; replace the file")
    if repeats > slack(promised):
        check_complete(path, _count_decodable(path), promised)


def _is_still(frames: np.ndarray) -> bool:
    """Say whether every frame is the middle one but for what a lossy encoder changes."""
    middle = frames[len(frames) // 2].astype(np.int16)
    return all(np.abs(frame - middle).max() <= STILL_LEVELS for frame in frames)


def _count_decodable(path) -> int:
    import av

    count = 0
    with av.open(str(path)) as file:
        for packet in file.demux(video=0):
            with suppress(av.error.FFmpegError):  # a damaged packet: its frames are not counted
                count += len(packet.decode())
    return count


def _decode_forward(path, px, max_frames) -> np.ndarray:
    decord = _decord()
    try:
        reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
        total = len(reader) if max_frames is None else min(len(reader), max_frames)
        chunks = []
        for start in range(0, total, CHUNK):
            indices = range(start, min(start + CHUNK, total))
            chunks.append(resize(reader.get_batch(indices).asnumpy(), px))
    except (decord.DECORDError, RuntimeError) as error:
        said = re.sub(r"\S*\.cc:\d+: |\[[\d:]+\] ", "", str(error).strip().splitlines()[0])
        raise DecodeError(path, "unreadable", f"decoding failed ({said})") from None
    if not chunks:
        raise DecodeError(path, "truncated", "not one frame can be read")
    return np.concatenate(chunks)


def _decode_narrow(path, px, max_frames) -> np.ndarray:
    """Read with PyAV: decord takes the padding of rows under 64 pixels for a fourth channel."""
    import av

    try:
        with av.open(str(path)) as file:
            pictures = islice(file.decode(video=0), max_frames)
            frames = [picture.to_ndarray(format="rgb24") for picture in pictures]
    except av.error.FFmpegError as error:
        raise DecodeError(path, "unreadable", f"decoding failed ({error})") from None
    if not frames:
        raise DecodeError(path, "truncated", "not one frame can be read")
    return resize(np.stack(frames), px)


def resize(frames: np.ndarray, px: int | None) -> np.ndarray:
    """Scale the short side to `px`, keeping the aspect.

    Args:
        frames: uint8 `[N, H, W, 3]`.
        px: new length of the short side, or None for no change.

    Returns:
        uint8 `[N, h, w, 3]` with `min(h, w) == px`.
    """
    height, width = frames.shape[1:3]
    if px is None or min(height, width) == px:
        return frames
    scale = px / min(height, width)
    size = max(px, round(width * scale)), max(px, round(height * scale))
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])


def _decord():
    try:
        import decord
    except (ImportError, OSError) as error:
        raise UserError(
            f"decord, which reads the videos, cannot be loaded on {platform.system()} "
            f"{platform.machine()} ({error}); it has packages for x86_64 Linux and Windows only, "
            "elsewhere install the compatible package decord2."
        ) from None
    return decord
