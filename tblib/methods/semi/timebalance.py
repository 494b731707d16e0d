"""TimeBalance: a student learns from two frozen teachers, mixed per video by temporal similarity.

L = CE(labelled) + w_l · d(q_l, p_l) + w_u · d(q_u, p_u), with p = s(v)·p_I + (1 − s(v))·p_D,
eq. :eq:`eq-student`.  Source: paper, training of the student.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softmax

from ...data.loader import Batch
from ...engine.distributed import gather
from ...models import Classifier
from ...settings.config import Profile
from ..base import WEAK, Sampling, SemiSupervised, frozen
from ..job import Given, Job
from ..losses import kl_distance, squared_distance
from ..reweight import mix

DISTANCES = {  # from logits [B, K] and targets [B, K] to a scalar
    "l2": lambda logits, p: squared_distance(softmax(logits, dim=1), p),
    "kl": kl_distance,
}


class TimeBalance(SemiSupervised):
    """Student, two frozen teachers and a static score per video.

    Args:
        learner: the student, from clips `[B, 3, T, H, W]` to logits `[B, K]`.
        teachers: f_I and f_D, finetuned; put in eval mode and frozen here.
        score: s(v) in [0, 1] for every row of the video table, `[N]`.
        batch: labelled and unlabelled videos of a step.
        sampling: how their clips are cut and augmented.
        weight_labelled, weight_unlabelled: w_l and w_u.
        distance: `l2` or `kl`, a name in `DISTANCES`.
    """

    helpers = 2
    frozen = ("teachers",)
    taught = True

    def __init__(
        self,
        learner: Classifier,
        teachers: tuple[nn.Module, nn.Module],
        score: Tensor,
        batch: tuple[int, int] = (16, 16),
        sampling: Sampling = WEAK,
        weight_labelled: float = 0.49,
        weight_unlabelled: float = 0.98,
        distance: str = "l2",
    ):
        super().__init__(learner, batch, sampling)
        self.weight_labelled, self.weight_unlabelled = weight_labelled, weight_unlabelled
        self.teachers, self.distance = frozen(teachers), DISTANCES[distance]
        self.register_buffer("score", score.float(), persistent=False)

    @classmethod
    def build(cls, profile: Profile, classes: int, job: Job, given: Given) -> TimeBalance:
        """Make the method that a job describes, with finished teachers and a written score."""
        o = profile.student
        options = {"distance": o.distance, "weight_labelled": o.weight_labelled,
                   "weight_unlabelled": o.weight_unlabelled} | dict(job.options)  # fmt: skip
        return cls(
            Classifier(given.network(), classes),
            given.teachers(job.teachers),
            given.score(job.score),
            (o.batch_labelled, o.batch_unlabelled),
            Sampling.of(profile.finetune, profile),
            **options,
        )

    def train(self, mode: bool = True) -> TimeBalance:
        """Switch the student only; teachers always stay in eval mode."""
        super().train(mode)
        self.teachers.eval()
        return self

    @torch.no_grad()
    def target(self, clips: Tensor, row: Tensor) -> Tensor:
        """Mixed teacher probabilities `[B, K]` for clips `[B, 3, T, H, W]` of the videos `row`."""
        p_inv, p_dist = (softmax(teacher(clips), dim=1) for teacher in self.teachers)
        return mix(p_inv, p_dist, self.score[row])

    def forward(self, labelled: Batch, unlabelled: Batch) -> dict[str, Tensor]:
        """Return the total loss and its parts; student and teachers see the same clips."""
        q_l, q_u = self.learner(labelled.clips[0]), self.learner(unlabelled.clips[0])
        clips = torch.cat([labelled.clips[0], unlabelled.clips[0]])
        target = self.target(clips, torch.cat([labelled.row, unlabelled.row]))
        p_l, p_u = target.split([len(q_l), len(q_u)])
        q_l, q_u, p_l, p_u, label = map(gather, (q_l, q_u, p_l, p_u, labelled.label))
        supervised = cross_entropy(q_l, label)
        distil_l, distil_u = self.distance(q_l, p_l), self.distance(q_u, p_u)
        return {
            "loss": supervised
            + self.weight_labelled * distil_l
            + self.weight_unlabelled * distil_u,
            "supervised": supervised,
            "labelled": distil_l,
            "unlabelled": distil_u,
        }
