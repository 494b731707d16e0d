"""Finished models that travel: what they are made for is written inside the file of weights.

`about` says it when a model is kept; `load` needs nothing but the file: no run, no list, no video.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..engine import checkpoint
from ..errors import CheckpointError
from ..files import resolved, sha256
from ..methods import pretrain
from ..methods.job import Job
from ..models import Classifier, backbone, resolve_precision
from .directory import Run

NEEDED = {"backbone": str, "precision": str, "classes": list, "clip": dict, "cache_px": int,
          "crop_px": int, "cache_format": str}  # fmt: skip


def about(run: Run, job: Job, mark: str) -> dict[str, Any]:
    """Say what a model is made for: network, clips, pixels, and for a classifier its classes.

    All of it counts in the mark of the training, so the same mark gives the same file.

    Args:
        mark: digest of everything the training depends on, see `tblib.run.reuse`.

    Returns:
        Plain values; `label_share` is that of the training videos with a class, in (0, 1].
    """
    c, alone = run.config, job.method in pretrain.METHODS
    told = {
        "name": job.name,
        "method": job.method,
        "steps": job.steps,
        "seed": job.seed,
        "backbone": c.model.backbone,
        "precision": resolve_precision(c.model.precision, run.device.type),
        "clip": (c.pretrain if alone else c.finetune).clip.model_dump(),
        "cache_px": c.data.cache_px,
        "crop_px": c.data.crop_px,
        "cache_format": c.data.cache_format,
        "fingerprint": mark,
    }
    if alone:  # it has seen no label: the same model serves every share
        return told
    labelled, known = (len(run.pool.rows(name)) for name in ("labelled", "known"))
    share = {"labelled": labelled, "label_share": round(labelled / known, 4)}
    return told | share | {"dataset": c.data.dataset, "classes": list(run.videos.classes)}


def load(path: str | Path, told: dict[str, Any] | None = None) -> Classifier:
    """Load a finished classifier, in eval mode on the CPU, with a dictionary `card`.

    Args:
        path: the folder of a finished model, or its `model.safetensors` alone.
        told: what the model is made for, where its file does not say so.

    Raises:
        CheckpointError: there is no such model, it is damaged, it is a pretraining without classes,
            or earlier code kept it without saying what it is made for.
    """
    file = _file(resolved(path))
    noted = file.name == "model.safetensors" and file.with_suffix(".json").is_file()
    if noted:
        checkpoint.model_card(file.parent)  # refuses damaged ones
    told = checkpoint.about(file) or told or {}
    if told.get("method") in pretrain.METHODS:
        raise CheckpointError(
            f"{file} is a pretraining ({told['method']}) and knows no classes; name a classifier, "
            "such as student_reweighted or teacher_invariant."
        )
    if missing := [n for n, kind in NEEDED.items() if not isinstance(told.get(n), kind)]:
        raise CheckpointError(
            f"{file} does not say what it is made for ({', '.join(missing)}); it was kept by "
            "earlier code: train it again, or name it with its run as RUN:NAME."
        )
    model = Classifier(backbone(told["backbone"], told["precision"]), len(told["classes"]))
    if noted:
        checkpoint.load_into(model, file.parent)
    else:
        checkpoint.load_file_into(model, file)
    model.card = told | {"sha256": sha256(file)}
    return model.eval()


def _file(place: Path) -> Path:
    """Return the file of weights that a user means.

    Raises:
        CheckpointError: there is none.
    """
    file = place / "model.safetensors" if place.is_dir() else place
    if not file.is_file():
        raise CheckpointError(
            f"{place} holds no finished model; name a folder such as "
            "runs/laptop/ckpt/student_reweighted, or a model.safetensors."
        )
    return file
