"""Folders that a user names: one meaning, from wherever the command was typed."""

import os
import subprocess
import sys

import pytest

from tblib.data import datasets
from tblib.errors import DataError
from tblib.files import ROOT, resolved
from tblib.settings.profiles import data_home, load_profile, runs_home, settled, settled_environment


@pytest.fixture(autouse=True)
def typed(tmp_path, monkeypatch):
    """The folder in which the command is typed."""
    (tmp_path / "typed").mkdir()
    monkeypatch.chdir(tmp_path / "typed")
    return tmp_path / "typed"


def test_relative_settings_start_where_the_command_is_typed(typed):
    overrides = {"data.root": "../videos", "data.lists": "list.csv", "data.label_list": "a/l.txt"}
    config = load_profile("smoke", overrides)
    assert config.data.root == typed.parent / "videos"
    assert config.data.lists == typed / "list.csv"
    assert config.data.label_list == typed / "a" / "l.txt"
    assert load_profile("smoke", {"data.root": str(typed.parent / "videos")}).data == load_profile(
        "smoke", {"data.root": "../videos"}).data  # fmt: skip


def test_settled_settings_mean_the_same_elsewhere(typed, monkeypatch):
    (typed / "mine.yaml").write_text(
        "data: {root: videos}\nmodel: {backbone: r3d_18, weights: w.pth}\n"
    )
    config = load_profile("mine.yaml", {"seed": 3})
    name, overrides = settled("mine.yaml", config, {"seed": 3})
    monkeypatch.chdir("/")
    assert load_profile(name, overrides) == config


def test_variables_that_name_folders_are_relative_to_the_command_too(typed, monkeypatch):
    for name in ("TB_DATA", "TB_RUNS", "UCF101_ROOT"):
        monkeypatch.setenv(name, f"../{name}")
    assert data_home() == typed.parent / "TB_DATA" and runs_home() == typed.parent / "TB_RUNS"
    there = settled_environment()
    assert there["UCF101_ROOT"] == str(typed.parent / "UCF101_ROOT")
    with pytest.raises(DataError, match=f"{typed.parent}/UCF101_ROOT does not exist"):
        datasets.load(load_profile("ucf101"))


def test_a_link_stays_what_it_is_called(typed):
    """Lists are looked for beside the folder that was named, not beside what it leads to."""
    (typed / "disk").mkdir()
    (typed / "ucf").symlink_to("disk")
    assert resolved("ucf") == typed / "ucf"
    assert resolved("ucf/../x") == typed / "x"


@pytest.mark.parametrize("home", ["absent", "read-only"])
def test_a_user_without_a_home_to_write_to_is_lent_one(typed, monkeypatch, home):
    monkeypatch.setenv("TB_DATA", str(typed / "data"))
    monkeypatch.setenv("HOME", str(typed / "home"))
    if home == "read-only":
        (typed / "home").mkdir()
        monkeypatch.setattr(os, "access", lambda *_: False)
    assert settled_environment()["HOME"] == str(typed / "data" / "home")
    assert (typed / "data" / "home").is_dir()


def test_a_home_that_can_be_written_to_stays(typed, monkeypatch):
    monkeypatch.setenv("HOME", str(typed))
    assert "HOME" not in settled_environment()


def test_a_profile_written_with_a_byte_order_mark_or_accents_is_read(typed):
    text = "title: müde\ndata: {dataset: folder, root: hüpfen}\n"
    (typed / "mine.yaml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    config = load_profile("mine.yaml")
    assert config.title == "müde" and config.data.root == typed / "hüpfen"


def test_a_terminal_that_lacks_a_letter_is_told_its_number(typed):
    line = [sys.executable, "-m", "tblib", "data", "info", "--profile", "müde.yaml"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(line, env=environment, capture_output=True)
    assert done.returncode == 2 and rb"m\xfcde.yaml" in done.stderr, done.stderr
