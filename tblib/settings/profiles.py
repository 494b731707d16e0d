"""Profiles as files: find, read, override, validate; and where data and runs live.

Unknown names, wrong types and values out of range stop a run before any work, in one sentence.
"""

from __future__ import annotations

import os
import re
import reprlib
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from ..errors import ConfigError, did_you_mean
from ..files import ROOT, resolved
from .config import Profile

PROFILES = ROOT / "notebooks" / "profiles"
FOLDERS = ("TB_DATA", "TB_RUNS", "UCF101_ROOT", "HMDB51_ROOT", "KINETICS400_ROOT")
PLACES = ("data.root", "data.lists", "data.label_list", "model.weights")


def data_home() -> Path:
    """Folder of generated datasets and caches: `$TB_DATA`, else `data/` beside `notebooks/`."""
    return resolved(os.environ.get("TB_DATA") or ROOT / "data")


def runs_home() -> Path:
    """Folder of run directories: `$TB_RUNS`, else `runs/` beside `notebooks/`."""
    return resolved(os.environ.get("TB_RUNS") or ROOT / "runs")


def settled_environment() -> dict[str, str]:
    """Return the variables that name folders, absolute: for programs that start elsewhere.

    A user without a home to write to, as in a container, is lent one: Snakemake, matplotlib and
    fontconfig keep caches there.
    """
    places = {name: str(resolved(os.environ[name])) for name in FOLDERS if os.environ.get(name)}
    home = Path(os.environ.get("HOME") or "/")
    if not (home.is_dir() and os.access(home, os.W_OK)):
        lent = data_home() / "home"
        lent.mkdir(parents=True, exist_ok=True)
        places["HOME"] = str(lent)
    return places


def settled(name: str, config: Profile, overrides: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return profile and overrides that mean the same from every working folder.

    Args:
        name: profile, as the user gave it; `config` is what it and the overrides say.
    """
    path = str(resolved(name)) if is_file_name(name) else name
    places = {place: _at(config, place) for place in PLACES}
    return path, overrides | {k: str(v) for k, v in places.items() if v is not None}


def _at(config: Profile, place: str) -> Path | None:
    section, _, key = place.partition(".")
    return getattr(getattr(config, section), key)


def is_file_name(profile: str) -> bool:
    """Say whether a profile is named by its file, not by its name."""
    return profile.endswith((".yaml", ".yml"))


def profile_names() -> list[str]:
    """Names of the profiles that come with the book."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))


def load_profile(
    name: str, overrides: dict[str, Any] | None = None, seed: int | None = None
) -> Profile:
    """Read a profile, apply dotted overrides such as `{"student.steps": 50}`, validate all.

    Args:
        name: a profile that comes with the book, or the path of a YAML file.
        overrides: dotted names and their values.
        seed: replaces the profile's seed when given.

    Raises:
        ConfigError: names the entry, its value, and what is allowed.
    """
    if not isinstance(name, str):
        raise ConfigError(
            f"profile = {name!r} must be text; {did_you_mean(name, profile_names())}."
        )
    path = resolved(name) if is_file_name(name) else PROFILES / f"{name}.yaml"
    if not path.is_file():
        raise ConfigError(
            f"profile {name!r} does not exist; {did_you_mean(name, profile_names())}."
        )
    tree = _read_yaml(path)
    tree.setdefault("name", re.sub(r"[^\w.-]", "_", path.stem).lstrip(".-") or "unnamed")
    if not isinstance(overrides or {}, dict):
        raise ConfigError(
            f"overrides = {overrides!r} must be a dictionary like {{'student.steps': 50}}."
        )
    for key, value in (overrides or {}).items():
        _assign(tree, str(key), value)
    if seed is not None:
        tree["seed"] = seed
    try:
        return Profile.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(f"profile {path.name}: {_sentence(error)}") from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8-sig")) or {}
    except (yaml.YAMLError, ValueError, RecursionError, OSError) as error:
        raise ConfigError(
            f"profile {path} is not valid YAML: {' '.join(str(error).split())}"
        ) from None
    if not isinstance(tree, dict):
        raise ConfigError(
            f"profile {path} must hold sections such as 'student:', not {type(tree).__name__}."
        )
    return tree


def _assign(tree: dict[str, Any], key: str, value: Any) -> None:
    """Set `tree["a"]["b"] = value` for the key "a.b"."""
    *sections, leaf = key.split(".")
    for section in sections:
        node = tree.setdefault(section, {})
        if not isinstance(node, dict):
            raise ConfigError(f"override {key!r}: {section!r} is a value, not a section.")
        tree = node
    tree[leaf] = value


def _sentence(error: ValidationError) -> str:
    """Say the first two problems of a failed validation in plain words."""
    return "; ".join(_problem(item) for item in error.errors()[:2])


def _problem(item: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in item["loc"]) or "profile"
    if item["type"] == "extra_forbidden":
        *section, name = item["loc"]
        return f"{where} is not a known name; {did_you_mean(name, _fields(section))}."
    message = item["msg"].removeprefix("Value error, ")
    return (
        f"{where} = {_short(item['input'])}: {message[0].lower()}{message[1:]}."
        if item["loc"]
        else f"{message}."
    )


def _short(value: Any) -> str:
    """Show a wrong value in a line: a few bytes of YAML can stand for a billion entries."""
    brief = reprlib.Repr()
    brief.maxlevel, brief.maxstring, brief.maxother = 2, 80, 80
    return brief.repr(value)


def _fields(location: list) -> list[str]:
    """List the field names of the section at `location`; it may be one that can be left out."""
    model: Any = Profile
    for part in location:
        kind = model.model_fields[part].annotation
        model = next((k for k in get_args(kind) if hasattr(k, "model_fields")), kind)
    return list(model.model_fields)


def run_folder(config: Profile, named: str | Path | None = None) -> Path:
    """Return the folder of a run: the one a user names, else that of `run_name` in `runs_home`.

    Every command, chapter and page finds its run by this rule.
    """
    return resolved(named) if named else runs_home() / run_name(config)


def run_name(config: Profile) -> str:
    """`laptop`, or `laptop-3f2a…` when anything differs from the profile in its file."""
    if not (PROFILES / f"{config.name}.yaml").is_file():
        return f"{config.name}-{config.digest()}"
    plain = load_profile(config.name).digest() == config.digest()
    return config.name if plain else f"{config.name}-{config.digest()}"
