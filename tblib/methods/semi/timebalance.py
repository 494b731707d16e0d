"""TimeBalance: a student learns from two frozen teachers, mixed per video by temporal similarity.

L = CE(labelled) + w_l · d(q_l, p_l) + w_u · d(q_u, p_u), with p = s(v)·p_I + (1 − s(v))·p_D,
eq. :eq:`eq-student`.  Source: paper, section A6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softmax

from ...data.augment import Augment
from ...data.clips import RandomClip
from ...data.loader import Batch, Stream
from ...engine.distributed import gather
from ...models import Classifier, starting_backbone
from ...settings.config import Profile
from ..losses import kl_distance, squared_distance
from ..reweight import mix

if TYPE_CHECKING:
    from ..job import Given, Job


class TimeBalance(nn.Module):
    """Student, two frozen teachers and a static score per video.

    Args:
        profile: settings; section `student` rules.
        classes: K.
        teachers: f_I and f_D, finetuned; put in eval mode and frozen here.
        score: s(v) in [0, 1] for every row of the video table, `[N]`.
    """

    sections = ("student", "finetune")
    helpers = 2

    @classmethod
    def build(cls, profile: Profile, classes: int, job: Job, given: Given) -> TimeBalance:
        """Make the method that a job describes: its teachers, score and distillation."""
        change: dict = {"distance": job.distance}
        if job.distil == "unlabelled":
            change["weight_labelled"] = 0.0
        student = profile.student.model_copy(update=change)
        profile = profile.model_copy(update={"student": student})
        return cls(profile, classes, given.teachers(job.teachers), given.score(job.score))

    @staticmethod
    def clips_per_step(profile: Profile) -> int:
        """Labelled and unlabelled clips of a step."""
        return profile.student.batch_labelled + profile.student.batch_unlabelled

    def __init__(
        self, profile: Profile, classes: int, teachers: tuple[nn.Module, nn.Module], score: Tensor
    ):
        super().__init__()
        self.options, self.clip, self.px = (
            profile.student,
            profile.finetune.clip,
            profile.data.crop_px,
        )
        self.crop_min, self.jitter = profile.finetune.crop_min, profile.finetune.jitter
        self.learner = Classifier(starting_backbone(profile.model), classes)
        self.teachers = nn.ModuleList(teachers).requires_grad_(False)
        self.register_buffer("score", score.float())

    def train(self, mode: bool = True) -> TimeBalance:
        """Switch the student only; teachers always stay in eval mode."""
        super().train(mode)
        self.teachers.eval()
        return self

    def streams(self) -> dict[str, Stream]:
        """Ask for one random clip of labelled and of unlabelled videos, weakly augmented."""
        views = RandomClip(self.clip.frames, self.clip.stride)
        augment = Augment(self.px, self.crop_min, self.jitter, erase=0.25)
        sizes = {
            "labelled": self.options.batch_labelled,
            "unlabelled": self.options.batch_unlabelled,
        }
        return {pool: Stream(pool, size, views, augment) for pool, size in sizes.items()}

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
        distil_l, distil_u = self._distance(q_l, p_l), self._distance(q_u, p_u)
        o = self.options
        loss = supervised + o.weight_labelled * distil_l + o.weight_unlabelled * distil_u
        return {
            "loss": loss,
            "supervised": supervised,
            "labelled": distil_l,
            "unlabelled": distil_u,
        }

    def _distance(self, logits: Tensor, p: Tensor) -> Tensor:
        if self.options.distance == "kl":
            return kl_distance(logits, p)
        return squared_distance(softmax(logits, dim=1), p)
