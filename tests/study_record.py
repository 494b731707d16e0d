"""A small record of a study with differences planted where the claim of the method says."""

from __future__ import annotations

import numpy as np

from tblib.study import grid

CLASSES, PER_CLASS = 20, 4
PRETRAINED = ("invariant", "distinctive", "joint", "cvrl", "transformations", "clip_order",
              "invariant_b", "untrained")  # fmt: skip
SWEEP = ("scratch", "ssl", "teacher_invariant", "teacher_distinctive", "student_average",
         "student_reweighted")  # fmt: skip
INITS = [f"student_init_{n}" for n in ("cvrl", "transformations", "clip_order", "scratch")]
# Top-1 in percent at 20 % labels; every halving of the labels costs five points.
TOP1 = {
    "scratch": 45, "ssl": 55, "all_labels": 96,
    "teacher_invariant": 60, "teacher_distinctive": 60, "teacher_cvrl": 58,
    "teacher_transformations": 59, "teacher_invariant_b": 60,
    "student_invariant_only": 62, "student_distinctive_only": 63, "student_average": 72,
    "student_reweighted": 80, "student_constant": 72, "student_shuffled": 71,
    "student_inverted": 64, "student_oracle": 85,
    "student_inv_inv2": 66, "student_dist_dist2": 66, "student_inv_dist2": 71,
    "student_inv_inv_b": 61, "student_dist2_only": 61, "student_inv_dist2_reweighted": 78,
    "student_inv_dist2_shuffled": 70, "student_inv_dist2_oracle": 83,
    "student_init_cvrl": 76, "student_init_transformations": 77, "student_init_clip_order": 74,
    "student_init_scratch": 60, "student_average_scratch": 55,
    "student_s_invariant": 74, "student_s_projected": 77,
    "student_kl": 79, "student_unlabelled_only": 70,
}  # fmt: skip
SYSTEMS = {f"{name}_random": 50 for name in grid.systems()} | {"timebalance_random": 60}
SYSTEMS |= {f"{name}_ssl": 61 for name in grid.systems()}
LEAN = {"invariant": 15, "teacher_invariant": 15, "distinctive": -15, "teacher_distinctive": -15}


def synthetic_record(seed: int = 0, seeds: int = 5, families: bool = True) -> dict:
    """Return a valid record: 20 classes, 80 test videos, labels 1 to 50 %.

    Planted: the invariant teacher and features are 30 points better on persistent than on phased
    classes, the distinctive ones the other way; accuracies follow `TOP1`; oracle, if `families`.
    """
    rng = np.random.default_rng(seed)
    classes = [f"Class{k:02d}" for k in range(CLASSES)]
    label = np.repeat(np.arange(CLASSES), PER_CLASS)
    kind = {name: ("persistent", "phased")[k >= 10] for k, name in enumerate(classes)}
    units = [
        _unit(rng, k, fraction, label, families)
        for k in range(seeds)
        for fraction in (0.01, 0.05, 0.1, 0.2, 0.5)
    ]
    return {
        "kind": "study", "name": "synthetic-study", "title": "Planted differences",
        "dataset": "stickactions" if families else "ucf101",
        "config": {"study": {"fractions": [0.2, 0.05]}},
        "classes": classes, "families": kind if families else None,
        "test": {"video": [f"{classes[k]}/v_{i:03d}" for i, k in enumerate(label)],
                 "label": label.tolist()},
        "units": units,
    }  # fmt: skip


def plant(record: dict, cell: str, top1: float, fraction: float | None = None, seed: int = 9):
    """Replace the results of one classifier by others around `top1` percent, in every unit."""
    rng = np.random.default_rng(seed)
    label = np.array(record["test"]["label"])
    for unit in record["units"]:
        if cell in unit["cells"] and fraction in (None, unit["fraction"]):
            unit["cells"][cell]["right"] = _bits(rng, label, top1)
    return record


def drop(record: dict, cell: str, seeds: set[int] | None = None):
    """Take a classifier out of the record, of all units or of some seeds."""
    for unit in record["units"]:
        if seeds is None or unit["seed"] in seeds:
            unit["cells"].pop(cell, None)
    return record


