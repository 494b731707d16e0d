"""Promises 1 and 7: a kill costs at most the steps since the last state; nobody works twice."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers import tiny_profile

from tblib.__main__ import main
from tblib.errors import UserError
from tblib.files import held
from tblib.methods.job import Job
from tblib.run import jobs
from tblib.run.directory import open_run

HERE = Path(__file__).parent


def killer(what: str, home: Path, *numbers: int) -> dict:
    """Run killer.py, which forks and kills real trainings."""
    paths = os.pathsep.join(map(str, (HERE.parent, HERE.parents[1])))
    done = subprocess.run(
        [sys.executable, HERE / "killer.py", what, home, *map(str, numbers)],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


NIGHTLY = pytest.mark.nightly


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("kills", [5, pytest.param(100, marks=NIGHTLY)])
def test_killed_at_random_times_a_training_ends_as_if_undisturbed(tmp_path, scorecard, kills):
    """Weights and log are bit-identical, nothing is left over, the disk does not fill up."""
    found = killer("cycles", tmp_path, kills)
    assert found["kills"] == found["survived"] == kills
    assert found["most_bytes"] < 300_000, "at most two states, one half-written, and the log"
    assert found["more_open_files"] == 0
    if kills == 100:
        scorecard["kill_cycles"] = found


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("every", [9, pytest.param(1, marks=NIGHTLY)])
def test_killed_at_each_write_point_a_training_ends_as_if_undisturbed(tmp_path, scorecard, every):
    """Before and after each rename, flush and deletion, and with each file half-written."""
    found = killer("points", tmp_path, every)
    assert found["failed"] == [] and found["ended"] == 0
    assert found["points"] >= 70 // every
    if every == 1:
        scorecard["write_points"] = found["points"]


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("every", [18, pytest.param(1, marks=NIGHTLY)])
def test_a_loader_killed_at_any_write_point_is_one_sentence_and_the_training_goes_on(
    tmp_path, scorecard, every
):
    """torch raises it wherever the program is, also while a state is half-written."""
    found = killer("loaders", tmp_path, every)
    assert found["failed"] == []
    assert len(found["said"]) >= 50 // every
    assert {told[:55] for told in found["said"]} == {
        "UserError: a process that prepares batches was killed, "
    }
    assert not any("\n" in told for told in found["said"])
    if every == 1:
        scorecard["loader_points"] = len(found["said"])


@contextmanager
def another_process(lock: Path):
    """Hold a lock in another process; yield its number."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        with held(lock, "the work"):
            os.write(told, b"x")
            time.sleep(120)
        os._exit(0)
    os.read(ready, 1)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_second_process_is_told_who_holds_the_lock_and_a_kill_frees_it(tmp_path):
    lock, begin = tmp_path / "a" / ".lock", time.monotonic()
    with another_process(lock) as pid:
        refused = pytest.raises(UserError, match=f"the work is being run by .*process {pid} on ")
        with refused, held(lock, "the work"):
            pass
        assert time.monotonic() - begin < 2
    with held(lock, "the work"):
        assert f"process {os.getpid()} on" in lock.with_suffix(".holder").read_text()


def test_a_chapter_that_another_process_runs_is_refused(tmp_path, capsys):
    lock = tmp_path / "run" / "logs" / ".01_data_and_clips.lock"
    with another_process(lock) as pid:
        assert main(["run", "1", "--run-dir", str(tmp_path / "run")]) == 2
    err = capsys.readouterr().err
    assert f"chapter 01_data_and_clips in {tmp_path / 'run'} is being run by" in err
    assert f"process {pid}" in err and err.count("\n") == 1


def test_a_study_that_another_process_runs_is_refused(tmp_path, capsys):
    with another_process(tmp_path / ".study.lock") as pid:
        command = ["study", "--profile", "laptop-study", "--run-dir", str(tmp_path)]
        assert main(command) == 2
    assert f"process {pid}" in capsys.readouterr().err


@pytest.fixture
def run(tmp_path, tiny_root, monkeypatch):
    """A run directory of sixteen tiny real videos, started by chapter 1."""
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    config = tiny_profile(data__dataset="ucf101", data__root=str(tiny_root))
    open_run(config, tmp_path / "run", 1).save_metrics({})
    return open_run(config, tmp_path / "run", 2)


def test_two_processes_never_train_one_model(run):
    job = Job("inv", "supervised", steps=1, seed=0)
    with another_process(run.dir / "ckpt" / ".inv.lock") as pid:
        with pytest.raises(UserError, match=f"training 'inv' in .*process {pid} on "):
            jobs.run_jobs(run, [job])
        assert not (run.dir / "ckpt" / "inv").exists()
    part = run.dir / "ckpt" / "inv" / ".model.1.part.safetensors"
    part.parent.mkdir()
    part.write_bytes(b"a kill left this")
    jobs.run_jobs(run, [job])
    names = sorted(path.name for path in part.parent.iterdir())
    assert names == ["digest.txt", "metrics.jsonl", "model.json", "model.safetensors"]
