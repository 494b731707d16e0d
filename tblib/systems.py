"""From a description to a module: which method, starting weights, teachers and scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import nn

from . import checkpoint, evaluate, pretrain, semi
from .config import Profile
from .data.clips import UniformClips
from .errors import MissingStage
from .models import Classifier, backbone, pool
from .pretrain.contrast import Encoder
from .runs import Run


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        name: folder of the result under `ckpt/`.
        method: `invariant`, `distinctive`, `joint`, `supervised` or `timebalance`.
        init: model whose weights it starts from ("" = random): the whole encoder in pretraining,
            the backbone otherwise.
        pool: labelled pool of `supervised`.
        teachers: the two finetuned teachers of `timebalance`, invariant first.
        score: column of `similarity.csv` that `timebalance` mixes with.
        distance: distillation loss of `timebalance`.
        steps: length.
        seed: of the initialisation and of every batch.
    """

    name: str
    method: str
    steps: int
    seed: int
    init: str = ""
    pool: str = "labelled"
    teachers: tuple[str, ...] = ()
    score: str = ""
    distance: str = "l2"

    @property
    def needs(self) -> tuple[str, ...]:
        """Models that must be finished before this one starts."""
        return tuple(filter(None, (self.init, *self.teachers)))


def build_method(run: Run, job: Job) -> nn.Module:
    """Build a job's method with its starting weights, teachers and scores."""
    classes = len(run.videos.classes)
    if job.method in pretrain.METHODS:
        method = pretrain.METHODS[job.method](run.config)
        if job.init:
            checkpoint.load_into(method.learner, run.folder(job.init))
        return method
    if job.method == "supervised":
        method = semi.Supervised(run.config, classes, job.pool)
    else:
        student = run.config.student.model_copy(update={"distance": job.distance})
        config = run.config.model_copy(update={"student": student})
        teachers = tuple(load_classifier(run, name) for name in job.teachers)
        method = semi.TimeBalance(config, classes, teachers, scores(run, job.score))
    if job.init:
        checkpoint.load_into(method.learner.backbone, run.folder(job.init), "backbone")
    return method


def load_classifier(run: Run, name: str) -> Classifier:
    """Load a finished classifier, in eval mode on the run's device."""
    model = Classifier(backbone(run.config.model.backbone), len(run.videos.classes))
    checkpoint.load_into(model, run.folder(name))
    return model.to(run.device).eval()


def scores(run: Run, column: str) -> torch.Tensor:
    """Read one column of `similarity.csv`: a score in [0, 1] per row of the video table.

    Raises:
        MissingStage: chapter 5 has not written the file, or not this column.
    """
    path = run.dir / "similarity.csv"
    if not path.is_file():
        raise MissingStage(f"{path} does not exist; run chapter 5 (05_reweighting) first.")
    table = pd.read_csv(path)
    if column not in table:
        raise MissingStage(
            f"{path} has no column {column!r}; run chapter 5 (05_reweighting) again."
        )
    return torch.tensor(table[column].to_numpy(), dtype=torch.float32)


def student_job(config: Profile, variant: str) -> Job:
    """Describe the student of the finetuned teachers, or one of its ablations.

    Args:
        variant: `reweighted`, a control score of `reweight.controls`, `random_init` or `kl`.
    """
    c = config.student
    score = "reweighted" if variant in ("random_init", "kl") else variant
    init = "" if variant == "random_init" or c.init == "random" else f"ssl_{c.init}"
    return Job(
        name=f"student_{variant}",
        method="timebalance",
        steps=c.steps,
        seed=config.seed,
        init=init,
        teachers=("teacher_invariant", "teacher_distinctive"),
        score=score,
        distance="kl" if variant == "kl" else c.distance,
    )


def predict(run: Run, name: str, rows: np.ndarray) -> torch.Tensor:
    """Test a finished classifier on videos: mean probabilities of evenly spaced clips, `[N, K]`."""
    c = run.config
    views = UniformClips(c.finetune.clip.frames, c.finetune.clip.stride, c.evaluate.clips)
    clips = evaluate.clip_probabilities(
        load_classifier(run, name),
        run.pool.cache,
        rows,
        views,
        c.data.crop_px,
        run.device,
        c.evaluate.batch,
    )
    return evaluate.video_probabilities(clips)


def features(
    run: Run, name: str, rows: np.ndarray, n: int, crop: float = 0.8, projected: bool = False
) -> torch.Tensor:
    """Features `[N, n, D]` of n evenly spaced clips from a finished pretraining.

    Args:
        name: model; "" for a network that was never trained.
        crop: share of height and width that is seen.
        projected: unit vectors after the projection head instead of backbone features.
    """
    c = run.config
    torch.manual_seed(c.seed)  # an untrained network is the same one every time
    encoder = Encoder(c)
    if name and projected:
        checkpoint.load_into(encoder, run.folder(name))
    elif name:  # not every pretraining has a projection head
        checkpoint.load_into(encoder.backbone, run.folder(name), "backbone")
    encoder.to(run.device).eval()
    views = UniformClips(c.pretrain.clip.frames, c.pretrain.clip.stride, n)
    head = encoder.head if projected else torch.nn.Identity()
    return evaluate.encode(
        lambda x: head(pool(encoder.backbone(x))),
        run.pool.cache,
        rows,
        views,
        c.data.crop_px,
        run.device,
        c.evaluate.batch,
        crop,
    )
