"""Video files as people have them: every picture that is shown, once, in its order."""

import io
import shutil
import struct
import subprocess
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from realvideo import moving_frames, write_video

from tblib.data import container, readers, turning, video, whole
from tblib.errors import DecodeError

FFMPEG = shutil.which("ffmpeg")
X264, X265 = "libx264", "libx265"
QUIET = {"x265-params": "log-level=none"}


def shown(path: Path, where: str = "0:v:0") -> np.ndarray:
    """What the ffmpeg program shows: each frame once, turned as the file says; skips without it."""
    if FFMPEG is None:
        pytest.skip("the ffmpeg program is not installed")
    command = [FFMPEG, "-v", "error", "-i", str(path), "-map", where]
    first = subprocess.run(
        [*command, "-frames:v", "1", "-f", "image2pipe", "-c:v", "ppm", "-"], capture_output=True
    )
    width, height = map(int, first.stdout.split(b"\n")[1].split())
    raw = ["-fps_mode", "passthrough", "-sws_flags", "bicubic", "-pix_fmt", "rgb24"]
    done = subprocess.run([*command, *raw, "-f", "rawvideo", "-"], capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3)


def assert_as_shown(path: Path, where: str = "0:v:0") -> np.ndarray:
    ours, truth = video.decode(path), shown(path, where)
    assert ours.shape == truth.shape
    # Noise differs from frame to frame by 15 on average; decoders of two years by less than 1.
    assert np.abs(ours.astype(int) - truth).mean((1, 2, 3)).max() < 2
    return ours


def copied(source: Path, target: Path, keep=lambda at, packet: True, shift: int = 0, **options):
    """Copy packets without encoding; `shift` frames of 25 a second earlier."""
    with av.open(str(source)) as old, av.open(str(target), "w", options=options) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for at, packet in enumerate(old.demux(video=0)):
            if packet.size and keep(at, packet):
                ticks = int(shift / 25 / packet.time_base)
                packet.pts, packet.dts = packet.pts - ticks, packet.dts - ticks
                packet.stream = stream
                new.mux(packet)
    return target


class Pipe(io.RawIOBase):
    """A file that can only be appended to, as a pipe or a socket."""

    def __init__(self):
        self.data = b""

    def writable(self):
        return True

    def write(self, data):
        self.data += bytes(data)
        return len(data)


def piped(path: Path, kind: str, codec: str, frames: np.ndarray, **options) -> Path:
    pipe = Pipe()
    with av.open(pipe, "w", format=kind, options=options) as file:
        stream = file.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode())
    path.write_bytes(pipe.data)
    return path


