"""What a person sees while trainings run: how far each is, the time left, and the loss so far.

A thread reads the logs that trainings write, so no training knows whether it is watched, and one in
another process is watched in the same way.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from ..progress import interactive

PAUSE = 1.0  # seconds between two looks
SHARE = 10  # looking takes at most one part in so many of the time
CLEAR = "\033[K"
METER = "{desc} {percentage:3.0f}%|{bar:20}| {n_fmt}/{total_fmt}"


@dataclass
class Watch:
    """How far trainings are, from their logs alone.

    Attributes:
        logs: name → `metrics.jsonl` of a training, which need not exist yet.
        steps: name → its length.
        taken: steps seen being taken; what was there before, or is resumed, says nothing of speed.
        begin: when the first steps were seen; starting up says nothing of it either.
    """

    logs: Mapping[str, Path]
    steps: Mapping[str, int]
    taken: int = 0
    begin: float | None = None
    history: dict[str, pd.DataFrame] = field(default_factory=dict)

    def __post_init__(self):
        self._before = {name: _changed(path) for name, path in self.logs.items()}

    def look(self) -> None:
        """Read the logs again; one that nobody has written to since the beginning is an old one."""
        from ..engine.loop import read_log

        for name, path in self.logs.items():
            if _changed(path) == self._before[name]:
                continue
            with suppress(FileNotFoundError):  # a training that begins anew deletes it
                if lines := read_log(path):
                    self.taken += max(0, lines[-1]["step"] - self._counted(name, lines))
                    self.begin = self.begin or time.monotonic()
                    self.history[name] = pd.DataFrame(lines)

    def _counted(self, name: str, lines: list[dict]) -> int:
        """Return the step from which those of a training count: all, if it began while we look."""
        anew = self.begin is not None and self._before[name] is None
        return self.done(name) or (0 if anew else lines[-1]["step"])

    def done(self, name: str) -> int:
        """Return the last logged step of a training."""
        return int(self.history[name]["step"].iloc[-1]) if name in self.history else 0

    def meter(self) -> str:
        """Write one line for all trainings: steps, time spent and left, speed."""
        done, total = sum(map(self.done, self.logs)), sum(self.steps.values())
        elapsed = time.monotonic() - self.begin if self.begin else 0.0
        first = done - self.taken
        return tqdm.format_meter(done, total, elapsed, 78, "training", unit="step", initial=first)

    def meters(self) -> str:
        """Write a line for each training, then the one for all."""
        width = max(map(len, self.logs))
        lines = []
        for name, total in self.steps.items():
            line = tqdm.format_meter(self.done(name), total, 0, prefix=name.ljust(width),
                                     bar_format=METER)  # fmt: skip
            loss = f", loss {self.history[name]['loss'].iloc[-1]:.3f}" if self.done(name) else ""
            lines.append(line + loss)
        return "\n".join([*lines, self.meter()])


def _changed(path: Path) -> int | None:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime_ns
    return None


@contextmanager
def shown(run, jobs) -> Iterator[None]:
    """Show trainings while a block runs, for people only: batch runs see nothing of it.

    Args:
        run: whose folders hold the logs.
        jobs: what is going to be trained.
    """
    if not interactive() or not jobs:
        yield
        return
    logs = {job.name: run.folder(job.name) / "metrics.jsonl" for job in jobs}
    watch, over = Watch(logs, {job.name: job.steps for job in jobs}), threading.Event()
    view = _notebook_view() if in_notebook() else _terminal_view
    thread = threading.Thread(target=_keep_looking, args=(watch, view, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        if view is _terminal_view:
            print(f"\r{CLEAR}", end="", flush=True, file=sys.stderr)  # the line is free again


def _keep_looking(watch: Watch, view: Callable[[Watch], None], over: threading.Event) -> None:
    pause = PAUSE
    while True:
        last = over.wait(pause)
        began = time.monotonic()
        watch.look()
        view(watch)
        pause = max(PAUSE, SHARE * (time.monotonic() - began))
        if last:
            return


def in_notebook() -> bool:
    """Say whether this process is the kernel of a notebook."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")


def erase() -> str:
    """Return what clears the rest of a terminal's line; `""` where output is not a terminal."""
    return CLEAR if sys.stdout.isatty() else ""


def _terminal_view(watch: Watch) -> None:
    print(f"\r{watch.meter()}{CLEAR}", end="", flush=True, file=sys.stderr)


def _notebook_view() -> Callable[[Watch], None]:
    """Open two places below the cell, bars and curves, that are drawn over and over."""
    from IPython.display import display

    bars = display({"text/plain": ""}, raw=True, display_id=True)
    curves = display({"text/plain": ""}, raw=True, display_id=True)

    def view(watch: Watch) -> None:
        bars.update({"text/plain": watch.meters()}, raw=True)
        if watch.history:
            said = "Curves of the loss so far."
            curves.update({"image/png": _picture(watch.history), "text/plain": said}, raw=True)

    return view


def _picture(history: Mapping[str, pd.DataFrame]) -> str:
    """Draw the losses on one logarithmic axis, for they differ in size; PNG as base64."""
    from IPython.core.pylabtools import print_figure
    from matplotlib.ticker import LogFormatter

    from ..lesson import plot

    figure = plot.training_curves(history, ylabel="loss, logarithmic")
    axes = figure.axes[0]
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(LogFormatter())  # 20, not 2 × 10¹
    axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
    return print_figure(figure, "png", bbox_inches=None, base64=True)
