"""What a video file holds: which stream is the film, how it is shown, whether anything is hidden.

Everything that reads a file asks here, so that no two readers see another stream, size or side.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DecodeError
from . import whole
from .turning import AS_STORED, Turn, turn_of

# A text file that names other files must not pass as a video: FFmpeg would go and read those.
ONLY = {
    "format_whitelist": "avi,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpeg,mpegts,wav,ogg,flv,asf",
    "protocol_whitelist": "file",
}
ASIDE = 1024 | 2048 | 1048576  # FFmpeg's marks of covers, thumbnails and single pictures
FEW = 20  # times fewer pictures than another stream: a thumbnail
SMALL = 4  # times fewer pixels than another stream: a preview
NARROW = 64  # pixels; decord takes the padding of rows below for a fourth channel
VP8_SHOWN = 0x10  # in the first byte of a packet; RFC 6386, 9.1
NO_PICTURE = 8  # bytes; MPEG-4 packets below stand for a picture in another packet
AHEAD = 512 * 2**20  # bytes; decord decodes ahead without a bound
EVEN_SHARE, EVEN_TICKS = 0.1, 2  # by which steps in time may differ: containers round them


@dataclass(frozen=True)
class Container:
    """What a file holds, found by reading its packets and its first picture.

    Attributes:
        stream: index of the film among the streams of the file.
        codec: how it is coded, as FFmpeg names it.
        frames: packets that are to be shown; a few may hold no picture of their own.
        fps: mean frames a second, 0 if the file does not say.
        width: in pixels, as shown.
        height: in pixels, as shown.
        turn: from the stored picture to the shown one.
        steady: whether all frames stay equally long; if not, a step of frames is no step of time.
        plain: MPEG-4 in AVI without anything hidden, cut away or turned; decord is exact there.
    """

    stream: int
    codec: str
    frames: int
    fps: float
    width: int
    height: int
    turn: Turn = AS_STORED
    steady: bool = True
    plain: bool = False


@dataclass
class _Track:
    stream: Any
    packets: list[whole.Packet] = field(default_factory=list)
    picture: Any = None  # the first one
    vp8: bool = False

    @property
    def area(self) -> int:
        context = self.stream.codec_context
        return 0 if context is None else context.width * context.height

    @property
    def shown(self) -> list[whole.Packet]:
        return [packet for packet in self.packets if packet.size and not packet.hidden]


def opened(path, **options: str):
    """Open a video file with PyAV, whatever the letters of its title; `options` go to FFmpeg."""
    import av

    return av.open(str(path), options=ONLY | options, metadata_errors="replace")


def inspect(path) -> Container:
    """Read a file's packets and its first picture, in milliseconds.

    Raises:
        DecodeError: the file is missing, empty, not a video, without a video stream, coded in a
            way that is not supported, unreadable, or a part of it is missing.
    """
    import av

    path = Path(path)
    whole.check_file(path)
    try:
        with opened(path) as file:
            tracks = _read(path, file)
            track = _film(path, tracks)
            about = _describe(path, file.format.name, track, len(tracks) == 1)
            kind, counted = file.format.name, track.stream.frames
    except (av.error.InvalidDataError, av.error.ArgumentError):
        detail = "it is not a video, or its header is missing because a copy was cut short"
        raise DecodeError(path, "not_video", detail) from None
    except (av.error.FFmpegError, OSError) as error:
        raise DecodeError(path, "unreadable", f"it cannot be opened ({error})") from None
    whole.check(path, kind, counted, track.packets, lambda: _recount(path, about.stream))
    return about


def _read(path, file) -> list[_Track]:
    """Read all packets of all video streams and decode the first picture of each."""
    import av

    tracks = {stream.index: _Track(stream) for stream in file.streams.video}
    if not tracks:
        raise DecodeError(path, "no_video_stream", "it has no video stream (only sound?)")
    for track in tracks.values():
        if track.stream.codec_context is not None:
            track.stream.codec_context.thread_count = 1
            track.vp8 = track.stream.codec_context.codec.canonical_name == "vp8"
    try:
        for packet in file.demux([track.stream for track in tracks.values()]):
            _note(tracks[packet.stream.index], packet)
    except av.error.FFmpegError as error:
        seen = max(len(track.packets) for track in tracks.values())
        detail = f"reading it fails after {seen} pictures ({error})"
        raise DecodeError(path, "unreadable", detail) from None
    return list(tracks.values())


def _note(track: _Track, packet) -> None:
    import av

    if packet.size or packet.dts is not None:
        hidden = packet.is_discard or (track.vp8 and not bytes(packet)[0] & VP8_SHOWN)
        marks = packet.is_keyframe, hidden, packet.is_corrupt
        track.packets.append(whole.Packet(packet.pts, packet.dts, packet.size, *marks))
    if track.picture is None and track.stream.codec_context is not None:
        with suppress(av.error.FFmpegError):
            track.picture = next(iter(packet.decode()), None)


def _film(path, tracks: Sequence[_Track]) -> _Track:
    """Choose the film: no cover, no thumbnail, no preview; of several the file's default."""
    films = [track for track in tracks if not int(track.stream.disposition) & ASIDE]
    if not films:
        raise DecodeError(path, "no_video_stream", "it has no video stream, only a cover picture")
    films = [track for track in films if track.stream.codec_context is not None] or films
    most = max(len(track.shown) for track in films)
    films = [track for track in films if len(track.shown) > (1 if most > 1 else 0)] or films
    films = [track for track in films if FEW * len(track.shown) >= most]
    largest = max(track.area for track in films)
    films = [track for track in films if SMALL * track.area >= largest]
    return max(films, key=lambda track: int(track.stream.disposition) & 1)


