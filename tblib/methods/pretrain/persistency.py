"""What ρMoCo and ρBYOL share: clips of a video at ρ times, and a target that follows slowly.

Source: Feichtenhofer et al., *A Large-Scale Study on Unsupervised Spatiotemporal Representation
Learning*, CVPR 2021, and its official code, in the symmetric form: every clip asks, and every other
clip of its video answers.  Projection head, colour changes and the grey box are those of the
package's other contrastive methods; heads there are wider and have a layer more.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ...data.clips import DifferentTimes
from ...data.loader import Batch, Stream
from ...engine.distributed import gather
from ...models import pool
from ...settings.config import Profile
from ..base import PRETRAINING, Pretraining, Sampling
from ..ema import cosine_decay
from ..job import Given, Job
from .contrast import Encoder


class Persistency(Pretraining):
    """Two encoders of one form: one learns, the other is an average of its past.

    The target normalises by its batch, as in the official code, of all processes and all ρ clips
    of a step; both encoders see the same clips, so the batch tells nothing about who is whose.

    Args:
        learner: backbone and projection head; the target begins as its copy.
        batch: B, videos of a step, ρ clips each.
        rho: ρ, clips of a video, at different times where it is long enough.
        decay: of the target at the first step, see `ema.cosine_decay`; ours: 0.994 and 0.996 in
            the official code are for long trainings.
        sampling: how clips are cut and augmented.
        parts: what is trained beside the encoder, by name.
    """

    def __init__(
        self,
        learner: Encoder,
        batch: int = 80,
        rho: int = 2,
        decay: float = 0.99,
        sampling: Sampling = PRETRAINING,
        parts: dict[str, nn.Module] | None = None,
    ):
        super().__init__()
        target = copy.deepcopy(learner).requires_grad_(False)
        self.learner = nn.ModuleDict({"online": learner, "target": target, **(parts or {})})
        self.batch, self.rho, self.decay, self.sampling = batch, rho, decay, sampling
        self.now = decay

    @classmethod
    def build(cls, profile: Profile, classes: int, job: Job, given: Given) -> Persistency:
        """Make the method that a job describes; all clips of a step go into more videos."""
        o, options = profile.pretrain, dict(job.options)
        learner = given.encoder(Encoder(given.network(), o.dim))
        batch = o.clips_per_step // options.get("rho", 2)
        sampling = Sampling.of(o, profile, erase=PRETRAINING.erase)
        return cls(learner, **{"batch": batch, "sampling": sampling} | cls.own(profile) | options)

    @staticmethod
    def own(profile: Profile) -> dict[str, float]:
        """Return what else a method reads from the profile: arguments by name."""
        return {}

    def streams(self) -> dict[str, Stream]:
        """Ask for distinct training videos, each at ρ different times."""
        views = DifferentTimes(self.sampling.frames, self.sampling.stride, self.rho)
        augment = self.sampling.augment()
        return {"videos": Stream("train", self.batch, views, augment, distinct=True)}

    def begin(self, step: int, steps: int) -> None:
        """Set the decay of the step."""
        self.now = cosine_decay(step, steps, self.decay)

    @torch.no_grad()
    def after(self, step: int) -> None:
        """Let the target follow."""
        pair = self.learner["target"], self.learner["online"]
        for mine, new in zip(*(net.parameters() for net in pair), strict=True):
            mine.lerp_(new, 1 - self.now)

    @property
    def kept(self) -> nn.Module:
        """Backbone and projection head of the encoder that learned."""
        return self.learner["online"]

    def embeddings(self, videos: Batch) -> tuple[Tensor, Tensor]:
        """Embed this process's clips `[ρ, B, 3, T, H, W]` by both encoders, `[ρB, D]` each."""
        clips = videos.clips.flatten(0, 1)
        with torch.no_grad():
            target = self._embedded("target", clips)
        return self._embedded("online", clips), target

    def _embedded(self, name: str, clips: Tensor) -> Tensor:
        net = self.learner[name]
        return net.head(pool(net.backbone(clips)))

    def whole(self, part: Tensor) -> Tensor:
        """Put `[ρB, D]` of all processes together: `[ρ, B, D]`."""
        return gather(part.unflatten(0, (self.rho, -1)), 1)


def others(q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """Pair every clip with every other clip of its video.

    Args:
        q: `[ρ, B, D]`, the clips that ask.
        k: `[ρ, B, D]`, the clips that answer.

    Returns:
        q and k of all ordered pairs of different clips, `[ρ (ρ − 1), B, D]` each.
    """
    pairs = torch.cartesian_prod(*[torch.arange(len(q), device=q.device)] * 2)
    first, second = pairs[pairs[:, 0] != pairs[:, 1]].T
    return q[first], k[second]


def spread(z: Tensor) -> Tensor:
    """Standard deviation of unit vectors `[..., D]` over clips, mean over dimensions.

    About 1/√D where they point everywhere, 0 where all of them are one: a collapse.
    """
    return z.detach().flatten(0, -2).std(0, correction=0).mean()
