"""What the invariant, the distinctive and the joint method share: views, slots, heads, losses."""

from __future__ import annotations

from torch import Tensor, nn

from ...data.augment import Augment
from ...data.clips import SparseDense
from ...data.loader import Batch, Stream
from ...engine.distributed import gather
from ...models import ProjectionHead, pool, starting_backbone, time_slots
from ...settings.config import Profile
from .. import losses


class Encoder(nn.Module):
    """Backbone and projection head: what pretraining leaves behind."""

    def __init__(self, profile: Profile):
        super().__init__()
        self.backbone = starting_backbone(profile.model)
        self.head = ProjectionHead(self.backbone.dim, profile.pretrain.dim)

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


class TemporalContrast(nn.Module):
    """A weighted sum of the three contrastive losses of section A3.

    Two forward passes, one for the global and one for the local clips; the official code makes
    ten.  Batch norm therefore shares its statistics over views and slots of the same kind of clip,
    in the backbone and in the head.

    Attributes:
        use: which losses take part: a subset of `ic`, `ll`, `gl`.
    """

    use: tuple[str, ...] = ()

    def __init__(self, profile: Profile):
        super().__init__()
        self.options = profile.pretrain
        self.learner = Encoder(profile)
        self.px = profile.data.crop_px

    def streams(self) -> dict[str, Stream]:
        """Ask for distinct training videos, labelled or not, in sparse and dense clips."""
        o = self.options
        views = SparseDense(o.clip.frames, o.clip.stride, o.slots)
        augment = Augment(self.px, o.crop_min, o.jitter, erase=0.5)
        return {"videos": Stream("train", o.batch, views, augment, distinct=True)}

    def forward(self, videos: Batch) -> dict[str, Tensor]:
        """Return the total `loss` and each part that takes part, unweighted."""
        z, u, v = self.embeddings(videos.clips)
        o = self.options
        terms = {
            "ic": lambda: losses.instance_contrast(z, v, o.temperature),
            "ll": lambda: losses.local_local(v, o.temperature_time),
            "gl": lambda: losses.global_local(u, v, o.temperature_time),
        }
        weights = {"ic": o.weight_ic, "ll": o.weight_ll, "gl": o.weight_gl}
        parts = {name: terms[name]() for name in self.use}
        return {"loss": sum(weights[name] * part for name, part in parts.items()), **parts}

    def embeddings(self, clips: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Embed clips `[2 + 2S, B, 3, T, H, W]` of a batch.

        Returns:
            z `[2, B, D]` of the global clips, their slots u and the local clips v, both
            `[2, B, S, D]`; in a training on several processes of all their videos.
        """
        s, b = self.options.slots, clips.shape[1]
        z, u = self.learner.embed(clips[:2].flatten(0, 1), s)
        local = pool(self.learner.backbone(clips[2:].flatten(0, 1)))
        v = self.learner.head(local).unflatten(0, (2, s, b)).transpose(1, 2)
        z, u = z.unflatten(0, (2, b)), u.unflatten(0, (2, b))
        return gather(z, 1), gather(u, 1), gather(v, 1)
