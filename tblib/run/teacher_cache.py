"""Teachers that answer each question once: students of a study see the same clips.

Which clips a student is shown depends on the seed and the step alone, so all students that share a
seed, a share of labels and a teacher ask it the same.  Its answers are kept beside its model, under
the SHA-256 of the clips, and are bit for bit what it would say again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..engine import checkpoint
from ..files import sha256, write_json

FILE = "answers.safetensors"


class Remembered(nn.Module):
    """A frozen teacher and what it has said so far.

    Args:
        teacher: classifier in eval mode, on the CPU.
        folder: folder of its finished model; answers that an earlier student left there are used.
    """

    def __init__(self, teacher: nn.Module, folder: Path):
        super().__init__()
        self.teacher, self.path = teacher, folder / FILE
        whole = self.path.is_file() and checkpoint.fault(self.path) is None
        self.known: dict[str, Tensor] = load_file(self.path) if whole else {}
        self.news = False

    @torch.no_grad()
    def forward(self, clips: Tensor) -> Tensor:
        """Logits `[B, K]` of clips `[B, 3, T, H, W]`."""
        frames = clips.movedim(1, -1).contiguous()
        key = hashlib.sha256(frames.numpy()).hexdigest()
        if key not in self.known:
            self.known[key], self.news = self.teacher(clips), True
        return self.known[key]

    def save(self) -> None:
        """Write the answers for the next student; of two that save at once, one stays.

        Raises:
            StorageError: they cannot be written; those from before are still there.
        """
        if self.news:
            path = checkpoint.write(self.path, save_file, self.known)
            write_json(path.with_suffix(".json"), {"sha256": sha256(path)})
