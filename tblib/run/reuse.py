"""When a finished training or measurement may be used again: same settings, code, videos, inputs.

Each has a *mark*, a digest of everything it depends on and of nothing else.  Code counts as far as
it is used (`tblib.run.fingerprint`); settings count as far as they are read; videos, labels, roles,
scores and models count by value, wherever they came from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..engine import checkpoint
from ..errors import MissingStage
from ..files import atomic_write, sha256
from ..methods import pretrain, registry
from ..methods.job import Job
from ..models import resolve_precision
from ..settings.config import Profile
from . import fingerprint
from .directory import Run
from .models import scores

LOOKING = "tblib.run.jobs:_note_accuracy"  # during a training; has a mark of its own
APART = (  # code that is no part of any mark
    "tblib.settings",  # counts by value
    "tblib.run.directory",  # what it opens counts by value
    *("tblib.errors", "tblib.progress", "tblib.reprs", "tblib.files"),  # words; how files are kept
    *("tblib.engine.stopping", "tblib.engine.workers"),  # when and where, not what
    "tblib.engine.hardware:keep_freed_memory",
    "tblib.run.travel",  # what a finished model says of itself
    # Lists to choose from: the chosen entry counts.
    *("tblib.methods.pretrain:METHODS", "tblib.methods.semi:METHODS", "tblib.models:BACKBONES"),
    LOOKING,
    *("tblib.run.reuse", "tblib.study.marks", "tblib.study.work:unit"),
)
READING = ("tblib.data.stores:read", "tblib.engine.hardware:prepare")  # frames; threads
# Settings and fields of a job that were added after models had been trained, with the value that
# does what was done before: `"finetune.mixup": 0.0`.  At this value they count nothing.
LATER: dict[str, Any] = {}


def digest(run: Run, job: Job) -> str:
    """Identify a training by its settings, its code, its videos and its inputs.

    Raises:
        MissingStage: a model it needs is not finished.
    """
    c, alone = run.config, job.method in pretrain.METHODS
    described = {k: v for k, v in asdict(job).items() if k != "watch"}  # looking changes nothing
    sections = {name: _read_by_methods(c, name) for name in registry.sections(job.method)}
    pools = ("train",) if alone else ("train", "labelled", "unlabelled", "val")
    inputs = {
        "models": {name: identity(run, name) for name in job.needs},
        "score": scores(run, job.score)[run.pool.rows("train")].tolist() if job.score else None,
        "weights": job.weights_seed,
        "clips": registry.clips_per_step(c, job.method),
        "processes": [c.runtime.launch, c.runtime.compile, c.runtime.augment],
        "classes": None if alone else [c.data.dataset, *run.videos.classes],  # in the model's file
    }
    settings = _without_later({**sections, "job": described})
    code = training_code(c.model.backbone, (job.method,))
    return mark(run, code, settings, inputs, videos(run, pools, labels=not alone))[:16]


def watched(run: Run) -> str:
    """Identify how a training notes its accuracy on the way: code, settings, test videos."""
    c = run.config
    looking = code((LOOKING, *READING))
    values = [c.finetune.clip.model_dump(), c.evaluate.batch, videos(run, ("test",))]
    return mark(run, looking, values)[:16]


def _read_by_methods(config: Profile, section: str) -> dict[str, Any]:
    """Return a section without numbers of steps, of which the job has its own."""
    values = getattr(config, section).model_dump(mode="json")
    return {name: value for name, value in values.items() if not name.startswith("steps")}


def _without_later(sections: dict[str, dict]) -> dict[str, dict]:
    return {
        section: {k: v for k, v in values.items() if LATER.get(f"{section}.{k}", ...) != v}
        for section, values in sections.items()
    }


def training_code(backbone: str, methods: Iterable[str]) -> str:
    """Return the fingerprint of the code that trains these methods on a backbone."""
    rooms = (("pretrain" if name in pretrain.METHODS else "semi", name) for name in methods)
    chosen = [f"tblib.methods.{room}:METHODS[{name}]" for room, name in rooms]
    return code((*chosen, *network(backbone), "tblib.run.jobs:_train"))


def network(backbone: str) -> tuple[str, ...]:
    """Name the code of a backbone, what builds it, and what reads the frames it sees."""
    return f"tblib.models:BACKBONES[{backbone}]", "tblib.models:backbone", *READING


def code(entries: Iterable[str], apart: tuple[str, ...] = ()) -> str:
    """Return the fingerprint of definitions and what they use, but for what is `APART`."""
    return _code(tuple(entries), (*APART, *apart), fingerprint.ROOT)


@lru_cache(maxsize=256)  # code is read once by a process, as Python does
def _code(entries: tuple[str, ...], apart: tuple[str, ...], root: Path) -> str:
    return fingerprint.fingerprint(entries, apart)


def mark(run: Run, code: str | list[str], *values: Any) -> str:
    """Return a digest of code and values, of the network, the frames' size and the threads."""
    c = run.config
    network = c.model.model_dump(mode="json")
    network["precision"] = resolve_precision(c.model.precision, run.device.type)
    if c.model.weights is not None:
        network["weights"] = sha256(c.model.weights.expanduser())
    frames = [c.data.cache_px, c.data.crop_px, c.data.cache_format]
    text = json.dumps([code, _without_later({"model": network}), frames, c.runtime.threads, values])
    return hashlib.sha256(text.encode()).hexdigest()


def videos(run: Run, pools: Iterable[str], labels: bool = True) -> dict[str, list]:
    """Describe pools by value: the SHA-256 of each video and, if they are used, its label."""
    files, known = run.pool.cache.manifest.sha256.to_numpy(), np.asarray(run.pool.labels)
    rows = {name: run.pool.rows(name) for name in pools}
    return {
        name: [files[r].tolist(), known[r].tolist() if labels else None] for name, r in rows.items()
    }


def identity(run: Run, name: str) -> str:
    """Return the SHA-256 of a finished model.

    Raises:
        MissingStage: it is not there, or not finished.
    """
    if (card := checkpoint.model_card(run.folder(name))) is None:
        raise MissingStage(f"{run.folder(name)} holds no finished model; train it first.")
    return card["sha256"]


def clear_if_other(folder: Path, mark: str) -> None:
    """Make room for a training: leftovers of another one must not be resumed."""
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / "digest.txt"
    if not note.is_file() or note.read_text() != mark:
        for path in folder.iterdir():
            path.unlink()
        atomic_write(note, lambda temporary: temporary.write_text(mark))
