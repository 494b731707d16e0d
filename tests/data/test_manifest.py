"""The report on each file, and the quick check that a file is still the same."""

import os
import shutil
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tblib.data import datasets, exact, manifest, video
from tblib.errors import DataError, DecodeError


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

    def keep(digest, frames):
        os.utime(path, ns=(0, 0))
        return len(list(frames()))

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


LETTERS = st.characters(blacklist_characters="/\0", codec="utf-8")
NAMES = st.text(LETTERS, min_size=1, max_size=30) | st.sampled_from(
    ["a\rb", "a\r\nb", "\n", '"', '""', "'", ",", " a ", "NA", "nan", "007", "1e5", "\u2028"]
)


@given(st.lists(NAMES, min_size=1, max_size=5, unique=True), st.floats(0.1, 1e4))
@settings(max_examples=200, deadline=None)
def test_every_name_comes_back_from_a_manifest(tmp_path_factory, names, fps):
    """A carriage return in one name made the whole table unreadable, and nothing was checked."""
    path = tmp_path_factory.mktemp("m") / "manifest.csv"
    rows = {
        name: dict(zip(manifest.COLUMNS, [name, f"/d/{name}.mp4", 2**40 + at, 10**18 + at,
                                          f"{at:064x}", 3, fps, 4, 5, 1, name], strict=True))
        for at, name in enumerate(names)
    }  # fmt: skip
    manifest.write(path, rows.values())
    assert manifest.read(path) == rows


def test_a_manifest_that_does_not_come_back_is_not_kept(tmp_path, monkeypatch):
    path = tmp_path / "manifest.csv"
    values = ["a", "/a", 1, 2, "0" * 64, 3, 4.0, 5, 6, 0, "rules 2"]
    row = dict(zip(manifest.COLUMNS, values, strict=True))
    manifest.write(path, [row])
    before = path.read_bytes()
    monkeypatch.setattr(exact, "load", lambda *_: manifest.as_table([row | {"frames": 9}]))
    with pytest.raises(DataError, match="cannot hold these names"):
        manifest.write(path, [row])
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
