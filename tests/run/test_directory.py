"""Run directories: parameters are checked first, and settings never mix."""

import json
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
from helpers import TINY, tiny_profile, tree_digests
from smoke import ROOT

import tblib
from tblib.data import datasets
from tblib.data.pool import Pool
from tblib.errors import ConfigError, DataError, MissingStage
from tblib.files import read_json, write_json
from tblib.plan import plan
from tblib.run import cards, fingerprint
from tblib.run.chapter_code import chapter_code
from tblib.run.directory import open_run
from tblib.settings.profiles import load_profile, run_folder, run_name


def namespace(folder, **values):
    return {"profile": "smoke", "run_dir": str(folder), "seed": 0, "overrides": {}} | values


@pytest.fixture
def run(tmp_path):
    """A run directory that chapter 1 has started, with one result in it."""
    run = tblib.start(namespace(tmp_path / "run"), chapter=1)
    run.save_metrics({"videos": 12})
    return run


def test_chapter_one_starts_a_directory_and_others_find_it(run):
    assert read_json(run.dir / "config.json")["name"] == "smoke"
    later = tblib.start(namespace(run.dir), chapter=2)
    assert later.config == run.config
    assert later.dir == run.dir
    assert later.metrics(1) == {"videos": 12}


@pytest.mark.parametrize(
    "values,words",
    [
        ({"stesp": 5}, "parameter 'stesp' is unknown.*allowed: overrides, profile, run_dir, seed"),
        ({"overide": {}}, "'overide' is unknown; did you mean 'overrides'"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": 1.5}, "seed = 1.5 must be a whole number"),
        ({"seed": True}, "seed = True must be a whole number"),
        ({"seed": "0; import os"}, "must be a whole number"),
        ({"profile": "smokey"}, "did you mean 'smoke'"),
        ({"profile": 3}, "profile = 3 must be text"),
        ({"overrides": {"student.stesp": 1}}, "did you mean 'steps'"),
        ({"overrides": "student.steps=1"}, "must be a dictionary"),
        ({"run_dir": 5}, "run_dir = 5 must be the path of a folder"),
    ],
)
@pytest.mark.parametrize("chapter", [1, 4])
def test_wrong_parameters_stop_a_chapter_before_anything_is_written(
    tmp_path, values, words, chapter
):
    with pytest.raises(ConfigError, match=words):
        tblib.start(namespace(tmp_path / "run", **values), chapter)
    assert list(tmp_path.iterdir()) == []


def test_a_notebook_may_call_start_again_after_other_cells(run):
    names = namespace(run.dir)
    tblib.start(names, chapter=2)
    names["losses"] = [1, 2]
    assert tblib.start(names, chapter=2).dir == run.dir


def test_names_that_a_kernel_brings_are_no_parameters(run):
    names = namespace(run.dir) | {"In": [], "Out": {}, "get_ipython": print, "tblib": tblib}
    assert tblib.start(names | {"_": 1, "__name__": "__main__"}, chapter=2)


def test_a_directory_of_other_settings_is_refused_and_left_as_it_was(run):
    before = tree_digests(run.dir)
    other = namespace(run.dir, overrides={"student.steps": 99, "pretrain.clip.stride": 3})
    with pytest.raises(ConfigError) as caught:
        tblib.start(other, chapter=5)
    message = str(caught.value)
    assert f"{run.dir} holds a run with other settings" in message
    assert "student.steps: 5 there, 99 here" in message
    assert "pretrain.clip.stride: 2 there, 3 here" in message
    assert tree_digests(run.dir) == before


def test_another_seed_is_another_run(run):
    with pytest.raises(ConfigError, match="seed: 0 there, 4 here"):
        tblib.start(namespace(run.dir, seed=4), chapter=2)


def test_a_backbone_that_cannot_make_the_slots_is_refused(tmp_path):
    config = tiny_profile(model__backbone="r3d_18")
    with pytest.raises(ConfigError, match="2 time steps, which cannot make 4 slots; use more"):
        open_run(config, tmp_path / "run", 1)
    assert not (tmp_path / "run").exists()


def test_a_directory_that_chapter_one_did_not_start_is_refused(tmp_path):
    with pytest.raises(MissingStage, match="not a run directory yet; run chapter 1"):
        tblib.start(namespace(tmp_path / "absent"), chapter=3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("chapter", [1, 2])
def test_a_file_is_no_run_directory(tmp_path, chapter):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="file is a file; name a folder"):
        tblib.start(namespace(tmp_path / "file"), chapter)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_missing_chapter_is_named(run):
    with pytest.raises(MissingStage, match="no results of chapter 4; run chapter 4 first"):
        run.metrics(4)


def test_results_of_other_settings_are_not_used(run):
    """Chapter 1 run again with other settings makes all later results out of date."""
    again = tblib.start(namespace(run.dir, seed=1), chapter=1)
    with pytest.raises(MissingStage, match="chapter 1 .* other settings; run chapter 1 again"):
        again.metrics(1)


def test_a_damaged_note_is_named(run):
    (run.dir / "config.json").write_text('{"name": "smo')
    with pytest.raises(DataError, match="config.json is not readable JSON"):
        tblib.start(namespace(run.dir), chapter=2)


def test_metrics_refuse_nan_and_keep_what_was_there(run):
    with pytest.raises(ValueError, match="JSON"):
        run.save_metrics({"loss": float("nan")})
    assert run.metrics(1) == {"videos": 12}


def test_the_default_folder_is_named_after_the_profile_and_what_differs(tmp_path, monkeypatch):
    monkeypatch.setenv("TB_RUNS", str(tmp_path))
    values = {"profile": "smoke", "seed": 0}
    assert tblib.start(dict(values), 1).dir == tmp_path / "smoke"
    changed = tblib.start(values | {"overrides": {"student.steps": 9}}, 1)
    assert changed.dir.name == f"smoke-{changed.config.digest()}"
    assert run_name(load_profile("smoke", seed=3)) != "smoke"


def test_a_profile_of_ones_own_never_shares_a_folder(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("student: {steps: 7}\n")
    config = load_profile(str(path))
    assert run_name(config) == f"mine-{config.digest()}"


def test_every_command_finds_a_run_by_the_same_rule(tmp_path, monkeypatch):
    monkeypatch.setenv("TB_RUNS", "my runs")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my #1.yaml").write_text("student: {steps: 7}\n")
    config = load_profile("my #1.yaml")
    assert config.name == "my__1"
    assert run_folder(config) == tmp_path / "my runs" / run_name(config)
    assert run_folder(config, "") == run_folder(config)
    assert run_folder(config, "a/../b") == tmp_path / "b"
    assert tblib.start({"profile": "my #1.yaml"}, 1).dir == run_folder(config)
    root = cards.ROOT
    for program in ("workflow/run.py", "book/build.py", "tblib/__main__.py"):
        text = (root / program).read_text()
        assert "run_folder(" in text and "runs_home" not in text, program
    assert "TB_RUNS)" not in (root / "Makefile").read_text()


def test_the_run_card_says_where_a_number_came_from(run):
    card = read_json(run.dir / "cards" / "01.json")
    expected = {"chapter": 1, "profile": "smoke", "seed": 0, "config": run.config.digest()}
    assert expected.items() <= card.items()
    assert card["code_hash"] == cards.code_hash()
    assert card["versions"]["torch"]
    assert card["seconds"] >= 0
    assert card["device"]


def test_videos_and_pools_of_a_run(tmp_path, tiny_root, monkeypatch):
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    overrides = TINY | {"data.dataset": "ucf101", "data.root": str(tiny_root)}
    config = load_profile("smoke", overrides | {"data.val_groups": 1})
    run = open_run(config, tmp_path / "run", 1)
    pool = run.pool
    assert len(pool.cache) == len(run.videos.table) == len(pool.labels) == 16
    parts = {name: set(pool.rows(name)) for name in ("train", "labelled", "unlabelled", "val")}
    test = set(pool.rows("test"))
    assert parts["labelled"] | parts["unlabelled"] <= parts["train"]
    assert not parts["labelled"] & parts["unlabelled"]
    assert not parts["train"] & (test | parts["val"])
    assert parts["train"] | parts["val"] | test == set(range(16))
    assert not run.has_model("anything")
    with pytest.raises(DataError, match="pool 'labeled' is unknown; did you mean 'labelled'"):
        pool.rows("labeled")
    with pytest.raises(DataError, match="allowed: checked, known, labelled, test, train"):
        pool.rows("spare")


def test_train_holds_spare_videos_but_neither_validation_nor_test():
    roles = pd.Series(["labelled", "spare", "unlabelled", "val", "test"])
    assert Pool(None, None, roles).rows("train").tolist() == [0, 1, 2]


@pytest.fixture
def finished(run, monkeypatch, tmp_path):
    """A run with seven chapters, and `results/` in a temporary place."""
    monkeypatch.setattr(cards, "ROOT", tmp_path / "book")
    card = read_json(run.dir / "cards" / "01.json")
    for chapter in range(2, 8):
        own = {"chapter": chapter, "chapter_code": chapter_code(chapter, card["backbone"])}
        write_json(run.dir / "cards" / f"{chapter:02d}.json", card | own)
        write_json(run.dir / "metrics" / f"{chapter:02d}.json", {"value": chapter})
    return run.dir


def test_a_finished_run_is_recorded_without_paths_of_this_machine(finished, tmp_path):
    note = json.loads((finished / "config.json").read_text())
    note["data"] |= {"root": "/home/me/x", "lists": "/home/me/y", "label_list": "/home/me/z.txt"}
    write_json(finished / "config.json", note)
    path = cards.record(finished, "mine")
    assert path == tmp_path / "book" / "results" / "mine.json"
    value = read_json(path)
    assert value["metrics"]["05"] == {"value": 5}
    assert set(value["cards"]) == {f"{n:02d}" for n in range(1, 8)}
    assert "/home/me" not in path.read_text()
    assert value["config"]["data"]["label_list"] == "z.txt"


def test_an_incomplete_run_is_not_recorded(finished, tmp_path):
    (finished / "cards" / "03.json").unlink()
    (finished / "cards" / "07.json").unlink()
    with pytest.raises(MissingStage, match="no results of chapters 03, 07; run them first"):
        cards.record(finished, "mine")
    assert not (tmp_path / "book").exists()


@pytest.mark.parametrize("key,words", [("chapter_code", "code"), ("config", "settings")])
def test_a_run_of_mixed_code_or_settings_is_not_recorded(finished, tmp_path, key, words):
    card = read_json(finished / "cards" / "04.json")
    write_json(finished / "cards" / "04.json", card | {key: "another"})
    with pytest.raises(DataError, match=f"with different {words}"):
        cards.record(finished, "mine")
    assert not (tmp_path / "book").exists()


def test_a_folder_that_is_no_run_is_not_recorded(tmp_path):
    with pytest.raises(DataError, match="config.json does not exist"):
        cards.record(tmp_path / "absent", "mine")


def test_the_code_hash_covers_the_package_without_its_words(tmp_path, monkeypatch):
    package, ours = tmp_path / "tblib", cards.code_hash()
    shutil.copytree(ROOT / "tblib", package, ignore=shutil.ignore_patterns("*.pyc"))
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    losses = package / "methods" / "losses.py"
    words = losses.read_text().replace('"""NT-Xent, eq.', '"""NT-Xent again, eq.')
    assert words != losses.read_text()
    losses.write_text(words + "#\n")
    assert cards.code_hash() == ours
    (package / "lesson" / "new.py").write_text("NEW = 1\n")
    assert cards.code_hash() != ours


def test_chapter_one_replaces_settings_only_when_it_ends(run):
    """A mistake in chapter 1 of an existing run directory costs nothing."""
    before = (run.dir / "config.json").read_text()
    other = run.config.model_copy(update={"seed": 5})
    again = open_run(other, run.dir, 1)
    assert (run.dir / "config.json").read_text() == before
    again.save_metrics({})
    assert read_json(run.dir / "config.json")["seed"] == 5


def test_a_run_card_outside_git_names_the_commit_it_is_told(monkeypatch):
    def no_git(*_):
        raise FileNotFoundError("git")

    monkeypatch.setattr(cards, "_git", no_git)
    monkeypatch.delenv("TB_COMMIT", raising=False)
    assert cards.commit() == "unknown"
    monkeypatch.setenv("TB_COMMIT", "0123456789ab")
    assert cards.commit() == "0123456789ab"


@pytest.mark.parametrize(
    "overrides, sentence",
    [
        ({"data.label_fraction": 1}, "no training video is unlabelled: 32 are labelled; lower"),
        ({"data.val_groups": 3, "data.label_fraction": 0.9}, "no training video is unlabelled"),
        ({"data.label_fraction": 0.01}, "the smallest is 0.0625"),
        ({"pretrain.batch": 33}, "33 needs as many different videos, but there are 32 to train on"),
    ],
)
def test_what_would_stop_a_later_chapter_is_said_before_any_work(
    tmp_path, monkeypatch, overrides, sentence
):
    """By chapter 1 and by `plan`, in the same words."""
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    with pytest.raises((ConfigError, DataError), match=sentence):
        tblib.start(namespace(tmp_path / "run", overrides=overrides), 1)
    with pytest.raises((ConfigError, DataError), match=sentence):
        plan(load_profile("smoke", overrides), tmp_path / "run", tflops=1)
    assert list(tmp_path.iterdir()) == []


def test_generated_videos_are_foreseen_as_they_will_be(tmp_path, monkeypatch):
    monkeypatch.setenv("TB_DATA", str(tmp_path))
    config = load_profile("smoke", {"sticks.clips_per_group": 1, "data.classes": ["GetUp"]})
    columns = ["video", "class_name", "group", "split"]
    made = datasets.load(config).table[columns].sort_values("video", ignore_index=True)
    assert made.equals(datasets.foreseen(config).sort_values("video", ignore_index=True))


@pytest.mark.parametrize("thing", [{"sys": sys}, {"np": pd}, {"copy": shutil.copy}, {"P": Path}])
def test_what_a_cell_imported_or_defined_is_no_parameter(run, thing):
    assert tblib.start(namespace(run.dir) | thing, chapter=2).dir == run.dir
