"""Names that tools would interpret: they travel in files, and no job works anywhere else."""

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tblib.errors import ConfigError
from tblib.files import resolved
from tblib.run import request
from tblib.settings.profiles import load_profile

ODD = [
    "run #2",
    "a: b",
    'say "hi"',
    "it's",
    "a{b}c",
    "new\nline",
    "a$HOME",
    "100%",
    "-x",
    "été",
    "a=b",
]


@pytest.mark.parametrize("name", ODD)
def test_a_request_says_the_folder_that_was_named(tmp_path, monkeypatch, name):
    folder = tmp_path / name
    folder.mkdir()
    path = request.leave(folder, "smoke", load_profile("smoke"))
    monkeypatch.chdir(folder)
    asked = request.take(path)
    assert asked == {"run_dir": str(folder), "profile": "smoke", "overrides": {}}


def test_a_job_in_another_folder_is_refused(tmp_path, monkeypatch):
    """What a tool made of `run #2` was the folder `run`, whose chapter it deleted."""
    for name in ("run", "run #2"):
        (tmp_path / name).mkdir()
    path = request.leave(tmp_path / "run #2", "smoke", load_profile("smoke"))
    monkeypatch.chdir(tmp_path / "run")
    with pytest.raises(ConfigError, match="run #2, but this process works in .*run; nothing"):
        request.take(path)


def test_a_request_that_stays_the_same_is_not_written_again(tmp_path):
    path = request.leave(tmp_path, "smoke", load_profile("smoke"))
    before = path.stat().st_mtime_ns
    request.leave(tmp_path, "smoke", load_profile("smoke"))
    assert path.stat().st_mtime_ns == before


def test_a_request_holds_absolute_places(tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text(
        "data: {dataset: folder, root: videos, lists: a/../b.csv}\n"
    )
    monkeypatch.chdir(tmp_path)
    asked = json.loads(request.leave(tmp_path, "mine.yaml", load_profile("mine.yaml")).read_text())
    assert asked["profile"] == str(tmp_path / "mine.yaml")
    assert asked["overrides"] == {
        "data.root": str(tmp_path / "videos"),
        "data.lists": str(tmp_path / "b.csv"),
    }


@given(st.text(st.characters(blacklist_characters="/\0", codec="utf-8"), min_size=1, max_size=40))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_name_of_a_folder_survives_the_way_through_a_request(tmp_path, name):
    folder = tmp_path / f"x{name}"
    try:
        folder.mkdir(exist_ok=True)
    except OSError:  # too long for this file system
        return
    path = request.leave(folder, "smoke", load_profile("smoke"))
    before = os.getcwd()  # noqa: PTH109
    os.chdir(folder)
    try:
        assert request.take(path)["run_dir"] == str(folder)
    finally:
        os.chdir(before)


def test_a_path_that_no_notebook_can_hold_is_a_sentence(tmp_path):
    with pytest.raises(ConfigError, match=r"caf\\xe9 is not written in UTF-8"):
        resolved(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    with pytest.raises(ConfigError, match="leads nowhere"):
        resolved("a\0b")
