"""What a run will do and take, before it starts: `python -m tblib plan --profile …`.

Steps and clips follow from the settings; operations and memory are counted, speed is measured on
this machine or stated by the user (`tblib.plan.cost`).  Hours are an estimate: evaluation and
drawing are counted roughly, and a busy machine is slower.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ..data import cache
from ..engine import hardware
from ..methods import registry
from ..models import check_profile
from ..settings.config import Profile
from ..settings.profiles import data_home
from . import cost
from .prices import Prices
from .stages import chapter_stages, study_stages
from .videos import Videos, count_videos

STATES = 2  # kept of a training, each weights and two moments
GIB = 2**30


def plan(config: Profile, folder: Path, tflops: float | None = None) -> str:
    """Describe a run: its graph, and disk, memory and hours of each stage.

    Args:
        folder: the run directory; trainings that are finished there are not counted.
        tflops: speed of training in 10¹² operations per second, when the run is for another
            machine than this one.

    Raises:
        ConfigError: the backbone cannot make the slots.
        DataError: nothing is known about the videos.
    """
    check_profile(config)
    registry.check_profile(config)
    videos, device = count_videos(config), hardware.device(config.runtime.device)
    if tflops is None:
        speed = cost.measure(config, device)
    else:
        load = cost.load_seconds(config, config.finetune.clip.frames)
        speed = cost.Speed(tflops * 1e12, load, "stated")
    stages = list(
        study_stages(config, folder) if config.study else chapter_stages(config, videos, folder)
    )
    prices = Prices(config, videos, speed, device.type)
    rows = [prices.row(stage) for stage in stages]
    lines = [_head(config, videos, speed, prices), "", _table(rows), "", _disk(config, prices)]
    total = sum(row[-1] for row in rows)
    lines.append(f"time     about {_hours(total)} in all; trainings already finished not counted")
    return "\n".join(lines)


def _head(c: Profile, videos: Videos, speed: cost.Speed, prices: Prices) -> str:
    flop = prices.clip["pretrain"].flop
    frames, px = c.pretrain.clip.frames, c.data.crop_px
    return "\n".join(
        [
            f"plan of {c.title or c.name}",
            f"videos   {videos.train} for training, {videos.test} for testing ({videos.source})",
            *videos.said,
            f"network  {c.model.backbone}, {prices.weights / 4e6:.1f} M weights, "
            f"{flop / 1e9:.3g} GFLOP forwards for {frames}×{px}×{px}",
            f"speed    {speed.flops / 1e12:.3g} TFLOP/s in training ({speed.source}), "
            f"{1e3 * speed.load:.2g} ms to load a clip",
            f"input    {prices.input()}",
            f"devices  {prices.sharing()}",
        ]
    )


def _table(rows: list[tuple]) -> str:
    head = ("stage", "after", "models", "steps", "clips", "memory", "time")
    body = [
        (name, after, models or "", steps or "", f"{clips:.2g}" if clips else "",
         f"{memory / GIB:.1f} GiB" if memory else "", _hours(seconds))
        for name, after, models, steps, clips, memory, seconds in rows
    ]  # fmt: skip
    cells = [[str(cell) for cell in row] for row in (head, *body)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    pads = (str.ljust, str.ljust, *[str.rjust] * (len(head) - 2))
    padded = [[pad(*cell) for pad, cell in zip(pads, zip(row, widths, strict=True), strict=True)]
              for row in cells]  # fmt: skip
    return "\n".join("  ".join(row).rstrip() for row in padded)


def _disk(c: Profile, prices: Prices) -> str:
    home = data_home()
    free = shutil.disk_usage(next(p for p in (home, *home.parents) if p.exists())).free
    state = 3 * prices.weights * STATES * c.runtime.jobs
    return (
        f"disk     frame cache {cache.size(prices.disk)} ({c.data.cache_format}, "
        f"{c.data.cache_px} px), a model {cache.size(prices.weights)}, states of trainings in "
        f"progress {cache.size(state)}; {cache.size(free)} free for data"
    )


def _hours(seconds: float) -> str:
    if seconds < 1:
        return "–"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
