"""Every method by its name, and what the program asks of one before it is built."""

from __future__ import annotations

from ..errors import ConfigError, did_you_mean
from ..settings.config import Profile
from . import pretrain, semi
from .base import Method
from .job import Given, Job

METHODS: dict[str, type[Method]] = {**pretrain.METHODS, **semi.METHODS}


def method(name: str) -> type[Method]:
    """Return the class of a method.

    Raises:
        ConfigError: no method of that name.
    """
    if name not in METHODS:
        raise ConfigError(f"there is no method {name!r}; the shelves have {', '.join(METHODS)}.")
    return METHODS[name]


def check_profile(profile: Profile) -> None:
    """Refuse a profile that asks for a method which is not there, or cannot train a student.

    Raises:
        ConfigError: so it is.
    """
    teachers = profile.student.teachers
    for name in teachers:
        if name not in pretrain.METHODS:
            said = did_you_mean(name, pretrain.METHODS)
            raise ConfigError(f"student.teachers: {name!r} is no pretraining; {said}.")
    if len(set(teachers)) < 2:
        raise ConfigError(
            f"student.teachers names {teachers[0]!r} twice; name two different pretrainings."
        )
    name = profile.student.method
    if name not in semi.METHODS:
        raise ConfigError(f"student.method = {name!r}; {did_you_mean(name, semi.METHODS)}.")


def fresh(name: str, profile: Profile, classes: int = 2, **options) -> Method:
    """Build a method that needs no finished model, with its first weights, from torch's seed."""
    job = Job(name, name, steps=1, seed=profile.seed, options=options)
    return method(name).build(profile, classes, job, Given(profile))


def sections(name: str) -> tuple[str, ...]:
    """Sections of the profile a method reads; the first has its learning rate and weight decay.

    Beside these every method reads `data` and `model`.
    """
    return method(name).sections


def clips_per_step(profile: Profile, name: str) -> int:
    """Clips that a method trains on in a step."""
    return method(name).clips_per_step(profile)


def frames(profile: Profile, name: str) -> int:
    """Frames of each clip that a method trains on."""
    pretrains = name in pretrain.METHODS
    return (profile.pretrain if pretrains else profile.finetune).clip.frames


def helpers(name: str) -> int:
    """Frozen networks that see every clip of a step beside the one that learns."""
    return method(name).helpers
