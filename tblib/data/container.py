"""What a video file says about itself, compared with what is there, before a frame is decoded."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

from ..errors import DecodeError

# Headers of AVI files with packed B-frames promise one or two frames more than there are.
SLACK_FRAMES, SLACK_SHARE = 2, 0.02

# A text file that names other files must not pass as a video: FFmpeg would go and read those.
ONLY = {
    "format_whitelist": "avi,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpeg,mpegts,wav,ogg,flv,asf",
    "protocol_whitelist": "file",
}


@dataclass(frozen=True)
class Container:
    """What the file says about itself, before a frame is decoded."""

    frames: int  # promised
    packets: int  # really there
    fps: float
    width: int
    height: int


def inspect(path) -> Container:
    """Read a file's header and count its packets, in milliseconds.

    Raises:
        DecodeError: the file is missing, empty, not a video, without a video stream, unreadable,
            or shorter than its header promises.
    """
    import av

    _check_file(Path(path))
    try:
        with av.open(str(path), options=ONLY) as file:
            if not file.streams.video:
                raise DecodeError(path, "no_video_stream", "it has no video stream (only sound?)")
            container = _describe(file, file.streams.video[0])
    except (av.error.InvalidDataError, av.error.ArgumentError):
        detail = "it is not a video, or its header is missing because a copy was cut short"
        raise DecodeError(path, "not_video", detail) from None
    except (av.error.FFmpegError, OSError) as error:
        raise DecodeError(path, "unreadable", f"it cannot be opened ({error})") from None
    _check_riff(Path(path))
    check_complete(path, container.packets, container.frames)
    return container


def _describe(file, stream) -> Container:
    rate = float(stream.average_rate or 0)
    seconds = float(stream.duration * stream.time_base) if stream.duration else 0.0
    if not seconds and file.duration:
        seconds = file.duration / 1e6
    packets = sum(1 for packet in file.demux(stream) if packet.size)
    promised = stream.frames or max(packets, int(seconds * rate))
    return Container(promised, packets, rate, stream.width, stream.height)


def _check_file(path: Path) -> None:
    try:
        there = path.exists()
    except OSError as error:  # a name that is too long
        raise DecodeError(path, "unreadable", f"it cannot be opened ({error.strerror})") from None
    if not there:
        raise DecodeError(path, "missing", "there is no such file; check the dataset folder")
    if path.is_dir():
        raise DecodeError(path, "not_video", "it is a folder, not a video file")
    if path.stat().st_size == 0:
        raise DecodeError(path, "empty", "it has 0 bytes; copy it again")
    if not os.access(path, os.R_OK):
        raise DecodeError(path, "unreadable", "you have no permission to read it")


def _check_riff(path: Path) -> None:
    """Compare the size in an AVI header with the file's: decord reads cut AVI files silently."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[:4] != b"RIFF" or head[8:12] != b"AVI ":
        return
    promised, size = struct.unpack("<I", head[4:8])[0] + 8, path.stat().st_size
    if size < promised:
        detail = f"it has {size:,} of the {promised:,} bytes that its header promises"
        raise DecodeError(path, "truncated", f"{detail}; copy it again")


def check_clean(path) -> None:
    """Decode a whole file with FFmpeg set to stop at any fault, and keep nothing.

    A few wrong bytes leave the number of frames as it was: other decoders paint over them.

    Raises:
        DecodeError: some packets cannot be decoded without a fault.
    """
    import av

    faults = 0
    with av.open(str(path), options=ONLY) as file:
        stream = file.streams.video[0]
        stream.codec_context.options = {"err_detect": "crccheck+bitstream+buffer+careful+explode"}
        for packet in file.demux(stream):
            try:
                faults += any(frame.is_corrupt for frame in packet.decode())
            except av.error.FFmpegError:
                faults += 1
    if faults:
        detail = f"{faults} packets of it hold wrong bytes; copy it again"
        raise DecodeError(path, "damaged", detail)


def slack(promised: int) -> float:
    """Return how many frames fewer than promised are still a complete file."""
    return max(SLACK_FRAMES, SLACK_SHARE * promised)


def check_complete(path, got: int, promised: int) -> None:
    """Compare the number of frames with the promise.

    Raises:
        DecodeError: more are missing than `slack` allows.
    """
    if got < promised - slack(promised):
        detail = f"{got} of the {promised} frames that its header promises can be read"
        raise DecodeError(path, "truncated", f"{detail}; copy it again")
