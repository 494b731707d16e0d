"""Clip order: three clips of a video are shuffled; which of the six orders is it?

Source: Xu et al., *Self-supervised Spatiotemporal Learning via Video Clip Order Prediction* (VCOP),
CVPR 2019, and its official code.  Chance is 1/6.  Where an action looks the same backwards, an
order and its reverse cannot be told apart, and the best possible accuracy is 50 %.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ...data.augment import centre_crop
from ...data.cache import FrameCache
from ...data.clips import ClipTuple
from ...data.loader import Batch, Stream, to_input
from ...engine.distributed import gather
from ...models import pool
from ...randomness import seeded
from ...settings.config import Profile
from ..base import WITHOUT_BOX, Pretraining, Sampling, share_right
from ..job import Given, Job

ORDERS = torch.tensor(list(permutations(range(3))))  # [6, 3]: which clip is shown 1st, 2nd, 3rd
PAIRS = ((0, 1), (0, 2), (1, 2))


class OrderNetwork(nn.Module):
    """Backbone for single clips and a head that compares every two of three clips."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.backbone = net
        self.pair = nn.Sequential(nn.Linear(2 * net.dim, 512), nn.ReLU(inplace=True))
        self.order = nn.Sequential(nn.Dropout(0.5), nn.Linear(512 * len(PAIRS), len(ORDERS)))

    def features(self, views: Tensor) -> Tensor:
        """Encode the three clips of long views `[B, 3, 3T, H, W]` apart: `[B, 3, D]`."""
        clips = views.unflatten(2, (3, -1)).movedim(2, 1)
        return pool(self.backbone(clips.flatten(0, 1))).unflatten(0, (-1, 3))

    def forward(self, features: Tensor) -> Tensor:
        """Map features `[B, 3, D]` of clips, in the order shown, to logits `[B, 6]`."""
        pairs = [self.pair(features[:, pair].flatten(1)) for pair in PAIRS]
        return self.order(torch.cat(pairs, dim=1))


class ClipOrder(Pretraining):
    """Prediction of the order of three clips that share crop and colours.

    Args:
        learner: backbone and the head that compares clips.
        batch: B, videos of a step, three clips each.
        sampling: of a clip; the three are augmented as one.
    """

    rate = 0.2  # classification needs less than contrast

    def __init__(
        self,
        learner: OrderNetwork,
        batch: int = 53,
        sampling: Sampling = WITHOUT_BOX,
    ):
        super().__init__()
        self.learner, self.batch, self.sampling = learner, batch, sampling
        self.views = ClipTuple(sampling.frames, sampling.stride)

    @classmethod
    def build(cls, profile: Profile, classes: int, job: Job, given: Given) -> ClipOrder:
        """Make the method that a job describes."""
        o = profile.pretrain
        learner = given.encoder(OrderNetwork(given.network()))
        return cls(learner, o.clips_per_step // 3, Sampling.of(o, profile, erase=0.0))

    def streams(self) -> dict[str, Stream]:
        """Ask for training videos in long views of three clips, augmented as one."""
        return {"videos": Stream("train", self.batch, self.views, self.sampling.augment())}

    def forward(self, videos: Batch) -> dict[str, Tensor]:
        """Return the `loss` and `right`, the share of orders recognised.

        Features are shuffled instead of clips: every clip is encoded alone, so it is the same.
        Orders come from torch's generator on the CPU, which the loop seeds anew for every step.
        """
        features = gather(self.learner.features(videos.clips[0]))
        order = torch.randint(len(ORDERS), features.shape[:1]).to(features.device)
        logits = self.learner(shuffled(features, order))
        return {"loss": cross_entropy(logits, order), "right": share_right(logits, order)}


def shuffled(features: Tensor, order: Tensor) -> Tensor:
    """Put the clips of `[B, 3, D]`, given in the order of time, in the orders `[B]`."""
    clips = ORDERS.to(features.device)[order]
    return features.gather(1, clips[..., None].expand_as(features))


@torch.no_grad()
def order_accuracy(
    method: ClipOrder, cache: FrameCache, rows: np.ndarray, device: torch.device, seed: int = 0
) -> float:
    """Share of right orders on videos that were not trained on, in percent.

    Every video is shown in one centre-cropped tuple, fixed by (seed, row), in all six orders.
    The method is left in eval mode.
    """
    method.to(device).eval()
    order = torch.arange(len(ORDERS), device=device)
    right = []
    for row in rows:
        video, rng = cache[row], seeded("clips in order", seed, int(row))
        view = centre_crop(video[method.views.indices(len(video), rng)[0]], method.sampling.px)
        features = method.learner.features(to_input(torch.from_numpy(view)[None].to(device)))
        logits = method.learner(shuffled(features.expand(len(order), -1, -1), order))
        right.append((logits.argmax(1) == order).float().mean())
    return 100 * torch.stack(right).mean().item()
