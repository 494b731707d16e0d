"""Built once, complete or absent, the same whoever builds it and however often it is killed."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from realvideo import moving_frames, write_video

from tblib.data import cache, datasets, manifest, stores, video
from tblib.data.augment import Augment
from tblib.data.clips import SparseDense
from tblib.data.loader import ClipSamples, Stream
from tblib.errors import DataError

BUILDER = """
import sys
from tblib.data import cache, datasets
if __name__ == "__main__":
    cache.build(datasets.ucf101(sys.argv[1]), 24, sys.argv[2], int(sys.argv[3]), sys.argv[4])
"""


@pytest.fixture
def videos(tiny_root, tmp_path):
    shutil.copytree(tiny_root, tmp_path / "videos")
    return datasets.ucf101(tmp_path / "videos")


def digests(folder: Path) -> dict[str, str]:
    """Content of every frame file by its place."""
    files = sorted(folder.rglob("[!.]*.npy"))
    return {f.relative_to(folder).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest()
            for f in files}  # fmt: skip


def start_builder(videos, folder, workers=1, kind="raw") -> subprocess.Popen:
    command = [sys.executable, "-c", BUILDER, str(videos.root), str(folder), str(workers), kind]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], start_new_session=True)


def forbid_decoding(monkeypatch):
    def refuse(*_):
        raise AssertionError("decoded again")

    monkeypatch.setattr(manifest, "row", refuse)


def test_cache_holds_the_frames_of_each_row(videos, tmp_path):
    built = cache.build(videos, 24, tmp_path / "c", workers=2)
    assert len(built) == len(videos.table) == 16 and built.px == 24
    assert built.manifest["video"].tolist() == videos.table["video"].tolist()
    assert built.frames.dtype == np.int64
    for at in (0, 7, 15):
        expected = video.decode(videos.table["path"][at], px=24)
        assert np.array_equal(built[at], expected) and built.frames[at] == len(expected)
        mapped = np.load(built[at].path, mmap_mode="r")
        assert mapped.dtype == np.uint8 and np.array_equal(mapped, expected)


def test_second_open_reads_no_video(videos, tmp_path, monkeypatch):
    first = cache.build(videos, 24, tmp_path / "c", workers=1)
    forbid_decoding(monkeypatch)
    again = cache.build(videos, 24, tmp_path / "c", workers=1)
    assert again.manifest.equals(first.manifest)
    assert np.array_equal(again[3], first[3])


def test_changed_file_is_done_again_and_others_are_not(videos, tmp_path):
    first = cache.build(videos, 24, tmp_path / "c", workers=1)
    before = {f: f.stat().st_mtime_ns for f in (tmp_path / "c").rglob("*.npy")}
    write_video(videos.table["path"][5], moving_frames(20, seed=999))
    again = cache.build(videos, 24, tmp_path / "c", workers=1)
    assert again.frames[5] == 20 and again.manifest["sha256"][5] != first.manifest["sha256"][5]
    assert all(f.stat().st_mtime_ns == time for f, time in before.items())
    assert len(list((tmp_path / "c").rglob("*.npy"))) == len(before) + 1


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "longer", "other shape"])
def test_damaged_cache_file_is_named_and_rebuilt(videos, tmp_path, capsys, damage):
    first = cache.build(videos, 24, tmp_path / "c", workers=1)
    truth, place = np.array(first[2]), Path(first[2].path)
    content = place.read_bytes()
    broken = {"cut": content[:-7], "empty": b"", "text": b"hello", "longer": content + b"x"}
    if damage == "other shape":
        np.save(place, truth[:, :12])
    else:
        place.write_bytes(broken[damage])
    # A worker process writes to its own stdout, so the line from here is the one captured.
    again = cache.build(videos, 24, tmp_path / "c", workers=1)
    assert np.array_equal(again[2], truth)
    assert str(place) in capsys.readouterr().out


def test_all_bad_files_are_counted_and_good_ones_kept(videos, tmp_path, monkeypatch):
    bad = [videos.table["path"][at] for at in range(7)]
    for path in bad:
        Path(path).write_bytes(b"")
    with pytest.raises(DataError) as caught:
        cache.build(videos, 24, tmp_path / "c", workers=2)
    message = str(caught.value)
    assert message.startswith("7 of 16 videos cannot be read") and "[empty]" in message
    assert all(path in message for path in bad[:5]) and "2 more" in message
    assert len(digests(tmp_path / "c")) == 9
    for path in bad:
        write_video(path, moving_frames(12, seed=len(path)))
    looked, row = [], manifest.row
    monkeypatch.setattr(
        manifest, "row", lambda name, *rest: (looked.append(name), row(name, *rest))[1]
    )
    assert len(cache.build(videos, 24, tmp_path / "c", workers=1)) == 16
    assert len(looked) == 7, "good files are not looked at again"


def test_what_was_decoded_before_an_end_without_warning_is_not_looked_at_again(
    videos, tmp_path, monkeypatch
):
    looked, row = [], manifest.row

    def until_the_tenth(name, *rest):
        looked.append(name)
        if len(looked) == 10:
            raise KeyboardInterrupt
        return row(name, *rest)

    monkeypatch.setattr(cache, "EVERY", 4)
    monkeypatch.setattr(manifest, "row", until_the_tenth)
    with pytest.raises(KeyboardInterrupt):
        cache.build(videos, 24, tmp_path / "c", workers=1)
    assert len(cache.build(videos, 24, tmp_path / "c", workers=1)) == 16
    assert len(looked) == 10 + 16 - 8


def test_kill_and_rerun_gives_the_same_cache(videos, tmp_path):
    cache.build(videos, 24, tmp_path / "whole", workers=1)
    folder = tmp_path / "killed"
    builder = start_builder(videos, folder)
    deadline = time.monotonic() + 60
    while len(digests(folder)) < 3 and builder.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    os.killpg(builder.pid, signal.SIGKILL)
    builder.wait()
    assert len(digests(folder)) >= 3, "the builder never started"
    leftover = folder / "24" / "ab" / ".abc.1.part.npy"
    leftover.parent.mkdir(exist_ok=True, parents=True)
    leftover.write_bytes(b"half")
    os.utime(leftover, (0, 0))
    cache.build(videos, 24, folder, workers=1)
    assert digests(folder) == digests(tmp_path / "whole")
    assert not leftover.exists()


@pytest.mark.parametrize("kind", ["raw", "jpeg"])
def test_two_builders_at_once_end_with_the_same_cache(videos, tmp_path, kind):
    cache.build(videos, 24, tmp_path / "alone", workers=1, kind=kind)
    builders = [start_builder(videos, tmp_path / "both", kind=kind) for _ in range(2)]
    assert [builder.wait(timeout=120) for builder in builders] == [0, 0]
    assert digests(tmp_path / "both") == digests(tmp_path / "alone")
    assert len(digests(tmp_path / "both")) == 16
    assert not list((tmp_path / "both").rglob("*.part*"))


def test_class_filters_and_sizes_do_not_disturb_each_other(videos, tmp_path, monkeypatch):
    walk = datasets.ucf101(videos.root, classes=("Walk",))
    cache.build(videos, 24, tmp_path / "c", workers=1)
    cache.build(walk, 24, tmp_path / "c", workers=1)
    cache.build(walk, 16, tmp_path / "c", workers=1)
    forbid_decoding(monkeypatch)
    assert len(cache.build(videos, 24, tmp_path / "c", workers=1)) == 16
    assert cache.build(walk, 24, tmp_path / "c", workers=1)[0].shape[1:3] == (24, 32)
    assert cache.build(walk, 16, tmp_path / "c", workers=1)[0].shape[1] == 16


def test_same_content_under_two_names_is_stored_once(videos, tmp_path):
    shutil.copy(videos.table["path"][0], videos.table["path"][1])
    built = cache.build(videos, 24, tmp_path / "c", workers=2)
    assert len(digests(tmp_path / "c")) == 15 and np.array_equal(built[0], built[1])


def test_folder_that_cannot_be_written_is_one_sentence(videos, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"):
        cache.build(videos, 24, tmp_path / "file", workers=1)


# JPEG


def psnr(first, second) -> float:
    """Peak signal-to-noise ratio in dB; 40 is hard to see."""
    return 10 * np.log10(255**2 / np.square(first.astype(float) - second).mean())


def test_jpeg_frames_differ_by_no_more_than_the_error_of_jpeg(videos, tmp_path):
    raw = cache.build(videos, 24, tmp_path / "c", workers=1)
    small = cache.build(videos, 24, tmp_path / "c", workers=1, kind="jpeg")
    assert raw.manifest.equals(small.manifest)
    for at in (0, 7, 15):
        frames = np.asarray(small[at])
        assert frames.shape == raw[at].shape and frames.dtype == np.uint8
        pictures = [cv2.imencode(".jpg", f[:, :, ::-1].copy(), stores.OPTIONS)[1] for f in raw[at]]
        again = np.stack([cv2.imdecode(p, 1)[:, :, ::-1] for p in pictures])
        assert np.array_equal(frames, again), "nothing but JPEG changed the pixels"
        assert psnr(np.asarray(raw[at]), frames) > 36  # noise, the worst case for JPEG


def test_jpeg_frames_of_real_video(ucf_root, tmp_path):
    """44 dB on average and a tenth of the size at 128 pixels."""
    frames = video.decode(ucf_root / "PushUps/v_PushUps_g01_c01.avi", px=128, max_frames=40)
    content = stores.encode(frames, "jpeg")
    assert psnr(frames, np.asarray(stores.JpegFrames(content))) > 42
    assert frames.nbytes / content.nbytes > 8


@pytest.mark.parametrize("kind", ["raw", "jpeg"])
def test_frames_are_indexed_like_an_array(videos, tmp_path, kind):
    built = cache.build(videos, 24, tmp_path / "c", workers=1, kind=kind)
    lazy, whole = built[4], np.asarray(built[4])
    n = len(lazy)
    assert lazy.shape == whole.shape == (n, 24, 32, 3) and lazy.dtype == whole.dtype
    picks = (0, -1, slice(2, 5), slice(None, None, -2), np.array([3, 3, 0]), np.int64(2))
    for which in (*picks, np.array([[0, 1], [5, 1]])):
        assert np.array_equal(lazy[which], whole[which])
    assert lazy[np.arange(0)].shape == (0, 24, 32, 3)
    with pytest.raises(IndexError):
        lazy[n]
    assert len(list(iter(lazy))) == n


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_file_that_changes_between_opening_and_reading_is_one_sentence(videos, tmp_path, damage):
    frames = cache.build(videos, 24, tmp_path / "c", workers=1)[0]
    first, place = frames[0], Path(frames.path)
    if damage == "cut":
        os.truncate(place, place.stat().st_size - 1)
        assert np.array_equal(frames[0], first), "what is still there is right"
    else:
        place.unlink()
    with pytest.raises(
        DataError, match="cached frames cannot be read .* run the same command again"
    ):
        frames[-1]


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "inside"])
def test_damaged_jpeg_file_is_rebuilt(videos, tmp_path, capsys, damage):
    first = cache.build(videos, 24, tmp_path / "c", workers=1, kind="jpeg")
    truth, place = np.asarray(first[2]), Path(first._files[2])
    content = place.read_bytes()
    if damage == "inside":  # a whole array of bytes, but not of pictures
        np.save(place, np.frombuffer(content[:-20], np.uint8)[128:])
    else:
        place.write_bytes({"cut": content[:-7], "empty": b"", "text": b"hello"}[damage])
    again = cache.build(videos, 24, tmp_path / "c", workers=1, kind="jpeg")
    assert np.array_equal(np.asarray(again[2]), truth)
    assert str(place) in capsys.readouterr().out


def test_a_sample_is_cut_from_a_jpeg_cache_as_from_a_raw_one(videos, tmp_path):
    views, augment = SparseDense(4, 1, 2), Augment(16, jitter=0.0)
    stream = Stream("train", 2, views, augment)
    samples = []
    for kind in ("raw", "jpeg"):
        built = cache.build(videos, 24, tmp_path / "c", workers=1, kind=kind)
        samples.append(ClipSamples(built, videos.table["label"].to_numpy(), stream, 0)[0, 1, 3])
    (one, *labels), (two, *others) = samples
    assert labels == others and one.shape == two.shape == (6, 4, 16, 16, 3)
    assert psnr(one, two) > 36


def test_the_size_is_told_before_and_a_full_disk_stops_the_build(videos, tmp_path, capsys,
                                                                 monkeypatch):  # fmt: skip
    for kind in ("raw", "jpeg"):
        built = cache.build(videos, 24, tmp_path / kind, workers=1, kind=kind)
        assert f"frame cache: 16 videos at 24 px, {kind}, about" in capsys.readouterr().out
    told = cache.estimate(videos.table["path"].tolist(), 24, "raw")
    assert told == pytest.approx(built.frames.sum() * 24 * 32 * 3, rel=0.1)
    cache.build(videos, 24, tmp_path / "raw", workers=1)
    assert "frame cache" not in capsys.readouterr().out, "nothing to do, nothing to say"
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(DataError, match="needs about .* kB, but 1.0 kB are free in .*jpeg"):
        cache.build(videos, 24, tmp_path / "full", workers=1)
    assert cache.size(163.4e9) == "163 GB" and cache.size(2.5e12) == "2.5 TB"
