"""MT+SD: a mean teacher and an image network teach together.

L = CE(labelled) + w_c · r(t) · d(q, q̄) + w_i · H(p(frame), g(clip)), eq. :eq:`eq-mt-sd`.  Source:
Jing et al., WACV 2021 (VideoSSL), who report the sum of the two; *inferred*: there is no code, the
weights are those of the parts.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softmax

from ...data.loader import Batch, Stream
from ...engine.distributed import gather
from ...models import Classifier
from ..base import WEAK, Sampling
from ..losses import squared_distance
from ..outside import Guided, soft_cross_entropy
from ..pseudo import sigmoid_ramp, together
from ..two_heads import both_heads


class MeanTeacherSD(Guided):
    """Two views of one moment, an averaged teacher that is kept, and an image network.

    With one weight 0 it is the other system alone.

    Args:
        learner, teacher, batch, sampling: see `Guided`.
        weight_consistency, weight_image: w_c as in `MeanTeacher`, w_i as in `SoftDistillation`.
        ramp: share of the training over which r(t) rises, see `MeanTeacher`.
        decay: of the average, see `MeanTeacher`.
    """

    clips_each = (2, 2)

    def __init__(
        self,
        learner: Classifier,
        teacher: nn.Module,
        batch: tuple[int, int] = (16, 16),
        sampling: Sampling = WEAK,
        weight_consistency: float = 10.0,
        weight_image: float = 1.0,
        ramp: float = 0.4,
        decay: float = 0.999,
        **options: int,
    ):
        super().__init__(learner, teacher, batch, sampling, decay, **options)
        self.weight_consistency, self.weight_image = weight_consistency, weight_image
        self.ramp, self.now = ramp, 1.0

    def streams(self) -> dict[str, Stream]:
        """Ask for one random clip of each video, augmented twice."""
        weak = self.sampling.augment()
        pools = zip(("labelled", "unlabelled"), self.batch, strict=True)
        return {pool: self.sampling.looks(pool, size, weak, weak) for pool, size in pools}

    def begin(self, step: int, steps: int) -> None:
        """Set the ramp of the step."""
        super().begin(step, steps)
        self.now = sigmoid_ramp(step, steps, self.ramp)

    def forward(self, labelled: Batch, unlabelled: Batch) -> dict[str, Tensor]:
        """Return the total loss, its parts, and how often network and average agree."""
        clips = labelled.clips[0], unlabelled.clips[0]
        logits, told = both_heads(self.learner, *clips)
        q, image = torch.cat(logits), soft_cross_entropy(torch.cat(told), self.seen(*clips))
        taught = torch.cat(together(self.average, labelled.clips[1], unlabelled.clips[1]))
        supervised = cross_entropy(logits[0], gather(labelled.label))
        consistency = squared_distance(softmax(q, dim=1), softmax(taught, dim=1))
        return {
            "loss": supervised
            + self.weight_consistency * self.now * consistency
            + self.weight_image * image,
            "supervised": supervised,
            "consistency": consistency,
            "image": image,
            "agreement": (q.argmax(1) == taught.argmax(1)).float().mean(),
        }
