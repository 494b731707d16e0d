"""The command line: a mistake costs one sentence and a non-zero code, never a traceback."""

import os
import shutil
import subprocess
import sys
import tomllib

import pytest
from smoke import ROOT

from tblib.__main__ import _parser, main


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """Keep data and runs of these tests out of the repository."""
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TB_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("UCF101_ROOT", raising=False)


def ucf(root, *settings):
    """Return arguments that choose a UCF101-like folder and all of its classes."""
    chosen = ["data.dataset=ucf101", f"data.root={root}", "data.classes=null", *settings]
    return [part for setting in chosen for part in ("--set", setting)]


MISTAKES = {
    "profile": (["data", "info", "--profile", "smok"], "profile 'smok' does not exist; did you"),
    "setting": (["run", "1", "--set", "student.stesp=5"], "did you mean 'steps'"),
    "section": (["run", "1", "--set", "studnet.steps=5"], "did you mean 'student'"),
    "type": (["run", "1", "--set", "student.steps=many"], "student.steps = 'many'"),
    "nan": (["run", "1", "--set", "student.lr=NaN"], "student.lr = nan"),
    "range": (["run", "1", "--set", "data.label_fraction=2"], "less than or equal to 1"),
    "seed": (["run", "1", "--seed", "-3"], "seed = -3"),
    "pair": (["run", "1", "--set", "student.steps"], "must look like student.steps=50"),
    "chapter": (["run", "12"], "chapter '12' does not exist"),
    "record": (["record", "no/such/run", "x"], "no/such/run/config.json does not exist"),
    "root": (["data", "info", *ucf("/no/such/folder")], "/no/such/folder does not exist"),
    "no root": (["data", "info", "--set", "data.dataset=ucf101"], "UCF101_ROOT"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_with_one_sentence(mistake, capsys, tmp_path):
    arguments, words = MISTAKES[mistake]
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert err.startswith("tblib: ")
    assert err.count("\n") == 1
    assert words in err
    assert "Traceback" not in out + err
    assert not (tmp_path / "runs").exists(), "nothing is left behind"


def test_an_unknown_class_is_answered_with_the_known_ones(tiny_root, capsys):
    assert main(["data", "info", *ucf(tiny_root, 'data.classes=["Wakl"]')]) == 2
    err = capsys.readouterr().err
    assert "class 'Wakl' is unknown: did you mean 'Walk'? allowed: Jump, Walk" in err


def test_a_missing_video_is_named(tiny_root, tmp_path, capsys):
    lists = tmp_path / "lists"
    lists.mkdir()
    for path in (tiny_root / "ucfTrainTestlist").iterdir():
        (lists / path.name).write_text(path.read_text())
    with (lists / "trainlist01.txt").open("a") as file:
        file.write("Walk/v_Walk_g09_c01.avi 1\n")
    assert main(["data", "info", *ucf(tiny_root, f"data.lists={lists}")]) == 2
    assert "1 of 17 listed videos are not in" in capsys.readouterr().err


def test_data_info_and_build(tiny_root, tmp_path, capsys):
    assert main(["data", "info", *ucf(tiny_root)]) == 0
    assert "16 videos" in capsys.readouterr().out
    small = ucf(tiny_root, "data.cache_px=20", "data.crop_px=16")
    assert main(["data", "build", *small]) == 0
    assert "16 videos" in capsys.readouterr().out
    assert len(list((tmp_path / "data" / "cache" / "20").rglob("*.npy"))) == 16


def test_data_verify_names_each_damaged_video(tiny_root, tmp_path, capsys):
    root = tmp_path / "UCF101"
    shutil.copytree(tiny_root, root)
    assert main(["data", "verify", *ucf(root)]) == 0
    assert "16 of 16 videos are good" in capsys.readouterr().out
    damaged = root / "Walk" / "v_Walk_g02_c01.avi"
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size * 3 // 4])
    assert main(["data", "verify", *ucf(root)]) == 1
    out = capsys.readouterr().out
    assert "v_Walk_g02_c01.avi" in out and "[truncated]" in out
    assert "15 of 16 videos are good" in out


def test_a_damaged_video_stops_a_build_and_earlier_results_stay(tiny_root, tmp_path, capsys):
    root = tmp_path / "UCF101"
    shutil.copytree(tiny_root, root)
    small = ucf(root, "data.cache_px=20", "data.crop_px=16")
    assert main(["data", "build", *small]) == 0
    files = sorted((tmp_path / "data").rglob("*.npy"))
    before = [(path.name, path.read_bytes()) for path in files]
    damaged = root / "Walk" / "v_Walk_g02_c01.avi"
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size * 3 // 4])
    capsys.readouterr()
    assert main(["data", "build", *small]) == 2
    err = capsys.readouterr().err
    assert "v_Walk_g02_c01" in err and "truncated" in err and err.count("\n") == 1
    assert [(path.name, path.read_bytes()) for path in files] == before


def tblib(*arguments):
    command = [sys.executable, "-m", "tblib", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=120)


def test_a_real_process_exits_with_the_code_and_without_a_traceback():
    done = tblib("data", "info", "--profile", "smok")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tblib: profile 'smok' does not exist; did you mean 'smoke'?")
    assert done.stderr.count("\n") == 1


def test_debug_shows_where_a_mistake_was_found():
    done = tblib("--debug", "data", "info", "--profile", "smok")
    assert done.returncode != 0
    assert "Traceback" in done.stderr
    assert "ConfigError: profile 'smok' does not exist" in done.stderr


def test_an_unknown_command_shows_the_usage():
    with pytest.raises(SystemExit) as caught:
        main(["train"])
    assert caught.value.code == 2


@pytest.mark.slow
def test_a_mistake_found_inside_a_notebook_is_one_sentence_too(tiny_root, tmp_path):
    """Only when the videos are known can a label fraction prove too small."""
    done = tblib("run", "1", *ucf(tiny_root, "data.label_fraction=0.01"))
    assert done.returncode == 2
    assert done.stderr.startswith("tblib: a label fraction of 0.01 is less than half a video")
    assert done.stderr.count("\n") == 1
    (failed,) = (tmp_path / "runs").glob("*/logs/*.failed.ipynb")
    assert "label fraction" in failed.read_text(), "the notebook is kept to look at"


def test_help_shows_examples_that_are_commands(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    lines = capsys.readouterr().out.partition("examples:")[2].splitlines()
    shown = [line.split("   ")[0].split() for line in lines if line.startswith("  tblib ")]
    assert len(shown) >= 5
    for _, *arguments in shown:
        _parser().parse_args(arguments)


def test_the_command_of_the_package_is_this_program():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"tblib": f"{main.__module__}:{main.__name__}"}
