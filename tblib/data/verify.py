"""Is every video of a folder whole, and still the one it was?  `python -m tblib data verify ROOT`.

The first time every file is decoded from end to end and described in a manifest.  Afterwards a file
whose SHA-256 is the manifest's is good without decoding it again, unless another decoder said so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DataError, DecodeError
from ..files import sha256
from . import manifest, video
from .table import SUFFIXES, walk_videos

EVERY = 500  # files between two writes of the manifest: what a killed check must do again
CHANGED = "its content is not what the manifest says; restore it, or accept it with --renew"


def place(root: Path, home: Path) -> Path:
    """Return where the manifest of a folder is kept, below the data folder `home`."""
    digest = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:12]
    return home / "manifests" / f"{root.resolve().name}-{digest}.csv"


def check(
    root: Path, record: Path, workers: int = 2, renew: bool = False, look: Callable | None = None
) -> pd.DataFrame:
    """Check every video file below a folder against its manifest, and complete the manifest.

    Args:
        root: folder; videos are named by their path below it.
        record: the manifest, a CSV; made if it is not there.
        workers: processes to use.
        renew: forget what the manifest says and decode every file again.
        look: what describes one file, see `look_at`.

    Returns:
        One row per file of the folder or the manifest: `manifest.COLUMNS`, then `reason` and
        `detail`, both "" for a good file.  Reasons are those of `DecodeError`, and `changed`.

    Raises:
        DataError: the folder does not exist or holds no video.
    """
    if not root.is_dir():
        raise DataError(f"the folder {root} does not exist; name the folder of the videos.")
    files = {str(path.relative_to(root)): path for path in walk_videos(root)}
    known = {} if renew else manifest.read(record)
    if old := manifest.outdated(known.values()):
        print(f"verify: {old}: they are decoded anew.", flush=True)
    if not files and not known:
        raise DataError(f"there is no video ({', '.join(SUFFIXES)}) below {root}.")
    todo = [(name, str(path), known.get(name)) for name, path in files.items()]
    reports = _run(todo, workers, record, known, look or look_at)
    gone = [name for name in known if name not in files]
    reports += [_bad(n, root / n, "missing", "the manifest names it; copy it again") for n in gone]
    manifest.write(record, _kept(reports, known))
    return pd.DataFrame(reports, columns=[*manifest.COLUMNS, "reason", "detail"])


def look_at(name: str, path: str, known: dict | None) -> dict:
    """Describe one file; runs in a worker process."""
    try:
        if known is not None and _same(known, path):
            size, changed = manifest.stamp(path)
            row = known | {"path": path, "bytes": size, "mtime_ns": changed}
        else:
            row = manifest.row(name, path)
    except DecodeError as error:
        return _bad(name, path, error.reason, error.detail)
    except OSError as error:
        return _bad(name, path, "unreadable", str(error))
    if known is not None and row["sha256"] != known["sha256"]:
        return row | {"reason": "changed", "detail": CHANGED}
    return row | {"reason": "", "detail": ""}


def _same(known: dict, path: str) -> bool:
    return known["decoder"] == video.DECODER and sha256(path) == known["sha256"]


def _run(todo: list, workers: int, record: Path, known: dict, look: Callable) -> list[dict]:
    """Look at all files; one that hangs the decoder is reported and the others are still done."""
    reports: list[dict] = []

    def seen(report: dict) -> None:
        reports.append(report)
        if len(reports) % EVERY == 0:
            manifest.write(record, _kept(reports, known))

    def hung(name: str, error: DecodeError) -> dict:
        return _bad(name, error.path, error.reason, error.detail)

    manifest.run_all(look, todo, workers, "verify", hung, seen)
    return reports


def _kept(reports: list[dict], known: dict) -> list[dict]:
    """Rows for the manifest: good files, and what it said about the others."""
    good = {row["video"]: row for row in reports if not row["reason"]}
    return list((known | good).values())


def _bad(name: str, path, reason: str, detail: str) -> dict:
    blank = dict.fromkeys(manifest.COLUMNS, np.nan) | {"video": name, "path": str(path)}
    return blank | {"reason": reason, "detail": detail}


def summary(checked: pd.DataFrame) -> tuple[str, int]:
    """Return a line per bad file and a last line with the count, and the number of bad files."""
    bad = checked[checked["reason"] != ""]
    lines = [f"{video.path}: {video.detail} [{video.reason}]" for video in bad.itertuples()]
    good = len(checked) - len(bad)
    return "\n".join([*lines, f"{good} of {len(checked)} videos are good"]), len(bad)


def as_json(checked: pd.DataFrame, record: Path | None = None) -> str:
    """Return the report as JSON: counts, what decoded, and each file with its reason if it is bad.

    Args:
        checked: what `check` or `manifest.verify` returned.
        record: the manifest, if one is kept.
    """
    bad = int((checked["reason"] != "").sum())
    counts = {"videos": len(checked), "good": len(checked) - bad, "bad": bad}
    origin = {"decoder": video.DECODER, "manifest": None if record is None else str(record)}
    plain = checked.drop(columns="decoder").assign(steady=checked["steady"] == 1)
    files = json.loads(plain.to_json(orient="records"))
    return json.dumps(counts | origin | {"files": files}, indent=2)
