"""Independent trainings: order, reuse, and the same weights however many run side by side."""

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from helpers import same_weights, tiny_profile
from smoke import ROOT

from tblib.engine import checkpoint
from tblib.engine.loop import read_log
from tblib.errors import ConfigError, MissingStage, UserError
from tblib.methods.job import Job
from tblib.run import fingerprint, jobs, reuse
from tblib.run.directory import open_run
from tblib.run.jobs import _in_order, run_jobs
from tblib.run.reuse import digest

SSL = Job("ssl", "joint", steps=2, seed=0)
TEACHERS = [
    Job("inv", "supervised", steps=2, seed=0, init="ssl"),
    Job("dist", "supervised", steps=3, seed=1, init="ssl"),
]
STUDENT = Job(
    "student", "timebalance", steps=2, seed=0, teachers=("inv", "dist"), score="reweighted"
)
ALL = [STUDENT, *TEACHERS, SSL]


@pytest.fixture
def open_at(tmp_path, tiny_root, monkeypatch):
    """Return a function that opens a run of eight tiny real videos in a named folder."""
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))

    def open_folder(name, chapter=2, **overrides):
        common = {"data__dataset": "ucf101", "data__root": str(tiny_root)}
        common |= {"student__batch_labelled": 2, "student__batch_unlabelled": 2}
        config = tiny_profile(**common, **overrides)
        open_run(config, tmp_path / name, 1).save_metrics({})  # chapter 1, all but its videos
        run = open_run(config, tmp_path / name, chapter)
        score = [row / len(run.videos.table) for row in range(len(run.videos.table))]
        pd.DataFrame({"reweighted": score}).to_csv(run.dir / "similarity.csv", index=False)
        return run

    return open_folder


@pytest.fixture
def trained(monkeypatch):
    """Record the names of the jobs that are really trained, in order."""
    names, real = [], jobs.train_job

    def record(config, folder, chapter, job):
        names.append(job.name)
        real(config, folder, chapter, job)

    monkeypatch.setattr(jobs, "train_job", record)
    return names


def shas(run):
    return {job.name: checkpoint.model_card(run.folder(job.name))["sha256"] for job in ALL}


def test_what_a_job_needs_comes_before_it():
    order = [job.name for job in _in_order(ALL)]
    assert order == ["ssl", "inv", "dist", "student"]


def test_train_reuse_and_retrain(open_at, trained):
    """Unchanged jobs are reused; a changed one takes its dependants along, and nothing else."""
    run = open_at("run")
    histories = run_jobs(run, ALL)
    assert trained == ["ssl", "inv", "dist", "student"]
    last = {name: table.step.iloc[-1] for name, table in histories.items()}
    assert last == {job.name: job.steps for job in ALL}
    first = shas(run)
    trained.clear()
    again = run_jobs(run, ALL)
    assert trained == []
    assert again["student"].equals(histories["student"])

    longer = [STUDENT, TEACHERS[0], replace(TEACHERS[1], steps=4), SSL]
    run_jobs(run, longer)
    assert trained == ["dist", "student"]
    second = shas(run)
    assert {name for name in first if first[name] != second[name]} == {"dist", "student"}

    trained.clear()
    torch.manual_seed(99)  # whatever a notebook drew before must not matter
    run_jobs(run, ALL)
    assert trained == ["dist", "student"]
    assert shas(run) == first, "the old settings give the old weights, bit for bit"


@pytest.mark.parametrize(
    "change,again",
    [
        ({"finetune__lr": 1e-2}, {"inv", "student"}),
        ({"data__label_fraction": 0.3}, {"inv", "student"}),
        ({"student__lr": 1e-2}, {"student"}),
        ({"evaluate__clips": 4, "title": "other"}, set()),
    ],
)
def test_a_setting_that_matters_trains_again(open_at, trained, change, again):
    """Chapter 1 run again with other settings in the same folder must not keep old models."""
    plan = [replace(TEACHERS[0], init="", steps=1), replace(STUDENT, teachers=("inv", "inv"))]
    run_jobs(open_at("run"), plan)
    trained.clear()
    run_jobs(open_at("run", **change), plan)
    assert set(trained) == again


def test_a_compiled_training_leaves_another_model(open_at):
    """Fused operations round otherwise, so what was trained without them is not reused."""
    job = replace(TEACHERS[0], init="")
    assert digest(open_at("run"), job) != digest(open_at("run", runtime__compile=True), job)


