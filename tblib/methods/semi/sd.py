"""SD: the network also learns what an image network says of a frame of each clip.

L = CE(labelled) + w · H(p(frame), g(clip)) over all clips, eq. :eq:`eq-sd`.  Source: Girdhar et
al., ICCV 2019 (DistInit).  *Inferred*: that it is the SD of the paper's table, which VideoSSL
trained jointly with the labels; weight 1 as in the distillation of ActorCutMix's code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ...data.loader import Batch
from ...engine.distributed import gather
from ...models import Classifier
from ..base import WEAK, Sampling
from ..outside import Guided, soft_cross_entropy
from ..two_heads import both_heads


class SoftDistillation(Guided):
    """Classes of labelled clips, and ImageNet's of every clip by a head of its own.

    Batch norm sees labelled and unlabelled clips as one batch.

    Args:
        learner, teacher, batch, sampling: see `Guided`.
        weight: w; 1 in the code of ActorCutMix.
    """

    def __init__(
        self,
        learner: Classifier,
        teacher: nn.Module,
        batch: tuple[int, int] = (16, 16),
        sampling: Sampling = WEAK,
        weight: float = 1.0,
        **options: int,
    ):
        super().__init__(learner, teacher, batch, sampling, **options)
        self.weight = weight

    def forward(self, labelled: Batch, unlabelled: Batch) -> dict[str, Tensor]:
        """Return the total loss and its parts."""
        clips = labelled.clips[0], unlabelled.clips[0]
        (q_l, _), told = both_heads(self.learner, *clips)
        supervised = cross_entropy(q_l, gather(labelled.label))
        image = soft_cross_entropy(torch.cat(told), self.seen(*clips))
        return {
            "loss": supervised + self.weight * image,
            "supervised": supervised,
            "image": image,
        }
