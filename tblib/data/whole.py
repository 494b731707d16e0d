"""Is all of a video file there?  By its container's own account of bytes, not by its duration.

Durations and frame counts in headers are estimates: sound that is longer than the picture, uneven
times, a stream written into a pipe and a cut without encoding all make good files that hold fewer
pictures than the header lets expect.  A copy that was cut short lacks bytes, and that can be shown.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..errors import DecodeError

# Counts in headers, and packets that show no picture of their own, may be off by this much.
SLACK_FRAMES, SLACK_SHARE = 2, 0.02
PIPED = (0, 0x7FFFFF00, 0xFFFFFF00)  # sizes that who writes into a pipe cannot put right later
TAIL = 1 << 24  # bytes at the end of an AVI file in which its index is looked for
FLV_TAGS = (8, 9, 18)  # sound, picture, data
ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


class Packet(NamedTuple):
    """One coded picture as it lies in a file; times in ticks of its stream."""

    pts: int | None
    dts: int | None
    size: int
    key: bool
    hidden: bool  # decoded for the sake of others, by the file's edit list
    partial: bool


def check_file(path: Path) -> None:
    """Say what is wrong before a file is opened.

    Raises:
        DecodeError: it is missing, a folder, empty or may not be read.
    """
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


def check(path: Path, kind: str, counted: int, packets: Sequence[Packet], recount) -> None:
    """Compare what a container says of its own bytes and pictures with what is there.

    Args:
        kind: FFmpeg's name of the container.
        counted: pictures by the header, 0 if it does not say.
        packets: those of the film.
        recount: counts all whole pictures of the film, also those an edit list leaves out.

    Raises:
        DecodeError: a part is missing.
    """
    there, size = sum(p.size > 0 and not p.partial for p in packets), path.stat().st_size
    with path.open("rb") as file:
        if kind == "avi":
            if not _indexed(file, size):
                _compare_bytes(path, size, _riff_end(file, size))
                last = max((p.dts for p in packets if p.dts is not None), default=-1)
                counted = 0 if counted >= 1 << 30 else counted  # written into a pipe
                _compare_count(path, max(there, last + 1), counted)
        elif kind.startswith("mov"):
            end = _boxes_end(file, size)
            found = recount() if 0 < there < counted else there
            if end > size and not 0 < counted <= found:
                _compare_bytes(path, size, end)
            _compare_count(path, found, counted)
        elif kind in ENDS:
            _compare_bytes(path, size, ENDS[kind](file, size))


def slack(promised: int) -> float:
    """Return how many pictures fewer than promised are still a complete file."""
    return max(SLACK_FRAMES, SLACK_SHARE * promised)


def _compare_bytes(path, size: int, promised: int) -> None:
    if size < promised:
        detail = f"it has {size:,} of the {promised:,} bytes that its header promises"
        raise DecodeError(path, "truncated", f"{detail}; copy it again")


def _compare_count(path, found: int, promised: int) -> None:
    if found < promised - slack(promised):
        detail = f"it holds {found} of the {promised} pictures that its index names"
        raise DecodeError(path, "truncated", f"{detail}; copy it again")


def _riff_end(file: BinaryIO, size: int) -> int:
    """Return where the last RIFF part of an AVI file ends by its header."""
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(8)
        if head[:4] != b"RIFF" or len(head) < 8:
            break
        length = struct.unpack("<I", head[4:])[0]
        if any(0 <= length - value <= 0x100 for value in PIPED):
            return size
        at += 8 + length
    return at


def _indexed(file: BinaryIO, size: int) -> bool:
    """Say whether an AVI file ends with its whole index, which is written last."""
    start = max(0, size - TAIL)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"idx1")
    if at < 0 or at + 8 > len(tail):
        return False
    length = struct.unpack("<I", tail[at + 4 : at + 8])[0]
    return length >= 16 and start + at + 8 + length in (size, size - 1)


def _boxes_end(file: BinaryIO, size: int) -> int:
    """Return where the last box of an mp4 or mov file ends by its header."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length = struct.unpack(">I", head[:4])[0]
        if length == 1 and len(head) == 16:
            length = struct.unpack(">Q", head[8:])[0]
        if length < 8:  # 0: up to the end of the file, whatever that is
            return size
        at += length
    return at


def _segment_end(file: BinaryIO, size: int) -> int:
    """Return where the segment of a Matroska or WebM file ends; it may not say."""
    head = file.read(64)
    _, at, length = _element(head, 0)
    name, at, length = _element(head, at + (length or 0))
    return at + length if name == b"\x18\x53\x80\x67" and length is not None else size


def _element(data: bytes, at: int) -> tuple[bytes, int, int | None]:
    """Return name, start of the content and its length if it is known, of an EBML element."""
    name = data[at : at + 4]
    first = data[at + 4] if at + 4 < len(data) else 0
    width = 9 - first.bit_length()
    number = int.from_bytes(data[at + 4 : at + 4 + width], "big") & ((1 << 7 * width) - 1)
    unknown = number == (1 << 7 * width) - 1 or not first
    return name, at + 4 + width, None if unknown else number


def _asf_end(file: BinaryIO, size: int) -> int:
    head = file.read(1 << 16)
    at = head.find(ASF_PROPERTIES)
    return struct.unpack("<Q", head[at + 40 : at + 48])[0] if 0 <= at <= len(head) - 48 else size


def _flv_end(file: BinaryIO, size: int) -> int:
    """Return where the last tag of an FLV file ends: each says how long it is."""
    at = 13
    while at < size:
        file.seek(at)
        head = file.read(4)
        if head[0] not in FLV_TAGS:
            return size
        at += int.from_bytes(head[1:], "big") + 15
    return size if at - 4 == size else at  # the length that follows the last tag may be left out


ENDS = {"matroska,webm": _segment_end, "asf": _asf_end, "flv": _flv_end}
