"""`tblib info`: what is there, what is stale and why, and a next command that is accepted."""

import shlex

import pytest
import torch
from helpers import tiny_profile

from tblib.__main__ import _overrides, _parser, main
from tblib.engine import checkpoint
from tblib.files import read_json, write_json
from tblib.methods.job import Job
from tblib.run import travel
from tblib.run.directory import open_run
from tblib.run.reuse import digest
from tblib.settings.profiles import load_profile


@pytest.fixture
def run(tmp_path, tiny_root, monkeypatch):
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    config = tiny_profile(data__dataset="ucf101", data__root=str(tiny_root))
    run = open_run(config, tmp_path / "a run", 1)
    run.save_metrics({})
    return run


def said(run, capsys) -> dict[str, str]:
    assert main(["info", str(run.dir)]) == 0
    lines = capsys.readouterr().out.splitlines()
    return dict(line.partition(": ")[::2] for line in lines)


def edit(path, **changes):
    write_json(path, read_json(path) | changes)


def test_the_next_command_runs_what_is_missing_with_the_settings_of_the_run(run, capsys):
    lines = said(run, capsys)
    assert lines["chapter 1"].startswith("up to date, ")
    assert {lines[f"chapter {n}"] for n in range(2, 8)} == {"not run yet"}
    command, *arguments = shlex.split(lines["next"])
    options = _parser().parse_args(arguments)
    assert command == "tblib" and options.chapter == list("234567")
    assert options.run_dir == str(run.dir)
    assert load_profile(options.profile, _overrides(options), options.seed) == run.config


def test_a_stale_chapter_says_whether_settings_or_code_differ(run, capsys):
    card = run.dir / "cards" / "01.json"
    edit(card, chapter_code="other")
    assert said(run, capsys)["chapter 1"] == "stale, code that it uses was changed since"
    edit(card, config="other")
    lines = said(run, capsys)
    assert lines["chapter 1"] == "stale, it was run with other settings"
    assert lines["next"].startswith("tblib run 1 2 3 4 5 6 7 ")


def test_models_are_up_to_date_stale_damaged_or_orphans(run, capsys):
    made = [Job("ssl", "joint", 1, 0), Job("teacher", "supervised", 1, 0, init="ssl")]
    for job in made:
        mark = digest(run, job)
        card = {"digest": mark, "job": vars(job), "seconds": 1.0}
        told = travel.about(run, job, mark)
        checkpoint.save_model(run.folder(job.name), {"w": torch.ones(9)}, card, told)
    lines = said(run, capsys)
    assert lines["model ssl"] == "up to date, joint, 1 steps, 1 s"
    assert lines["model teacher"].startswith("up to date, supervised")
    edit(run.folder("ssl") / "model.json", digest="other")
    assert said(run, capsys)["model ssl"].startswith("stale, settings, code, videos")
    file = run.folder("ssl") / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert said(run, capsys)["model ssl"].startswith("damaged: ")
    file.unlink()
    (run.folder("ssl") / "model.json").unlink()
    assert said(run, capsys)["model teacher"].startswith("stale, what it was made from is gone")


def test_what_is_no_run_is_a_sentence(tmp_path, capsys):
    assert main(["info", str(tmp_path)]) == 2
    assert "is not a run directory" in capsys.readouterr().err
