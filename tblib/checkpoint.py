"""Checkpoints that are whole, hashed, and free of code.

A training state is one `state_00000200.pt` (read with `weights_only=True`) plus a JSON note with
its SHA-256; the last two are kept.  A finished model is `model.safetensors` plus `model.json`.
The note is written last, so a checkpoint without a matching note does not count.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .errors import CheckpointError, DataError
from .io import atomic_write, read_json, sha256, write_json

KEEP = 2


def save_state(folder: Path, step: int, state: dict[str, Any]) -> None:
    """Write the training state after `step` steps and drop all but the last two."""
    path = atomic_write(
        folder / f"state_{step:08d}.pt", lambda temporary: torch.save(state, temporary)
    )
    write_json(path.with_suffix(".json"), {"step": step, "sha256": sha256(path)})
    for old in sorted(folder.glob("state_*.pt"))[:-KEEP]:
        old.with_suffix(".json").unlink(missing_ok=True)
        old.unlink()


def latest_state(folder: Path) -> dict[str, Any] | None:
    """Load the newest whole training state; damaged ones are named and skipped.

    Returns:
        The state, or None if there is none.
    """
    for path in sorted(folder.glob("state_*.pt"), reverse=True):
        problem = fault(path)
        if problem is None:
            return torch.load(path, weights_only=True, map_location="cpu")
        print(f"checkpoint {path} skipped: {problem}", flush=True)
    return None


def drop_states(folder: Path) -> None:
    """Delete training states, also half-written ones, once the finished model exists."""
    for path in [*folder.glob("state_*"), *folder.glob(".state_*.part.*")]:
        path.unlink()


def save_model(folder: Path, weights: dict[str, Tensor], card: dict[str, Any]) -> None:
    """Write the finished weights, then `model.json` with their SHA-256 and `card`."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    path = atomic_write(folder / "model.safetensors", lambda temporary: save_file(plain, temporary))
    write_json(folder / "model.json", {"sha256": sha256(path), **card})


def model_card(folder: Path) -> dict[str, Any] | None:
    """Return the card of a finished, undamaged model, or None if there is none yet.

    Raises:
        CheckpointError: the model is there but damaged.
    """
    path = folder / "model.safetensors"
    if not path.is_file() or not path.with_suffix(".json").is_file():
        return None
    if problem := fault(path):
        raise CheckpointError(
            f"{path} is damaged ({problem}); delete {folder} and run its chapter again."
        )
    return read_json(folder / "model.json")


def load_weights(folder: Path) -> dict[str, Tensor]:
    """Load the weights of a finished model.

    Raises:
        CheckpointError: the model is missing or damaged.
    """
    if model_card(folder) is None:
        raise CheckpointError(f"{folder} holds no finished model.")
    return load_file(folder / "model.safetensors")


def load_into(module: nn.Module, folder: Path, part: str = "") -> None:
    """Load a finished model, or one `part` of it such as `backbone`, into `module`.

    Raises:
        CheckpointError: names or shapes do not fit; the first five are listed.
    """
    prefix = f"{part}." if part else ""
    weights = {k[len(prefix) :]: v for k, v in load_weights(folder).items() if k.startswith(prefix)}
    own = module.state_dict()
    wrong = sorted(set(own) ^ set(weights))
    wrong += sorted(k for k in set(own) & set(weights) if own[k].shape != weights[k].shape)
    if wrong:
        raise CheckpointError(
            f"{folder} does not fit this model; first differences: {', '.join(wrong[:5])}."
        )
    module.load_state_dict(weights)


def fault(path: Path) -> str | None:
    """Say why a file does not match its note, or None."""
    try:
        noted = read_json(path.with_suffix(".json"))["sha256"]
    except (DataError, KeyError, TypeError):
        return "its note is missing or unreadable"
    return None if sha256(path) == noted else "its SHA-256 differs from the note"
