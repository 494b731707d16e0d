"""Checkpoints that are whole, hashed, and free of code.

A training state is one `state_00000200.pt` (read with `weights_only=True`) plus a JSON note with
its SHA-256; the last two are kept.  A finished model is `model.safetensors` plus `model.json`.
The note is written last, so a checkpoint without a matching note does not count.  What a model is
made for stands inside its weights' file as well, so that the file alone can be used elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..errors import CheckpointError, DataError
from ..files import atomic_write, read_json, sha256, write_json
from . import workers

KEEP = 2
ABOUT = "tblib"  # one entry: the order of several in a file is not the same every time


def save_state(folder: Path, step: int, state: dict[str, Any]) -> None:
    """Write the training state after `step` steps and drop all but the last two."""
    path = write(folder / f"state_{step:08d}.pt", torch.save, state)
    write_json(path.with_suffix(".json"), {"step": step, "sha256": sha256(path)})
    for old in sorted(folder.glob("state_*.pt"))[:-KEEP]:
        old.with_suffix(".json").unlink(missing_ok=True)
        old.unlink()


def latest_state(folder: Path) -> dict[str, Any] | None:
    """Load the newest whole training state; damaged ones are named and skipped.

    Returns:
        The state, or None if there is none.

    Raises:
        CheckpointError: a state fits its note but holds more than numbers: a foreign file.
    """
    for path in sorted(folder.glob("state_*.pt"), reverse=True):
        problem = fault(path)
        if problem is None:
            return _read(path, partial(torch.load, weights_only=True, map_location="cpu"))
        print(f"checkpoint {path} skipped: {problem}", flush=True)
    return None


def drop_states(folder: Path) -> None:
    """Delete training states, also half-written ones, once the finished model exists."""
    for path in [*folder.glob("state_*"), *folder.glob(".state_*.part.*")]:
        path.unlink(missing_ok=True)


def save_model(
    folder: Path, weights: dict[str, Tensor], card: dict[str, Any], about: dict | None = None
) -> None:
    """Write the finished weights, then `model.json` with their SHA-256 and `card`.

    Args:
        about: what the model is made for; goes into the weights' file and counts in its SHA-256,
            so it must come out the same from the same training: no times, no paths.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    inside = {ABOUT: json.dumps(about, sort_keys=True)} if about else None
    path = write(folder / "model.safetensors", partial(save_file, metadata=inside), plain)
    told = {"about": about} if about else {}
    write_json(folder / "model.json", {"sha256": sha256(path), **card, **told})


def about(path: Path) -> dict[str, Any]:
    """Return what is written inside a file of weights; empty for those of earlier code.

    Raises:
        CheckpointError: it is not a file of weights, or what it says cannot be read.
    """

    def inside(path: Path) -> dict[str, Any]:
        with safe_open(path, "pt") as file:
            return json.loads((file.metadata() or {}).get(ABOUT, "{}"))

    return _read(path, inside, "Name the model.safetensors of a finished model")


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
        raise CheckpointError(f"{folder} holds no finished model; run its chapter.")
    return _read(folder / "model.safetensors", load_file)


def write(path: Path, save: Callable[[Any, Path], None], value: Any) -> Path:
    """Write a file atomically; torch and safetensors report a full disk in ways of their own.

    Args:
        save: `torch.save` or `save_file`, called with `value` and a temporary path.

    Raises:
        StorageError: the file cannot be written; what was at `path` is still there.
    """

    def writer(temporary: Path) -> None:
        temporary.touch()  # says in plain words if the folder may not be written
        try:
            save(value, temporary)
        except (RuntimeError, SafetensorError) as error:
            if workers.loader_killed(error):  # it was not about this file
                raise
            raise OSError(f"it could not be written completely: {type(error).__name__}") from None

    return atomic_write(path, writer)


def _read(path: Path, load: Callable[[Path], Any], advice: str = "") -> dict[str, Any]:
    """Load a file that fits its note, but may still be another program's."""
    try:
        value = load(path)
        if isinstance(value, dict):
            return value
        said = f"it holds a {type(value).__name__}"
    except Exception as error:  # a foreign file can make a reader stumble in any way
        said = type(error).__name__  # torch's own message tells how to load it nevertheless
    advice = advice or f"Delete {path.parent} and run its chapter again"
    raise CheckpointError(
        f"{path} is not a file that this program wrote ({said}); nothing in it was run. {advice}."
    )


def load_file_into(module: nn.Module, path: Path) -> None:
    """Load a file of weights that came without its note, such as one that was copied.

    Raises:
        CheckpointError: as `load_into`, or it is no file of weights.
    """
    fill(module, _read(path, load_file, "Name the model.safetensors of a finished model"), path)


def load_into(module: nn.Module, folder: Path, part: str = "") -> None:
    """Load a finished model, or one `part` of it such as `backbone`, into `module`.

    Raises:
        CheckpointError: names, shapes or types do not fit; the first five are listed.
    """
    prefix = f"{part}." if part else ""
    weights = {k[len(prefix) :]: v for k, v in load_weights(folder).items() if k.startswith(prefix)}
    fill(module, weights, folder)


def fill(module: nn.Module, weights: dict[str, Tensor], place: Path) -> None:
    """Put weights into a module that has exactly these; `place` is named where it has not.

    Raises:
        CheckpointError: names, shapes or types do not fit; the first five are listed.
    """
    own = module.state_dict()
    wrong = sorted(set(own) ^ set(weights))
    wrong += sorted(k for k in set(own) & set(weights) if _kind(own[k]) != _kind(weights[k]))
    if wrong:
        raise CheckpointError(
            f"{place} does not fit this model; first differences: {', '.join(wrong[:5])}."
        )
    module.load_state_dict(weights)


def _kind(tensor: Tensor) -> tuple:
    return tensor.shape, tensor.dtype


def fault(path: Path) -> str | None:
    """Say why a file does not match its note, or None."""
    try:
        noted = read_json(path.with_suffix(".json"))["sha256"]
    except (DataError, KeyError, TypeError):
        return "its note is missing or unreadable"
    return None if sha256(path) == noted else "its SHA-256 differs from the note"
