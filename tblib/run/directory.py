"""The run directory: settings, videos, finished models, metrics and run cards of one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from pydantic import ValidationError

from .. import reprs
from ..data import cache, datasets, ready, splits
from ..data.pool import Pool
from ..engine import checkpoint, hardware
from ..errors import ConfigError, MissingStage, did_you_mean
from ..files import read_json, write_json
from ..methods import registry
from ..models import check_profile
from ..settings.config import Profile
from ..settings.profiles import data_home, load_profile, run_folder
from .cards import run_card

Before = Callable[[Profile, Path, int], None]
PARAMETERS = ("profile", "run_dir", "seed", "overrides")


@dataclass(frozen=True)
class Run:
    """One run directory and everything a chapter asks of it."""

    config: Profile
    dir: Path
    chapter: int
    started: float = field(default_factory=time.time)

    def __repr__(self) -> str:
        return reprs.run(self)

    def _repr_html_(self) -> str:
        return reprs.lines_html(reprs.run(self)) + self.models._repr_html_()

    @cached_property
    def videos(self) -> datasets.VideoSet:
        """The table of videos."""
        return datasets.load(self.config)

    @property
    def families(self) -> dict[str, str] | None:
        """Class name to `persistent` or `phased`; None for data without such knowledge."""
        known = dict(zip(self.videos.table.class_name, self.videos.table.family, strict=True))
        return known if all(known.values()) else None

    @cached_property
    def pool(self) -> Pool:
        """Decoded frames, labels and the role of each video."""
        d = self.config.data
        place, decoders = data_home() / "cache", self.config.runtime.decoders
        frames = cache.build(self.videos, d.cache_px, place, decoders, d.cache_format)
        roles = splits.roles(
            self.videos.table, d.label_fraction, self.config.seed, d.val_groups, d.label_list,
            self.videos.missing,
        )  # fmt: skip
        return Pool(frames, self.videos.table.label.to_numpy(), roles)

    @cached_property
    def device(self) -> torch.device:
        """The device of this run; fixes the number of threads on first use."""
        return hardware.prepare(self.config.runtime)

    def folder(self, name: str) -> Path:
        """Folder of a model."""
        return self.dir / "ckpt" / name

    @property
    def models(self) -> reprs.Models:
        """Cards of the finished models by name; whether a file is whole is seen when it is used."""
        notes = sorted(self.dir.glob("ckpt/*/model.json"))
        return reprs.Models((note.parent.name, read_json(note)) for note in notes)

    def has_model(self, name: str) -> bool:
        """Say whether a finished, undamaged model of that name exists."""
        return checkpoint.model_card(self.folder(name)) is not None

    def metrics(self, chapter: int) -> dict[str, Any]:
        """Return what an earlier chapter found.

        Raises:
            MissingStage: that chapter has not been run here, or was run with other settings.
        """
        card = self.dir / "cards" / f"{chapter:02d}.json"
        if not card.is_file():
            raise MissingStage(
                f"{self.dir} has no results of chapter {chapter}; run chapter {chapter} first."
            )
        if read_json(card)["config"] != self.config.digest():
            raise MissingStage(
                f"chapter {chapter} in {self.dir} was run with other settings; "
                f"run chapter {chapter} again."
            )
        return read_json(self.dir / "metrics" / f"{chapter:02d}.json")

    def save_metrics(self, values: dict[str, Any]) -> None:
        """Write what this chapter found, and the run card beside it."""
        if self.chapter == 1:
            write_json(self.dir / "config.json", self.config.model_dump(mode="json"))
        card = run_card(self.config, self.chapter, self.started, self.device)
        write_json(self.dir / "metrics" / f"{self.chapter:02d}.json", values)
        write_json(self.dir / "cards" / f"{self.chapter:02d}.json", card)


def start(namespace: dict[str, Any], chapter: int, before: Before | None = None) -> Run:
    """Validate a notebook's parameters and open its run directory.

    Call it in the cell after the parameters with `globals()`: any public name there that is not a
    parameter is a misspelt one.

    Args:
        before: called with settings, folder and chapter before the directory is opened.

    Raises:
        ConfigError: an unknown name, a wrong type or value, or a run directory of other settings.
        DataError: chapter 1 finds that the videos or labels cannot be used as they are.
    """
    _check_names(namespace)
    seed, overrides, run_dir = (namespace.get(n) for n in ("seed", "overrides", "run_dir"))
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise ConfigError(f"seed = {seed!r} must be a whole number from 0 to 2147483647.")
    if not isinstance(run_dir or "", str | Path):
        raise ConfigError(f"run_dir = {run_dir!r} must be the path of a folder, or '' for runs/.")
    config = load_profile(namespace.get("profile", "smoke"), overrides, seed)
    if chapter == 1:
        for note in ready.check(config):
            print(f"note: {note}.", flush=True)
    folder = run_folder(config, run_dir)
    if before:
        before(config, folder, chapter)
    return open_run(config, folder, chapter)


def _check_names(namespace: dict[str, Any]) -> None:
    """Refuse unknown parameters, the first time a kernel asks."""
    if namespace.get("_parameters_checked"):
        return
    shell = {"In", "Out", "get_ipython", "exit", "quit", "open", "tblib"}
    for name, value in namespace.items():
        code = isinstance(value, ModuleType | type) or callable(value)  # imported or defined
        if not (name.startswith("_") or code or name in shell or name in PARAMETERS):
            raise ConfigError(f"parameter {name!r} is unknown; {did_you_mean(name, PARAMETERS)}.")
    namespace["_parameters_checked"] = True


def open_run(config: Profile, folder: Path, chapter: int) -> Run:
    """Open a run directory; chapter 1 starts it, the others must find the same settings.

    Chapter 1 may bring other settings; they replace the old ones when it ends well
    (`Run.save_metrics`), so that a mistake in them costs nothing.

    Raises:
        MissingStage: the directory was not started by chapter 1.
        ConfigError: it belongs to other settings, of which the first differences are listed, or
            the backbone cannot make the slots.
    """
    check_profile(config)
    registry.check_profile(config)
    note = folder / "config.json"
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"run_dir {folder} is a file; name a folder.")
    settings = config.model_dump(mode="json")
    if not note.is_file():
        if chapter > 1:
            raise MissingStage(
                f"{folder} is not a run directory yet; run chapter 1 (01_data_and_clips) first."
            )
        write_json(note, settings)
    elif (different := differences(read_json(note), settings)) and chapter > 1:
        raise ConfigError(
            f"{folder} holds a run with other settings ({'; '.join(different[:3])}); "
            "use another run_dir, or run chapter 1 again to start this one afresh."
        )
    return Run(config, folder.resolve(), chapter)


def reopen(folder: Path) -> Run:
    """Open a run directory with the settings that it holds.

    Raises:
        MissingStage: it is not a run directory.
        ConfigError: its settings are those of other code.
    """
    if not (folder / "config.json").is_file():
        raise MissingStage(f"{folder} is not a run directory; it has no config.json.")
    try:
        config = Profile.model_validate(read_json(folder / "config.json"))
    except ValidationError as error:
        raise ConfigError(
            f"{folder} was begun by other code, whose settings this code does not know "
            f"({error.errors()[0]['msg']}); run its chapters again."
        ) from None
    return open_run(config, folder, 2)


def differences(old: dict, new: dict, prefix: str = "") -> list[str]:
    """Return the settings that differ: `pretrain.lr: 0.005 there, 0.001 here`."""
    found = []
    for key in sorted(set(old) | set(new)):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += differences(a, b, f"{prefix}{key}.")
        elif a != b:
            found.append(f"{prefix}{key}: {a!r} there, {b!r} here")
    return found
