"""S4L-Rotation: classes and the angle by which a clip was turned, told by one backbone.

L = CE over the four turned copies of labelled clips + w · mean of the angles' cross-entropies on
labelled and unlabelled clips, eq. :eq:`eq-s4l`.  Source: Zhai et al., ICCV 2019, and their code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ...data.loader import Batch
from ...engine.distributed import gather
from ...models import Classifier, pool
from ..base import WEAK, Sampling, SemiSupervised, share_right
from ..turns import TURNS, turned, turns_of


class S4L(SemiSupervised):
    """A head for classes and one for four angles; a step passes four copies of every clip.

    Batch norm sees all copies of labelled and unlabelled clips as one batch.  Testing is unturned.
    Labels of angles need an "up", which both kinds of videos here have.

    Args:
        learner: the classifier; the head of angles is added.
        batch, sampling: see `SemiSupervised`.
        weight: w; 1 in the code.
        turned_classes: whether turned copies of labelled clips are classified too, as in the code.
    """

    def __init__(
        self,
        learner: Classifier,
        batch: tuple[int, int] = (16, 16),
        sampling: Sampling = WEAK,
        weight: float = 1.0,
        turned_classes: bool = True,
    ):
        angle = nn.Linear(learner.backbone.dim, TURNS)
        super().__init__(nn.ModuleDict({"classifier": learner, "angle": angle}), batch, sampling)
        self.weight, self.turned_classes = weight, turned_classes

    @property
    def classifier(self) -> nn.Module:
        """Backbone and head of classes."""
        return self.learner["classifier"]

    def forward(self, labelled: Batch, unlabelled: Batch) -> dict[str, Tensor]:
        """Return the total loss, its parts, and the share of angles told right."""
        net, size = self.classifier, len(labelled.label)
        copies = [turned(batch.clips[0]) for batch in (labelled, unlabelled)]
        h_l, h_u = pool(net.backbone(torch.cat(copies))).split([len(part) for part in copies])
        h_c, label = h_l, labelled.label.repeat(TURNS)
        if not self.turned_classes:
            h_c, label = h_l[:size], labelled.label
        supervised = cross_entropy(gather(net.head(net.dropout(h_c))), gather(label))
        told = [gather(self.learner["angle"](h)) for h in (h_l, h_u)]
        angles = [gather(turns_of(h)) for h in (h_l, h_u)]
        rotation = sum(map(cross_entropy, told, angles)) / 2
        return {
            "loss": supervised + self.weight * rotation,
            "supervised": supervised,
            "rotation": rotation,
            "angles_right": share_right(torch.cat(told), torch.cat(angles)),
        }
