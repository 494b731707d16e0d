"""Cross-entropy on labelled clips: finetuned teachers, labelled-only baselines, the upper bound.

Source: paper, section A4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ...data.augment import Augment
from ...data.clips import RandomClip
from ...data.loader import Batch, Stream
from ...engine.distributed import gather
from ...models import Classifier, starting_backbone
from ...settings.config import Profile

if TYPE_CHECKING:
    from ..job import Given, Job


class Supervised(nn.Module):
    """A classifier that sees labelled clips only.

    Args:
        profile: settings; section `finetune` rules.
        classes: K.
        pool: `labelled`, or `train` for the fully supervised upper bound.
    """

    sections = ("finetune",)
    helpers = 0

    @classmethod
    def build(cls, profile: Profile, classes: int, job: Job, given: Given) -> Supervised:
        """Make the method that a job describes."""
        return cls(profile, classes, job.pool)

    @staticmethod
    def clips_per_step(profile: Profile) -> int:
        """Clips of a step."""
        return profile.finetune.batch

    def __init__(self, profile: Profile, classes: int, pool: str = "labelled"):
        super().__init__()
        self.options, self.px, self.pool = profile.finetune, profile.data.crop_px, pool
        self.learner = Classifier(starting_backbone(profile.model), classes)

    def streams(self) -> dict[str, Stream]:
        """Ask for one random clip of each labelled video in a batch."""
        o = self.options
        augment = Augment(self.px, o.crop_min, o.jitter, erase=0.25)
        return {
            "labelled": Stream(
                self.pool, o.batch, RandomClip(o.clip.frames, o.clip.stride), augment
            )
        }

    def forward(self, labelled: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy and the share of clips classified right."""
        logits, label = gather(self.learner(labelled.clips[0])), gather(labelled.label)
        right = (logits.argmax(1) == label).float().mean()
        return {"loss": cross_entropy(logits, label), "accuracy": right}
