"""What the invariant, the distinctive and the joint method share: views, slots, heads, losses."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from ...data.clips import SparseDense
from ...data.loader import Batch, Stream
from ...engine.distributed import gather
from ...models import ProjectionHead, pool, time_slots
from ...settings.config import Profile
from .. import losses
from ..base import PRETRAINING, Pretraining, Sampling
from ..job import Given, Job

WEIGHTS = {"ic": 1.0, "ll": 40.0, "gl": 16.0}  # the official sums over a batch of 40, as means


class Encoder(nn.Module):
    """Backbone and projection head: what pretraining leaves behind.

    Args:
        backbone: maps clips `[N, 3, T, H, W]` to `[N, backbone.dim, T', H', W']`.
        dim: D, length of an embedding.
    """

    def __init__(self, backbone: nn.Module, dim: int = 128):
        super().__init__()
        self.backbone = backbone
        self.head = ProjectionHead(backbone.dim, dim)

    def embed(self, clips: Tensor, slots: int) -> tuple[Tensor, Tensor]:
        """Embed clips `[N, 3, T, H, W]` as a whole `[N, D]` and per time slot `[N, S, D]`.

        All slots pass the head in one batch.  Were each slot normalised by itself, the chance
        deviation of its batch mean would be subtracted from all clips of that slot, mark the slot
        in both views, and solve the distinctive task without looking at time.
        """
        features = self.backbone(clips)
        parts = time_slots(features, slots)
        return self.head(pool(features)), self.head(parts.flatten(0, 1)).unflatten(
            0, parts.shape[:2]
        )


class TemporalContrast(Pretraining):
    """A weighted sum of the three contrastive losses of the paper's pretraining.

    Two forward passes, one for the global and one for the local clips; the official code makes
    ten.  Batch norm therefore shares its statistics over views and slots of the same kind of clip,
    in the backbone and in the head.

    Args:
        learner: backbone and projection head.
        batch: B, videos of a step, 2 + 2S clips each.
        slots: S, local clips and slots of the global clip.
        temperature: between videos, of `ic`.
        temperature_time: within a video, of `ll` and `gl`.
        weights: of the losses.
        sampling: of the local clips; the global one has S times their stride.

    Attributes:
        use: which losses take part: a subset of `ic`, `ll`, `gl`.
    """

    use: tuple[str, ...] = ()

    def __init__(
        self,
        learner: Encoder,
        batch: int = 16,
        slots: int = 4,
        temperature: float = 0.1,
        temperature_time: float = 0.1,
        weights: Mapping[str, float] = WEIGHTS,
        sampling: Sampling = PRETRAINING,
    ):
        super().__init__()
        self.learner, self.batch, self.slots, self.sampling = learner, batch, slots, sampling
        self.temperature, self.temperature_time = temperature, temperature_time
        self.weights = dict(weights)

    @classmethod
    def build(cls, profile: Profile, classes: int, job: Job, given: Given) -> TemporalContrast:
        """Make the method that a job describes."""
        o = profile.pretrain
        learner = given.encoder(Encoder(given.network(), o.dim))
        weights = {"ic": o.weight_ic, "ll": o.weight_ll, "gl": o.weight_gl}
        sampling = Sampling.of(o, profile, erase=PRETRAINING.erase)
        return cls(learner, o.batch, o.slots, o.temperature, o.temperature_time, weights, sampling)

    def streams(self) -> dict[str, Stream]:
        """Ask for distinct training videos, labelled or not, in sparse and dense clips."""
        views = SparseDense(self.sampling.frames, self.sampling.stride, self.slots)
        augment = self.sampling.augment()
        return {"videos": Stream("train", self.batch, views, augment, distinct=True)}

    def forward(self, videos: Batch) -> dict[str, Tensor]:
        """Return the total `loss` and each part that takes part, unweighted."""
        z, u, v = self.embeddings(videos.clips)
        terms = {
            "ic": lambda: losses.instance_contrast(z, v, self.temperature),
            "ll": lambda: losses.local_local(v, self.temperature_time),
            "gl": lambda: losses.global_local(u, v, self.temperature_time),
        }
        parts = {name: terms[name]() for name in self.use}
        return {"loss": sum(self.weights[name] * part for name, part in parts.items()), **parts}

    def embeddings(self, clips: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Embed clips `[2 + 2S, B, 3, T, H, W]` of a batch.

        Returns:
            z `[2, B, D]` of the global clips, their slots u and the local clips v, both
            `[2, B, S, D]`; in a training on several processes of all their videos.
        """
        s, b = self.slots, clips.shape[1]
        z, u = self.learner.embed(clips[:2].flatten(0, 1), s)
        local = pool(self.learner.backbone(clips[2:].flatten(0, 1)))
        v = self.learner.head(local).unflatten(0, (2, s, b)).transpose(1, 2)
        z, u = z.unflatten(0, (2, b)), u.unflatten(0, (2, b))
        return gather(z, 1), gather(u, 1), gather(v, 1)
