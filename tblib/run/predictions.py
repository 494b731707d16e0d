"""What a model said of videos: at a prompt, as a table, as plain values, as a figure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from ..errors import UserError
from ..files import atomic_write, write_json
from ..lesson import plot

TOP = 3  # classes that are printed


@dataclass(frozen=True)
class Seen:
    """One video and what was said of it.

    Attributes:
        path: its file.
        frames: how many it has.
        fps: frames a second, 0 where the file does not say.
        starts: `[n]`, first frame of each clip.
        span: frames of the video that a clip spans.
        p: by model, class probabilities of each clip, `[n, K]`; the model that was asked first.
        s: the score s(v) in [0, 1], or None.
        strip: some of its frames, uint8 `[m, h, w, 3]`.
    """

    path: Path
    frames: int
    fps: float
    starts: np.ndarray
    span: int
    p: dict[str, Tensor]
    s: float | None
    strip: np.ndarray

    @property
    def video(self) -> dict[str, Tensor]:
        """By model, class probabilities of the video, `[K]`: the mean over clips."""
        return {name: clips.mean(0) for name, clips in self.p.items()}

    def times(self) -> tuple[np.ndarray, str]:
        """Return where each clip begins, `[n]`, in seconds if they are known, and the unit."""
        return (self.starts / self.fps, "s") if self.fps else (self.starts, "frame")


@dataclass(frozen=True)
class Predictions:
    """What a model said of some videos.

    Attributes:
        card: of the model.
        seen: the videos that could be read.
        refused: a sentence for each of the others.
        notes: what was left out, and why.
    """

    card: dict[str, Any]
    seen: tuple[Seen, ...]
    refused: tuple[UserError, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "\n".join([*map(self._said, self.seen), *(f"note: {note}" for note in self.notes)])

    def _said(self, of: Seen) -> str:
        score = "" if of.s is None else f", s(v) = {of.s:.2f}"
        long = f", {of.frames / of.fps:.1f} s" if of.fps else ""
        width = max(map(len, of.p))
        lines = [f"  {name:<{width}}  {self._top(p)}" for name, p in of.video.items()]
        return "\n".join(
            [
                f"{of.path}: {of.frames} frames{long}{score}",
                *lines,
                f"  over time: {self._parts(of)}",
            ]
        )

    def _top(self, p: Tensor) -> str:
        best = p.topk(min(TOP, len(p)))
        pairs = zip(best.values.tolist(), best.indices.tolist(), strict=True)
        return ", ".join(f"{self.card['classes'][k]} {100 * value:.1f} %" for value, k in pairs)

    def _parts(self, of: Seen) -> str:
        """Name the most probable class of neighbouring clips, with where the first one begins."""
        at, unit = of.times()
        best = next(iter(of.p.values())).argmax(1).tolist()
        groups = [(k, [i for i, _ in some]) for k, some in groupby(enumerate(best), lambda x: x[1])]
        digits = 1 if unit == "s" else 0
        return ", ".join(
            f"from {at[some[0]]:.{digits}f} {unit} {self.card['classes'][k]}" for k, some in groups
        )

    def frame(self) -> pd.DataFrame:
        """Return a row for each video, model and clip, and one for each video with clip `all`.

        `first` and `last` are frames, `seconds` is where the clip begins; then the most probable
        class, its probability, and a column `p(class)` for every class.
        """
        return pd.DataFrame([row for of in self.seen for row in self._rows(of)])

    def _rows(self, of: Seen) -> list[dict]:
        ends = np.minimum(of.starts + of.span, of.frames) - 1
        begins = of.starts / of.fps if of.fps else np.full(len(of.starts), np.nan)
        rows = []
        for name, clips in of.p.items():
            head = {"video": str(of.path), "s": of.s, "model": name}
            whole = {"clip": "all", "first": 0, "last": of.frames - 1, "seconds": 0.0}
            rows.append(head | whole | self._classes(clips.mean(0)))
            for k, p in enumerate(clips):
                part = {"clip": k + 1, "first": of.starts[k], "last": ends[k], "seconds": begins[k]}
                rows.append(head | part | self._classes(p))
        return rows

    def _classes(self, p: Tensor) -> dict:
        names, values = self.card["classes"], p.tolist()
        best = int(p.argmax())
        columns = {f"p({name})": value for name, value in zip(names, values, strict=True)}
        return {"class": names[best], "probability": values[best], **columns}

    def plain(self) -> dict[str, Any]:
        """Return all of it as values that JSON knows."""
        videos = [
            {
                "video": str(of.path),
                "frames": of.frames,
                "fps": of.fps,
                "s": of.s,
                "first": of.starts.tolist(),
                "models": {
                    name: {"video": clips.mean(0).tolist(), "clips": clips.tolist()}
                    for name, clips in of.p.items()
                },
            }
            for of in self.seen
        ]
        refused = [str(error) for error in self.refused]
        return {"model": self.card, "videos": videos, "refused": refused, "notes": self.notes}

    def save(self, csv: Path | None = None, json: Path | None = None) -> None:
        """Write the table as CSV, and the plain values as JSON.

        Raises:
            StorageError: a file cannot be written.
        """
        if csv:
            atomic_write(csv, lambda to: self.frame().to_csv(to, index=False))
        if json:
            write_json(json, self.plain())

    def figures(self) -> list[Figure]:
        """Draw each video: some of its frames, and probabilities of its classes over time."""
        return [self._figure(of) for of in self.seen]

    def _figure(self, of: Seen) -> Figure:
        at, unit = of.times()
        clips = next(iter(of.p.values()))
        best = clips.mean(0).topk(min(TOP, clips.shape[1])).indices.tolist()
        curves = {self.card["classes"][k]: clips[:, k].numpy() for k in best}
        others = {
            name: self.card["classes"][int(p.argmax())] for name, p in list(of.video.items())[1:]
        }
        beside = [f"{name}: {answer}" for name, answer in others.items()]
        score = [] if of.s is None else [f"s(v) = {of.s:.2f}"]
        title = "; ".join([of.path.name, *score]) + "".join(f"\n{line}" for line in beside)
        where = f"begin of the clip, {'seconds' if unit == 's' else 'frames'}"
        return plot.prediction(of.strip, at, curves, title, where)
