"""Two readers of a film's pictures, front to back: FFmpeg through PyAV, and decord.

decord takes packets for pictures, counts hidden ones, and shows the last frame again in their
place.  So it reads only what `container.inspect` found plain, and where its last frames repeat,
FFmpeg counts.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from ..errors import DecodeError, UserError
from .container import Container, opened
from .turning import resize
from .whole import slack

# How often decord polls its decoder thread for the last frames.  At 128 it gave up on one good file
# in six here; a broken file still fails within a second at this value.
os.environ.setdefault("DECORD_EOF_RETRY_MAX", "20480")

CHUNK, CHUNK_BYTES = 64, 2**26  # frames per call to decord: they are in memory at full size
PACKET_IS_PICTURE = ("h264", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg")  # in these codes


def by_pyav(path, px: int | None, about: Container) -> Iterator[np.ndarray]:
    """Yield the frames of `video.frames` from any film."""
    from av.video.reformatter import Interpolation, VideoReformatter

    like = {"format": "rgb24", "interpolation": Interpolation.BICUBIC, "threads": 1}
    rgb, size, shown = VideoReformatter(), {}, _Shown()
    for picture in _pictures(path, about, shown):
        # A stream whose size changes is shown at its first size.
        size = size or {"width": picture.width, "height": picture.height}
        frame = rgb.reformat(picture, **size, **like).to_ndarray()
        yield about.turn(resize(frame[None], px)[0])
    shown.check(path, about.codec)


def _pictures(path, about: Container, shown: _Shown) -> Iterator:
    import av

    try:
        with opened(path) as file:
            stream = file.streams[about.stream]
            stream.codec_context.thread_count = 1  # files are read side by side
            for packet in file.demux(stream):
                shown.expect(packet)
                try:
                    pictures = packet.decode()
                except av.error.FFmpegError as error:
                    shown.refuse(path, packet, error)
                    continue
                for picture in pictures:
                    shown.see(picture)
                    yield picture
    except (av.error.FFmpegError, OSError) as error:
        raise DecodeError(path, "unreadable", f"reading it fails ({error})") from None


class _Shown:
    """Compares the pictures that come out with the packets that went in."""

    def __init__(self) -> None:
        self.count, self.first, self.woven = 0, None, False
        self.expected: list[int | None] = []

    def expect(self, packet) -> None:
        if packet.size and not packet.is_discard:
            self.expected.append(packet.pts)

    def see(self, picture) -> None:
        self.first = picture.pts if not self.count else self.first
        self.count += 1
        self.woven |= picture.interlaced_frame  # two packets may make one picture

    def refuse(self, path, packet, error) -> None:
        """Let pass what comes before the first whole picture of a piece of a longer film."""
        if self.count or packet.is_keyframe or not packet.size:
            detail = f"decoding fails after {self.count} frames ({error})"
            raise DecodeError(path, "unreadable", f"{detail}; copy it again")

    def check(self, path, codec: str) -> None:
        """Refuse a film in which pictures are missing; those before its first one never show."""
        times = (self.first if time is None else time for time in self.expected)
        due = sum(self.first is None or time >= self.first for time in times)
        if codec in PACKET_IS_PICTURE and not self.woven:
            _check_count(path, self.count, due)


def _check_count(path, count: int, due: int) -> None:
    if count < due - slack(due):
        detail = f"only {count} of its {due} frames can be decoded"
        raise DecodeError(path, "truncated", f"{detail}; copy it again")


def by_decord(path, px: int | None, about: Container) -> Iterator[np.ndarray]:
    """Yield what decord reads, but for the repeats it puts in place of what is not there."""
    last, held, count = None, 0, 0
    for frame in _read_by_decord(path, px, about):
        if last is not None and np.array_equal(frame, last):
            held += 1
            continue
        yield from [last] * held
        yield frame
        last, count, held = frame, count + held + 1, 0
    if held:
        found = _count_decodable(path, about)
        yield from [last] * min(held, found - count)
        _check_count(path, found, about.frames)


def _count_decodable(path, about: Container) -> int:
    import av

    count = 0
    with opened(path) as file:
        for packet in file.demux(file.streams[about.stream]):
            with suppress(av.error.FFmpegError):  # a damaged packet: its frames are not counted
                count += len(packet.decode())
    return count


def _read_by_decord(path, px: int | None, about: Container) -> Iterator[np.ndarray]:
    decord = _decord()
    chunk = max(1, min(CHUNK, CHUNK_BYTES // (3 * about.width * about.height)))
    try:
        reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
        for start in range(0, len(reader), chunk):
            indices = range(start, min(start + chunk, len(reader)))
            yield from resize(reader.get_batch(indices).asnumpy(), px)
    except (decord.DECORDError, RuntimeError) as error:
        said = re.sub(r"\S*\.cc:\d+: |\[[\d:]+\] ", "", str(error).strip().splitlines()[0])
        raise DecodeError(path, "unreadable", f"decoding failed ({said})") from None


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
