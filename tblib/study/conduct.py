"""Run a study: all seeds and fractions as one graph of tasks, side by side, resumable at any time.

Finished models and measurements are kept in the unit's folder and skipped when the study is
started again; stopping it costs the tasks in progress, which go on from their last saved state.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..engine import stopping, workers
from ..errors import ConfigError
from ..files import write_json
from ..methods.pretrain import METHODS
from ..run.directory import Run, open_run
from ..settings.config import Profile
from . import grid
from .graph import Task, plan

_KILLED = (
    "the process that worked on {!r} or one beside it was killed, usually for lack of memory; "
    "lower runtime.jobs and start the study again: it goes on."
)


def conduct(config: Profile, folder: Path) -> None:
    """Run every task of the study that is not finished.

    Raises:
        ConfigError: the profile has no section `study`.
        DataError: a share of labels is less than a video per class, or videos are missing.
        UserError: a worker was killed.
        Stopped: a signal came; everything is saved.
    """
    need_study(config)
    units = {(seed, f): prepare(config, folder, seed, f) for seed, f in every_unit(config)}
    for run in units.values():  # decode once, before workers ask; find impossible shares of labels
        run.pool  # noqa: B018
    tasks = plan(config, units)
    print(f"{len(tasks)} tasks in {len(units)} units under {folder}", flush=True)
    with stopping.listening():
        _execute(tasks, config.runtime.jobs)


def need_study(config: Profile) -> None:
    """Refuse a profile that describes no study.

    Raises:
        ConfigError: it has no section `study`.
    """
    if config.study is None:
        raise ConfigError(
            f"profile {config.name!r} has no section `study`; "
            "use laptop-study, orders-study, one-actor-study, gym-study or ucf101-study."
        )


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


def _execute(tasks: list[Task], jobs: int) -> None:
    cost = {task.name: _to_train(task) for task in tasks}
    finished: dict[str, float] = {}  # seconds of each

    def tell(news: list[tuple[Task, float]]) -> None:
        for task, seconds in news:
            finished[task.name] = seconds
            done = sum(cost[name] for name in finished)
            spent = sum(seconds for name, seconds in finished.items() if cost[name])
            said = f"[{len(finished)}/{len(tasks)}] {task.name} {seconds:.0f} s"
            print(said + _left(spent / jobs, done, sum(cost.values())), flush=True)

    workers.side_by_side(tasks, jobs, tell, _KILLED)


def _to_train(task: Task) -> float:
    """Return the cost of the training that a task is for, 0 if there is none or it was done."""
    _, folder, *cell = task.arguments
    done = not cell or (folder / "study" / f"{cell[0]}.json").is_file()
    return 0.0 if done else task.cost


def _left(seconds: float, done: float, total: float) -> str:
    """Say how long the rest takes if it costs as much as what is done; nothing to go by is silent.

    Args:
        seconds: what the finished trainings took, shared by those that run side by side.
        done: their cost; `total` counts the rest as well.
    """
    return f"; about {seconds * (total - done) / done / 60:.0f} min left" if done else ""
