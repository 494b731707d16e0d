"""Cross-entropy on labelled clips: finetuned teachers, labelled-only baselines, the upper bound.

Source: paper, finetuning of the teachers.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from ...data.loader import Batch, Stream
from ...engine.distributed import gather
from ...models import Classifier
from ...settings.config import Profile
from ..base import WEAK, Method, Sampling, share_right
from ..job import Given, Job


class Supervised(Method):
    """A classifier that sees labelled clips only.

    Args:
        learner: maps clips `[B, 3, T, H, W]` to logits `[B, K]`.
        batch: B, videos of a step.
        sampling: how their clips are cut and augmented.
        pool: `labelled`, or `train` for the fully supervised upper bound.
    """

    sections = ("finetune",)

    def __init__(
        self,
        learner: Classifier,
        batch: int = 16,
        sampling: Sampling = WEAK,
        pool: str = "labelled",
    ):
        super().__init__()
        self.learner, self.batch, self.sampling = learner, batch, sampling
        self.pool = "known" if pool == "train" else pool  # a video without a class has no loss

    @classmethod
    def build(cls, profile: Profile, classes: int, job: Job, given: Given) -> Supervised:
        """Make the method that a job describes."""
        o = profile.finetune
        learner = Classifier(given.network(), classes)
        return cls(learner, o.batch, Sampling.of(o, profile), **dict(job.options))

    @staticmethod
    def clips_per_step(profile: Profile) -> int:
        """Clips of a step."""
        return profile.finetune.batch

    def streams(self) -> dict[str, Stream]:
        """Ask for one random clip of each labelled video in a batch."""
        return {"labelled": self.sampling.stream(self.pool, self.batch, labels=True)}

    def forward(self, labelled: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy and the share of clips classified right."""
        logits, label = gather(self.learner(labelled.clips[0])), gather(labelled.label)
        return {"loss": cross_entropy(logits, label), "accuracy": share_right(logits, label)}
