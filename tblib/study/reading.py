"""The record of a study: opened, checked, and given back as arrays with one row per seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import DataError, MissingStage, did_you_mean
from ..files import ROOT, read_json
from .check import checked, decode_bits
from .compact import unpack

RESULTS = ROOT / "results" / "study"
PARTS = ("features", "space", "clips", "map")  # of the name of a definition of s(v)
MEASURED = ("auc_family", "auc_advantage", "mixed_top1", "mean")


def recorded(folder: Path | None = None) -> list[str]:
    """Return the names of the recorded studies, sorted; `folder` is `results/study` by default."""
    return sorted(path.stem for path in (folder or RESULTS).glob("*.json"))


def load(name: str, folder: Path | None = None) -> Study:
    """Read `results/study/<name>.json`.

    Raises:
        MissingStage: no such record.
        DataError: the file is no record of a study, or contradicts itself.
    """
    folder = folder or RESULTS
    path = folder / f"{name}.json"
    if not path.is_file():
        names = recorded(folder)
        hint = did_you_mean(name, names) if names else "none is recorded yet, run a study first"
        raise MissingStage(f"there is no recorded study {name!r} in {folder}; {hint}.")
    return Study(checked(read_json(path), str(path)))


@dataclass(frozen=True)
class Study:
    """A record in memory; S seeds, N test videos, K classes, accuracies in percent.

    A cell is one trained classifier, such as `student_reweighted`.  Seeds that lack it are left
    out, so S is the number of seeds that have what is asked for, and may be 0.
    """

    raw: dict[str, Any]

    name = property(lambda self: self.raw["name"])
    title = property(lambda self: self.raw["title"])
    dataset = property(lambda self: self.raw["dataset"])
    classes = property(lambda self: list(self.raw["classes"]))
    videos = property(lambda self: list(self.raw["test"]["video"]))

    @cached_property
    def label(self) -> np.ndarray:
        """Class of every test video, int [N]."""
        return np.asarray(self.raw["test"]["label"], dtype=int)

    @cached_property
    def groups(self) -> list[str]:
        """Name what each test video was cut from, [N]: videos of a group are not independent.

        Older records have no groups; their videos are called `Class/v_Class_g01_c01`.
        """
        test = self.raw["test"]
        return list(test.get("group") or (name.rsplit("_c", 1)[0] for name in test["video"]))

    @property
    def families(self) -> list[str] | None:
        """`persistent` or `phased` for every class; None for data without such knowledge."""
        known = self.raw.get("families")
        return [known.get(name, "") for name in self.classes] if known else None

    @property
    def fractions(self) -> list[float]:
        """Shares of labels that have units, rising."""
        return sorted({unit["fraction"] for unit in self.raw["units"]})

    @property
    def main(self) -> tuple[float, ...]:
        """Shares of labels at which the whole grid is trained, rising."""
        return tuple(sorted(self.raw["config"]["study"]["fractions"]))

    def seeds(self, fraction: float) -> list[int]:
        """Seeds that have a unit at this share of labels, rising."""
        return sorted(u["seed"] for u in self.raw["units"] if u["fraction"] == fraction)

    def seeds_with(self, cell: str, fraction: float) -> list[int]:
        """Seeds whose unit holds this classifier, rising."""
        return [k for k in self.seeds(fraction) if cell in self.unit(fraction, k)["cells"]]

    def unit(self, fraction: float, seed: int) -> dict[str, Any]:
        """Return one unit as recorded.

        Raises:
            DataError: the record has no such unit.
        """
        if (fraction, seed) in self._units:
            return self._units[fraction, seed]
        raise DataError(
            f"study {self.name} has no seed {seed} at {100 * fraction:g} % labels; "
            f"it has seeds {self.seeds(fraction)} there and labels {self.fractions}."
        )

    @cached_property
    def _units(self) -> dict[tuple[float, int], dict[str, Any]]:
        return {(unit["fraction"], unit["seed"]): unit for unit in self.raw["units"]}

    def cells(self, name: str, fraction: float) -> pd.Series:
        """Return what is recorded of one classifier, one dict per seed."""
        seeds = self.seeds_with(name, fraction)
        return pd.Series([self.unit(fraction, k)["cells"][name] for k in seeds], _index(seeds))

    def right(self, cell: str, fraction: float) -> np.ndarray:
        """Which test videos the classifier gets right, bool [S, N]."""
        rows = [decode_bits(found["right"]) for found in self.cells(cell, fraction)]
        return np.array(rows, dtype=bool).reshape(len(rows), len(self.label))

    def probabilities(self, cell: str, fraction: float) -> dict[int, np.ndarray]:
        """Return what the classifier says of each test video, the mean over its clips, by seed.

        Returns:
            seed → float `[N, K]` in [0, 1]; seeds recorded before probabilities were are left out.
        """
        kept, size = self.cells(cell, fraction), (len(self.label), len(self.classes))
        return {seed: unpack(found["p"], *size) for seed, found in kept.items() if "p" in found}

    def top1(self, cell: str, fraction: float) -> pd.Series:
        """Share of test videos the classifier gets right, percent, one value per seed."""
        seeds = _index(self.seeds_with(cell, fraction))
        return pd.Series(100 * self.right(cell, fraction).mean(1), seeds, name=cell)

    def per_class(self, cell: str, fraction: float) -> np.ndarray:
        """The same for every class, percent [S, K]; NaN for a class without test videos."""
        return self.class_means(self.right(cell, fraction))

    def class_means(self, right: np.ndarray) -> np.ndarray:
        """Turn bool or float [S, N] into percent per class [S, K]."""
        member = self.label[:, None] == np.arange(len(self.classes))
        videos = member.sum(0)
        share = right.astype(float) @ member / np.maximum(videos, 1)
        return np.where(videos > 0, 100 * share, np.nan)

    def pretrained(self, name: str) -> dict[str, np.ndarray]:
        """Return what is recorded of one pretrained backbone, stacked over its seeds.

        Returns:
            seeds [S]; linear_right bool [S, N]; retrieval, share of times found in [0, 1] [S, N],
            and retrieval_projected, the same after the projection head; similarity, raw cosines
            [S, N]; knn, linear, percent [S]; retrieval_chance, steps, clips, seconds [S].  What not
            every seed has is left out; without any, only seeds.
        """
        found = {
            unit["seed"]: unit["pretraining"][name]
            for unit in sorted(self.raw["units"], key=lambda u: (u["seed"], -u["fraction"]))
            if name in unit.get("pretraining", {})
        }
        rows = list(found.values())
        keys = set.intersection(*map(set, rows)) if rows else set()
        stacked = {
            key: np.array([decode_bits(r[key]) if key == "linear_right" else r[key] for r in rows])
            for key in sorted(keys)
        }
        return {"seeds": np.array(list(found), dtype=int), **stacked}

    @property
    def retrieval_space(self) -> str:
        """What was asked for the times of a video, in words; older records mix two spaces."""
        found = [
            kept for unit in self.raw["units"] for kept in unit.get("pretraining", {}).values()
        ]
        alike = all(kept.get("retrieval_space") == "backbone" for kept in found)
        return "backbone features" if alike else "after the head, if there is one"

    @property
    def constant(self) -> str:
        """What weight the constant control has; older records took the mean of s, one half."""
        chosen = any("constant" in unit for unit in self.raw["units"])
        return "best on training videos" if chosen else "½ (= average)"

    @property
    def curve_clips(self) -> int:
        """Clips of a test video behind the points of a learning curve; tables have more."""
        cells = [cell for unit in self.raw["units"] for cell in unit["cells"].values()]
        return next((cell["curve_clips"] for cell in cells if "curve_clips" in cell), 2)

    def s(self, fraction: float) -> np.ndarray:
        """Similarity s(v) of every test video, in [0, 1], float [S, N]."""
        units = (self.unit(fraction, k) for k in self.seeds(fraction))
        rows = [unit["s"] for unit in units if unit.get("s")]
        return np.array(rows, dtype=float).reshape(len(rows), len(self.label))

    def mixed(self, fraction: float) -> pd.DataFrame:
        """Top-1 in percent of the two teachers mixed without a student: seeds x ways of mixing."""
        seeds = self.seeds(fraction)
        rows = [self.unit(fraction, k).get("mixed", {}) for k in seeds]
        return pd.DataFrame(rows, _index(seeds), dtype=float)

    def similarity_table(self, fraction: float) -> pd.DataFrame:
        """Return one row per definition of s(v) and seed.

        Returns:
            definition, seed, features, space (backbone or projected), clips, map, then what was
            measured: auc_family, auc_advantage in [0, 1] (NaN if unknown), mixed_top1, mean.
        """
        rows = []
        for seed in self.seeds(fraction):
            for key, values in self.unit(fraction, seed).get("similarity", {}).items():
                parts = dict(zip(PARTS, key.split("/"), strict=True))
                rows.append({"definition": key, "seed": seed, **parts, **values})
        types = {"seed": int, "clips": int} | dict.fromkeys(MEASURED, float)
        return pd.DataFrame(rows, columns=["definition", "seed", *PARTS, *MEASURED]).astype(types)


def _index(seeds: list[int]) -> pd.Index:
    return pd.Index(seeds, name="seed", dtype=int)
