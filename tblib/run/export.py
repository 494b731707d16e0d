"""A finished classifier for programs that do not know this package."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from ..data.loader import to_input
from ..engine import checkpoint
from ..errors import ConfigError, did_you_mean
from ..files import resolved
from ..models import Classifier

EXAMPLE = 2  # clips to trace with; any number goes in later


class Portable(nn.Module):
    """From frames as they are shown to probabilities, so that nothing has to be known outside."""

    def __init__(self, model: Classifier):
        super().__init__()
        self.model = model

    def forward(self, frames: Tensor) -> Tensor:
        """Map centre-cropped clips, uint8 `[N, T, px, px, 3]` in RGB, to probabilities `[N, K]`."""
        return self.model(to_input(frames)).softmax(dim=1)


def export(model: Classifier, to: str, file: str | Path) -> Path:
    """Write a classifier of `tblib.load` for use elsewhere; it computes in float32 there.

    Args:
        to: `state_dict`, a dictionary of `state_dict` and `card` that `torch.load` reads without
            running code; or `torch_export`, a program that needs torch alone, with the card in its
            extra file `card.json`.

    Raises:
        ConfigError: the form is unknown.
        StorageError: the file cannot be written.
    """
    if to not in FORMS:
        raise ConfigError(f"--to {to!r}; {did_you_mean(to, FORMS)}.")
    return checkpoint.write(resolved(file), FORMS[to], model)


def _state_dict(model: Classifier, file: Path) -> None:
    torch.save({"state_dict": model.state_dict(), "card": model.card}, file)


def _torch_export(model: Classifier, file: Path) -> None:
    card, trained_in = model.card, model.backbone.precision
    clip, px = card["clip"], card["crop_px"]
    example = torch.zeros(EXAMPLE, clip["frames"], px, px, 3, dtype=torch.uint8)
    model.backbone.precision = "fp32"
    try:
        sizes = {"frames": {0: torch.export.Dim("clips", min=1)}}
        program = torch.export.export(Portable(model).eval(), (example,), dynamic_shapes=sizes)
    finally:
        model.backbone.precision = trained_in
    with file.open("wb") as stream:  # the temporary file has no name that torch likes
        torch.export.save(program, stream, extra_files={"card.json": json.dumps(card)})


FORMS: dict[str, Callable[[Classifier, Path], None]] = {
    "state_dict": _state_dict,
    "torch_export": _torch_export,
}
