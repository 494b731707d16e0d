"""Do independent trainings side by side use the cores? One process, two, and one with two threads.

Every process trains `tiny_r3d` jointly on random clips, as the jobs of a chapter do
(`runtime.jobs`).  Elapsed time, since several processes have no common CPU clock: run this on a
machine that does nothing else.
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import torch
from common import Report, parser
from training import pretraining_steps

_step = None


def prepare(videos: int, px: int) -> None:
    """Build the network of a worker process and take a first step, which is slower."""
    global _step
    torch.manual_seed(0)
    _step = pretraining_steps(videos, px)["two passes, one Gram matrix, channels last (tblib)"]
    _step()


def train(steps: int, threads: int) -> None:
    """Take steps in a worker process."""
    torch.set_num_threads(threads)
    for _ in range(steps):
        _step()


def elapsed(pool: ProcessPoolExecutor, processes: int, steps: int, threads: int = 1) -> float:
    """Return the seconds until every process has taken its steps."""
    begin = time.perf_counter()
    for future in [pool.submit(train, steps, threads) for _ in range(processes)]:
        future.result()
    return time.perf_counter() - begin


def main() -> None:
    """Measure all ways in turns; a round of `steps` steps per process."""
    options = parser(__doc__)
    options.add_argument("--videos", type=int, default=16)
    options.add_argument("--px", type=int, default=32)
    options.add_argument("--steps", type=int, default=6, help="per process and round")
    o = options.parse_args()
    report = Report(o.rounds)
    with ProcessPoolExecutor(2, get_context("spawn"), prepare, (o.videos, o.px)) as pool:
        ways = {
            "one process of one thread": partial(elapsed, pool, 1, o.steps),
            "one process of two threads": partial(elapsed, pool, 1, o.steps, threads=2),
            "two processes of one thread": partial(elapsed, pool, 2, o.steps),
        }
        elapsed(pool, 2, 1)  # both processes are started and prepared
        turns = [{name: way() for name, way in ways.items()} for _ in range(o.rounds)]
    taken = {"two processes of one thread": 2 * o.steps}
    seconds = {name: [turn[name] / taken.get(name, o.steps) for turn in turns] for name in turns[0]}
    title = f"joint pretraining, tiny_r3d, batch {o.videos}, {o.px} px, on two cores"
    report.gains(title, seconds, 1, "step", clock="elapsed")
    if o.record:
        report.write("processes")


if __name__ == "__main__":
    main()