def test_a_pretraining_does_not_depend_on_labels(open_at):
    """Neither the share of labels nor their list: only which videos it sees."""
    run, other = open_at("run"), open_at("other", data__label_fraction=0.3)
    assert (run.pool.roles == "labelled").sum() != (other.pool.roles == "labelled").sum()
    assert digest(run, SSL) == digest(other, SSL)
    labelled = replace(TEACHERS[0], init="")
    assert digest(run, labelled) != digest(other, labelled)
    relabelled = replace(other.pool, labels=other.pool.labels[::-1].copy())
    object.__setattr__(other, "pool", relabelled)
    assert digest(run, SSL) == digest(other, SSL)
    fewer = open_at("fewer", data__val_groups=1)
    assert len(fewer.pool.rows("train")) < len(run.pool.rows("train"))
    assert digest(run, SSL) != digest(fewer, SSL)


def test_labels_count_by_value(open_at):
    run, job = open_at("run"), replace(TEACHERS[0], init="")
    before = digest(run, job)
    object.__setattr__(run, "pool", replace(run.pool, labels=run.pool.labels[::-1].copy()))
    assert digest(run, job) != before


@pytest.mark.parametrize(
    "change",
    [
        {"evaluate__clips": 3},
        {"similarity__clips": 4},
        {"pretrain__steps_joint": 7},
        {"student__lr": 1e-2},
        {"finetune__lr": 1e-2},
        {"ablation__variants": ["average"]},
        {"runtime__workers": 1},
    ],
)
def test_settings_that_a_pretraining_does_not_read_are_free(open_at, change):
    assert digest(open_at("run"), SSL) == digest(open_at("other", **change), SSL)


@pytest.mark.parametrize(
    "change",
    [
        {"pretrain__lr": 1e-2},
        {"pretrain__clip": {"frames": 16}},
        {"data__crop_px": 18},
        {"data__cache_px": 24},
        {"runtime__threads": 2},
        {"model__precision": "bf16"},
    ],
)
def test_settings_that_a_pretraining_reads_count(open_at, change):
    first = digest(open_at("run"), SSL)
    assert digest(open_at("other", **change), SSL) != first
    torch.set_num_threads(1)


def test_a_setting_added_later_counts_where_it_differs_from_what_was_done_before(
    open_at, monkeypatch
):
    jitter = open_at("run").config.pretrain.jitter
    whole = [digest(open_at("run"), SSL), digest(open_at("more", pretrain__jitter=0.1), SSL)]
    monkeypatch.setitem(reuse.LATER, "pretrain.jitter", jitter)
    later = [digest(open_at("run"), SSL), digest(open_at("more", pretrain__jitter=0.1), SSL)]
    assert later[0] != whole[0], "left out"
    assert later[1] == whole[1] != later[0]


METHOD = """
from .contrast import TemporalContrast

class Other(TemporalContrast):
    use = ("ic", "gl")
"""


def test_a_new_method_leaves_a_finished_run_finished(open_at, trained, tmp_path, monkeypatch):
    """One file and one line on the shelf: nothing is trained again; an edited loss is."""
    run = open_at("run")
    run_jobs(run, ALL)
    trained.clear()
    package = tmp_path / "copy" / "tblib"
    shutil.copytree(ROOT / "tblib", package, ignore=shutil.ignore_patterns("*.pyc"))
    monkeypatch.setattr(fingerprint, "ROOT", package.parent)
    shelf = package / "methods" / "pretrain" / "__init__.py"
    (shelf.parent / "other.py").write_text(METHOD)
    listed = shelf.read_text().replace("METHODS = {", 'METHODS = {"other": Other,')
    shelf.write_text(f"from .other import Other\n{listed}")
    assert jobs._unfinished(run, ALL) == []
    run_jobs(run, ALL)
    assert trained == []
    losses = package / "methods" / "losses.py"
    losses.write_text(losses.read_text().replace(".square().sum(", ".abs().sum("))
    reuse._code.cache_clear()
    assert jobs._unfinished(run, ALL) == [STUDENT]


def test_another_score_trains_the_student_again(open_at, trained):
    run = open_at("run")
    plan = [replace(TEACHERS[0], init="", steps=1), replace(STUDENT, teachers=("inv", "inv"))]
    run_jobs(run, plan)
    trained.clear()
    table = pd.read_csv(run.dir / "similarity.csv")
    (1 - table).to_csv(run.dir / "similarity.csv", index=False)
    run_jobs(run, plan)
    assert trained == ["student"]


