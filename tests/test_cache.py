"""Built once, complete or absent, the same whoever builds it and however often it is killed."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from realvideo import moving_frames, write_video

from tblib.data import cache, datasets, manifest, video
from tblib.errors import DataError

BUILDER = """
import sys
from tblib.data import cache, datasets
if __name__ == "__main__":
    cache.build(datasets.ucf101(sys.argv[1]), 24, sys.argv[2], int(sys.argv[3]))
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


def start_builder(videos, folder, workers=1) -> subprocess.Popen:
    command = [sys.executable, "-c", BUILDER, str(videos.root), str(folder), str(workers)]
    return subprocess.Popen(command, cwd=Path(__file__).parents[1], start_new_session=True)


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
        assert isinstance(built[at], np.memmap) and not built[at].flags.writeable
        assert np.array_equal(built[at], expected) and built.frames[at] == len(expected)


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
    truth, place = np.array(first[2]), Path(first[2].filename)
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


def test_all_bad_files_are_counted_and_good_ones_kept(videos, tmp_path):
    bad = [videos.table["path"][at] for at in range(7)]
    for path in bad:
        Path(path).write_bytes(b"")
    with pytest.raises(DataError) as caught:
        cache.build(videos, 24, tmp_path / "c", workers=2)
    message = str(caught.value)
    assert message.startswith("7 of 16 videos cannot be read") and "[empty]" in message
    assert all(path in message for path in bad[:5]) and "2 more" in message
    assert len(digests(tmp_path / "c")) == 9
    assert not list((tmp_path / "c").rglob("*.csv"))


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


def test_two_builders_at_once_end_with_the_same_cache(videos, tmp_path):
    cache.build(videos, 24, tmp_path / "alone", workers=1)
    builders = [start_builder(videos, tmp_path / "both") for _ in range(2)]
    assert [builder.wait(timeout=120) for builder in builders] == [0, 0]
    assert digests(tmp_path / "both") == digests(tmp_path / "alone")
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
