"""What the program asks of a method before it is built: settings, clips per step, helpers."""

from __future__ import annotations

from ..errors import ConfigError
from ..settings.config import Profile
from . import pretrain, semi


def sections(method: str) -> tuple[str, ...]:
    """Sections of the profile a method reads; the first has its learning rate and weight decay.

    Beside these every method reads `data` and `model`.

    Raises:
        ConfigError: no method of that name.
    """
    return _classifier(method).sections if not _pretrains(method) else ("pretrain",)


def clips_per_step(profile: Profile, method: str) -> int:
    """Clips that a method trains on in a step."""
    if _pretrains(method):
        return profile.pretrain.clips_per_step
    return _classifier(method).clips_per_step(profile)


def frames(profile: Profile, method: str) -> int:
    """Frames of each clip that a method trains on."""
    return (profile.pretrain if _pretrains(method) else profile.finetune).clip.frames


def helpers(method: str) -> int:
    """Frozen networks that see every clip of a step beside the one that learns."""
    return 0 if _pretrains(method) else _classifier(method).helpers


def _pretrains(method: str) -> bool:
    return method in pretrain.METHODS


def _classifier(method: str) -> type:
    if method not in semi.METHODS:
        known = ", ".join([*pretrain.METHODS, *semi.METHODS])
        raise ConfigError(f"there is no method {method!r}; the shelves have {known}.")
    return semi.METHODS[method]
