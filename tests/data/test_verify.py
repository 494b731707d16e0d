"""A folder of videos: whole, and still the same?"""

import os
import shutil
from pathlib import Path

import pytest
from realvideo import moving_frames, write_video

from tblib.__main__ import main
from tblib.data import manifest, verify
from tblib.errors import DataError, DecodeError


@pytest.fixture
def root(tiny_root, tmp_path):
    return Path(shutil.copytree(tiny_root, tmp_path / "videos"))


def reasons(report) -> dict[str, str]:
    bad = report[report["reason"] != ""]
    return dict(zip(bad["video"], bad["reason"], strict=True))


def test_first_check_decodes_and_later_ones_compare(root, tmp_path, monkeypatch):
    record = tmp_path / "m.csv"
    first = verify.check(root, record, workers=1)
    assert len(first) == 16 and not reasons(first)
    assert set(manifest.read(record)) == set(first["video"])

    def refuse(*_):
        raise AssertionError("decoded again")

    monkeypatch.setattr(manifest, "row", refuse)
    os.utime(root / "Walk/v_Walk_g02_c01.avi")  # a copy has other times but the same content
    again = verify.check(root, record, workers=1)
    assert not reasons(again) and again["sha256"].equals(first["sha256"])


def test_bad_changed_missing_and_new_files_are_told_apart(root, tmp_path):
    record = tmp_path / "m.csv"
    verify.check(root, record, workers=1)
    (root / "Walk/v_Walk_g02_c01.avi").write_bytes(b"")
    write_video(root / "Walk/v_Walk_g02_c02.avi", moving_frames(9, seed=77))
    (root / "Walk/v_Walk_g03_c01.avi").unlink()
    cut = root / "Jump/v_Jump_g02_c01.avi"
    cut.write_bytes(cut.read_bytes()[:-200])
    write_video(root / "Jump/new.mp4", moving_frames(9, seed=78))
    expected = {
        "Walk/v_Walk_g02_c01.avi": "empty",
        "Walk/v_Walk_g02_c02.avi": "changed",
        "Walk/v_Walk_g03_c01.avi": "missing",
        "Jump/v_Jump_g02_c01.avi": "truncated",
    }
    for _ in range(2):  # a second check does not accept what the first one found
        report = verify.check(root, record, workers=2)
        assert reasons(report) == expected and len(report) == 17
    renewed = verify.check(root, record, workers=2, renew=True)
    assert set(reasons(renewed).values()) == {"empty", "truncated"}
    assert len(manifest.read(record)) == 14


def test_a_killed_check_goes_on_where_it_stopped(root, tmp_path, monkeypatch):
    record = tmp_path / "m.csv"
    monkeypatch.setattr(verify, "EVERY", 5)
    plain, calls = verify.look_at, []

    def stop_after_seven(*arguments):
        calls.append(arguments)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return plain(*arguments)

    with pytest.raises(KeyboardInterrupt):
        verify.check(root, record, workers=1, look=stop_after_seven)
    assert len(manifest.read(record)) == 5
    assert len(verify.check(root, record, workers=1)) == 16


def test_a_file_that_hangs_is_reported_and_the_others_are_done(root, tmp_path, monkeypatch):
    """How `run_all` ends what hangs is tested in `tests/faults`; here, what becomes of the file."""

    def run_all(look, todo, workers, desc, hung, seen):
        for name, path, known in todo:
            stuck = name == "Jump/v_Jump_g01_c02.avi"
            error = DecodeError(path, "timeout", "decoding it did not end within 600 s")
            seen(hung(name, error) if stuck else look(name, path, known))

    monkeypatch.setattr(manifest, "run_all", run_all)
    report = verify.check(root, tmp_path / "m.csv")
    assert reasons(report) == {"Jump/v_Jump_g01_c02.avi": "timeout"} and len(report) == 16


def test_a_folder_without_videos_is_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        verify.check(tmp_path / "none", tmp_path / "m.csv")
    with pytest.raises(DataError, match="there is no video"):
        verify.check(tmp_path, tmp_path / "m.csv")


def test_the_command_shows_progress_reasons_and_a_code(root, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    assert main(["data", "verify", str(root), "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert "verify: 16/16" in out and "16 of 16 videos are good; manifest: " in out
    (root / "Walk/v_Walk_g02_c01.avi").write_bytes(b"")
    assert main(["data", "verify", str(root)]) == 1
    out = capsys.readouterr().out
    assert f"{root}/Walk/v_Walk_g02_c01.avi: it has 0 bytes; copy it again [empty]" in out
    assert "15 of 16 videos are good" in out
    assert len(list((tmp_path / "data/manifests").glob("videos-*.csv"))) == 1
    assert main(["data", "info", str(root)]) == 2
    assert main(["data", "verify", str(tmp_path / "none")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_info_counts_classes_splits_groups_and_labels(tiny_root, capsys):
    chosen = ["data.dataset=ucf101", f"data.root={tiny_root}", "data.classes=null"]
    settings = [part for setting in chosen for part in ("--set", setting)]
    assert main(["data", "info", *settings]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    head = ["split", "train", "test", "groups", "labelled", "unlabelled", "spare"]
    assert head in rows and ["Walk", "6", "2", "4", "3", "2", "1"] in rows
    assert ["all", "12", "4", "8", "6", "4", "2"] in rows
    assert main(["data", "info", *settings, "--set", "data.label_fraction=0.01"]) == 0
    assert "labels: a label fraction of 0.01 is less than" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["12:30:45.mp4", "file:x.mp4", "http:x.mp4", "a\rb.mp4", "-i.mp4"])
def test_a_name_that_looks_like_an_address_is_a_file(tmp_path, monkeypatch, name, capsys):
    write_video(tmp_path / "videos" / name, moving_frames(6))
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path / "videos")
    for _ in range(2):
        assert main(["data", "verify", "."]) == 0
        assert "1 of 1 videos are good" in capsys.readouterr().out
