"""MemDPC: the next blocks of a video are predicted as mixtures of what a memory holds.

Source: Han, Xie, Zisserman, *Memory-Augmented Dense Predictive Coding for Video Representation
Learning*, ECCV 2020, and its official code: eqs. :eq:`eq-memory` and :eq:`eq-dense`, both
directions of time, colours changed frame by frame, else they would give a block away.

For a laptop there are 256 slots of memory instead of 1,024, and eight blocks of half a clip, as
long together as the window of the other pretrainings, instead of 120 frames.  Targets are feature
maps after the backbone's last ReLU; the official network has none there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softmax

from ...data.clips import LongClip
from ...data.loader import Batch, Stream
from ...engine.distributed import gather
from ...settings.config import Profile
from ..base import Pretraining, Sampling
from ..job import Given, Job
from .recurrent import Aggregator, block_maps

FLICKERING = Sampling(crop_min=0.5, jitter=0.0, erase=0.0)  # colours change by frame instead


class MemoryNetwork(nn.Module):
    """Backbone for blocks, an aggregator, and a memory that predictions are made of.

    Args:
        net: maps clips to feature maps of D channels.
        slots: M, vectors in the memory.
    """

    def __init__(self, net: nn.Module, slots: int = 256):
        super().__init__()
        self.backbone = net
        self.aggregator = Aggregator(net.dim)
        self.memory = nn.Parameter(torch.randn(slots, net.dim))
        self.address = nn.Sequential(
            nn.Conv2d(net.dim, net.dim, 1), nn.ReLU(inplace=True), nn.Conv2d(net.dim, slots, 1)
        )
        for layer in (self.address[0], self.address[2]):
            nn.init.orthogonal_(layer.weight, 0.1)
            nn.init.zeros_(layer.bias)

    def recall(self, hidden: Tensor) -> Tensor:
        """Mix the memory by what `[B, D, h, w]` asks for, eq. :eq:`eq-memory`: `[B, D, h, w]`."""
        return torch.einsum("bmhw,md->bdhw", softmax(self.address(hidden), dim=1), self.memory)

    def predict(self, maps: Tensor, steps: int, direction: str) -> Tensor:
        """Go on for `steps` blocks, each predicted from the prediction before.

        Args:
            maps: of the blocks that are seen, in the direction of time, `[B, N, D, h, w]`.
            direction: `ahead` or `back`, which has weights of its own.

        Returns:
            `[B, steps, D, h, w]`.
        """
        cell = self.aggregator[direction]
        hidden = self.aggregator.read(maps, direction)
        found = [self.recall(hidden)]
        while len(found) < steps:
            hidden = cell(found[-1].relu(), hidden)
            found.append(self.recall(hidden))
        return torch.stack(found, 1)


class MemDPC(Pretraining):
    """Prediction of the last blocks from the first, and of the first from the last.

    Every predicted place must find its own true features among those of all places, blocks and
    videos of the batch.

    Args:
        learner: backbone, aggregator and memory.
        batch: B, videos of a step.
        blocks: N, blocks of a video.
        predicted: how many of them are predicted.
        sampling: `frames` are those of a block.
        both: whether time is followed in both directions.
        elsewhere: whether other places and blocks of the same video are among the wrong answers;
            without them the task is far too easy.
        flicker: whether each frame has colours of its own.
    """

    rate = 0.2  # of 5e-3: the 1e-3 of the official code

    def __init__(
        self,
        learner: MemoryNetwork,
        batch: int = 40,
        blocks: int = 8,
        predicted: int = 3,
        sampling: Sampling = FLICKERING,
        both: bool = True,
        elsewhere: bool = True,
        flicker: bool = True,
    ):
        super().__init__()
        self.learner, self.batch, self.blocks, self.predicted = learner, batch, blocks, predicted
        self.sampling, self.elsewhere, self.flicker = sampling, elsewhere, flicker
        self.directions = ("ahead", "back") if both else ("ahead",)

    @classmethod
    def build(cls, profile: Profile, classes: int, job: Job, given: Given) -> MemDPC:
        """Make the method that a job describes; eight blocks have the frames of four clips."""
        o, options = profile.pretrain, dict(job.options)
        learner = given.encoder(MemoryNetwork(given.network(), options.pop("slots", 256)))
        frames = max(o.clip.frames // 2, 1)
        sampling = Sampling(frames, o.clip.stride, profile.data.crop_px, o.crop_min, 0.0, 0.0)
        batch = o.clips_per_step * o.clip.frames // (options.get("blocks", 8) * frames)
        return cls(learner, **{"batch": batch, "sampling": sampling} | options)

    def streams(self) -> dict[str, Stream]:
        """Ask for distinct training videos in one long view of all blocks."""
        views = LongClip(self.blocks * self.sampling.frames, self.sampling.stride)
        augment = self.sampling.augment(flicker=self.flicker)
        return {"videos": Stream("train", self.batch, views, augment, distinct=True)}

    def forward(self, videos: Batch) -> dict[str, Tensor]:
        """Return the `loss`, its part of each direction, and the share of places found, `right`."""
        maps = gather(block_maps(self.learner.backbone, videos.clips[0], self.blocks))
        seen, parts, right = self.blocks - self.predicted, {}, []
        for direction in self.directions:
            ordered = maps if direction == "ahead" else maps.flip(1)
            found = self.learner.predict(ordered[:, :seen], self.predicted, direction)
            logits = dense_logits(found, ordered[:, seen:], self.elsewhere)
            place = torch.arange(len(logits), device=logits.device)
            parts[direction] = cross_entropy(logits, place)
            right.append((logits.argmax(1) == place).float().mean())
        return {"loss": sum(parts.values()), **parts, "right": torch.stack(right).mean()}


def dense_logits(predicted: Tensor, true: Tensor, elsewhere: bool = True) -> Tensor:
    """Compare every predicted place with all true ones, logits of eq. :eq:`eq-dense`.

    Args:
        predicted, true: `[B, P, D, h, w]`, P blocks.
        elsewhere: whether other places of the same video are compared with.

    Returns:
        Dot products `[BPhw, BPhw]`; place i should find place i.
    """
    p, t = (x.movedim(2, -1).flatten(0, -2) for x in (predicted, true))
    logits = p @ t.T
    if not elsewhere:
        video = torch.arange(len(logits), device=p.device) // (len(logits) // len(predicted))
        own = torch.eye(len(logits), dtype=torch.bool, device=p.device)
        logits = logits.masked_fill((video[:, None] == video) & ~own, -torch.inf)
    return logits
