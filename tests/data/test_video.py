"""Frames are exact and complete, or the error says what is wrong with the file."""

import struct
import wave
from pathlib import Path

import av
import decord
import numpy as np
import pytest
from realvideo import moving_frames, write_video

from tblib.data import container, readers, stillness, video
from tblib.errors import DecodeError

REAL = ("Archery/v_Archery_g01_c01", "Punch/v_Punch_g05_c03", "Surfing/v_Surfing_g10_c02")
B_FRAMES = {"bf": 2, "g": 12}


def sequential(path) -> np.ndarray:
    """Decode with another library, front to back."""
    with av.open(str(path)) as file:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])


def assert_same_frames(path):
    ours, truth = video.decode(path), sequential(path)
    assert ours.shape == truth.shape and ours.dtype == np.uint8
    # The two libraries round the step from YUV to RGB differently, by 2 of 255 at most.
    assert np.abs(ours.astype(int) - truth).max() <= 3


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("kind", ["UCF-101/{}.avi", "ucf101-9-mp4/{}.mp4"])
def test_every_frame_of_real_files_is_exact(shared_data, name, kind):
    assert_same_frames(shared_data / kind.format(name))


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 130])
def test_every_frame_of_a_b_frame_avi_is_exact(tmp_path, count):
    path = write_video(tmp_path / "b.avi", moving_frames(count), **B_FRAMES)
    assert len(sequential(path)) == count
    assert_same_frames(path)


@pytest.mark.parametrize("name", REAL)
def test_random_access_is_wrong_where_decode_is_exact(ucf_root, name):
    """The reason why nothing here seeks; if this fails, decord has been repaired."""
    path = str(ucf_root / f"{name}.avi")
    frames = video.decode(path)
    wanted = list(range(5, len(frames) - 5, 9))
    reader = decord.VideoReader(path, ctx=decord.cpu(0), num_threads=1)
    seeked = np.stack([reader.get_batch([index]).asnumpy()[0] for index in reversed(wanted)])
    truth = frames[wanted[::-1]]
    wrong = (np.abs(seeked.astype(int) - truth).max(axis=(1, 2, 3)) > 3).sum()
    assert wrong > len(wanted) / 4


def test_short_side_is_resized_and_aspect_kept(tmp_path):
    wide = write_video(tmp_path / "wide.mp4", moving_frames(6, 48, 64))
    tall = write_video(tmp_path / "tall.mp4", moving_frames(6, 64, 48))
    assert video.decode(wide, px=24).shape == (6, 24, 32, 3)
    assert video.decode(tall, px=24).shape == (6, 32, 24, 3)
    small = video.decode(wide, px=24).astype(int)
    blocks = video.decode(wide).reshape(6, 24, 2, 32, 2, 3).mean(axis=(2, 4))
    assert np.abs(small - blocks).max() <= 1  # halving with INTER_AREA is the mean of 2 x 2


@pytest.mark.parametrize("width", [32, 48, 62])
def test_narrow_videos_are_exact(tmp_path, width):
    path = write_video(tmp_path / "narrow.mp4", moving_frames(9, 64, width))
    assert_same_frames(path)
    assert len(video.decode(path, max_frames=4)) == 4


def test_max_frames_stops_early(tmp_path):
    path = write_video(tmp_path / "a.avi", moving_frames(30), **B_FRAMES)
    assert np.array_equal(video.decode(path, max_frames=7), video.decode(path)[:7])
    assert len(video.decode(path, max_frames=99)) == 30


def test_channels_are_red_green_blue(tmp_path):
    frames = moving_frames(4)
    frames[..., 0], frames[..., 1:] = 250, 20
    frames[1:, :8] = 20  # so that it is not one still picture
    red, green, blue = video.decode(write_video(tmp_path / "red.mp4", frames))[0].mean((0, 1))
    assert red > 200 and green < 60 and blue < 60


def test_container_tells_size_and_rate(tmp_path):
    path = write_video(tmp_path / "a.mp4", moving_frames(12), rate=30)
    about = container.inspect(path)
    assert about == container.Container(0, "mpeg4", 12, 30.0, 64, 48)


def _cut(path: Path, share: float) -> Path:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


def _cut_avi_that_hides_it(folder: Path) -> Path:
    """A cut file whose RIFF size was put right, as repair tools do: only the count tells."""
    path = _cut(write_video(folder / "hidden.avi", moving_frames(75), **B_FRAMES), 0.5)
    data = bytearray(path.read_bytes())
    data[4:8] = struct.pack("<I", len(data) - 8)
    path.write_bytes(data)
    return path


