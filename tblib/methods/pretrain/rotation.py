"""3DRotNet: by which quarter turn was the clip turned?

Source: Jing et al., *Self-Supervised Spatiotemporal Feature Learning via Video Rotation
Prediction*, arXiv 2018, and its official code: eq. :eq:`eq-rotation`, all four turns of every clip
in one batch, a tilt by some degrees, no change of colours.  The code tilts frames before they are
cropped, this after it.  Chance is 1/4, and nothing can be learned where the world has no "up".
Sizes of crops, rate and number of clips are those of the other pretrainings here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample

from ...data.loader import Batch, Stream
from ...engine.distributed import gather, rank, size
from ...models import pool
from ...settings.config import Profile
from ..base import Pretraining, Sampling, share_right
from ..job import Given, Job
from ..turns import TURNS, turned, turns_of

PLAIN = Sampling(crop_min=0.5, jitter=0.0, erase=0.0)


class TurnNetwork(nn.Module):
    """Backbone and one linear layer that names the turn."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.backbone = net
        self.turn = nn.Linear(net.dim, TURNS)

    def forward(self, clips: Tensor) -> Tensor:
        """Map clips `[N, 3, T, H, W]` to logits `[N, 4]`."""
        return self.turn(pool(self.backbone(clips)))


class Rotation(Pretraining):
    """Recognition of four quarter turns of one crop at one time.

    Batch norm sees the four copies of all clips as one batch.

    Args:
        learner: backbone and the layer that names turns.
        batch: B, videos of a step, one clip each, shown in four turns.
        sampling: how the clip is cut.
        tilt: largest angle, in degrees, by which a clip is tilted before; 10 in the official code,
            0 for none.  The black corners are the same in all four copies.

    Attributes:
        copies: what becomes of each clip that is asked for.
    """

    rate = 0.2  # classification needs less than contrast
    copies = TURNS

    def __init__(
        self,
        learner: TurnNetwork,
        batch: int = 40,
        sampling: Sampling = PLAIN,
        tilt: float = 10.0,
    ):
        super().__init__()
        self.learner, self.batch, self.sampling, self.tilt = learner, batch, sampling, tilt

    @classmethod
    def build(cls, profile: Profile, classes: int, job: Job, given: Given) -> Rotation:
        """Make the method that a job describes."""
        o = profile.pretrain
        learner = given.encoder(TurnNetwork(given.network()))
        sampling = Sampling.of(o, profile, jitter=0.0, erase=0.0)
        return cls(learner, o.clips_per_step // TURNS, sampling, **dict(job.options))

    def streams(self) -> dict[str, Stream]:
        """Ask for one clip of training videos; it is turned where it is trained on."""
        return {"videos": self.sampling.stream("train", self.batch)}

    def forward(self, videos: Batch) -> dict[str, Tensor]:
        """Return the `loss` and `right`, the share of turns recognised.

        Tilts come from torch's generator on the CPU, which the loop seeds anew for every step, for
        the whole batch of all processes.
        """
        clips = videos.clips[0]
        share = torch.rand(size(), len(clips))[rank()]
        upright = tilted(clips, self.tilt * (2 * share - 1).to(clips)) if self.tilt else clips
        logits = gather(self.learner(turned(upright)).unflatten(0, (TURNS, -1)), 1).flatten(0, 1)
        label = turns_of(logits)
        return {"loss": cross_entropy(logits, label), "right": share_right(logits, label)}


def tilted(clips: Tensor, degrees: Tensor) -> Tensor:
    """Turn each clip of `[B, 3, T, H, H]` about its middle by its own angle `[B]`, bilinear.

    All frames of a clip turn alike.  What comes from outside the picture is black.
    """
    cos, sin = degrees.deg2rad().cos(), degrees.deg2rad().sin()
    zero = torch.zeros_like(cos)
    turn = torch.stack([cos, -sin, zero, sin, cos, zero], 1).view(-1, 2, 3)
    frames = clips.flatten(1, 2)  # frames as channels: one grid for all of a clip
    grid = affine_grid(turn, list(frames.shape), align_corners=False)
    return grid_sample(frames, grid, align_corners=False).view_as(clips)