def _describe(path, kind: str, track: _Track, alone: bool) -> Container:
    stream, shown, picture = track.stream, track.shown, track.picture
    codec = _codec(path, track)
    width, height, turn = stream.codec_context.width, stream.codec_context.height, AS_STORED
    if picture is not None:
        matrix = picture.side_data.get("DISPLAYMATRIX")
        width, height = picture.width, picture.height
        turn = turn_of(path, None if matrix is None else bytes(matrix))
    as_decord = kind == "avi" and codec == "mpeg4" and alone and turn == AS_STORED
    plain = as_decord and _plain(track, width, height)
    if turn.transposed:
        width, height = height, width
    times = [p.pts for p in shown if p.pts is not None] or [p.dts for p in shown if p.dts]
    rate = float(stream.average_rate or 0)
    return Container(
        stream.index, codec, len(shown), rate, width, height, turn, _steady(times), plain
    )


def _codec(path, track: _Track) -> str:
    context = track.stream.codec_context
    name = "an unknown code" if context is None else context.codec.canonical_name
    if context is None or (track.picture is None and name == "av1"):
        detail = f"its pictures are coded in {name}, which this installation cannot decode"
        advice = "convert it: ffmpeg -i FILE -c:v libx264 -crf 18 NEW.mp4"
        raise DecodeError(path, "unreadable", f"{detail}; {advice}")
    return name


def _plain(track: _Track, width: int, height: int) -> bool:
    """Say whether each packet is one picture, in the order of time, the first of them a whole one.

    Only then decord, which counts packets, gives the pictures that are shown.  Times may be left
    out: one real clip of UCF101 dropped a frame.
    """
    packets = track.packets
    steps = {two.dts - one.dts if None not in (one.dts, two.dts) else 0
             for one, two in zip(packets, packets[1:], strict=False)}  # fmt: skip
    return (
        bool(packets)
        and track.stream.frames <= len(packets) + whole.slack(len(packets))  # decord makes room
        and packets[0].key
        and min(steps, default=1) >= 1
        and all(p.size >= NO_PICTURE and not p.hidden and not p.partial for p in packets)
        and width >= NARROW
        and len(packets) * width * height * 3 <= AHEAD
    )


def _steady(times: list[int]) -> bool:
    steps = np.diff(np.sort(np.array(times, np.int64)))
    if len(steps) < 2:
        return True
    usual = np.median(steps)
    return bool(np.abs(steps - usual).max() <= max(EVEN_TICKS, EVEN_SHARE * usual))


def _recount(path, index: int) -> int:
    """Count whole pictures of a stream, also those that its edit list leaves out."""
    import av

    count = 0
    with (
        suppress(av.error.FFmpegError),
        opened(path, ignore_editlist="1") as file,
    ):
        for packet in file.demux(file.streams[index]):
            count += packet.size > 0 and not packet.is_corrupt
    return count


def check_clean(path) -> None:
    """Decode a whole film with FFmpeg set to stop at any fault, and keep nothing.

    A few wrong bytes leave the number of frames as it was: other decoders paint over them.
    Pictures that are not shown do not count: those before the first whole picture of a piece that
    was cut out of a longer film miss what they were made from.

    Raises:
        DecodeError: some packets cannot be decoded without a fault.
    """
    import av

    index, faults, first = inspect(path).stream, 0, None  # first: time of the first whole picture
    strict = {"err_detect": "crccheck+bitstream+buffer+careful+explode"}
    try:
        with opened(path) as file:
            file.streams[index].codec_context.options = strict
            for packet in file.demux(file.streams[index]):
                first = packet.pts if first is None and packet.is_keyframe else first
                lost = packet.is_discard or (None not in (first, packet.pts) and packet.pts < first)
                try:
                    faults += any(frame.is_corrupt for frame in packet.decode()) and not lost
                except av.error.FFmpegError:
                    faults += not lost
    except (av.error.FFmpegError, OSError) as error:
        raise DecodeError(path, "unreadable", f"reading it fails ({error})") from None
    if faults:
        detail = f"{faults} packets of it hold wrong bytes; copy it again"
        raise DecodeError(path, "damaged", detail)
