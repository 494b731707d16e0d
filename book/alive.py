"""What the figures that answer to the reader show: a few test videos of the rendered run.

Pictures are StickActions videos only, drawn anew at the size of a page; a run on other videos has
numbers and no pictures of people.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from matplotlib import colormaps

from tblib.data.clips import UniformClips
from tblib.data.stickactions import one
from tblib.errors import DataError
from tblib.files import read_json
from tblib.lesson import plot
from tblib.lesson.plot.style import spread
from tblib.methods import reweight
from tblib.run.directory import Run, open_run
from tblib.run.features import features
from tblib.run.models import predict, scores
from tblib.settings.config import Profile

FRAMES, PX, FPS = 32, 144, 25  # of a moving picture; videos are made at 25 frames a second
HERO = ("PlayingPiano", "Rowing", "DrumKit", "PickUpThrow", "RunCartwheel", "WaveBowJump")
NOTHING = """# Hands on

Two figures that answer to the reader belong here. They show StickActions videos, and this rendering
shows a run on other videos, whose frames are not ours to publish.
"""
NAMED = re.compile(r"v_(?P<name>\w+)_g(?P<group>\d+)_c(?P<clip>\d+)$")


def sprite(frames: np.ndarray, path: Path) -> dict[str, Any]:
    """Write a video `[N, H, W, 3]` as one wide WebP picture of evenly spread frames.

    Returns:
        What a page needs to play it: file name, number of pictures, seconds of one pass.
    """
    chosen = frames[spread(len(frames), FRAMES)]
    wide = np.concatenate(list(chosen), axis=1)[..., ::-1]  # OpenCV writes BGR
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), wide, [cv2.IMWRITE_WEBP_QUALITY, 80]):
        raise DataError(f"{path} could not be written as WebP by the installed OpenCV.")
    return {"file": path.name, "frames": len(chosen), "seconds": round(len(frames) / FPS, 2)}


def hero(folder: Path) -> dict[str, dict[str, Any]]:
    """Write the moving pictures of the start page, and its still picture beside them."""
    plot.use_book_style()
    clips = {name: one.sample(name, px=160, seed=5).frames for name in HERO}
    plot.contact_sheet(clips, n=6).savefig(folder / "hero.png")
    return {name: sprite(f, folder / "_static" / f"hero-{name}.webp") for name, f in clips.items()}


def opened(run: Path) -> Run:
    """Open a finished run directory with the settings it was made with."""
    return open_run(Profile.model_validate(read_json(run / "config.json")), run, 5)


def drawn_again(video: str, frames: int, seed: int) -> np.ndarray:
    """Draw a StickActions video of a data set once more, `[frames, PX, PX, 3]`, at another size.

    Args:
        video: its name in the lists, such as `Rowing/v_Rowing_g01_c02`.
        frames: its length.
        seed: of the data set.
    """
    found = NAMED.search(video)
    return one.painted(found["name"], seed, int(found["group"]), int(found["clip"]), frames, PX)[1]


def _one_per_class(run: Run, most: int = 8) -> np.ndarray:
    """Return table rows: the first test video of evenly spread classes, families side by side."""
    table = run.videos.table.iloc[run.pool.rows("test")]
    first = table.groupby("class_name", sort=False).head(1).sort_values("family", kind="stable")
    return first.index.to_numpy()[spread(len(first), most)]


def videos(run: Run, folder: Path) -> list[dict[str, Any]]:
    """Describe some test videos: clips, similarities, score and both teachers' probabilities.

    Args:
        folder: moving pictures go to its `_static/`.
    """
    rows, c = _one_per_class(run), run.config
    o = c.similarity
    h = features(run, f"ssl_{o.features}", rows, o.clips, projected=o.projected)
    matrix, raw = reweight.similarity_matrix(h), reweight.raw_similarity(h)
    teachers = [predict(run, f"teacher_{kind}", rows) for kind in ("invariant", "distinctive")]
    s = scores(run, "reweighted")
    cut = UniformClips(c.pretrain.clip.frames, c.pretrain.clip.stride, o.clips)
    found = []
    for i, row in enumerate(rows):
        video, length = run.videos.table.video[row], len(run.pool.cache[row])
        middle = np.median(cut.indices(length), axis=1) / (length - 1)
        frames = drawn_again(video, length, c.sticks.seed)
        name = Path(video).name
        found.append(
            {
                "name": run.videos.table.class_name[row],
                "family": run.videos.table.family[row],
                "label": int(run.pool.labels[row]),
                "raw": round(float(raw[i]), 4),
                "s": round(float(s[row]), 3),
                "matrix": _rounded(matrix[i], 4),
                "p_inv": _rounded(teachers[0][i], 4),
                "p_dist": _rounded(teachers[1][i], 4),
                "at": (middle * (FRAMES - 1)).round().astype(int).tolist(),
                "clip": sprite(frames, folder / "_static" / f"{name}.webp"),
                "still": frames,
            }
        )
    return found


def _rounded(values: torch.Tensor, digits: int) -> list:
    return np.round(values.double().numpy(), digits).tolist()


def stills(found: list[dict[str, Any]], classes: list[str], folder: Path) -> None:
    """Draw what paper and browsers without scripts show: two videos, chosen by their score."""
    plot.use_book_style()
    ordered = sorted(found, key=lambda video: video["s"])
    high, low = ordered[-1], ordered[0]
    pair = [
        {"matrix": v["matrix"], "frames": v["still"], "s": v["s"], "title": v["name"]}
        for v in (high, low)
    ]
    plot.similarity_pair(*pair).savefig(folder / "similarity.png")
    mixed = []
    for v in (high, low):
        p = [np.array(v[key]) for key in ("p_inv", "p_dist")]
        mixture = v["s"] * p[0] + (1 - v["s"]) * p[1]
        mixed.append(dict(zip(("p_inv", "p_dist", "p_mix"), (*p, mixture), strict=True)))
        mixed[-1] |= {"frames": v["still"], "s": v["s"], "label": v["label"]}
    plot.reweighting_illustration(mixed, classes).savefig(folder / "mixture.png")


def data_script(values: dict[str, Any]) -> str:
    """Return a script element that holds data, not code."""
    text = json.dumps(values, separators=(",", ":")).replace("</", "<\\/")
    return f'<script type="application/json" class="alive-data">{text}</script>\n'


def write(run: Path, folder: Path) -> bool:
    """Write data and pictures of all figures that answer; say whether the run has any.

    Args:
        run: run directory.
        folder: `book/` of the pages to be rendered; moving pictures go to its `_static/`.
    """
    (folder / "_alive").mkdir()
    (folder / "_alive" / "hero.html").write_text(data_script({"clips": hero(folder)}))
    this = opened(run)
    if this.config.data.dataset != "stickactions":
        return False
    found = videos(this, folder)
    stills(found, this.videos.classes, folder)
    tints = [[round(255 * x) for x in colormaps["cividis"](k / 15)[:3]] for k in range(16)]
    values = {
        "classes": list(this.videos.classes),
        "tints": tints,
        "videos": [{k: v for k, v in video.items() if k != "still"} for video in found],
    }
    (folder / "_alive" / "videos.html").write_text(data_script(values))
    return True
