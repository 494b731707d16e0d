"""What systems with outside knowledge share: soft labels of a frame, told by a second head."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from ..engine.distributed import gather
from ..models import Classifier
from ..models.imagenet import CLASSES, ImageNet
from ..settings.config import Profile
from .base import WEAK, Sampling, SemiSupervised
from .job import Given, Job
from .two_heads import TwoHeads


def soft_cross_entropy(logits: Tensor, p: Tensor) -> Tensor:
    """Cross-entropy H(p, q) with soft labels, eq. :eq:`eq-soft`: the mean over clips.

    Args:
        logits: of q, `[B, M]`.
        p: probabilities `[B, M]`; no gradient flows into them.

    Returns:
        Scalar, at least the entropy of p.
    """
    return -(p.detach() * log_softmax(logits, dim=1)).sum(1).mean()


class Guided(SemiSupervised):
    """Base of systems that also learn what a network trained on ImageNet says of a frame.

    The frame is the middle one of the clip, with the crop and the colours that the learner sees; so
    the answer is true of what is shown.  *Inferred*: no official code tells.

    Args:
        learner, batch, sampling, decay: see `SemiSupervised`.
        teacher: maps frames `[B, 3, H, W]` to probabilities `[B, M]`; never sees a label.
        outputs: M.
    """

    helpers = 1
    frozen = ("teacher",)
    outside = "ImageNet"

    def __init__(
        self,
        learner: Classifier,
        teacher: nn.Module,
        batch: tuple[int, int] = (16, 16),
        sampling: Sampling = WEAK,
        decay: float | None = None,
        outputs: int = CLASSES,
    ):
        super().__init__(TwoHeads(learner, outputs), batch, sampling, decay)
        self.teacher = teacher.requires_grad_(False).eval()

    @classmethod
    def build(cls, profile: Profile, classes: int, job: Job, given: Given) -> Guided:
        """Make the method that a job describes."""
        o, sampling = profile.student, Sampling.of(profile.finetune, profile)
        learner = Classifier(given.network(), classes)
        batch = (o.batch_labelled, o.batch_unlabelled)
        return cls(learner, ImageNet(), batch, sampling, **dict(job.options))

    def train(self, mode: bool = True) -> Guided:
        """Switch the learner only; the teacher always stays in eval mode."""
        super().train(mode)
        self.teacher.eval()
        return self

    @property
    def classifier(self) -> nn.Module:
        """The trained network without its second head."""
        return self.learner.classifier

    @torch.no_grad()
    def seen(self, *clips: Tensor) -> Tensor:
        """Return what the teacher says of the middle frames of several batches `[B, 3, T, H, W]`.

        Returns:
            Probabilities `[N, M]` of all batches and processes, as `both_heads` orders them.
        """
        frames = torch.cat([part[:, :, part.shape[2] // 2] for part in clips])
        answers = self.teacher(frames).split([len(part) for part in clips])
        return torch.cat([gather(part) for part in answers])
