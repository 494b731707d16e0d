"""Independent trainings, side by side: each one process with one thread, each resumable.

A finished job whose settings, code and inputs are unchanged is reused, not repeated.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from .. import reprs
from ..engine import checkpoint, distributed, stopping, workers
from ..engine.evaluate import accuracy
from ..engine.loop import Plan, fit, read_log
from ..errors import MissingStage, Stopped, did_you_mean
from ..files import atomic_write, held, sweep
from ..methods import registry
from ..methods.base import Method
from ..methods.job import Job
from ..models import Classifier
from ..settings.config import Profile
from . import launch, training_view, travel
from .directory import Run, open_run
from .models import build_method, classify
from .reuse import clear_if_other, digest, watched

CURVE_CLIPS = 2  # of a test video, in accuracies noted during a training
_KILLED = (
    "the process that trained {!r} or one beside it was killed, usually for lack of memory; lower "
    "runtime.jobs or a batch size and run the chapter again: it goes on from the last saved state."
)
_SAVED = (
    "stopped, and every training saved; the same command goes on, and so does the cell run again."
)


def run_jobs(run: Run, jobs: list[Job]) -> reprs.Histories:
    """Train every job that is not finished yet, as many side by side as the profile allows.

    Returns:
        The training history of each job: step, loss, and the method's other values.

    Raises:
        MissingStage: a job needs a model that neither exists nor is among the jobs.
        UserError: a training failed, or its process was killed.
        Stopped: a signal came; every training saved its state and goes on from there.
    """
    _check_needs(run, jobs)
    run.pool  # noqa: B018  decode once, before workers ask for the same frames
    todo = _unfinished(run, jobs)
    if ready := [job.name for job in jobs if job not in todo]:
        print(f"finished before, used again: {', '.join(ready)}", flush=True)
    with stopping.listening(), training_view.shown(run, todo):
        if run.config.runtime.jobs == 1:
            for job in todo:
                trainer(run.config)(run.config, run.dir, run.chapter, job)
                _say(run, job)
        elif todo:
            _side_by_side(run, todo)
        stopping.check()
    return reprs.Histories((job.name, history(run, job.name)) for job in jobs)


def history(run: Run, name: str) -> pd.DataFrame:
    """Return the training history of a finished model, one row per log line.

    Raises:
        MissingStage: nothing of that name was trained; names what is there.
    """
    if not (run.folder(name) / "metrics.jsonl").is_file():
        known = did_you_mean(name, run.models) if run.models else "nothing is trained yet"
        raise MissingStage(f"{run.dir} has no training {name!r}; {known}.")
    return pd.DataFrame(read_log(run.folder(name) / "metrics.jsonl"))


def trainer(config: Profile) -> Callable[[Profile, Path, int, Job], None]:
    """Return what trains a job: this process, or those that `runtime.launch` starts."""
    return launch.train_shared if config.runtime.launch else train_job


def train_job(
    config: Profile, folder: Path, chapter: int, job: Job, remember: bool = False
) -> None:
    """Train one job in this process, or its share of it, and leave the model in the run directory.

    Args:
        remember: whether teachers keep their answers for other students; changes time only.

    Raises:
        UserError: another process is training the same job in this run directory.
    """
    stopping.check()
    run = open_run(config, folder, max(chapter, 2))
    place = run.folder(job.name).resolve()  # a unit of a study may share another's model
    lock = held(place.parent / f".{place.name}.lock", f"training {job.name!r} in {run.dir}")
    with lock if distributed.leads() else nullcontext():
        _train(run, job, place, remember)


def _train(run: Run, job: Job, place: Path, remember: bool) -> None:
    mark = digest(run, job)
    if distributed.leads():
        clear_if_other(place, mark)
        sweep(place)
    distributed.wait()
    device, began = run.device, time.monotonic()
    method = build_method(run, job, remember)
    kept = fit(method, run.pool, _plan(run, job, method), device)
    if not distributed.leads():
        return
    for teacher in method.teachers if remember and job.teachers else ():
        teacher.save()
    card = {"digest": mark, "job": asdict(job), "seconds": round(time.monotonic() - began, 1)}
    checkpoint.save_model(place, kept.state_dict(), card, travel.about(run, job, mark))
    checkpoint.drop_states(place)


def _plan(run: Run, job: Job, method: Method) -> Plan:
    c, place = run.config, run.folder(job.name)
    o = getattr(c, registry.sections(job.method)[0])
    return Plan(
        steps=job.steps,
        lr=o.lr * method.rate,
        weight_decay=o.weight_decay,
        seed=job.seed,
        folder=place,
        checkpoint_every=c.runtime.checkpoint_every,
        watch_every=job.watch,
        watch=partial(_note_accuracy, run, place / "curve.jsonl"),
        workers=c.runtime.workers,
        compile=c.runtime.compile,
        augment_on_device=c.runtime.augment == "device",
    )


def _note_accuracy(run: Run, path: Path, step: int, learner: Classifier) -> None:
    """Append step and top-1 on the test videos, of fewer clips than in tables, to save time.

    A resumed training overwrites.  Each line has the mark of how it was measured: it cannot be
    measured again.
    """
    rows = run.pool.rows("test")
    top1 = accuracy(classify(run, learner, rows, CURVE_CLIPS), torch.tensor(run.pool.labels[rows]))
    kept = [line for line in read_log(path) if line["step"] < step]
    lines = [*kept, {"step": step, "top1": top1, "measured": watched(run)}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    atomic_write(path, lambda temporary: temporary.write_text(text))


def _check_needs(run: Run, jobs: list[Job]) -> None:
    made = {job.name for job in jobs}
    for job in jobs:
        for name in job.needs:
            if name not in made and not run.has_model(name):
                raise MissingStage(
                    f"training {job.name!r} needs the model {name!r}, which is not in {run.dir}; "
                    "run the earlier chapters first."
                )


def _in_order(jobs: list[Job]) -> Iterator[Job]:
    """Yield jobs so that everything a job needs comes before it."""
    waiting = list(jobs)
    while waiting:
        names = {job.name for job in waiting}
        job = next(job for job in waiting if not names & set(job.needs))
        waiting.remove(job)
        yield job


def _side_by_side(run: Run, jobs: list[Job]) -> None:
    train = partial(trainer(run.config), run.config, run.dir, run.chapter)
    tasks = {workers.Task(job.name, train, (job,), job.needs): job for job in jobs}

    def tell(finished: list[tuple[workers.Task, float]]) -> None:
        for task, _ in finished:
            _say(run, tasks[task])

    try:
        workers.side_by_side(list(tasks), run.config.runtime.jobs, tell, _KILLED)
    except Stopped:
        raise Stopped(_SAVED) from None


def _say(run: Run, job: Job) -> None:
    """Say that a training is finished, and how long it took by itself."""
    last = read_log(run.folder(job.name) / "metrics.jsonl")[-1]
    seconds = run.models[job.name]["seconds"]
    said = f"{job.name}: {job.steps} steps, loss {last['loss']:.3f} ({seconds:.0f} s)"
    print(f"\r{said}{training_view.erase()}", flush=True)


def _unfinished(run: Run, jobs: list[Job]) -> list[Job]:
    """Return the jobs to train: those not finished, and those whose inputs will change."""
    todo: list[Job] = []
    for job in _in_order(jobs):
        again = {other.name for other in todo}.intersection(job.needs)
        card = checkpoint.model_card(run.folder(job.name))
        if again or card is None or card["digest"] != digest(run, job):
            todo.append(job)
        else:
            checkpoint.drop_states(run.folder(job.name))  # a kill may have left them
    return todo
