"""How long do the first convolution and batch norm take alone, in torch's form and in others?

`r3d_18` at 112 px in bfloat16, channels last, on as many clips as a step holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

import torch
from gpu_common import options, write
from gpu_throughput import clock
from torch import Tensor
from torch.nn import functional

from tblib.models.fast import folded

LAST, HALF = torch.channels_last_3d, torch.bfloat16
MAPS = ((64, 16, 56), (128, 8, 28), (512, 4, 7))  # channels, frames, pixels: stages 1, 2 and 4
STEM = ((3, 7, 7), (1, 2, 2), (1, 3, 3))  # filter, stride, padding
SQUARES = ((3, 4, 4), (1, 1, 1), (1, 0, 0))
STEMS = {
    "3 channels": (3, 112, *STEM),
    "4 channels": (4, 112, *STEM),
    "8 channels": (8, 112, *STEM),
    "16 channels": (16, 112, *STEM),
    "squares of 2×2 pixels, 12 channels": (12, 59, *SQUARES),
    "squares of 2×2 pixels, 16 channels": (16, 59, *SQUARES),
}
Timed = tuple[str, Callable[[], object]]


def passes(name: str, forward: Callable[[], Tensor], inputs: tuple[Tensor, ...]) -> Iterator[Timed]:
    """Yield a forward pass without a graph, and the gradients of `inputs`."""
    yield f"{name}, forward", torch.no_grad()(forward)
    out = forward()
    slope = torch.rand_like(out)
    gradient = torch.autograd.grad
    yield f"{name}, backward", lambda: gradient(out, inputs, slope, retain_graph=True)


def stems(clips: int, device: torch.device) -> Iterator[Timed]:
    """First convolutions; the folded one is timed with the folding."""
    for name, (channels, px, size, stride, padding) in STEMS.items():
        x = torch.rand(clips, channels, 16, px, px, device=device, dtype=HALF)
        x = x.to(memory_format=LAST)
        weight = torch.rand(64, channels, *size, device=device, dtype=HALF)
        weight = weight.to(memory_format=LAST).requires_grad_()
        rest = (None, stride, padding, (1, 1, 1), 1)

        def conv(x=x, weight=weight, rest=rest) -> Tensor:
            return functional.conv3d(x, weight, *rest)

        yield from passes(f"first convolution, {name}", conv, (weight,))
        if channels == 3:

            def fold(x=x, weight=weight, rest=rest) -> Tensor:
                return folded(x, weight, *rest)

            yield from passes("first convolution, folded from 3 channels", fold, (weight,))


def norms(clips: int, device: torch.device) -> Iterator[Timed]:
    """Batch norm of maps as they are and flattened, in training and in testing."""
    for channels, frames, px in MAPS:
        norm = torch.nn.BatchNorm3d(channels).to(device)
        shape = (clips, channels, frames, px, px)
        x = torch.rand(shape, device=device, dtype=HALF).to(memory_format=LAST).requires_grad_()
        yield f"{channels} channels: copy", x.detach().clone
        for form, given in {"five dimensions": x, "flat": x.flatten(2, 3)}.items():
            named = f"{channels} channels: batch norm, {form}"
            stored = (norm.running_mean, norm.running_var, norm.weight, norm.bias)

            def training(given=given, stored=stored) -> Tensor:
                return functional.batch_norm(given, *stored, True, 0.1, 1e-5)

            yield from passes(named, training, (given, norm.weight, norm.bias))

            def testing(given=given, stored=stored) -> Tensor:
                return functional.batch_norm(given, *stored, False, 0.1, 1e-5)

            yield f"{named}, in testing", torch.no_grad()(testing)


def main() -> None:
    """Measure and record; each row is the fastest of three rounds."""
    o = options(__doc__, clips=96)
    device, rows = torch.device(o.device), []
    for name, call in chain(stems(o.clips, device), norms(o.clips, device)):
        rows.append({"name": name, "ms": 1e3 * min(clock(call, 0.05))})
        print(rows[-1], flush=True)
    write(o.out, "layers", {"clips": o.clips, "rows": rows})


if __name__ == "__main__":
    main()
