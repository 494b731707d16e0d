"""The report on each file, and the quick check that a file is still the same."""

import os
import shutil
import time

import numpy as np
import pandas as pd
import pytest

from tblib.data import datasets, manifest, video
from tblib.errors import DecodeError


@pytest.fixture
def broken_set(tiny_root, tmp_path):
    """The tiny dataset with one file cut and one empty."""
    root = tmp_path / "copy"
    shutil.copytree(tiny_root, root)
    cut = root / "Jump/v_Jump_g02_c01.avi"
    cut.write_bytes(cut.read_bytes()[:-200])
    (root / "Walk/v_Walk_g03_c02.avi").write_bytes(b"")
    return datasets.ucf101(root)


def test_verify_reports_good_and_bad_files(broken_set):
    report = manifest.verify(broken_set, workers=2)
    assert report["video"].tolist() == broken_set.table["video"].tolist()
    bad = report[report["reason"] != ""].set_index("video")
    assert bad["reason"].to_dict() == {
        "Jump/v_Jump_g02_c01": "truncated",
        "Walk/v_Walk_g03_c02": "empty",
    }
    good = report[report["reason"] == ""]
    assert good["frames"].isin([11, 12]).all() and (good["fps"] == 25).all()
    assert good["sha256"].str.len().eq(64).all()
    assert ((good["width"] == 64) & (good["height"] == 48)).all()


def test_manifest_survives_the_trip_to_disk(tiny_root, tmp_path):
    path = tiny_root / "Walk/v_Walk_g02_c01.avi"
    known = manifest.row("Walk/a", path)
    manifest.write(tmp_path / "m.csv", [known])
    assert manifest.read(tmp_path / "m.csv") == {"Walk/a": known}
    assert manifest.read(tmp_path / "none.csv") == {}


@pytest.mark.parametrize("content", ["", "video,path\na,b\n", "\0\0\0", 'a,b\n"1,2\n'])
def test_damaged_manifest_is_named_and_made_anew(tmp_path, capsys, content):
    (tmp_path / "m.csv").write_text(content)
    assert manifest.read(tmp_path / "m.csv") == {}
    assert str(tmp_path / "m.csv") in capsys.readouterr().out


def test_change_of_size_time_or_place_is_noticed(tiny_root, tmp_path):
    path = tmp_path / "a.avi"
    shutil.copy(tiny_root / "Walk/v_Walk_g02_c01.avi", path)
    known = manifest.row("a", path)
    assert manifest.unchanged(known, path)
    assert not manifest.unchanged(None, path)
    assert not manifest.unchanged(known | {"path": "/elsewhere"}, path)
    os.utime(path, ns=(0, known["mtime_ns"] + 1))
    assert not manifest.unchanged(known, path)
    path.unlink()
    assert not manifest.unchanged(known, path)


def test_file_that_changes_while_it_is_read_is_refused(tiny_root, tmp_path):
    path = tmp_path / "a.avi"
    shutil.copy(tiny_root / "Walk/v_Walk_g02_c01.avi", path)

    def keep(digest, decode):
        os.utime(path, ns=(0, 0))
        return len(decode())

    with pytest.raises(DecodeError, match="changed while"):
        manifest.row("a", path, keep=keep)


def _hang(name, path):
    time.sleep(0 if name == "good" else 60)


def test_file_that_hangs_the_decoder_is_named(monkeypatch):
    monkeypatch.setattr(manifest, "HANG_SECONDS", 2)
    start = time.monotonic()
    with pytest.raises(DecodeError, match="stuck.avi.*did not end within 2 s"):
        manifest.run_all(_hang, [("good", "good.avi"), ("bad", "stuck.avi")], 2, "verify")
    assert time.monotonic() - start < 30


def test_frames_are_counted_not_believed(tiny_root):
    path = tiny_root / "Jump/v_Jump_g02_c02.avi"
    known = manifest.row("j", path)
    assert known["frames"] == len(video.decode(path)) == 12
    assert isinstance(pd.Series(known)["sha256"], str) and np.isfinite(known["fps"])
