"""Frames and verdicts that another decoder left behind are found, said and made anew."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tblib.__main__ import main
from tblib.data import cache, datasets, manifest, verify, video

OTHER = "rules 1, av 99.0, decord 9.9"


@pytest.fixture
def videos(tiny_root, tmp_path):
    shutil.copytree(tiny_root, tmp_path / "videos")
    return datasets.ucf101(tmp_path / "videos", classes=("Walk",))


@pytest.fixture
def by_another(videos, tmp_path, monkeypatch):
    """A cache that another decoder made; its frames are black, so that nobody may use them."""
    with monkeypatch.context() as patch:
        patch.setattr(video, "DECODER", OTHER)
        black = [np.zeros((24, 32, 3), np.uint8)] * 12
        patch.setattr(video, "frames", lambda path, px, about: iter(black))
        built = cache.build(videos, 24, tmp_path / "c", workers=1)
    assert not np.asarray(built[0]).any()
    return built


def test_frames_of_another_decoder_are_said_and_made_anew(videos, by_another, tmp_path, capsys):
    capsys.readouterr()
    again = cache.build(videos, 24, tmp_path / "c", workers=1)
    said = capsys.readouterr().out
    assert f"8 videos were decoded by {OTHER}; this is {video.DECODER}: they are dec" in said
    assert np.array_equal(again[0], video.decode(videos.table["path"][0], 24))
    assert set(again.manifest["decoder"]) == {video.DECODER}
    assert not any(Path(place).exists() for place in by_another._files), "room is given back"
    assert len(list((tmp_path / "c").rglob("*.npy"))) == 8 == len(set(again._files))
    cache.build(videos, 24, tmp_path / "c", workers=1)
    assert "decoded by" not in capsys.readouterr().out


def test_an_interrupted_upgrade_goes_on_and_mixes_nothing(
    videos, by_another, tmp_path, monkeypatch
):
    looked, row = [], manifest.row

    def until_the_fourth(name, *rest):
        looked.append(name)
        if len(looked) == 4:
            raise KeyboardInterrupt
        return row(name, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(manifest, "row", until_the_fourth)
        with pytest.raises(KeyboardInterrupt):
            cache.build(videos, 24, tmp_path / "c", workers=1)
    again = cache.build(videos, 24, tmp_path / "c", workers=1)
    for at, path in enumerate(videos.table["path"]):
        assert np.array_equal(again[at], video.decode(path, 24))


def test_a_manifest_that_names_no_decoder_is_an_earlier_version(videos, tmp_path, capsys):
    first = cache.build(videos, 24, tmp_path / "c", workers=1)
    record = next((tmp_path / "c").rglob("*.csv"))
    table = pd.read_csv(record, dtype=str).drop(columns=["steady", "decoder"])
    table.to_csv(record, index=False)
    old = Path(first._files[0])
    old.rename(old.with_name(f"{first.manifest['sha256'][0]}.npy"))
    again = cache.build(videos, 24, tmp_path / "c", workers=1)
    assert "8 videos were decoded by an earlier version; this is" in capsys.readouterr().out
    assert again.manifest.equals(first.manifest) and old.is_file()
    assert len(list((tmp_path / "c").rglob("*.npy"))) == 8


def test_data_verify_says_that_the_cache_is_of_another_decoder(
    tiny_root, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    pairs = {"dataset": "ucf101", "root": tiny_root, "classes": '["Walk"]', "cache_px": 20,
             "crop_px": 16}  # fmt: skip
    chosen = [part for k, v in pairs.items() for part in ("--set", f"data.{k}={v}")]
    assert main(["data", "build", *chosen]) == 0
    assert main(["data", "verify", *chosen]) == 0
    assert "decoded by" not in capsys.readouterr().out
    monkeypatch.setattr(video, "DECODER", OTHER)
    assert main(["data", "verify", *chosen]) == 0
    said = capsys.readouterr().out
    assert "frame cache: 8 videos were decoded by rules" in said and "next run decodes" in said


def test_a_verdict_of_another_decoder_is_given_anew(videos, tmp_path, monkeypatch, capsys):
    record, root = tmp_path / "m.csv", Path(videos.root)
    with monkeypatch.context() as patch:
        patch.setattr(video, "DECODER", OTHER)
        known = [manifest.row(f"Walk/{p.name}", p) for p in sorted((root / "Walk").iterdir())]
        manifest.write(record, known)
    decoded, row = [], manifest.row
    monkeypatch.setattr(manifest, "row", lambda n, p: (decoded.append(n), row(n, p))[1])
    monkeypatch.setattr(
        manifest, "run_all", lambda f, todo, _, desc, hung, seen: [seen(f(*x)) for x in todo]
    )
    verify.check(root, record)
    assert f"verify: 8 videos were decoded by {OTHER}" in capsys.readouterr().out
    assert len(decoded) == 16
    decoded.clear()
    assert (verify.check(root, record)["reason"] == "").all() and not decoded
    assert "decoded by" not in capsys.readouterr().out


def test_the_decoder_is_named_by_its_version_and_by_our_rules():
    assert video.DECODER.startswith(f"rules {video.RULES}, av ") and ", decord" in video.DECODER
    assert video._version("no-such-package", "pytest").startswith("pytest ")
    assert video._version("no-such-package") == "no no-such-package"


# The report for programs


def test_the_report_is_json_alone_and_says_what_is_bad(tiny_root, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    root = Path(shutil.copytree(tiny_root, tmp_path / "videos"))
    assert main(["data", "verify", str(root), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["videos"] == report["good"] == 16 == len(report["files"]) and report["bad"] == 0
    assert report["decoder"] == video.DECODER and Path(report["manifest"]).is_file()
    (root / "Walk/v_Walk_g02_c01.avi").write_bytes(b"")
    assert main(["data", "verify", str(root), "--json"]) == 1
    out, err = capsys.readouterr()
    report = json.loads(out)
    bad = [file for file in report["files"] if file["reason"]]
    assert report["bad"] == 1 and [file["reason"] for file in bad] == ["empty"]
    assert bad[0]["video"] == "Walk/v_Walk_g02_c01.avi" and bad[0]["frames"] is None
    good = next(file for file in report["files"] if not file["reason"])
    assert {"frames", "fps", "width", "height", "steady", "sha256"} <= set(good)
    assert good["steady"] is True and "verify: 16/16" in err


def test_a_crash_is_not_taken_for_bad_videos(tiny_root, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))

    def broken(*_, **__):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(verify, "check", broken)
    assert main(["data", "verify", str(tiny_root)]) == 70
    assert "ZeroDivisionError: a defect" in capsys.readouterr().err
    assert main(["data", "info", "--json"]) == 2
    assert "--json is for data verify" in capsys.readouterr().err
