"""Marks of a study's measurements: the code that measures, its settings, models and videos.

A change of any of them makes those measurements out of date that depend on it, and no model.
"""

from __future__ import annotations

from typing import Any

from ..files import sha256
from ..methods.job import Job
from ..methods.semi import METHODS as CLASSIFIERS
from ..run.directory import Run
from ..run.reuse import code, identity, mark, network, videos

Definition = tuple[str, str, int]  # of s(v): features, space, number of clips
MEASURES = {  # what a study measures: the code that does
    "test": "tblib.study.work:_test",
    "probe": "tblib.study.work:probe",
    "order": "tblib.study.work:_order_accuracy",
    "raw": "tblib.study.scoring:compare",
    "constant": "tblib.study.scoring:constant",
    "scores": "tblib.study.scoring:score",
    "summary": "tblib.study.scoring:summarise",
}


def measuring_code(measure: str, backbone: str) -> str:
    """Return the fingerprint of the code of one of `MEASURES` on a backbone."""
    # The order is asked of one pretraining only; scores count the constant by its mark.
    rest = tuple(MEASURES[other] for other in ("order", "constant") if other != measure)
    networks = () if measure == "scores" else network(backbone)
    asked = ("tblib.methods.pretrain:METHODS[clip_order]",) if measure == "order" else ()
    return code((MEASURES[measure], *asked, *networks), rest)


def measured(run: Run, job: Job) -> str:
    """Identify what was measured of a finished training.

    Raises:
        MissingStage: it is not finished.
    """
    return tested(run, job.name) if job.method in CLASSIFIERS else probed(run, job.name)


def tested(run: Run, name: str) -> str:
    """Identify the test of a classifier."""
    return mark(run, _how(run, "test"), _test(run), identity(run, name), videos(run, ("test",)))


def probed(run: Run, name: str) -> str:
    """Identify the probes of a pretraining; "" is the untrained network."""
    c, model = run.config, identity(run, name) if name else "untrained"
    how = [_how(run, "probe"), *([_how(run, "order")] if name == "ssl_clip_order" else [])]
    values = [_pretext(run), c.similarity.clips, c.seed, model]
    return mark(run, how, values, videos(run, ("train", "test")))


def compared(run: Run, wanted: list[Definition]) -> str:
    """Identify the raw similarities of every video for these definitions of s(v)."""
    models = {name: identity(run, f"ssl_{name}") for name, _, _ in wanted}
    files = run.pool.cache.manifest.sha256.tolist()
    return mark(run, _how(run, "raw"), _pretext(run), [list(d) for d in wanted], models, files)


def chosen(run: Run) -> str:
    """Identify the constant control's weight: both teachers, and the videos it is chosen on.

    Raises:
        MissingStage: a teacher is not finished.
    """
    seen = videos(run, ("val", "unlabelled"))
    return mark(run, _how(run, "constant"), _test(run), _teachers(run), seen)


def scored(run: Run, wanted: list[Definition]) -> str:
    """Identify the scores: what they are made from, and how.

    Raises:
        MissingStage: a teacher is not finished.
    """
    c, how = run.config, _how(run, "scores")
    known = run.videos.table.family.tolist() if run.families else None
    pool = run.pool.rows("train").tolist()
    made_from = [compared(run, wanted), chosen(run)]
    return mark(run, how, c.similarity.model_dump(), c.seed, pool, known, made_from)


def summarised(run: Run, wanted: list[Definition]) -> str:
    """Identify what was asked of s(v): both teachers, the scores, the test.

    Raises:
        MissingStage: a teacher is not finished.
    """
    scores = [scored(run, wanted), sha256(run.dir / "similarity.csv")]
    seen = videos(run, ("test",))
    return mark(run, _how(run, "summary"), _test(run), _teachers(run), scores, seen)


def _teachers(run: Run) -> list[str]:
    return [identity(run, f"teacher_{kind}") for kind in ("invariant", "distinctive")]


def _how(run: Run, measure: str) -> str:
    return measuring_code(measure, run.config.model.backbone)


def _test(run: Run) -> dict[str, Any]:
    c = run.config
    return {"evaluate": c.evaluate.model_dump(), "clip": c.finetune.clip.model_dump()}


def _pretext(run: Run) -> list[Any]:
    """Return the settings of pretraining that `run.features` reads, and the batch of a pass."""
    o = run.config.pretrain
    head = [o.dim, o.slots, o.crop_min, o.jitter]
    return [o.clip.model_dump(), head, run.config.evaluate.batch]
