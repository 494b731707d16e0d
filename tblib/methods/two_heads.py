"""One backbone with two heads, passed in one go: the classes and whatever else it has to tell."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..engine.distributed import gather
from ..models import Classifier, pool


class TwoHeads(nn.Module):
    """A classifier, and a second linear layer on the same features.

    Args:
        classifier: what is kept.
        outputs: of the second head.
    """

    def __init__(self, classifier: Classifier, outputs: int):
        super().__init__()
        self.classifier = classifier
        self.second = nn.Linear(classifier.backbone.dim, outputs)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map clips `[N, 3, T, H, W]` to logits `[N, K]` and those of the second head `[N, M]`."""
        features = pool(self.classifier.backbone(x))
        logits = self.classifier.head(self.classifier.dropout(features))
        return logits, self.second(features)


def both_heads(network: TwoHeads, *clips: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Pass several batches at once, so that batch norm sees them as one.

    Args:
        clips: each `[B, 3, T, H, W]`, with a B of its own.

    Returns:
        Logits `[B, K]` for each, then those of the second head `[B, M]`, of all processes.
    """
    sizes = [len(part) for part in clips]
    first, second = network(torch.cat(clips))
    return tuple(map(gather, first.split(sizes))), tuple(map(gather, second.split(sizes)))
