"""Does a training on a GPU that was killed end with the weights of an undisturbed one?

Real trainings of r3d_18 at 112 px, killed with SIGKILL at random times; each as torch likes and
with deterministic algorithms.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # asked for by deterministic cuBLAS

import numpy as np
import pandas as pd
import torch
from gpu_common import CLASSES, build, options, profile, scenes, write

from tblib.data.pool import Pool
from tblib.engine import checkpoint
from tblib.engine.loop import Plan, fit
from tblib.files import sweep

VIDEOS, STEPS, EVERY, KILLS = 16, 24, 4, 2
METHODS = ("joint", "timebalance")


def train(name: str, folder: Path, deterministic: bool, px: int, net: str, device: str) -> None:
    """Train on moving patches to the end, resuming from what is there, and leave the model."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(deterministic)
    frames = list(scenes(VIDEOS, 80, 128, np.random.default_rng(0)).numpy())
    roles = pd.Series(["labelled"] * (VIDEOS // 2) + ["unlabelled"] * (VIDEOS // 2))
    videos = Pool(frames, np.arange(VIDEOS) % CLASSES, roles)
    sweep(folder)
    torch.manual_seed(0)
    method = build(name, profile(px, "auto", 2, net), VIDEOS)
    learner = fit(method, videos, Plan(STEPS, 1e-3, 1e-2, 0, folder, EVERY), torch.device(device))
    checkpoint.save_model(folder, learner.state_dict(), {})
    checkpoint.drop_states(folder)


def started(name: str, folder: Path, deterministic: bool, o) -> subprocess.Popen:
    """Start a training as a process of its own."""
    call = f"import gpu_resume as g, pathlib as p; g.train({name!r}, p.Path({str(folder)!r}), "
    call += f"{deterministic}, {o.px}, {o.backbone!r}, {o.device!r})"
    return subprocess.Popen([sys.executable, "-c", call], cwd=Path(__file__).parent)


def newest(folder: Path) -> int:
    """Step of the newest state, 0 without one."""
    return max((int(p.stem[6:]) for p in folder.glob("state_*.json")), default=0)


def disturbed(name: str, folder: Path, deterministic: bool, o) -> list[int]:
    """Kill a training a few times, each a random while after a new state, then let it end.

    Returns:
        The steps of the states it had when it was killed.
    """
    rng, steps = random.Random(f"{name} {deterministic}"), []
    for _ in range(KILLS):
        before, process = newest(folder), started(name, folder, deterministic, o)
        while newest(folder) <= before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.4))
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        steps.append(newest(folder))
    if started(name, folder, deterministic, o).wait():
        raise RuntimeError(f"{name}: the training did not end well")
    return steps


def largest(first: dict, second: dict) -> float:
    """Largest difference of two models; 0 means bit for bit."""
    if all(torch.equal(first[key], second[key]) for key in first):
        return 0.0
    return max(float((first[k].double() - second[k].double()).abs().max()) for k in first)


def compare(name: str, deterministic: bool, home: Path, o) -> dict:
    """Train once undisturbed and once with kills; compare the models."""
    folders = [home / f"{name}-{deterministic}-{part}" for part in ("whole", "killed")]
    for folder in folders:
        folder.mkdir()
    quiet = started(name, folders[0], deterministic, o)
    steps = disturbed(name, folders[1], deterministic, o)
    if quiet.wait():
        raise RuntimeError(f"{name}: the undisturbed training did not end well")
    whole, resumed = map(checkpoint.load_weights, folders)
    return {
        "method": name,
        "deterministic": deterministic,
        "killed_after_state": steps,
        "difference_after_kills": largest(whole, resumed),
        "largest_value": max(float(v.abs().max()) for v in whole.values() if v.is_floating_point()),
    }


def main() -> None:
    """Compare all methods, side by side, and record."""
    o = options(__doc__, px=112, backbone="r3d_18", scratch="")
    cases = [(name, fixed) for name in METHODS for fixed in (False, True)]
    with (
        tempfile.TemporaryDirectory(dir=o.scratch or None) as home,
        ThreadPoolExecutor(len(cases)) as side_by_side,
    ):
        found = list(side_by_side.map(lambda case: compare(*case, Path(home), o), cases))
    settings = {"steps": STEPS, "state_every": EVERY, "px": o.px, "backbone": o.backbone, "seed": 0}
    for row in found:
        print(row)
    write(o.out, "resume", {"settings": settings, "trainings": found})


if __name__ == "__main__":
    main()
