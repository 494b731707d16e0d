"""The trainings of a run in their order: chapters, or the units of a study."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..lesson.chapters import ROOT, chapters
from ..methods.job import Job
from ..run.models import other_pretrainings, other_teachers, student_job, system_job
from ..settings.config import Profile
from .videos import Videos

DECODE = 5e-4  # seconds a frame and core, between MPEG-4 and H.264 at 320×240


@dataclass(frozen=True)
class Stage:
    """A chapter, or the same training of all units of a study."""

    name: str
    after: str
    jobs: tuple[tuple[Path, Job], ...] = ()  # each with its run directory
    looks: float = 0.0  # clips passed forwards only, beside the trainings
    seconds: float = 0.0  # beside what follows from clips


def chapter_stages(config: Profile, videos: Videos, folder: Path) -> Iterator[Stage]:
    """Yield the chapters with their trainings, in the order of the book."""
    c, after = config, _graph()
    n, everything = c.similarity.clips, videos.train + videos.test
    tests = videos.test * c.evaluate.clips
    jobs = chapter_jobs(c)
    looks = {
        "02": 4 * videos.train * (n + 2 * c.pretrain.slots),  # an untrained network, too
        "03": 2 * videos.train * n,
        "04": 2 * (videos.test + c.data.label_fraction * videos.train) * n,
        "05": everything * (n + 2 * c.evaluate.clips),
    }
    for number, path in chapters().items():
        mine = tuple((folder, job) for job in jobs.get(number, ()))
        tested = len(mine) * tests if number in ("04", "06", "07") else 0
        decode = DECODE * videos.frames / c.runtime.decoders if number == "01" else 0.0
        seen = looks.get(number, 0) + tested
        yield Stage(path.stem, ", ".join(after.get(number, [])), mine, seen, decode)


def chapter_jobs(config: Profile) -> dict[str, tuple[Job, ...]]:
    """Return the trainings of each chapter that trains, by its number."""
    p, f, s, seed = config.pretrain, config.finetune, config.student, config.seed
    ssl = {"invariant": p.steps_invariant, "distinctive": p.steps_distinctive,
           "joint": p.steps_joint}  # fmt: skip
    supervised = {"teacher_invariant": f.steps, "teacher_distinctive": f.steps,
                  "supervised_scratch": s.steps, "supervised_ssl": s.steps,
                  "supervised_full": s.steps}  # fmt: skip
    return {
        "02": (*(Job(f"ssl_{name}", name, n, seed) for name, n in ssl.items()),
               *other_pretrainings(config)),
        "04": (*(Job(name, "supervised", n, seed) for name, n in supervised.items()),
               *other_teachers(config)),
        "06": tuple(dict.fromkeys([student_job(config, "reweighted"), system_job(config)])),
        "07": tuple(student_job(config, v) for v in config.ablation.variants),
    }


def _graph() -> dict[str, list[str]]:
    """Read which chapters each one needs from the Snakefile."""
    found = re.search(r"^AFTER = (\{.*?\})$", (ROOT / "Snakefile").read_text(), re.M | re.S)
    return ast.literal_eval(found[1])


@dataclass(frozen=True)
class _Unit:
    """What `study.graph.plan` asks of a run, without making its folders."""

    config: Profile
    dir: Path
    families: bool


def study_stages(config: Profile, folder: Path) -> Iterator[Stage]:
    """Yield the trainings of a study, those of the same name in all units as one stage."""
    from ..study import conduct, graph

    units = {
        (seed, fraction): _Unit(
            conduct.unit_config(config, seed, fraction),
            conduct.unit_folder(folder, seed, fraction),
            config.data.dataset == "stickactions",
        )
        for seed, fraction in conduct.every_unit(config)
    }
    stages: dict[str, Stage] = {}
    for task in graph.plan(config, units):
        name = task.name.partition(": ")[2]
        old = stages.get(name, Stage(name, _needs(task)))
        trained = [(task.arguments[1], a) for a in task.arguments if isinstance(a, Job)]
        jobs = old.jobs + tuple(trained)
        looks = old.looks + (0 if trained else task.cost)
        stages[name] = Stage(name, old.after, jobs, looks)
    yield from stages.values()


def _needs(task) -> str:
    return ", ".join(need.partition(": ")[2] for need in task.needs)
