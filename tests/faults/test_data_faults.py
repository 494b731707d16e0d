"""Promise 4: a bad video neither hangs nor crashes anything nor changes the training set."""

import os
import random
import shutil
import time
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hanging import hold_the_interpreter
from helpers import TinyMethod, fake_pool
from realvideo import moving_frames, write_video
from test_integrity import as_nobody, open_folder  # noqa: F401 (a fixture)
from test_video import FAULTS, assert_same_frames, sequential

from tblib.__main__ import main
from tblib.data import cache, checksums, container, datasets, manifest, video
from tblib.data.loader import rows_of_step
from tblib.engine.loop import Plan, fit
from tblib.errors import DataError, DecodeError


def flipped(path: Path, seed: int, count: int = 6) -> Path:
    """Flip bits in the middle of a file and keep its time of change, as a failing disk does."""
    rng, status = random.Random(seed), path.stat()
    data = bytearray(path.read_bytes())
    for _ in range(count):
        data[rng.randrange(len(data) // 8, len(data) * 7 // 8)] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return path


def some_bytes_wrong(folder: Path) -> Path:
    frames = moving_frames(75, 96, 128)
    return flipped(write_video(folder / "flip.avi", frames, bf=2, g=12), 1)


def loop(folder: Path) -> Path:
    (folder / "a.avi").symlink_to(folder / "b.avi")
    (folder / "b.avi").symlink_to(folder / "a.avi")
    return folder / "a.avi"


def playlist(folder: Path) -> Path:
    (folder / "list.avi").write_text("ffconcat version 1.0\nfile other.avi\n")
    return folder / "list.avi"


MORE = {
    "a few wrong bytes": (some_bytes_wrong, "damaged"),
    "links in a circle": (loop, "missing"),
    "a name that is too long": (lambda folder: folder / f"{'x' * 300}.avi", "unreadable"),
    "a text that names videos": (playlist, "not_video"),
}
ALL = FAULTS | MORE


def reason(path, known=None) -> str:
    return manifest._report("a", str(path), known)["reason"]


@pytest.mark.timeout(300)
def test_every_fault_file_gets_its_own_reason(tmp_path, scorecard):
    """Also the ones that decord reads without a word: cut AVI, dropped packets, still picture."""
    wrong, begin = {}, time.monotonic()
    for number, (name, (make, expected)) in enumerate(ALL.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        if (got := reason(make(folder))) != expected:
            wrong[name] = f"{got!r}, not {expected!r}"
    assert wrong == {}
    seconds = round(time.monotonic() - begin, 1)
    scorecard["fault_files"] = {"right": len(ALL), "of": len(ALL), "seconds": seconds}


def test_a_file_that_changed_on_the_disk_is_found_by_its_hash(tiny_root, tmp_path):
    """Whatever the decoders say: same size, same time, another content."""
    path = tmp_path / "a.avi"
    shutil.copy(tiny_root / "Walk/v_Walk_g02_c01.avi", path)
    known = manifest.row("a", path)
    assert reason(path, known) == ""
    data, status = bytearray(path.read_bytes()), path.stat()
    at = data.find(b"Lavc")  # a text of the encoder: no decoder minds
    data[at] ^= 1
    path.write_bytes(data)
    assert reason(path, known) == "", "a file with a new time was replaced on purpose"
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert reason(path, known) == "changed"
    assert reason(path) == "", "without an earlier manifest nobody can know"


def test_wrong_bytes_are_mostly_found_without_any_manifest(tmp_path):
    """What `data verify` adds to counting frames; the rest needs the hash."""
    frames = moving_frames(75, 96, 128)
    source = write_video(tmp_path / "good.avi", frames, bf=2, g=12)
    container.check_clean(source)
    counted = found = 0
    for seed in range(20):
        path = flipped(Path(shutil.copy(source, tmp_path / "bad.avi")), seed)
        try:
            video.decode(path, px=16)
        except DecodeError:
            counted += 1
        found += reason(path) != ""
    assert found >= 15 > counted


def test_data_verify_compares_with_the_manifest_of_the_cache(
    tiny_root, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    root = tmp_path / "UCF101"
    shutil.copytree(tiny_root, root)
    pairs = {"dataset": "ucf101", "root": root, "classes": "null", "cache_px": 20, "crop_px": 16}
    chosen = [part for k, v in pairs.items() for part in ("--set", f"data.{k}={v}")]
    assert main(["data", "build", *chosen]) == 0
    path = root / "Walk" / "v_Walk_g02_c01.avi"
    data, status = bytearray(path.read_bytes()), path.stat()
    data[data.find(b"Lavc")] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    capsys.readouterr()
    assert main(["data", "verify", *chosen]) == 1
    out = capsys.readouterr().out
    assert "v_Walk_g02_c01.avi" in out and "[changed]" in out and "15 of 16" in out


@pytest.fixture
def built(tiny_root, tmp_path):
    """Two videos in a cache, and a function that opens it again."""
    videos = datasets.ucf101(tiny_root, classes=("Walk",))

    def build():
        return cache.build(videos, 20, tmp_path / "c", workers=1)

    return build


def test_a_flipped_bit_in_the_cache_is_found_at_the_first_read_and_made_good(built):
    frames = built()
    truth, place = np.array(frames[1]), Path(frames[1].path)
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1
    place.write_bytes(data)
    os.utime(place, ns=(1, 1))
    with pytest.raises(DataError, match=f"{place} were damaged: their SHA-256"):
        built()[1]
    assert np.array_equal(built()[1], truth), "the next run decodes it anew"


@pytest.mark.parametrize("gone", [".npy", ".sha256"])
def test_a_cache_file_that_vanished_is_one_sentence_and_made_again(built, gone):
    frames = built()
    truth, place = np.array(frames[0]), Path(frames[0].path)
    checksums.check.cache_clear()
    place.with_suffix(gone).unlink()
    with pytest.raises(DataError, match="run the same command again"):
        frames[0]
    assert np.array_equal(built()[0], truth)


def test_a_video_that_vanished_or_was_replaced_after_verifying_is_noticed(tiny_root, tmp_path):
    root = tmp_path / "UCF101"
    shutil.copytree(tiny_root, root)
    videos = datasets.ucf101(root, classes=("Walk",))
    assert (manifest.verify(videos)["reason"] == "").all()
    Path(videos.table["path"][0]).unlink()
    Path(videos.table["path"][1]).write_bytes(b"something else")
    with pytest.raises(DataError, match=r"2 of 8 videos .*\[missing\].*\[not_video\]"):
        cache.build(videos, 20, tmp_path / "c", workers=1)


def test_a_file_without_permission_is_one_sentence(open_folder):  # noqa: F811
    path = write_video(open_folder / "a.avi", moving_frames(4))
    path.chmod(0o000)
    said = as_nobody(lambda: container.inspect(path))
    assert said.startswith("DecodeError: ") and "no permission to read it [unreadable]" in said


@pytest.mark.timeout(1200)
def test_a_decoder_that_hangs_is_ended_and_the_other_files_are_verified(tiny_root, monkeypatch):
    videos = datasets.ucf101(tiny_root, classes=("Walk",))
    monkeypatch.setattr(manifest, "HANG_SECONDS", 5)
    monkeypatch.setattr(manifest, "_report", hold_the_interpreter)
    report = manifest.verify(videos, workers=1)
    assert dict(zip(report["video"], report["reason"], strict=True)) == {
        name: "timeout" if name.endswith("g02_c01") else "" for name in videos.table["video"]
    }


def test_odd_sizes_grey_pictures_and_uneven_times_are_exact(tmp_path):
    odd = video.decode(write_video(tmp_path / "odd.avi", moving_frames(9, 51, 67)))
    truth = sequential(tmp_path / "odd.avi")
    assert odd.shape == truth.shape == (9, 51, 67, 3)
    assert np.abs(odd.astype(int) - truth).mean() < 1  # colours of the last column are rounded
    frames = moving_frames(9, 48, 64)
    with av.open(str(tmp_path / "grey.mkv"), "w") as file:
        stream = file.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "gray"
        for picture in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture[..., 0].copy(), "gray")))
        file.mux(stream.encode())
    grey = video.decode(tmp_path / "grey.mkv")
    assert np.array_equal(grey[..., 0], grey[..., 1]) and len(grey) == 9
    assert np.abs(grey[..., 0].astype(int) - frames[..., 0]).max() <= 20  # full or video range
    with av.open(str(tmp_path / "uneven.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for at, picture in enumerate(frames):
            shown = av.VideoFrame.from_ndarray(picture, "rgb24")
            shown.pts = at * at + at
            file.mux(stream.encode(shown))
        file.mux(stream.encode())
    assert_same_frames(tmp_path / "uneven.mp4")


def test_the_videos_of_a_training_are_those_of_the_plan_one_by_one(tmp_path):
    """No video is silently replaced by another one."""
    method, pool, seen = TinyMethod(), fake_pool(8), []
    real = method.forward

    def forward(**batches):
        seen.append({name: batch.row.tolist() for name, batch in batches.items()})
        return real(**batches)

    method.forward = forward
    fit(method, pool, Plan(9, 1e-2, 0.1, 5, tmp_path), torch.device("cpu"))
    for step, batches in enumerate(seen):
        for number, (name, rows) in enumerate(batches.items()):
            planned = rows_of_step(pool.rows(name), 2, 5 + 7919 * number, step, False)
            assert rows == planned.tolist()
    assert len(seen) == 9
