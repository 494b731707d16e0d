"""What objects say of themselves at a prompt: names, counts, folder, device, what is finished."""

from __future__ import annotations

from dataclasses import MISSING, fields
from html import escape
from typing import Any

import pandas as pd


class Listed(dict):
    """A dict by name that shows itself as a table; the tab key completes its names."""

    def frame(self) -> pd.DataFrame:
        """Return the table that is shown: one row per name."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.frame().to_string() if self else "none yet"

    def _repr_html_(self) -> str:
        return self.frame()._repr_html_() if self else "<p>none yet</p>"


class Histories(Listed):
    """Training histories by name of the model: tables with `step`, `loss` and other values."""

    def frame(self) -> pd.DataFrame:
        """Return steps, and the loss at the first and the last log line."""
        rows = {
            name: {"steps": t["step"].iloc[-1], "first loss": t["loss"].iloc[0],
                   "last loss": t["loss"].iloc[-1]}
            for name, t in self.items()
        }  # fmt: skip
        return pd.DataFrame.from_dict(rows, orient="index").astype({"steps": int}).round(3)


class Models(Listed):
    """Cards of finished models by name: what was trained, for how long, and the file's SHA-256."""

    def frame(self) -> pd.DataFrame:
        """Return method, steps, seed and seconds."""
        wanted = ("method", "steps", "seed")
        rows = {
            name: {key: card["job"][key] for key in wanted} | {"seconds": card["seconds"]}
            for name, card in self.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index")


def videos(of) -> str:
    """Say how many videos and classes a `VideoSet` has, and where they are."""
    sides = of.table["split"].value_counts()
    missing = f", {len(of.missing)} listed ones are missing" if of.missing else ""
    return (
        f"{of.name}: {len(of.table)} videos in {len(of.classes)} classes, {sides.get('train', 0)} "
        f"to train on, {sides.get('test', 0)} to test on{missing}\nfolder: {of.root}"
    )


def videos_html(of) -> str:
    """Add a table with the videos and groups of each class."""
    table = of.table
    counts = table.pivot_table(
        index="class_name", columns="split", values="video", aggfunc="count", fill_value=0
    )
    counts["groups"] = table.groupby("class_name")["group"].nunique()
    counts = counts.rename_axis(index="class", columns=None).loc[list(of.classes)]
    return lines_html(videos(of)) + counts._repr_html_()


def pool(of) -> str:
    """Count the videos of a `Pool` by their role."""
    roles = ", ".join(f"{count} {role}" for role, count in of.roles.value_counts().items())
    return f"{len(of.cache)} videos at {of.cache.px} pixels: {roles}"


def batch(of) -> str:
    """Write the shapes of a `Batch` instead of its numbers, which are millions."""
    clips = of.clips
    return f"Batch(clips {list(clips.shape)} {clips.dtype} on {clips.device}, {len(of.row)} videos)"


def run(of) -> str:
    """Say which run this is, where it is, on what it runs, and which models are finished."""
    c, r = of.config, of.config.runtime
    device = of.__dict__.get("device", f"{r.device}, not used yet")  # asking would choose one
    done = ", ".join(of.models) or "none yet"
    return (
        f"{c.name}, seed {c.seed}, chapter {of.chapter}: {c.title or c.data.dataset}\n"
        f"folder: {of.dir}\n"
        f"device: {device}; {r.jobs} training(s) at a time, {r.threads} thread(s) each\n"
        f"finished models: {done}"
    )


def profile(of) -> str:
    """Name a profile and write, section by section, what differs from the defaults."""
    told = of.model_dump(exclude_defaults=True)
    head = f"profile {told.pop('name')}, seed {of.seed}: {told.pop('title', '')}".rstrip(": ")
    told.pop("seed", None)
    lines = [f"  {name}: {_pairs(values)}" for name, values in told.items()]
    return "\n".join([head, "what differs from the defaults:" if lines else "all defaults", *lines])


def _pairs(values: Any) -> str:
    if not isinstance(values, dict):
        return repr(values)
    return ", ".join(f"{key}={value!r}" for key, value in values.items())


def call(of) -> str:
    """Write a dataclass as the call that makes it, defaults left out."""
    said = {f.name: getattr(of, f.name) for f in fields(of)}
    kept = [f.name for f in fields(of) if f.default is MISSING or said[f.name] != f.default]
    return f"{type(of).__name__}({', '.join(f'{name}={said[name]!r}' for name in kept)})"


def lines_html(text: str) -> str:
    """Turn lines of text into one paragraph."""
    return f"<p>{'<br>'.join(map(escape, text.splitlines()))}</p>"