def _bits(rng, label, top1: float, lean: float = 0.0) -> str:
    """Give each family its share of ones, exact but for one video more or less."""
    bits = np.zeros(len(label), dtype=int)
    for sign, videos in ((1, np.flatnonzero(label < 10)), (-1, np.flatnonzero(label >= 10))):
        share = np.clip(top1 + sign * lean, 0, 100) / 100
        ones = round(share * len(videos) + rng.uniform(-1, 1))
        bits[rng.permutation(videos)[: np.clip(ones, 0, len(videos))]] = 1
    return "".join(map(str, bits))


def _unit(rng, seed: int, fraction: float, label, families: bool) -> dict:
    first, main = fraction == 0.01, fraction in (0.05, 0.2)
    names = [n for n in TOP1 if main or n in SWEEP or (first and n == "all_labels")]
    names = [n for n in names if families or n != "student_oracle"]
    names = [n for n in names if n != "all_labels" or first]
    others = np.random.default_rng([17, seed])  # a system more moves no number of the rest
    s = np.where(label < 10, 0.75, 0.25) + rng.uniform(-0.2, 0.2, len(label))
    return {
        "seed": seed, "fraction": fraction, "labelled": round(1000 * fraction),
        "card": {"commit": "0" * 12, "code_hash": "1" * 12, "device": "test", "threads": 1,
                 "jobs": 1, "host_cpus": 2, "versions": {"python": "3.11"},
                 "started": "2026-01-01T00:00:00+00:00", "seconds": 100.0, "config": "2" * 12},
        "pretraining": {n: _pretrained(rng, n, label) for n in PRETRAINED} if first else {},
        "cells": {n: _cell(rng, n, fraction, label) for n in names}
        | {n: _cell(others, n, fraction, label) for n in SYSTEMS if main},
        "similarity": _similarity(rng, families) if main else {},
        "s": s.round(3).tolist(),
        "mixed": {n: v + rng.uniform(-1, 1) for n, v in _MIXED.items()},
    }  # fmt: skip


_MIXED = {"average": 66.0, "reweighted": 70.0, "shuffled": 65.0, "inverted": 58.0,
          "constant": 66.0, "oracle": 73.0, "hindsight": 85.0}  # fmt: skip


def _cell(rng, name: str, fraction: float, label) -> dict:
    planted = (TOP1 | SYSTEMS)[name]
    top1 = planted if name == "all_labels" else planted + 5 * np.log2(fraction / 0.2)
    cell = {"steps": 200, "clips": 6400, "seconds": 14.0,
            "right": _bits(rng, label, top1, LEAN.get(name, 0))}  # fmt: skip
    if name in (*INITS, "student_reweighted"):
        cell["curve"] = [[step, top1 * step / 200] for step in (50, 100, 150, 200)]
    return cell


def _pretrained(rng, name: str, label) -> dict:
    linear = _bits(rng, label, 25 if name == "untrained" else 65, LEAN.get(name, 0))
    share = {"distinctive": 0.8, "joint": 0.7, "transformations": 0.5}.get(name, 0.25)
    near = {"distinctive": 0.3, "invariant": 0.9}.get(name, 0.6)
    return {
        "steps": 0 if name == "untrained" else 300, "clips": 0 if name == "untrained" else 48000,
        "seconds": 95.0, "knn": 60 + rng.uniform(-2, 2),
        "linear": 100 * linear.count("1") / len(linear), "linear_right": linear,
        "retrieval": np.clip(rng.normal(share, 0.05, len(label)), 0, 1).round(3).tolist(),
        "retrieval_chance": 0.25,
        "similarity": np.clip(rng.normal(near, 0.05, len(label)), -1, 1).round(3).tolist(),
    }  # fmt: skip


def _similarity(rng, families: bool) -> dict:
    keys = ["distinctive/backbone/8/rank", "distinctive/backbone/8/minmax",
            "distinctive/backbone/2/rank", "invariant/backbone/8/rank",
            "distinctive/projected/8/rank"]  # fmt: skip
    return {
        key: {"auc_family": float(0.93 + rng.uniform(-0.02, 0.02)) if families else None,
              "auc_advantage": float(0.65 + rng.uniform(-0.02, 0.02)),
              "mixed_top1": float(70 + rng.uniform(-1, 1)), "mean": 0.5}
        for key in keys
    }  # fmt: skip