def timed(path: Path, times, frames: np.ndarray, codec: str = X264, rate: int = 25) -> Path:
    """Write frames at given times, in 1/25 s."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=rate)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        stream.codec_context.time_base = Fraction(1, 25)
        stream.options = {"strict": "unofficial"}  # for mjpeg
        for frame, time in zip(frames, times, strict=True):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts, picture.time_base = int(time), Fraction(1, 25)
            file.mux(stream.encode(picture))
        file.mux(stream.encode())
    return path


def with_sound(path: Path, frames: np.ndarray, seconds: float) -> Path:
    with av.open(str(path), "w") as file:
        film = file.add_stream("mpeg4", rate=25)
        film.height, film.width, film.pix_fmt = *frames.shape[1:3], "yuv420p"
        sound = file.add_stream("pcm_s16le", rate=8000)
        for frame in frames:
            file.mux(film.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(film.encode())
        for at in range(int(seconds * 10)):
            part = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
            part.sample_rate, part.pts = 8000, at * 800
            file.mux(sound.encode(part))
        file.mux(sound.encode())
    return path


# Every picture that is shown

KINDS = {
    "H.264 mp4": ("a.mp4", X264, {}),
    "H.264 mp4, key frames apart": ("a.mp4", X264, {"g": 250, "bf": 3}),
    "H.264 AVI": ("a.avi", X264, {"bf": 3}),
    "H.264 mkv": ("a.mkv", X264, {}),
    "H.264 ts": ("a.ts", X264, {"bf": 2}),
    "HEVC mp4": ("a.mp4", X265, QUIET),
    "MPEG-4 mp4": ("a.mp4", "mpeg4", {"bf": 2}),
    "MPEG-4 mkv": ("a.mkv", "mpeg4", {"bf": 2}),
    "MPEG-2 mpg": ("a.mpg", "mpeg2video", {"bf": 2}),
    "MPEG-2 mkv": ("a.mkv", "mpeg2video", {"bf": 2}),
    "VP8 webm": ("a.webm", "libvpx", {}),
    "VP9 webm": ("a.webm", "libvpx-vp9", {"cpu-used": 5}),
    "AV1 mp4": ("a.mp4", "libsvtav1", {"preset": 10}),
    "Motion JPEG mov": ("a.mov", "mjpeg", {"strict": "unofficial"}),
    "Windows Media": ("a.wmv", "wmv2", {}),
    "Flash": ("a.flv", "flv", {}),
}


@pytest.mark.parametrize("name, codec, options", KINDS.values(), ids=KINDS.keys())
def test_every_frame_is_the_one_that_is_shown(tmp_path, name, codec, options):
    if codec not in av.codecs_available:
        pytest.skip(f"PyAV has no {codec} here")
    path = write_video(tmp_path / name, moving_frames(40, 64, 80), codec, **options)
    assert len(assert_as_shown(path)) == 40


@pytest.mark.parametrize("lead", [1, 2, 5, 30])
@pytest.mark.parametrize("bf", [0, 2])
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_what_an_edit_list_hides_is_not_shown(tmp_path, lead, bf, suffix):
    long = write_video(tmp_path / "long.mp4", moving_frames(180, 64, 80), X264, g=60, bf=bf)
    path = copied(long, tmp_path / f"cut{suffix}", shift=lead, avoid_negative_ts="disabled")
    about = container.inspect(path)
    assert not about.plain and about.frames == len(assert_as_shown(path)) < 180


@pytest.mark.parametrize("codec, name", [(X264, "a.mkv"), (X264, "a.mp4"), (X265, "a.mkv"),
                                         ("mpeg2video", "a.mkv")])  # fmt: skip
def test_a_piece_of_a_film_with_open_groups_begins_with_its_first_whole_picture(
    tmp_path, codec, name
):
    """Pictures that lead to the first key frame are made from others, which were cut away."""
    groups = {
        X264: {"x264-params": "open-gop=1:keyint=20:scenecut=0:bframes=3:b-adapt=0"},
        X265: {"x265-params": "log-level=none:open-gop=1:keyint=20:scenecut=0:bframes=3"},
        "mpeg2video": {"g": 15, "bf": 2},
    }
    source = write_video(tmp_path / "s.mkv", moving_frames(100, 64, 80), codec, **groups[codec])
    keys = [at for at, packet in enumerate(_packets(source)) if packet.is_keyframe]
    path = copied(source, tmp_path / name, lambda at, _: at >= keys[1])
    container.check_clean(path)
    assert 50 < len(assert_as_shown(path)) < 100


def _packets(path: Path) -> list:
    with av.open(str(path)) as file:
        return [packet for packet in file.demux(video=0) if packet.size]


@pytest.mark.skipif(FFMPEG is None, reason="two passes are made by the ffmpeg program")
@pytest.mark.parametrize("lag", [16, 25])
def test_hidden_packets_of_vp8_are_no_pictures(tmp_path, lag):
    calm = moving_frames(60, 64, 80)
    calm = np.where(calm < 120, np.uint8(90), calm)  # only then libvpx looks ahead
    source = write_video(tmp_path / "s.mkv", calm, "ffv1")
    encode = [FFMPEG, "-v", "error", "-i", source, "-c:v", "libvpx", "-b:v", "60k", "-g", "250",
              "-auto-alt-ref", "1", "-lag-in-frames", str(lag)]  # fmt: skip
    for number, target in ((1, ["-f", "null", "-"]), (2, [tmp_path / "a.webm"])):
        passes = ["-pass", str(number), "-passlogfile", tmp_path / "log"]
        subprocess.run([*encode, *passes, *target], check=True)
    about = container.inspect(tmp_path / "a.webm")
    assert len(_packets(tmp_path / "a.webm")) > 60 == about.frames and about.steady
    assert len(assert_as_shown(tmp_path / "a.webm")) == 60


def test_an_avi_with_dropped_frames_is_read_and_its_times_are_uneven(tmp_path):
    """Capture programs write an empty packet where a frame was dropped."""
    times = [*range(10), 12, 20, 21, 30, 41]
    for codec in ("mpeg4", "mjpeg"):
        path = timed(tmp_path / f"{codec}.avi", times, moving_frames(15), codec)
        about = container.inspect(path)
        assert not about.steady
        assert len(assert_as_shown(path)) == 15


def test_repeats_at_the_end_are_frames_only_if_the_file_holds_them(tmp_path, monkeypatch):
    """decord fills what it cannot find with the last frame; the film may end with repeats, too."""
    frames = moving_frames(30)
    frames[26:] = frames[25]
    path = write_video(tmp_path / "a.avi", frames, bf=2, qmin=2, qmax=2)
    assert container.inspect(path).plain and len(video.decode(path)) == 30
    held = np.stack(list(readers.by_pyav(path, None, container.inspect(path))))[:27]
    filled = [*held, *[held[-1]] * 3]
    monkeypatch.setattr(readers, "_read_by_decord", lambda *_: iter(filled))
    monkeypatch.setattr(readers, "_count_decodable", lambda path, about: 28)
    assert len(video.decode(path)) == 28
    monkeypatch.setattr(readers, "_count_decodable", lambda path, about: 27)
    with pytest.raises(DecodeError, match="only 27 of its 30 frames"):
        video.decode(path)


# Which stream, which side


def matrix(path: Path, a: float, b: float, c: float, d: float) -> Path:
    """Write a display matrix into the header of an mp4 file."""
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd")
    start = at + 24 + (12 if data[at + 4] else 0) + 20
    values = list(struct.unpack(">9i", data[start : start + 36]))
    assert values[0] == 65536 and values[8] == 1 << 30
    for place, value in zip((0, 1, 3, 4), (a, b, c, d), strict=True):
        values[place] = round(value * 65536)
    data[start : start + 36] = struct.pack(">9i", *values)
    path.write_bytes(data)
    return path


TURNS = {
    "as stored": (1, 0, 0, 1),
    "by 90": (0, 1, -1, 0),
    "by 180": (-1, 0, 0, -1),
    "by 270": (0, -1, 1, 0),
    "left and right": (-1, 0, 0, 1),
    "up and down": (1, 0, 0, -1),
    "rows to columns": (0, 1, 1, 0),
    "rows to columns, turned": (0, -1, -1, 0),
}


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS.keys())
@pytest.mark.parametrize("size", [(96, 128), (96, 48), (48, 128)])
@pytest.mark.parametrize("codec", [X264, "mpeg4"])
def test_a_picture_is_turned_and_mirrored_as_the_file_says(tmp_path, turn, size, codec):
    path = matrix(write_video(tmp_path / "a.mp4", moving_frames(6, *size), codec), *turn)
    frames, about = assert_as_shown(path), container.inspect(path)
    assert frames.shape[1:3] == (about.height, about.width) == (size if turn[0] else size[::-1])
    small = video.decode(path, px=24)
    assert np.abs(small.astype(int) - turning.resize(frames, 24)).max() <= 1


def test_a_scale_in_the_matrix_or_an_empty_one_changes_nothing():
    turn = turning.turn_of("a.mp4", struct.pack("=9i", 2 << 16, 0, 0, 0, 2 << 16, 0, 0, 0, 1 << 30))
    assert turn == turning.turn_of("a.mp4", bytes(36)) == turning.turn_of("a.mp4", None)
    assert turn == turning.AS_STORED


def test_an_oblique_picture_is_refused_in_a_sentence(tmp_path):
    path = matrix(write_video(tmp_path / "a.mp4", moving_frames(6)), 0.8, 0.6, -0.6, 0.8)
    with pytest.raises(DecodeError, match="turned by 37 degrees, not by quarter turns; convert"):
        video.decode(path)


def two_films(path: Path, first: np.ndarray, second: np.ndarray, codecs=(X264, X264), cover=False):
    with av.open(str(path), "w") as file:
        streams = []
        for frames, codec in zip((first, second), codecs, strict=True):
            stream = file.add_stream(codec, rate=25)
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            streams.append(stream)
        if cover:
            streams[0].disposition = av.stream.Disposition.attached_pic
        for stream, frames in zip(streams, (first, second), strict=True):
            for frame in frames:
                file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            file.mux(stream.encode())
    return path


FILM, COVER = moving_frames(30, 96, 128), moving_frames(1, 192, 256)
STREAMS = {
    "a cover before the film": (COVER, FILM, 1, ("mjpeg", X264)),
    "a cover behind the film": (FILM, COVER, 0, (X264, "mjpeg")),
    "a moving thumbnail before the film": (moving_frames(30, 32, 48), FILM, 1, (X264, X264)),
    "a few pictures before the film": (moving_frames(2, 192, 256), moving_frames(60, 96, 128), 1,
                                       ("mjpeg", X264)),
    "two films": (FILM, moving_frames(30, 144, 192), 0, (X264, X264)),
}  # fmt: skip


@pytest.mark.parametrize("first, second, film, codecs", STREAMS.values(), ids=STREAMS.keys())
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_film_is_read_not_the_thumbnail(tmp_path, first, second, film, codecs, suffix):
    path = two_films(tmp_path / f"a{suffix}", first, second, codecs)
    frames = assert_as_shown(path, f"0:v:{film}")
    assert len(frames) == len((first, second)[film]) and container.inspect(path).stream == film


def test_marks_of_covers_and_of_the_default_film_count():
    def track(mark, frames=30, width=128):
        context = SimpleNamespace(width=width, height=96)
        stream = SimpleNamespace(disposition=mark, codec_context=context)
        packet = whole.Packet(0, 0, 9, True, False, False)
        return container._Track(stream, [packet] * frames)

    cover, other, film = track(1024, 1, 900), track(0), track(1)
    assert container._film("a.mp4", [cover, other, film]) is film
    assert container._film("a.mp4", [cover, other]) is other
    assert container._film("a.mp4", [track(0, 1)]) is not None, "a film of one picture"
    with pytest.raises(DecodeError, match="no video stream, only a cover picture"):
        container._film("a.mp4", [cover])


def test_a_code_without_a_decoder_is_one_sentence(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", moving_frames(4))
    real = container._note

    def blind(track, packet):
        real(track, packet)
        code = SimpleNamespace(canonical_name="av1")
        context = SimpleNamespace(codec=code, width=64, height=48)
        track.picture, track.stream = None, SimpleNamespace(
            codec_context=context, disposition=1, frames=4
        )  # fmt: skip

    monkeypatch.setattr(container, "_note", blind)
    with pytest.raises(DecodeError, match="coded in av1, which this installation cannot decode; c"):
        video.decode(path)


def test_a_title_in_another_encoding_and_a_code_that_nobody_knows_are_no_crash(tmp_path):
    path = tmp_path / "a.mkv"
    write_video(path, moving_frames(6), "libx264")
    data = path.read_bytes()
    assert data.count(b"Lavf") >= 1
    path.write_bytes(data.replace(b"Lavf", b"\xe9t\xe9f"))
    assert len(video.decode(path)) == 6
    path = write_video(tmp_path / "a.mp4", moving_frames(6), "libx264")
    path.write_bytes(path.read_bytes().replace(b"avc1", b"xyz1"))
    with pytest.raises(DecodeError, match="coded in an unknown code, which this installation"):
        video.decode(path)


# What a header promises


@pytest.mark.parametrize("suffix", [".mkv", ".avi", ".mov"])
def test_sound_may_be_longer_than_the_picture(tmp_path, suffix):
    path = with_sound(tmp_path / f"a{suffix}", moving_frames(40), 4.0)
    assert len(assert_as_shown(path)) == 40


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".webm"])
def test_uneven_times_are_read_and_said(tmp_path, suffix):
    times = [*range(30), *range(40, 140, 10)]
    codec = "libvpx" if suffix == ".webm" else X264
    path = timed(tmp_path / f"a{suffix}", times, moving_frames(40), codec)
    assert len(assert_as_shown(path)) == 40 and not container.inspect(path).steady
    even = timed(tmp_path / f"even{suffix}", range(40), moving_frames(40), codec)
    assert container.inspect(even).steady


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
@pytest.mark.parametrize("seconds", [5, 100_000])
def test_times_may_begin_anywhere(tmp_path, suffix, seconds):
    source = write_video(tmp_path / "s.mp4", moving_frames(40), X264)
    path = copied(source, tmp_path / f"a{suffix}", shift=-25 * min(seconds, 20_000))
    assert len(assert_as_shown(path)) == 40


PIPES = {
    "avi": ("mpeg4", {}),
    "matroska": (X264, {}),
    "webm": ("libvpx", {"live": "1"}),
    "mp4": (X264, {"movflags": "frag_keyframe+empty_moov+default_base_moof"}),
    "mpegts": (X264, {}),
    "flv": ("flv", {}),
    "asf": ("wmv2", {}),
}


@pytest.mark.parametrize("kind", PIPES)
def test_what_was_written_into_a_pipe_is_read(tmp_path, kind):
    codec, options = PIPES[kind]
    path = piped(tmp_path / "a.mp4", kind, codec, moving_frames(40), **options)
    assert len(assert_as_shown(path)) == 40


def test_a_wrong_count_or_size_in_a_header_is_no_cut(tmp_path):
    path = write_video(tmp_path / "a.avi", moving_frames(40), bf=2)
    data = bytearray(path.read_bytes())
    data[4:8] = struct.pack("<I", len(data) + 5000)
    at = data.find(b"strh") + 8 + 32
    assert struct.unpack("<I", data[at : at + 4])[0] == 40
    data[at : at + 4] = struct.pack("<I", 80)
    path.write_bytes(data)
    assert len(video.decode(path)) == 40, "its index is whole, and it comes last"


@pytest.mark.parametrize("name, codec, options", [
    ("a.avi", "mpeg4", {"bf": 2}), ("a.mkv", X264, {}), ("a.webm", "libvpx", {}),
    ("a.mp4", X264, {"movflags": "faststart"}),
    ("a.mov", "mjpeg", {"movflags": "faststart", "strict": "unofficial"}),
    ("a.mp4", X264, {"movflags": "frag_keyframe+empty_moov", "g": 8}), ("a.wmv", "wmv2", {}),
    ("a.flv", "flv", {}),
])  # fmt: skip
@pytest.mark.parametrize("share", [0.47, 0.9])
def test_a_copy_that_was_cut_is_found_in_every_container(tmp_path, name, codec, options, share):
    path = write_video(tmp_path / name, moving_frames(60), codec, **options)
    assert len(video.decode(path)) == 60
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DecodeError, match=r"copy it again \[truncated\]"):
        video.decode(path)


# What stands still


def held(count: int, times: int) -> np.ndarray:
    return moving_frames(count, 96, 128).repeat(times, axis=0)


HELD = {
    "waits, then moves": np.concatenate([moving_frames(1, 96, 128).repeat(270, 0), FILM[:18]]),
    "moves, then waits": np.concatenate([FILM[:6], FILM[5:6].repeat(200, 0)]),
    "2 frames a second stored at 30": held(6, 15),
    "1 frame a second stored at 60": held(3, 60),
}


@pytest.mark.parametrize("name", HELD)
@pytest.mark.parametrize("codec, suffix", [(X264, ".mp4"), ("mpeg4", ".avi"),
                                           ("libvpx-vp9", ".webm")])  # fmt: skip
def test_a_film_that_holds_its_pictures_is_no_still_picture(tmp_path, name, codec, suffix):
    options = {"cpu-used": 8} if "vp9" in codec else {}
    path = write_video(tmp_path / f"a{suffix}", HELD[name], codec, **options)
    assert len(video.decode(path)) == len(HELD[name])
    assert len(video.decode(path, px=24)) == len(HELD[name])


@pytest.mark.parametrize("codec, options", [
    (X264, {}), (X264, {"preset": "ultrafast"}), (X265, QUIET), ("mpeg4", {}), ("mpeg4", {"bf": 2}),
    ("mpeg2video", {}), ("libvpx-vp9", {"cpu-used": 8}),
])  # fmt: skip
def test_a_still_picture_is_found_whatever_encoded_it(tmp_path, codec, options):
    still = moving_frames(1, 96, 128).repeat(60, axis=0)
    path = write_video(tmp_path / "a.mkv", still, codec, **options)
    with pytest.raises(DecodeError, match=r"nothing moves .*; if that is how it was filmed, take"):
        video.decode(path)
