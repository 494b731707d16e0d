"""Run cards: which code, machine and settings a number came from; and records of whole runs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from ..errors import DataError, MissingStage
from ..files import ROOT, read_json, write_json
from ..models import resolve_precision
from ..settings.config import Profile
from . import fingerprint
from .chapter_code import chapter_code

PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "decord",
    "av",
    "opencv-python-headless",
    "scikit-learn",
)
RECORDED = tuple(f"{n:02d}" for n in range(1, 8))  # chapters with results of their own


def run_card(c: Profile, chapter: int, started: float, device: torch.device) -> dict[str, Any]:
    """Describe how a chapter was run: settings, seed, device, code, versions, time.

    Args:
        c: the settings.
        chapter: its number; 0 for a run that is none.
        started: when the chapter was started, seconds since 1970.
    """
    return {
        "chapter": chapter,
        "profile": c.name,
        "config": c.digest(),
        "seed": c.seed,
        "label_fraction": c.data.label_fraction,
        "dataset": c.data.dataset,
        "device": _device_name(device),
        "precision": resolve_precision(c.model.precision, device.type),
        "threads": c.runtime.threads,
        "jobs": c.runtime.jobs,
        "host_cpus": os.cpu_count(),
        "commit": commit(),
        "code_hash": code_hash(),
        "backbone": c.model.backbone,
        "chapter_code": chapter_code(chapter, c.model.backbone, c.student.method)
        if chapter
        else None,
        "student": c.student.method,
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in PACKAGES},
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 1),
    }


def code_hash() -> str:
    """Return twelve digits that change with any code of `tblib`, not with its words."""
    return fingerprint.whole()


def commit() -> str:
    """Return the git commit, with `+` if code was changed since.

    Outside git, as on a cluster that got the files alone: what `$TB_COMMIT` says, or `unknown`.
    """
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--", "tblib", "notebooks/*.py")
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("TB_COMMIT") or "unknown"
    return head + ("+" if changed else "")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.is_file() else []:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def trainings(folder: Path) -> list[dict[str, Any]]:
    """List the finished trainings of a run: name, steps, seconds of the training itself.

    A chapter that found its models ready has a short run time; these times stay.
    """
    notes = {path.parent.name: read_json(path) for path in sorted(folder.glob("ckpt/*/model.json"))}
    return [
        {"name": name, "steps": note["job"]["steps"], "seconds": note["seconds"]}
        for name, note in notes.items()
    ]


def without_paths(config: dict[str, Any]) -> dict[str, Any]:
    """Cut the paths in a dumped profile to file names: a folder here says nothing elsewhere."""
    data, model = config["data"], config["model"]
    labels, weights = (
        Path(path or "").name or None for path in (data["label_list"], model["weights"])
    )
    data = data | {"root": None, "lists": None, "label_list": labels}
    return config | {"data": data, "model": model | {"weights": weights}}


def record(folder: Path, name: str) -> Path:
    """Keep metrics and run cards of a finished run as `results/<name>.json`.

    Raises:
        MissingStage: a chapter of the run is missing.
        DataError: the chapters were not run with the present code, or not with the same settings.
    """
    config = read_json(folder / "config.json")
    paths = {number: folder / "cards" / f"{number}.json" for number in RECORDED}
    cards = {number: read_json(path) for number, path in paths.items() if path.is_file()}
    if missing := [number for number in RECORDED if number not in cards]:
        raise MissingStage(
            f"{folder} has no results of chapters {', '.join(missing)}; run them first."
        )
    chosen = config["model"]["backbone"], config["student"]["method"]
    if any(card.get("chapter_code") != chapter_code(n, *chosen) for n, card in cards.items()):
        raise DataError(
            f"chapters in {folder} were run with different code than the present; run it again "
            "before recording."
        )
    if len({card["config"] for card in cards.values()}) > 1:
        raise DataError(
            f"the chapters in {folder} were run with different settings; run them again in order."
        )
    metrics = {stem: read_json(folder / "metrics" / f"{stem}.json") for stem in cards}
    value = {
        "name": name,
        "title": config["title"],
        "profile": config["name"],
        "dataset": config["data"]["dataset"],
        "cards": cards,
        "metrics": metrics,
        "trainings": trainings(folder),
        "config": without_paths(config),
    }
    return write_json(ROOT / "results" / f"{name}.json", value)
