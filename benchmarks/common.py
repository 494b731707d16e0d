"""Videos to measure with, and tables of what was measured."""

from __future__ import annotations

import argparse
import os
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch

from tblib.engine import hardware
from tblib.files import write_json
from tblib.lesson import timing
from tblib.lesson.chapters import ROOT
from tblib.run import cards

torch.set_num_threads(1)
cv2.setNumThreads(1)
hardware.keep_freed_memory()


def parser(text: str) -> argparse.ArgumentParser:
    """Return a parser with the number of rounds and the wish to keep the result."""
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="each method once per round")
    parser.add_argument("--record", action="store_true", help="write results/benchmarks/")
    return parser


class Report:
    """Tables of one program: printed as they are made, and kept as a file if that is asked for."""

    def __init__(self, rounds: int):
        self.tables: list[dict[str, Any]] = []
        self.machine = machine() | {"rounds": rounds}
        print(", ".join(f"{key}: {value}" for key, value in self.machine.items()))

    def gains(
        self,
        title: str,
        seconds: dict[str, list[float]],
        per_call: int,
        unit: str,
        clock: str = "CPU",
    ) -> None:
        """Add a table: milliseconds, units per second, and gain over the first method."""
        won = timing.gains(seconds)
        rows = [
            {"name": name, "ms": 1e3 * statistics.median(values) / per_call, "gain": won[name]}
            for name, values in seconds.items()
        ]
        self._add({"title": title, "unit": unit, "clock": clock, "rows": rows})

    def growth(self, title: str, what: str, seconds: dict[int, float], unit: str) -> None:
        """Add a table: milliseconds of each size, and relative to the smallest."""
        rows = [{"size": size, "ms": 1e3 * value} for size, value in seconds.items()]
        self._add({"title": title, "what": what, "unit": unit, "rows": rows})

    def costs(self, title: str, limit: float, rows: list[dict[str, Any]]) -> None:
        """Add a table: what a step should cost by its operations, and what it does cost."""
        self._add({"title": title, "unit": "step", "limit": limit, "rows": rows})

    def _add(self, entry: dict[str, Any]) -> None:
        self.tables.append(entry)
        print(f"\n{markdown(entry)}", flush=True)

    def write(self, name: str) -> None:
        """Keep the tables as `results/benchmarks/NAME.json`, with the machine."""
        place = ROOT / "results" / "benchmarks" / f"{name}.json"
        print(f"\n{write_json(place, {'machine': self.machine, 'tables': self.tables})}")


def markdown(entry: dict[str, Any]) -> str:
    """Write one table as it stands in the README."""
    unit, rows = entry["unit"], entry["rows"]
    if "limit" in entry:
        head = "| system | CPU ms per step | operations, of plain | time, of plain | ratio |"
        head += "\n| :-- | --: | --: | --: | --: |"
        lines = [
            f"| {r['name']} | {r['ms']:.0f} | {r['should']:.2f} | {r['does'][0]:.2f} "
            f"| {r['does'][0] / r['should']:.2f} |"
            for r in rows
        ]
    elif "what" in entry:
        head = (
            f"| {entry['what']} | CPU ms per {unit} | relative to the first |\n| --: | --: | --: |"
        )
        first = rows[0]["ms"]
        lines = [f"| {r['size']:,} | {r['ms']:.3g} | {r['ms'] / first:.1f} |" for r in rows]
    else:
        clock = entry.get("clock", "CPU")
        head = f"| method | {clock} ms per {unit} | {unit}s per {clock} second | gain |"
        head += "\n| :-- | --: | --: | --: |"
        lines = [
            f"| {r['name']} | {r['ms']:.1f} | {1e3 / r['ms']:.1f} | {_span(*r['gain'])} |"
            for r in rows
        ]
    return "\n".join([f"### {entry['title']}\n", head, *lines])


def _span(middle: float, least: float, most: float) -> str:
    return f"{middle:.1f} ({least:.1f}–{most:.1f})"


def machine() -> dict[str, Any]:
    """Say what this runs on."""
    load = Path("/proc/loadavg")
    return {
        "device": cards._device_name(torch.device("cpu")),
        "cores": os.cpu_count(),
        "threads used": torch.get_num_threads(),
        "torch": torch.__version__,
        "load of the machine": load.read_text().split()[0] if load.is_file() else "unknown",
        "commit": cards.commit(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def write_videos(folder: Path, count: int, codec: str, suffix: str, seconds: int = 7) -> list[Path]:
    """Write moving noise of UCF101's size, 320×240 at 25 frames per second."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(folder / f"{i}{suffix}", codec, 25 * seconds, i) for i in range(count)]


def _write(path: Path, codec: str, frames: int, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    scene = cv2.GaussianBlur(rng.integers(0, 256, (480, 640, 3), dtype=np.uint8), (0, 0), 3)
    scene = cv2.normalize(scene, None, 0, 255, cv2.NORM_MINMAX)
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.bit_rate = 400_000
        for at in range(frames):
            top, left = (at + 7 * seed) % 240, (2 * at) % 320
            picture = np.ascontiguousarray(scene[top : top + 240, left : left + 320])
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())
    return path
