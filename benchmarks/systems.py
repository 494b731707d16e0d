"""What a step of each semi-supervised system costs, beside a supervised step on as many clips.

What it should cost follows from its passes: operations are counted, forwards and backwards, for
the step of the system and for cross-entropy on 16 + 16 clips.  What it does cost is CPU time.  A
system whose ratio of times is above that of operations does something besides its networks.

    .venv/bin/python benchmarks/systems.py --record
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import numpy as np
import torch
from common import Report, parser
from torch.utils.flop_counter import FlopCounterMode

from tblib.data.loader import Batch, Stream
from tblib.data.table import NO_LABEL
from tblib.lesson.timing import compare, gains
from tblib.methods import registry, semi
from tblib.methods.base import Method
from tblib.methods.job import Given, Job
from tblib.models import Classifier
from tblib.settings.config import Profile

CLASSES, VIDEOS, LIMIT = 10, 64, 1.15
PLAIN = "supervised, 16 + 16 clips"


class Untrained(Given):
    """Teachers and scores that cost what real ones do."""

    def teachers(self, names: tuple[str, ...]) -> tuple[Classifier, ...]:
        """Return classifiers with first weights."""
        return tuple(Classifier(self.network(), CLASSES) for _ in names)

    def score(self, column: str) -> torch.Tensor:
        """Return rising scores."""
        return torch.linspace(0, 1, VIDEOS)


def made(name: str, profile: Profile) -> Method:
    """Build a system from torch's seed, in training mode, past its warm-up."""
    torch.manual_seed(0)
    job = Job(name, name, 1, 0, teachers=("inv", "dist"), score="s")
    method = registry.method(name).build(profile, CLASSES, job, Untrained(profile)).train()
    method.begin(step=70, steps=100)  # every term takes part
    return method


def batch(stream: Stream) -> Batch:
    """Make one batch of a stream: random clips of its shape."""
    rng = torch.Generator().manual_seed(1)
    augments = stream.augment if isinstance(stream.augment, tuple) else (stream.augment,)
    views, frames = stream.views.indices(99, np.random.default_rng(0)).shape
    px = augments[0].px
    clips = torch.rand(views, stream.batch, frames, px, px, 3, generator=rng).movedim(-1, 2)
    rows = torch.arange(stream.batch) % VIDEOS
    label = rows % CLASSES if stream.tells else torch.full_like(rows, NO_LABEL)
    return Batch(clips, label, rows)


def step_of(method: Method) -> Callable[[int], None]:
    """Return a whole training step on batches that are there already."""
    batches = {name: batch(stream) for name, stream in method.streams().items()}
    optimiser = torch.optim.AdamW(method.learner.parameters(), lr=1e-4, fused=True)

    def step(_: int = 0) -> None:
        loss = method(**batches)["loss"]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        method.after(70)

    return step


def operations(step: Callable[[int], None]) -> int:
    """Count the operations of a step."""
    with FlopCounterMode(display=False) as counter:
        step(0)
    return counter.get_total_flops()


def main() -> None:
    """Measure every system of the shelf."""
    options = parser(__doc__).parse_args()
    report = Report(options.rounds)
    profile = Profile(name="bench")
    plain = profile.model_copy(update={"finetune": profile.finetune.model_copy(
        update={"batch": 32})})  # fmt: skip
    steps = {PLAIN: step_of(made("supervised", plain))}
    steps |= {name: step_of(made(name, profile)) for name in semi.METHODS if name != "supervised"}
    flop = {name: operations(step) for name, step in steps.items()}
    seconds = compare(steps, options.rounds)
    won = gains(seconds)
    rows = [
        {
            "name": name,
            "ms": 1e3 * statistics.median(seconds[name]),
            "should": flop[name] / flop[PLAIN],
            "does": [1 / ratio for ratio in won[name]],
        }
        for name in steps
    ]
    report.costs("a step of each system, tiny_r3d, 32 px, float32", LIMIT, rows)
    if options.record:
        report.write("systems")


if __name__ == "__main__":
    main()