def _sound_only(folder: Path) -> Path:
    with wave.open(str(folder / "sound.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))
    return folder / "sound.wav"


def _dropped_packets(folder: Path) -> Path:
    """Two of three packets left out: decord repeats frames in their place and says nothing."""
    source = write_video(folder / "all.mp4", moving_frames(60), "libx264", bf=0, g=60)
    with av.open(str(source)) as old, av.open(str(folder / "dropped.mp4"), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for at, packet in enumerate(old.demux(video=0)):
            if packet.dts is not None and at % 3 == 0:
                packet.stream = stream
                new.mux(packet)
    return folder / "dropped.mp4"


def _zeroed_tail(folder: Path) -> Path:
    path = write_video(folder / "z.mp4", moving_frames(60), "libx264", movflags="faststart")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10] + bytes(len(data) - len(data) * 6 // 10))
    return path


def _made(name: str, content: bytes):
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def _still(folder: Path) -> Path:
    still = moving_frames(1).repeat(40, axis=0)
    return write_video(folder / "still.mp4", still, "libx264")


def _noisy_still(folder: Path) -> Path:
    """As x264 encodes it now and then by default, when its macroblock tree finds no time."""
    still = moving_frames(1).repeat(40, axis=0)
    return write_video(folder / "noisy.mp4", still, "libx264", **{"x264-params": "mbtree=0"})


def test_a_dim_picture_that_moves_is_not_still(tmp_path):
    """As in small frames of calm videos, where no pixel changes by more than a still's traces."""
    bright = np.full((40, 48, 64, 3), 100, np.uint8)
    for at, frame in enumerate(bright):
        frame[10:30, at // 4 * 4 : at // 4 * 4 + 20] = 124
    frames = video.decode(write_video(tmp_path / "dim.mp4", bright, "libx264"))
    span = int(frames.max(0).max() - frames.min(0).min())
    assert len(frames) == 40 and stillness.BLOCK_LEVELS < span <= stillness.LEVELS
    assert any(map(np.array_equal, frames[1:], frames)), "each picture is held for 4 frames"


FAULTS = {
    "missing file": (lambda folder: folder / "none.avi", "missing"),
    "zero bytes": (_made("empty.avi", b""), "empty"),
    "text": (_made("text.avi", b"this is not a video\n" * 50), "not_video"),
    "folder": (lambda folder: folder, "not_video"),
    "mp4 without moov": (
        lambda folder: _cut(write_video(folder / "m.mp4", moving_frames(60)), 0.5),
        "not_video",
    ),
    "sound only": (_sound_only, "no_video_stream"),
    "AVI cut at half": (
        lambda folder: _cut(write_video(folder / "c.avi", moving_frames(75), **B_FRAMES), 0.5),
        "truncated",
    ),
    "AVI cut, size repaired": (_cut_avi_that_hides_it, "truncated"),
    "mkv cut at half": (
        lambda folder: _cut(write_video(folder / "c.mkv", moving_frames(75), "libx264"), 0.5),
        "truncated",
    ),
    "faststart mp4 cut": (
        lambda folder: _cut(
            write_video(folder / "f.mp4", moving_frames(75), "libx264", movflags="faststart"), 0.8
        ),
        "truncated",
    ),
    "packets dropped": (_dropped_packets, "truncated"),
    "zeroed tail": (_zeroed_tail, "unreadable"),
    "still picture": (_still, "frozen"),
    "still picture, half of its frames with traces of compression": (_noisy_still, "frozen"),
}


@pytest.mark.parametrize("make, reason", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.timeout(30)
def test_fault_has_its_reason_and_names_the_file(tmp_path, make, reason):
    path = make(tmp_path)
    with pytest.raises(DecodeError) as caught:
        video.decode(path, px=32)
    assert caught.value.reason == reason
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_real_avi_cut_at_half_is_caught(ucf_root, tmp_path):
    source = (ucf_root / f"{REAL[0]}.avi").read_bytes()
    (tmp_path / "half.avi").write_bytes(source[: len(source) // 2])
    with pytest.raises(DecodeError, match="truncated"):
        video.decode(tmp_path / "half.avi")


def test_single_frame_and_odd_names_are_fine(tmp_path):
    path = write_video(tmp_path / "été 1 (x).mp4", moving_frames(1))
    assert video.decode(path).shape == (1, 48, 64, 3)


def test_repeated_frames_of_a_complete_file_are_accepted(tmp_path):
    frames = moving_frames(20).repeat(2, axis=0)  # a 12.5 fps recording stored at 25 fps
    path = write_video(tmp_path / "slow.mp4", frames, "libx264", qp=0)
    assert len(video.decode(path)) == 40


def test_platform_without_decord_gets_one_sentence(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "decord", None)
    with pytest.raises(Exception, match=r"decord.*cannot be loaded on \w+ \w+"):
        readers._decord()
