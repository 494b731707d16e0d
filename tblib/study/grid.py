"""The grid of a study as data: which trainings belong to a seed and a fraction of labels.

Names of cells say what a row of a table is; names of jobs are those of the chapters, so that a
chapter and a study that want the same training share it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..methods.job import Job
from ..methods.semi import METHODS
from ..run.models import other_pretrainings, other_teachers, student_job
from ..settings.config import Profile

OTHER_SEED = "invariant_b"  # the invariant pretraining of the next seed
CURVE_POINTS = 8
STARTS = {"random": "", "ssl": "ssl_joint"}  # weights that a system of the table begins with


@dataclass(frozen=True)
class Cell:
    """One trained classifier: its name in the tables and how it is trained."""

    name: str
    job: Job


def pretrainings(c: Profile, group: str) -> list[Job]:
    """Name the pretrainings that a group of cells adds to those of the group `main`."""
    o = c.pretrain
    steps = {
        "main": {
            "invariant": o.steps_invariant,
            "distinctive": o.steps_distinctive,
            "joint": o.steps_joint,
        },
        "combinations": {"cvrl": o.steps_invariant, "transformations": o.steps_distinctive},
        "initialisations": {
            "cvrl": o.steps_invariant,
            "transformations": o.steps_distinctive,
            "clip_order": o.steps_distinctive,
        },
    }
    named = [Job(f"ssl_{name}", name, n, c.seed) for name, n in steps.get(group, {}).items()]
    return named + other_pretrainings(c) if group == "main" else named


def cells(c: Profile, group: str) -> list[Cell]:
    """List the cells of one group, see `config.Study.groups`."""
    return {
        "bound": lambda c: [_labels_only(c, "all_labels", "ssl_joint", pool="train")],
        "main": _main,
        "controls": lambda c: _students(c, "constant", "shuffled", "inverted", "oracle"),
        "combinations": _combinations,
        "initialisations": _initialisations,
        "definitions": _definitions,
        "distillation": _distillation,
        "systems": _systems,
        "sweep": _sweep,
    }[group](c)


def _labels_only(c: Profile, name: str, init: str = "", **options: str) -> Cell:
    """Cross-entropy alone, for as many steps as the students it is compared with."""
    job = {
        "scratch": "supervised_scratch",
        "ssl": "supervised_ssl",
        "all_labels": "supervised_full",
    }
    seen = Job(job[name], "supervised", c.student.steps, c.seed, init, options=options)
    return Cell(name, seen)


def _teacher(c: Profile, kind: str) -> Cell:
    name = f"teacher_{kind}"
    return Cell(name, Job(name, "supervised", c.finetune.steps, c.seed, f"ssl_{kind}"))


def _students(c: Profile, *variants: str) -> list[Cell]:
    return [Cell(f"student_{variant}", student_job(c, variant)) for variant in variants]


def _base(c: Profile) -> list[Cell]:
    teachers = [_teacher(c, "invariant"), _teacher(c, "distinctive")]
    teachers += [Cell(job.name, job) for job in other_teachers(c)]
    return [_labels_only(c, "scratch"), _labels_only(c, "ssl", "ssl_joint"), *teachers]


def _main(c: Profile) -> list[Cell]:
    students = _students(c, "invariant_only", "distinctive_only", "average", "reweighted")
    watched = replace(students[3].job, watch=_every(c))
    return [*_base(c), *students[:3], Cell(students[3].name, watched)]


def _sweep(c: Profile) -> list[Cell]:
    return [*_base(c), *_students(c, "average", "reweighted")]


def _every(c: Profile) -> int:
    return max(1, c.student.steps // CURVE_POINTS)


def _combinations(c: Profile) -> list[Cell]:
    """Average pairs of teachers (Inv1 + Dist1 is `student_average`), and weight Inv1 + Dist2.

    A study of one seed has no second invariant pretraining.
    """
    pairs = {
        "inv_inv2": ("invariant", "cvrl"),
        "dist_dist2": ("distinctive", "transformations"),
        "inv_dist2": ("invariant", "transformations"),
        "inv_inv_b": ("invariant", OTHER_SEED),
    }
    if len(c.study.seeds) == 1:
        pairs.pop("inv_inv_b")
    average = student_job(c, "average")
    students = [
        Cell(
            f"student_{name}",
            replace(average, name=f"student_{name}", teachers=tuple(f"teacher_{k}" for k in pair)),
        )
        for name, pair in pairs.items()
    ]
    seconds = dict.fromkeys(b for _, b in pairs.values())
    teachers = [_teacher(c, kind) for kind in seconds]
    return [*teachers, *students, *_second_pair(c)]


def _second_pair(c: Profile) -> list[Cell]:
    """Students of Inv1 + Dist2 by other weights than one half, `transformations` alone first."""
    scores = {
        "dist2_only": "distinctive_only",
        "inv_dist2_reweighted": "reweighted",
        "inv_dist2_shuffled": "shuffled",
        "inv_dist2_oracle": "oracle",
    }
    pair = ("teacher_invariant", "teacher_transformations")
    return [
        Cell(
            f"student_{name}",
            replace(student_job(c, score), name=f"student_{name}", teachers=pair),
        )
        for name, score in scores.items()
    ]


def _initialisations(c: Profile) -> list[Cell]:
    """Starts of the reweighted student; the TCLR-type one is `student_reweighted`."""
    reweighted, scratch = student_job(c, "reweighted"), student_job(c, "random_init")
    starts = {
        name: replace(reweighted, name=f"student_init_{name}", init=f"ssl_{name}")
        for name in ("cvrl", "transformations", "clip_order")
    }
    starts["scratch"] = scratch
    watched = [
        Cell(f"student_init_{name}", replace(job, watch=_every(c))) for name, job in starts.items()
    ]
    average = replace(scratch, name="student_average_scratch", score="average")
    return [*watched, Cell("student_average_scratch", average)]


def _systems(c: Profile) -> list[Cell]:
    """Every other system of the shelf, from random and from self-supervised weights.

    TimeBalance from self-supervised weights is `student_reweighted`; its teachers are pretrained in
    both cases.
    """
    jobs = {
        f"{name}_{start}": Job(
            f"system_{name}_{start}", name, c.student.steps, c.seed, init,
            options=c.study.constants.get(name, {}),
        )
        for name in systems()
        for start, init in STARTS.items()
    }  # fmt: skip
    scratch = replace(student_job(c, "random_init"), name="system_timebalance_random")
    return [*(Cell(name, job) for name, job in jobs.items()), Cell("timebalance_random", scratch)]


def systems() -> list[str]:
    """Name the semi-supervised methods that are compared with TimeBalance."""
    return [name for name in METHODS if name not in ("supervised", "timebalance")]


def _definitions(c: Profile) -> list[Cell]:
    """Reweighted students of s computed from other features."""
    job = student_job(c, "reweighted")
    names = ("s_invariant", "s_projected")
    return [Cell(f"student_{n}", replace(job, name=f"student_{n}", score=n)) for n in names]


def _distillation(c: Profile) -> list[Cell]:
    kl = student_job(c, "kl")
    job = student_job(c, "reweighted")
    name, options = "student_unlabelled_only", {"weight_labelled": 0.0}
    return [Cell("student_kl", kl), Cell(name, replace(job, name=name, options=options))]
