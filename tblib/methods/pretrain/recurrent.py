"""What reads the blocks of a video one after the other, for MemDPC and its classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def block_maps(net: nn.Module, views: Tensor, blocks: int) -> Tensor:
    """Encode the blocks of long views `[B, 3, N·F, H, W]` apart, and average each over time.

    Returns:
        Feature maps `[B, N, D, h, w]`.
    """
    cut = views.unflatten(2, (blocks, -1)).movedim(2, 1)
    return net(cut.flatten(0, 1)).mean(2).unflatten(0, (-1, blocks))


class ConvGRU(nn.Module):
    """A gated recurrent unit at every place of a map; its filters see that place alone.

    Source: official code of Han et al., ECCV 2020: filters of 1, orthogonal at 0.1, a tenth of the
    state is dropped in every step of training.
    """

    def __init__(self, dim: int, dropout: float = 0.1):
        super().__init__()
        self.reset, self.update, self.out = (nn.Conv2d(2 * dim, dim, 1) for _ in range(3))
        self.dropout = nn.Dropout(dropout)
        for gate in (self.reset, self.update, self.out):
            nn.init.orthogonal_(gate.weight, 0.1)
            nn.init.zeros_(gate.bias)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        """Return the state after input `[B, D, h, w]` in state `[B, D, h, w]`."""
        both = torch.cat([x, hidden], 1)
        update, reset = self.update(both).sigmoid(), self.reset(both).sigmoid()
        new = self.out(torch.cat([x, hidden * reset], 1)).tanh()
        return self.dropout(hidden * (1 - update) + new * update)


class Aggregator(nn.ModuleDict):
    """Two units: `ahead` reads blocks in the order of time, `back` against it."""

    def __init__(self, dim: int):
        super().__init__({"ahead": ConvGRU(dim), "back": ConvGRU(dim)})

    def read(self, maps: Tensor, direction: str) -> Tensor:
        """Return the state `[B, D, h, w]` after maps `[B, N, D, h, w]`, in the order given."""
        hidden = torch.zeros_like(maps[:, 0])
        for x in maps.unbind(1):
            hidden = self[direction](x.relu(), hidden)
        return hidden

    def forward(self, maps: Tensor) -> Tensor:
        """Read maps `[B, N, D, h, w]` of blocks both ways and average: `[B, 2D]`."""
        states = self.read(maps, "ahead"), self.read(maps.flip(1), "back")
        return torch.cat(states, 1).mean(dim=(2, 3))


class Blockwise(nn.Module):
    """Backbone and aggregator as one network of long clips: what finetuning of MemDPC trains.

    It takes the place of a backbone in `Classifier`, with dropout 0.9 in the official code.

    Args:
        net: the pretrained backbone.
        aggregator: the pretrained aggregator.
        blocks: N, blocks of a clip, whose frames can be divided among them.
    """

    def __init__(self, net: nn.Module, aggregator: Aggregator, blocks: int = 8):
        super().__init__()
        self.net, self.aggregator, self.blocks = net, aggregator, blocks
        self.dim = 2 * net.dim
        self.norm = nn.BatchNorm1d(self.dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[B, 3, N·F, H, W]` to `[B, 2D, 1, 1, 1]`."""
        context = self.aggregator(block_maps(self.net, x, self.blocks))
        return self.norm(context)[..., None, None, None]
