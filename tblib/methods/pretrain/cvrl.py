"""CVRL: two clips of one video attract, clips of other videos repel; invariant in time.

Source: Qian et al., *Spatiotemporal Contrastive Video Representation Learning*, CVPR 2021: NT-Xent
(eq. :eq:`eq-nt-xent`), gaps between the two clips that are the rarer the wider they are, and
augmentation that is the same for all frames of a clip.  Projection head, colour changes and
the grey box are those of the package's other contrastive methods; there is no blur and no
solarisation.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...data.clips import ClipPair
from ...data.loader import Batch, Stream
from ...engine.distributed import gather
from ...models import pool
from ...settings.config import Profile
from .. import losses
from ..base import PRETRAINING, Pretraining, Sampling
from ..job import Given, Job
from .contrast import Encoder


class CVRL(Pretraining):
    """Contrast of two clips a video, each augmented on its own.

    Args:
        learner: backbone and projection head.
        batch: B, videos of a step, two clips each.
        temperature: of NT-Xent.
        sampling: how clips are cut and augmented.
    """

    def __init__(
        self,
        learner: Encoder,
        batch: int = 80,
        temperature: float = 0.1,
        sampling: Sampling = PRETRAINING,
    ):
        super().__init__()
        self.learner, self.batch, self.sampling = learner, batch, sampling
        self.temperature = temperature

    @classmethod
    def build(cls, profile: Profile, classes: int, job: Job, given: Given) -> CVRL:
        """Make the method that a job describes.

        Contrast needs many negatives, so all clips of a step go into more videos: five times
        `pretrain.batch` with four slots.  The training pool must hold that many.
        """
        o = profile.pretrain
        learner = given.encoder(Encoder(given.network(), o.dim))
        sampling = Sampling.of(o, profile, erase=PRETRAINING.erase)
        return cls(learner, o.clips_per_step // 2, o.temperature, sampling)

    def streams(self) -> dict[str, Stream]:
        """Ask for distinct training videos."""
        views = ClipPair(self.sampling.frames, self.sampling.stride)
        augment = self.sampling.augment()
        return {"videos": Stream("train", self.batch, views, augment, distinct=True)}

    def forward(self, videos: Batch) -> dict[str, Tensor]:
        """Return the `loss` and `right`, the share of clips that find their partner first.

        Both clips pass the network together: normalised apart, batch norm would tell which video
        a clip is from.
        """
        clips = videos.clips.flatten(0, 1)
        z = self.learner.head(pool(self.learner.backbone(clips)))
        first, second = gather(z.unflatten(0, (2, -1)), 1)
        loss = losses.nt_xent(first, second, self.temperature)
        return {"loss": loss, "right": retrieval(first.detach(), second.detach())}


def retrieval(first: Tensor, second: Tensor) -> Tensor:
    """Share of the 2B clips whose nearest other clip is their partner; chance is 1 / (2B − 1).

    Args:
        first, second: unit vectors `[B, D]` of the two clips of each video.
    """
    z = torch.cat([first, second])
    nearest = (z @ z.T).fill_diagonal_(-torch.inf).argmax(1)
    return (nearest == torch.arange(len(z), device=z.device).roll(len(first))).float().mean()