def test_leftovers_of_other_settings_are_not_resumed(open_at):
    run = open_at("run")
    plan = [replace(TEACHERS[0], init="", steps=1)]
    place = run.folder("inv")
    place.mkdir(parents=True)
    (place / "digest.txt").write_text("another training")
    checkpoint.save_state(place, 1, {"step": 1})
    run_jobs(run, plan)
    names = sorted(path.name for path in place.iterdir())
    assert names == ["digest.txt", "metrics.jsonl", "model.json", "model.safetensors"]


def test_a_missing_model_is_named_before_anything_is_trained(open_at, trained):
    run = open_at("run")
    with pytest.raises(MissingStage, match="'inv' needs the model 'ssl', which is not in"):
        run_jobs(run, TEACHERS)
    assert trained == []
    assert not (run.dir / "ckpt").exists()


def test_a_missing_score_is_explained(open_at):
    run = open_at("run")
    plan = [replace(STUDENT, teachers=(), score="shuffled")]
    with pytest.raises(MissingStage, match="no column 'shuffled'; run chapter 5"):
        run_jobs(run, plan)
    (run.dir / "similarity.csv").unlink()
    with pytest.raises(MissingStage, match="does not exist; run chapter 5"):
        run_jobs(run, plan)


@pytest.mark.slow
def test_two_jobs_side_by_side_give_the_weights_of_one_at_a_time(open_at):
    alone = open_at("alone")
    run_jobs(alone, ALL)
    pair = open_at("pair", runtime__jobs=2)
    histories = run_jobs(pair, ALL)
    for job in ALL:
        first, second = (checkpoint.load_weights(r.folder(job.name)) for r in (alone, pair))
        assert same_weights(first, second), job.name
        assert histories[job.name].equals(jobs.history(alone, job.name))
    check_mistake_in_a_worker(pair)
    check_killed_worker(pair)


def check_mistake_in_a_worker(run):
    """The sentence of an error crosses from the worker to the user."""
    with pytest.raises(ConfigError, match="the labels of the pool 'val' are not to be known"):
        run_jobs(run, [Job("bad", "supervised", steps=1, seed=0, options={"pool": "val"})])


def check_killed_worker(run):
    """A worker that the system kills while it trains is reported in one sentence."""
    endless, before = Job("endless", "supervised", steps=100_000, seed=0), worker_processes()
    with ThreadPoolExecutor(1) as thread:
        outcome = thread.submit(run_jobs, run, [endless])
        limit = time.monotonic() + 60
        log = run.folder("endless") / "metrics.jsonl"
        while not read_log(log) and time.monotonic() < limit:
            time.sleep(0.05)
        for pid in worker_processes() - before:
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(UserError, match="was killed, usually for lack of memory"):
            outcome.result(timeout=60)


def worker_processes() -> set[int]:
    """Return the numbers of this process's children that are workers, not their supervisors."""
    children = " ".join(path.read_text() for path in Path("/proc/self/task").glob("*/children"))
    return {
        int(pid)
        for pid in children.split()
        if "--process-name" in Path(f"/proc/{pid}/cmdline").read_text()
    }


GROWING = """
import os
import time
import numpy as np
from tblib.engine.workers import Task, side_by_side

held = []

def grow(megabytes):
    held.append(np.ones(megabytes << 20, np.uint8))
    time.sleep(1.2)  # loky looks at memory once a second
    print("worker", os.getpid(), flush=True)

def main():
    finished = []
    tasks = [Task(f"task {n}", grow, (1 if n == 0 else 400,)) for n in range(4)]
    side_by_side(tasks, 1, lambda news: finished.extend(task.name for task, _ in news), "{}")
    print(finished)
"""


@pytest.mark.slow
def test_a_worker_that_grew_is_replaced_and_nothing_is_lost(tmp_path):
    """loky ends workers that grow by 300 MB, as large networks make them."""
    (tmp_path / "growing.py").write_text(GROWING)
    done = subprocess.run(
        [sys.executable, "-c", "import growing; growing.main()"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, tmp_path)))},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    *workers, finished = done.stdout.splitlines()
    assert finished == str([f"task {n}" for n in range(4)])
    assert len(workers) == 4 and len(set(workers)) > 1, "loky no longer does; see workers._pool"


def test_a_misspelt_history_names_what_there_is(open_at):
    run = open_at("run")
    with pytest.raises(MissingStage, match="no training 'ss'; nothing is trained yet"):
        jobs.history(run, "ss")
    checkpoint.save_model(run.folder("ssl"), {"w": torch.ones(1)}, {})
    with pytest.raises(MissingStage, match="no training 'ss'; did you mean 'ssl'"):
        jobs.history(run, "ss")
