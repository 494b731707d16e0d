"""Run a study: all seeds and fractions as one graph of tasks, side by side, resumable at any time.

Finished models and measurements are kept in the unit's folder and skipped when the study is
started again; stopping it costs the tasks in progress, which go on from their last saved state.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .. import shelf, stopping, workers
from ..config import Profile
from ..errors import ConfigError
from ..io import write_json
from ..pretrain import METHODS
from ..runs import Run, open_run
from ..systems import Job
from . import grid, scoring, work

FIRST = ("bound", "main", "controls")
_KILLED = (
    "the process that worked on {!r} or one beside it was killed, usually for lack of memory; "
    "lower runtime.jobs and start the study again: it goes on."
)


@dataclass(frozen=True)
class Task(workers.Task):
    """A task of a study; `cost` in clips passed forwards and backwards, for the time left."""

    cost: float = 0.0


def conduct(config: Profile, folder: Path) -> None:
    """Run every task of the study that is not finished.

    Raises:
        ConfigError: the profile has no section `study`.
        DataError: a share of labels is less than a video per class, or videos are missing.
        UserError: a worker was killed.
        Stopped: a signal came; everything is saved.
    """
    if config.study is None:
        raise ConfigError(
            f"profile {config.name!r} has no section `study`; "
            "use laptop-study, orders-study or ucf101-study."
        )
    units = {(seed, f): prepare(config, folder, seed, f) for seed, f in every_unit(config)}
    for run in units.values():  # decode once, before workers ask; find impossible shares of labels
        run.pool  # noqa: B018
    tasks = list(plan(config, units))
    print(f"{len(tasks)} tasks in {len(units)} units under {folder}", flush=True)
    with stopping.listening():
        _execute(tasks, config.runtime.jobs)


def every_unit(config: Profile) -> list[tuple[int, float]]:
    """List (seed, fraction): the main fractions of every seed, then the sweep."""
    study = config.study
    main = [(s, f) for f in study.fractions for s in study.seeds]
    return main + [(s, f) for f in study.sweep for s in study.seeds[: study.sweep_seeds or None]]


def unit_folder(folder: Path, seed: int, fraction: float) -> Path:
    """Folder of a unit, e.g. `seed0/f20` for seed 0 and 20 % of the labels."""
    return folder / f"seed{seed}" / f"f{100 * fraction:02g}"


def unit_config(config: Profile, seed: int, fraction: float) -> Profile:
    """Profile of one unit: other seed and fraction, everything else as in the study's profile."""
    data = config.data.model_copy(update={"label_fraction": fraction})
    runtime = config.runtime.model_copy(update={"jobs": 1})
    return config.model_copy(update={"seed": seed, "data": data, "runtime": runtime})


def prepare(config: Profile, folder: Path, seed: int, fraction: float) -> Run:
    """Open a unit's folder; pretrainings live in that of the first fraction, others link them.

    Settings may have changed since: whatever does not depend on the change is used again.
    """
    place, study = unit_folder(folder, seed, fraction), config.study
    run = open_run(unit_config(config, seed, fraction), place, 1)
    write_json(place / "config.json", run.config.model_dump(mode="json"))
    (place / "ckpt").mkdir(exist_ok=True)
    (place / "study").mkdir(exist_ok=True)
    seeds = study.seeds
    other = seeds[(seeds.index(seed) + 1) % len(seeds)]
    owner = unit_folder(folder, seed, study.fractions[0])
    _link(place / "ckpt" / f"ssl_{grid.OTHER_SEED}",
          unit_folder(folder, other, study.fractions[0]) / "ckpt" / "ssl_invariant")  # fmt: skip
    if fraction != study.fractions[0]:
        for name in METHODS:
            _link(place / "ckpt" / f"ssl_{name}", owner / "ckpt" / f"ssl_{name}")
        _link(place / "study" / "raw.npz", owner / "study" / "raw.npz")
    return run


def _link(link: Path, target: Path) -> None:
    """Let `link` lead to `target`, relative, so that a study's folder can be moved."""
    wanted = os.path.relpath(target, link.parent)
    if link.is_symlink():
        if str(link.readlink()) == wanted:
            return
        link.unlink()
    elif link.exists():
        raise ConfigError(
            f"{link} was trained here when another share of labels came first in study.fractions; "
            "restore the order or use another run_dir."
        )
    link.symlink_to(wanted)


