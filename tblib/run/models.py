"""From a description to a module: which method, starting weights, teachers and scores."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ..data import exact
from ..data.clips import UniformClips
from ..engine import checkpoint, evaluate
from ..errors import MissingStage
from ..methods import registry
from ..methods.base import Method
from ..methods.job import Given, Job
from ..models import Backbone, Classifier, backbone
from ..settings.config import TEACHERS, Profile
from .directory import Run
from .teacher_cache import Remembered

OF_THE_BOOK = (*TEACHERS, "joint")


class Finished(Given):
    """What a method may be made from: finished models and scores of a run.

    Args:
        init: model whose weights the job starts from, "" for random ones.
        remember: whether teachers share their answers with other students, see
            `tblib.run.teacher_cache`.
    """

    def __init__(self, run: Run, init: str = "", remember: bool = False):
        super().__init__(run.config)
        self.run, self.init, self.remember = run, init, remember

    def network(self) -> Backbone:
        """Return a backbone with the weights that the job starts from."""
        net = super().network()
        if self.init:
            checkpoint.load_into(net, self.run.folder(self.init), "backbone")
        return net

    def encoder(self, whole: nn.Module) -> nn.Module:
        """Return a pretraining's network with the weights of the one that the job starts from."""
        if self.init:
            checkpoint.load_into(whole, self.run.folder(self.init))
        return whole

    def teachers(self, names: tuple[str, ...]) -> tuple[nn.Module, ...]:
        """Load finetuned classifiers."""
        loaded = [load_classifier(self.run, name) for name in names]
        if self.remember:
            loaded = map(Remembered, loaded, (self.run.folder(name) for name in names))
        return tuple(loaded)

    def score(self, column: str) -> torch.Tensor:
        """Read a score per row of the video table, `[n]`, see `scores`."""
        return scores(self.run, column)


def build_method(run: Run, job: Job, remember: bool = False) -> Method:
    """Build a job's method with its starting weights, teachers and scores.

    What is drawn at random depends on the job's name and seed alone.

    Args:
        remember: whether teachers share their answers with other students.
    """
    torch.manual_seed(job.weights_seed)
    given = Finished(run, job.init, remember)
    return registry.method(job.method).build(run.config, len(run.videos.classes), job, given)


def load_classifier(run: Run, name: str) -> Classifier:
    """Load a finished classifier, in eval mode on the run's device."""
    c = run.config.model
    model = Classifier(backbone(c.backbone, c.precision), len(run.videos.classes))
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
    table = exact.load(path)
    if len(table) != len(run.videos.table):
        raise MissingStage(
            f"{path} is about {len(table)} videos, the data set has {len(run.videos.table)}; run "
            "chapter 5 (05_reweighting) again."
        )
    if column not in table:
        raise MissingStage(
            f"{path} has no column {column!r}; run chapter 5 (05_reweighting) again."
        )
    return torch.tensor(table[column].to_numpy(), dtype=torch.float32)


def teachers(config: Profile) -> tuple[str, str]:
    """Name the finetuned teachers of the student, the one that s = 1 believes first."""
    first, second = config.student.teachers
    return f"teacher_{first}", f"teacher_{second}"


def other_pretrainings(config: Profile) -> list[Job]:
    """Describe the pretrainings of the teachers that a profile asks for beside those of the book.

    The first teacher's takes the steps of the invariant one, the second's those of the distinctive.
    """
    o = config.pretrain
    steps = zip(config.student.teachers, (o.steps_invariant, o.steps_distinctive), strict=True)
    return [
        Job(f"ssl_{name}", name, n, config.seed) for name, n in steps if name not in OF_THE_BOOK
    ]


def other_teachers(config: Profile) -> list[Job]:
    """Describe how teachers are finetuned that a profile asks for beside f_I and f_D."""
    n, names = config.finetune.steps, config.student.teachers
    return [
        Job(f"teacher_{name}", "supervised", n, config.seed, f"ssl_{name}")
        for name in names
        if name not in TEACHERS
    ]


def student_job(config: Profile, variant: str) -> Job:
    """Describe TimeBalance's student of the finetuned teachers, or one of its ablations.

    Args:
        variant: `reweighted`, a control score of `reweight.controls`, `random_init` or `kl`.
    """
    c = config.student
    score = "reweighted" if variant in ("random_init", "kl") else variant
    random = variant == "random_init" or c.init == "random"
    return Job(
        name=f"student_{variant}",
        method="timebalance",
        steps=c.steps,
        seed=config.seed,
        init="" if random else f"ssl_{c.init}",
        teachers=teachers(config),
        score=score,
        options={"distance": "kl"} if variant == "kl" else {},
    )


def system_job(config: Profile) -> Job:
    """Describe the student of the method that the profile names, `student.method`.

    It takes as many steps as TimeBalance's student and begins with the same weights.
    """
    c = config.student
    if c.method == "timebalance" and not c.options:
        return student_job(config, "reweighted")
    taught = registry.method(c.method).taught
    return Job(
        name=f"system_{c.method}",
        method=c.method,
        steps=c.steps,
        seed=config.seed,
        init="" if c.init == "random" else f"ssl_{c.init}",
        teachers=teachers(config) if taught else (),
        score="reweighted" if taught else "",
        options=c.options,
    )


def predict(run: Run, name: str, rows: np.ndarray) -> torch.Tensor:
    """Test a finished classifier on videos: mean probabilities of evenly spaced clips, `[N, K]`."""
    return classify(run, load_classifier(run, name), rows, run.config.evaluate.clips)


def classify(run: Run, model: Classifier, rows: np.ndarray, n: int) -> torch.Tensor:
    """Test a classifier on n evenly spaced clips of each video: probabilities `[N, K]`."""
    c = run.config
    views = UniformClips(c.finetune.clip.frames, c.finetune.clip.stride, n)
    clips = evaluate.clip_probabilities(
        model,
        run.pool.cache,
        rows,
        views,
        c.data.crop_px,
        run.device,
        c.evaluate.batch,
        workers=c.runtime.workers,
    )
    return evaluate.video_probabilities(clips)
