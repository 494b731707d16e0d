"""Mean teacher: a network agrees with the average of its own past on another look at the clip.

L = CE(labelled) + w · r(t) · d(q, q̄) over all clips, q̄ the average's answer to another view, eq.
:eq:`eq-mean-teacher`.  Source: Tarvainen and Valpola, NeurIPS 2017, and their code.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softmax

from ...data.loader import Batch, Stream
from ...engine.distributed import gather
from ...models import Classifier
from ..base import WEAK, Sampling, SemiSupervised
from ..losses import squared_distance
from ..pseudo import sigmoid_ramp, together


class MeanTeacher(SemiSupervised):
    """Two weak views of one moment, an averaged teacher that is kept, a ramp.

    Batch norm of the student sees labelled and unlabelled clips as one batch; the teacher uses the
    averaged statistics, see `ema.Average`.

    Args:
        learner, batch, sampling: see `SemiSupervised`.
        weight: w; 100 times a mean over ten classes in the official code, so 10 times a sum.
        ramp: share of the training over which r(t) rises; 0.4 in google-research/fixmatch.
        decay: of the teacher; 0.999 in the official code.
        dropout: share of the features that the student misses; 0.5 in the official code, ours 0:
            `supervised`, to which this is compared, has none.
    """

    clips_each = (2, 2)

    def __init__(
        self,
        learner: Classifier,
        batch: tuple[int, int] = (16, 16),
        sampling: Sampling = WEAK,
        weight: float = 10.0,
        ramp: float = 0.4,
        decay: float = 0.999,
        dropout: float = 0.0,
    ):
        super().__init__(learner, batch, sampling, decay)
        self.weight, self.ramp, self.now = weight, ramp, 1.0
        self.learner.dropout.p = dropout

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
        """Return the total loss, its parts, and how often the two networks agree."""
        q_l, q_u = together(self.learner, labelled.clips[0], unlabelled.clips[0])
        taught = torch.cat(together(self.average, labelled.clips[1], unlabelled.clips[1]))
        q = torch.cat([q_l, q_u])
        supervised = cross_entropy(q_l, gather(labelled.label))
        consistency = squared_distance(softmax(q, dim=1), softmax(taught, dim=1))
        return {
            "loss": supervised + self.weight * self.now * consistency,
            "supervised": supervised,
            "consistency": consistency,
            "agreement": (q.argmax(1) == taught.argmax(1)).float().mean(),
        }
