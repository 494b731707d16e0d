"""The tasks of a study and what each waits for: all units as one graph, in the order of worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..engine import workers
from ..methods import registry
from ..methods.job import Job
from ..run.directory import Run
from ..settings.config import Profile
from . import grid, scoring, work

FIRST = ("bound", "main", "controls")


@dataclass(frozen=True)
class Task(workers.Task):
    """A task of a study; its `cost` in clips trained on, or passed forwards if it only measures."""

    cost: float = 0.0


def plan(config: Profile, units: dict[tuple[int, float], Run]) -> list[Task]:
    """List the tasks in the order of their worth, each for all seeds before the next.

    Args:
        units: run directories by (seed, share of labels).
    """
    study = config.study
    wanted = ("bound", "main", *study.groups)
    first, *others = study.fractions
    later = [g for g in study.groups if g not in FIRST]
    rounds = [(f, g) for g in FIRST for f in study.fractions if g in wanted]
    rounds += [(first, g) for g in later]
    rounds += [(f, g) for f in others for g in later if g == "combinations"]
    rounds += [(f, "sweep") for f in study.sweep]
    rounds += [(f, g) for f in others for g in later if g != "combinations"]
    tasks: dict[str, Task] = {}  # several groups may ask for the same pretraining
    for fraction, group in rounds:
        for unit, seed in ((units[s, fraction], s) for s in study.seeds if (s, fraction) in units):
            for task in _round(unit, seed, fraction, group, first):
                tasks.setdefault(task.name, task)
    return list(tasks.values())


def _round(run: Run, seed: int, fraction: float, group: str, first: float) -> Iterator[Task]:
    """Yield the tasks that one group of cells adds to a unit."""
    here, owner = _mark(seed, fraction), _mark(seed, first)
    unit = (run.config, run.dir)
    if fraction == first:
        for job in grid.pretrainings(run.config, group):
            yield Task(
                f"{here} {job.name}", work.train, (*unit, job.name, job), (), _cost(run, job)
            )
    base = group in ("main", "sweep")
    if base and fraction == first:
        inputs = (f"{owner} ssl_invariant", f"{owner} ssl_distinctive")
        yield Task(f"{here} similarity", scoring.compare, unit, inputs, 2e4)
        yield Task(f"{here} untrained", work.untrained, unit, (), 4e3)
    teachers = tuple(f"{here} teacher_{kind}" for kind in scoring.FEATURES)
    scored = not base
    for cell in grid.cells(run.config, group):
        if (
            group == "bound"
            and fraction != first
            or cell.job.score == "oracle"
            and not run.families
        ):
            continue
        if cell.job.score and not scored:  # teachers come first, students after them
            inputs = (f"{owner} similarity", *teachers)
            yield Task(f"{here} scores", scoring.score, unit, inputs, 5e3)
            scored = True
        needs = [f"{owner if n.startswith('ssl_') else here} {n}" for n in cell.job.needs]
        needs = [n for n in needs if not n.endswith(f"ssl_{grid.OTHER_SEED}")]
        if f"ssl_{grid.OTHER_SEED}" in cell.job.needs:
            others = run.config.study.seeds
            other = others[(others.index(seed) + 1) % len(others)]
            needs.append(f"{_mark(other, first)} ssl_invariant")
        needs += [f"{here} scores"] if cell.job.score else []
        call = (*unit, cell.name, cell.job)
        yield Task(f"{here} {cell.job.name}", work.train, call, tuple(needs), _cost(run, cell.job))
    if base:
        inputs = (*teachers, f"{here} scores")
        yield Task(f"{here} summary", scoring.summarise, unit, inputs, 5e3)


def _mark(seed: int, fraction: float) -> str:
    return f"seed {seed}, {100 * fraction:g} %:"


def _cost(run: Run, job: Job) -> float:
    """Estimate the work of a training in clips, as long as in finetuning, both ways through."""
    c, method = run.config, job.method
    forwards = 1 + 0.3 * registry.helpers(method)  # a frozen network only passes forwards
    length = registry.frames(c, method) / c.finetune.clip.frames
    return job.steps * registry.clips_per_step(c, method) * forwards * length