def plan(config: Profile, units: dict[tuple[int, float], Run]) -> Iterator[Task]:
    """Yield the tasks in the order of their worth, each for all seeds before the next."""
    study = config.study
    wanted = ("bound", "main", *study.groups)
    first, *others = study.fractions
    later = [g for g in study.groups if g not in FIRST]
    rounds = [(f, g) for g in FIRST for f in study.fractions if g in wanted]
    rounds += [(first, g) for g in later]
    rounds += [(f, g) for f in others for g in later if g == "combinations"]
    rounds += [(f, "sweep") for f in study.sweep]
    rounds += [(f, g) for f in others for g in later if g != "combinations"]
    for fraction, group in rounds:
        for seed in study.seeds:
            if (seed, fraction) in units:
                unit = units[seed, fraction]
                yield from _round(unit, seed, fraction, group, study.fractions[0])


def _round(run: Run, seed: int, fraction: float, group: str, first: float) -> Iterator[Task]:
    """Yield the tasks that one group of cells adds to a unit."""
    here, owner = _mark(seed, fraction), _mark(seed, first)
    unit = (run.config, run.dir)
    if fraction == first:
        for job in grid.pretrainings(run.config, group):
            yield Task(
                f"{here} {job.name}", work.train, (*unit, job.name, job), (), _cost(run, job)
            )
    if group in ("main", "sweep"):
        if fraction == first:
            inputs = (f"{owner} ssl_invariant", f"{owner} ssl_distinctive")
            yield Task(f"{here} similarity", scoring.compare, unit, inputs, 2e4)
            yield Task(f"{here} untrained", work.untrained, unit, (), 4e3)
        yield Task(f"{here} scores", scoring.score, unit, (f"{owner} similarity",), 500)
    for cell in grid.cells(run.config, group):
        if (
            group == "bound"
            and fraction != first
            or cell.job.score == "oracle"
            and not run.families
        ):
            continue
        needs = [f"{owner if n.startswith('ssl_') else here} {n}" for n in cell.job.needs]
        needs = [n for n in needs if not n.endswith(f"ssl_{grid.OTHER_SEED}")]
        if f"ssl_{grid.OTHER_SEED}" in cell.job.needs:
            others = run.config.study.seeds
            other = others[(others.index(seed) + 1) % len(others)]
            needs.append(f"{_mark(other, first)} ssl_invariant")
        needs += [f"{here} scores"] if cell.job.score else []
        call = (*unit, cell.name, cell.job)
        yield Task(f"{here} {cell.job.name}", work.train, call, tuple(needs), _cost(run, cell.job))
    if group in ("main", "sweep"):
        teachers = (f"{here} teacher_invariant", f"{here} teacher_distinctive", f"{here} scores")
        yield Task(f"{here} summary", scoring.summarise, unit, teachers, 5e3)


def _mark(seed: int, fraction: float) -> str:
    return f"seed {seed}, {100 * fraction:g} %:"


def _cost(run: Run, job: Job) -> float:
    """Estimate the work of a training in clips passed forwards and backwards."""
    forwards = 1 + 0.3 * shelf.helpers(job.method)  # a frozen network only passes forwards
    return job.steps * shelf.clips_per_step(run.config, job.method) * forwards


def _execute(tasks: list[Task], jobs: int) -> None:
    tasks = _unique(tasks)
    begin, total = time.monotonic(), sum(task.cost for task in tasks)
    finished: list[Task] = []

    def tell(news: list[tuple[Task, float]]) -> None:
        for task, seconds in news:
            finished.append(task)
            done = sum(task.cost for task in finished)
            left = (time.monotonic() - begin) * (total - done) / max(done, 1)
            print(
                f"[{len(finished)}/{len(tasks)}] {task.name} {seconds:.0f} s; "
                f"about {max(left, 0) / 60:.0f} min left",
                flush=True,
            )

    workers.side_by_side(tasks, jobs, tell, _KILLED)


def _unique(tasks: list[Task]) -> list[Task]:
    """Drop repetitions: a pretraining may be asked for by several groups."""
    kept: dict[str, Task] = {}
    for task in tasks:
        kept.setdefault(task.name, task)
    return list(kept.values())
