"""What each process of a shared training does in `test_distributed.py`; also run as one alone."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from helpers import fake_pool, made, tiny_profile

from tblib.engine import distributed
from tblib.engine.loop import Plan, fit
from tblib.models import Backbone

# In float32 sums of another order are soon other weights: AdamW turns a gradient near zero into a
# whole step.  In float64 ten steps keep eight digits, unless something is wrong.
Backbone.forward = lambda self, x: self.layers(x.double())
VIDEOS, STEPS = 24, 10
EVEN = {"clip_order": {"pretrain__slots": 2}}  # batches that two processes can halve


def main(folder: Path, names: list[str]) -> None:
    """Train every method for ten steps; the first process leaves its log and weights."""
    distributed.start("cpu")
    for name in names:
        method = made(name, tiny_profile(**EVEN.get(name, {})), rows=VIDEOS)
        plan = Plan(STEPS, 1e-3, 0.01, 0, folder / name, checkpoint_every=4)
        learner = fit(method.double(), fake_pool(VIDEOS, 8), plan, torch.device("cpu"))
        if distributed.leads():
            torch.save(learner.state_dict(), folder / name / "final.pt")
    distributed.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
