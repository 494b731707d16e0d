"""When a finished training may be used again: same settings, code, videos, labels and inputs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from ..engine import checkpoint
from ..errors import MissingStage
from ..files import atomic_write, sha256
from ..methods import registry
from ..methods.job import Job
from ..models import resolve_precision
from .cards import code_hash
from .directory import Run
from .models import scores


def digest(run: Run, job: Job) -> str:
    """Identify a training by its settings, the training code, the videos and its inputs.

    Raises:
        MissingStage: a model it needs is not finished.
    """
    c = run.config
    used = ("data", "model", *registry.sections(job.method))
    sections = {name: getattr(c, name).model_dump(mode="json") for name in used}
    sections["data"].pop("root")
    sections["model"]["precision"] = resolve_precision(c.model.precision, run.device.type)
    if c.model.weights is not None:
        sections["model"]["weights"] = sha256(c.model.weights.expanduser())
    inputs = {name: identity(run, name) for name in job.needs}
    frames = run.pool.cache.manifest.sha256.tolist()
    score = scores(run, job.score).tolist() if job.score else None
    described = asdict(job)
    described.pop("watch")  # looking at a training does not change it
    text = json.dumps(
        [
            sections,
            c.runtime.threads,
            c.runtime.launch,
            c.runtime.compile,
            c.runtime.augment,
            described,
            inputs,
            frames,
            run.pool.roles.tolist(),
            score,
            code_hash(everything=False),
        ]
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
