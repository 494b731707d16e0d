"""The one loop: a method, its streams of clips, and a number of steps.

The loop knows no method by name.  A method says which clips it wants (`streams`), returns named
losses from one batch of each (`forward`), has what is trained in `learner` and what is kept of it
in `kept`; `begin` and `after` are called around each step, see `tblib.methods.base`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ..data.loader import ClipSamples, loader, to_device
from ..errors import Stopped, UserError
from ..files import append_line, atomic_write
from ..models import fuse
from . import checkpoint, distributed, stopping, workers
from .truth import with_truth


@dataclass(frozen=True)
class Plan:
    """How long and how fast: steps, AdamW settings, seed, and where the states go.

    `watch(step, learner)` is called every `watch_every` steps with the learner in eval mode; it
    may measure, not change.  `workers` processes prepare batches (0: this one); results stay.
    `compile` fuses the operations of every backbone, the teachers' too; results change in rounding.
    `augment_on_device` leaves cropping and colours to the device; they change in rounding as well.
    """

    steps: int
    lr: float
    weight_decay: float
    seed: int
    folder: Path
    checkpoint_every: int = 200
    watch_every: int = 0
    watch: Callable[[int, nn.Module], None] | None = None
    workers: int = 0
    compile: bool = False
    augment_on_device: bool = False

    @property
    def log_every(self) -> int:
        """Steps between two log lines: ten, or fewer in short trainings."""
        return max(1, min(10, self.steps // 20))


def learning_rate(step: int, plan: Plan) -> float:
    """Linear warm-up over the first 5 % of the steps, then a half cosine to zero."""
    warm = max(plan.steps // 20, 1)
    if step < warm:
        return plan.lr * (step + 1) / warm
    return plan.lr * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(plan.steps - warm, 1)))


def fit(method: nn.Module, videos, plan: Plan, device: torch.device) -> nn.Module:
    """Train a method's learner, resuming from the newest whole state in `plan.folder`.

    Every random choice depends on (seed, step) only, so an interrupted and resumed training ends
    with the same weights as an uninterrupted one on the same CPU and number of threads.

    Args:
        method: see `tblib.methods.base.Method`.
        videos: a `data.pool.Pool`: frames, labels and the rows of each pool.

    Returns:
        The network that the method keeps, in eval mode.

    Raises:
        UserError: the loss or its gradient became infinite or not a number; the last state is kept.
        Stopped: a signal came; the state after the step in progress is saved.
    """
    distributed.share(method.learner)
    method.to(device).train()
    if plan.compile:
        fuse(method, device)
    optimiser = torch.optim.AdamW(
        method.learner.parameters(), lr=plan.lr, weight_decay=plan.weight_decay, fused=True
    )
    first, pending = _resume(method, optimiser, plan)
    log = _Log(plan.folder / "metrics.jsonl", first, plan.log_every, pending)
    forward = distributed.parallel(method)
    supply = _batches(method, videos, plan, first, device)
    with stopping.listening(), workers.loading(), closing(supply):
        for step, batches in enumerate(supply, first):
            _before(step, method, optimiser, plan)
            values = forward(**batches)
            optimiser.zero_grad(set_to_none=True)
            values["loss"].backward()
            _check(values["loss"], method.learner, step, batches, plan)
            optimiser.step()
            method.after(step)
            values = with_truth(values, batches, videos.labels)
            log.add(step, values, last=step == plan.steps - 1)
            _after(step + 1, method, optimiser, log, plan)
    return method.kept.eval()


def _before(step: int, method: nn.Module, optimiser, plan: Plan) -> None:
    """Seed, set the rate, tell the method: whatever a step begins with."""
    torch.manual_seed(plan.seed * 1_000_003 + step)
    at, length = method.round_of(step, plan.steps)
    if at == 0:
        optimiser.state.clear()
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(at, replace(plan, steps=length))
    method.begin(step, plan.steps)


def _after(step: int, method: nn.Module, optimiser, log: _Log, plan: Plan) -> None:
    """Watch, save, stop: whatever is due after `step` steps."""
    if plan.watch_every and step % plan.watch_every == 0 and distributed.leads():
        plan.watch(step, method.kept.eval())
        method.train()
    if step == plan.steps:
        return
    stop = distributed.any_asked()
    if stop or step % plan.checkpoint_every == 0:
        _save(method, optimiser, log, plan, step)
    if stop:
        raise Stopped(
            f"stopped at step {step} of {plan.steps}, saved; the same command goes on, "
            "and so does the cell run again."
        )


def _batches(method, videos, plan: Plan, first: int, device) -> Iterator[dict]:
    """Yield one batch of every stream per step, by name."""
    streams = method.streams()
    loaders: list[DataLoader] = []
    for number, stream in enumerate(streams.values()):
        seed, uncut = plan.seed + 7919 * number, plan.augment_on_device
        samples = ClipSamples(videos.cache, videos.labels, stream, seed, uncut)
        whole = loader(samples, videos.rows(stream.pool), first, plan.steps, plan.workers)
        loaders.append(workers.loaders(distributed.own_part(whole)))
    with workers.begun(loaders) as begun:
        for step in zip(*begun, strict=True):
            pairs = zip(streams, step, strict=True)
            yield {name: to_device(batch, device) for name, batch in pairs}


def _check(loss: Tensor, learner: nn.Module, step: int, batches: dict, plan: Plan) -> None:
    """Stop before a step that would spoil the weights; one look at the device for both numbers."""
    gradients = [p.grad for p in learner.parameters() if p.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    if not torch.isfinite(loss + norm):
        rows = {name: batch.row.tolist() for name, batch in batches.items()}
        what = "gradient" if torch.isfinite(loss) else "loss"
        value = norm.item() if torch.isfinite(loss) else loss.item()
        raise UserError(
            f"the {what} became {value} at step {step} (seed {plan.seed}, video rows {rows}); "
            "lower the learning rate. The last saved state is kept."
        )


def _save(method, optimiser, log: _Log, plan: Plan, step: int) -> None:
    if not distributed.leads():
        return
    state = {
        "method": _changing(method),
        "optimiser": optimiser.state_dict(),
        "step": step,
        "pending": log.pending,
    }
    checkpoint.save_state(plan.folder, step, state)


def _changing(method) -> dict[str, Tensor]:
    """Return all that a method needs to go on: every part that is not frozen."""
    frozen = tuple(f"{name}." for name in method.frozen)
    return {k: v for k, v in method.state_dict().items() if not k.startswith(frozen)}


def _resume(method, optimiser, plan: Plan) -> tuple[int, list]:
    """Load the newest whole state; return the next step and the values not yet in the log."""
    state = checkpoint.latest_state(plan.folder)
    if state is None:
        return 0, []
    left_out = method.load_state_dict(state["method"], strict=False).missing_keys
    assert not _changing(method).keys() & set(left_out), "a part is neither saved nor frozen"
    optimiser.load_state_dict(state["optimiser"])
    return state["step"], state["pending"]


class _Log:
    """One JSON line every few steps: the mean of each value since the last line."""

    def __init__(self, path: Path, first: int, every: int, pending: list[dict[str, Tensor]]):
        self.path, self.every, self.pending = path, every, pending
        if distributed.leads():
            kept = [line for line in read_log(path) if line["step"] <= first]
            text = "".join(json.dumps(line) + "\n" for line in kept)
            atomic_write(path, lambda temporary: temporary.write_text(text))

    def add(self, step: int, values: dict[str, Tensor], last: bool) -> None:
        """Remember the values; write their mean when it is time."""
        self.pending.append({name: value.detach() for name, value in values.items()})
        if (step + 1) % self.every == 0 or last:
            mean = {name: _mean([float(v[name]) for v in self.pending]) for name in self.pending[0]}
            self.pending.clear()
            if distributed.leads():
                append_line(self.path, json.dumps({"step": step + 1, **mean}))


def _mean(values: list[float]) -> float | None:
    """Average what is known: a share of nothing is NaN, and null in the log if all of them are."""
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else None


def read_log(path: Path) -> list[dict]:
    """Read `metrics.jsonl`; a last line cut off by a kill is dropped."""
    if not path.is_file():
        return []
    lines = path.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]
