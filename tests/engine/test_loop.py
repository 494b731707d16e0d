"""The training loop: resumed equals uninterrupted, and nothing goes wrong silently."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partialmethod
from pathlib import Path

import pytest
import torch
from helpers import TinyMethod, fake_pool, made, same_weights, tiny_profile

from tblib.engine.loop import Plan, fit, learning_rate, read_log
from tblib.errors import DataError, UserError

CPU = torch.device("cpu")
TESTS = Path(__file__).parents[1]

SCRIPT = """
import sys, time
from pathlib import Path
import torch
from helpers import TinyMethod, fake_pool
from tblib.engine import loop

folder, pause = Path(sys.argv[1]), float(sys.argv[2])
method = TinyMethod()
real = method.forward
def slow(**batches):
    if method.calls % 8 == 7:
        time.sleep(pause)
    return real(**batches)
method.forward = slow
plan = loop.Plan(40, 1e-2, 0.1, 0, folder, 4)
learner = loop.fit(method, fake_pool(8), plan, torch.device("cpu"))
torch.save(learner.state_dict(), folder / "final.pt")
"""


def plan(folder, steps=20, every=8, **options):
    values = {"lr": 1e-2, "weight_decay": 0.1, "seed": 0} | options
    return Plan(steps, folder=folder, checkpoint_every=every, **values)


def train(folder, **options):
    return fit(TinyMethod(), fake_pool(8), plan(folder, **options), CPU).state_dict()


class Interrupted(Exception):
    """Stands for anything that ends a training in the middle."""


def interrupt(folder, at, **options):
    """Train until just before step `at`."""
    method = TinyMethod()

    def forward(**batches):
        if method.calls == at:
            raise Interrupted
        return TinyMethod.forward(method, **batches)

    method.forward = forward
    with pytest.raises(Interrupted):
        fit(method, fake_pool(8), plan(folder, **options), CPU)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path):
    first, again = train(tmp_path / "a"), train(tmp_path / "b")
    assert same_weights(first, again)
    assert not same_weights(first, train(tmp_path / "c", seed=1))


@pytest.mark.parametrize("at,every", [(8, 8), (15, 7), (19, 3), (5, 8)])
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, at, every):
    whole = train(tmp_path / "whole", steps=60, every=every)
    interrupt(tmp_path / "cut", at, steps=60, every=every)
    resumed = train(tmp_path / "cut", steps=60, every=every)
    assert same_weights(whole, resumed)
    log = [read_log(tmp_path / name / "metrics.jsonl") for name in ("whole", "cut")]
    assert log[0] == log[1], "also the means of log lines that the interruption fell into"
    assert [line["step"] for line in log[0]] == list(range(3, 61, 3))


def test_interrupted_many_times(tmp_path):
    whole = train(tmp_path / "whole", every=2)
    for _ in range(4):
        interrupt(tmp_path / "cut", 4, every=2)
    assert same_weights(whole, train(tmp_path / "cut", every=2))


def start_script(folder, pause):
    environment = os.environ | {"PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"}
    command = [sys.executable, "-c", SCRIPT, str(folder), str(pause)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


@pytest.mark.slow
def test_killed_and_run_again_equals_uninterrupted(tmp_path):
    """SIGKILL a real process after its first states are written; the same command finishes."""
    killed = start_script(tmp_path / "cut", pause=5)
    limit = time.monotonic() + 60
    while not list((tmp_path / "cut").glob("state_*.json")) and time.monotonic() < limit:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert not (tmp_path / "cut" / "final.pt").exists()
    assert start_script(tmp_path / "cut", pause=0).wait() == 0
    whole = fit(TinyMethod(), fake_pool(8), plan(tmp_path / "whole", 40, 4), CPU).state_dict()
    assert same_weights(whole, torch.load(tmp_path / "cut" / "final.pt", weights_only=True))
    log = [read_log(tmp_path / name / "metrics.jsonl") for name in ("whole", "cut")]
    assert log[0] == log[1]
    assert [line["step"] for line in log[1]] == list(range(2, 41, 2)), "each step once"


def test_a_damaged_newest_state_is_named_and_skipped(tmp_path, capsys):
    whole = train(tmp_path / "whole", every=4)
    interrupt(tmp_path / "cut", 13, every=4)
    newest = max((tmp_path / "cut").glob("state_*.pt"))
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    assert same_weights(whole, train(tmp_path / "cut", every=4))
    assert f"{newest} skipped" in capsys.readouterr().out
    steps = [line["step"] for line in read_log(tmp_path / "cut" / "metrics.jsonl")]
    assert steps == list(range(1, 21))


def test_a_log_line_cut_by_a_kill_is_dropped(tmp_path):
    whole = train(tmp_path / "whole")
    interrupt(tmp_path / "cut", 18)
    with (tmp_path / "cut" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 20, "lo')
    assert same_weights(whole, train(tmp_path / "cut"))
    log = [read_log(tmp_path / name / "metrics.jsonl") for name in ("whole", "cut")]
    assert log[0] == log[1]


def test_a_nan_loss_stops_at_its_step_with_the_videos_named(tmp_path):
    with pytest.raises(UserError) as caught:
        fit(TinyMethod(poison=13), fake_pool(8), plan(tmp_path), CPU)
    message = str(caught.value)
    assert "the loss became nan at step 13" in message
    assert "seed 0" in message
    assert "'labelled': [" in message
    assert "lower the learning rate" in message
    assert [path.name for path in tmp_path.glob("state_*.pt")] == ["state_00000008.pt"]


@pytest.mark.parametrize("step", [7, 19])
def test_a_gradient_that_is_not_finite_spoils_neither_states_nor_the_model(tmp_path, step):
    method = TinyMethod()

    def poison(gradient):
        return gradient * torch.nan if method.calls == step + 1 else gradient

    method.learner.head.weight.register_hook(poison)
    with pytest.raises(UserError, match=f"the gradient became nan at step {step}"):
        fit(method, fake_pool(8), plan(tmp_path), CPU)
    assert all(torch.isfinite(p).all() for p in method.learner.parameters())


def test_the_learning_rate_rises_then_falls_to_zero(tmp_path):
    p = plan(tmp_path, steps=200)
    rates = [learning_rate(step, p) for step in range(200)]
    assert rates[:10] == pytest.approx([1e-3 * (i + 1) for i in range(10)])
    assert max(rates) == rates[10] == 1e-2
    assert rates[105] == pytest.approx(5e-3)
    assert all(a > b > 0 for a, b in zip(rates[10:], rates[11:], strict=False))
    assert rates[-1] < 1e-5


def test_every_round_has_its_learning_rates_and_a_new_optimiser(tmp_path, monkeypatch):
    seen, step = [], torch.optim.AdamW.step

    def watched(self, *rest):
        seen.append((self.param_groups[0]["lr"], len(self.state)))
        return step(self, *rest)

    class InRounds(TinyMethod):
        rounds = 2

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    p = plan(tmp_path, steps=80)
    fit(InRounds(), fake_pool(8), p, CPU)
    rates, known = zip(*seen, strict=True)
    one = [learning_rate(at, replace(p, steps=40)) for at in range(40)]
    assert list(rates) == pytest.approx(2 * one)
    assert [at for at, count in enumerate(known) if count == 0] == [0, 40]


def test_log_lines_are_means_since_the_line_before(tmp_path):
    fine, coarse = plan(tmp_path / "fine", steps=20), plan(tmp_path / "coarse", steps=45)
    assert (fine.log_every, coarse.log_every, plan(tmp_path, steps=5000).log_every) == (1, 2, 10)
    fit(TinyMethod(), fake_pool(8), replace(coarse, lr=0.0, weight_decay=0.0), CPU)
    fit(TinyMethod(), fake_pool(8), replace(fine, lr=0.0, weight_decay=0.0), CPU)
    single = [line["loss"] for line in read_log(fine.folder / "metrics.jsonl")]
    pairs = read_log(coarse.folder / "metrics.jsonl")
    assert [line["step"] for line in pairs] == [*range(2, 45, 2), 45]
    assert [line["loss"] for line in pairs[:10]] == pytest.approx(
        [(a + b) / 2 for a, b in zip(single[::2], single[1::2], strict=True)]
    )


@pytest.mark.parametrize("steps", [1, 2, 3, 19])
def test_short_trainings_have_positive_rates(tmp_path, steps):
    rates = [learning_rate(step, plan(tmp_path, steps=steps)) for step in range(steps)]
    assert all(0 < rate <= 1e-2 for rate in rates)


def test_the_learner_comes_back_in_eval_mode_and_only_it_is_trained(tmp_path):
    method = TinyMethod()
    learner = fit(method, fake_pool(8), plan(tmp_path, steps=1), CPU)
    assert learner is method.learner
    assert not learner.training


def test_decay_shrinks_weights(tmp_path):
    strong, weak = (
        sum(p.square().sum() for p in train(tmp_path / str(d), weight_decay=d).values())
        for d in (5.0, 0.0)
    )
    assert strong < weak


def test_watching_happens_at_its_steps_in_eval_mode_and_changes_nothing(tmp_path):
    seen = []

    def watch(step, learner):
        seen.append((step, learner.training))
        torch.rand(5)  # a watcher may draw random numbers

    watched = train(tmp_path / "a", watch_every=8, watch=watch)
    assert seen == [(8, False), (16, False)]
    assert same_weights(watched, train(tmp_path / "b"))


class Failing:
    """A cache that raises at every read."""

    def __init__(self, error: Exception):
        self.error = error

    def __len__(self) -> int:
        return 8

    def __getitem__(self, row: int):
        raise self.error


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_of_a_loader_is_its_own_sentence(tmp_path, workers):
    """Torch puts the traceback of the other process before it, and calls it by the same name."""
    pool = replace(fake_pool(8), cache=Failing(DataError("the frames of x are gone.")))
    with pytest.raises(DataError, match="^the frames of x are gone.$"):
        fit(TinyMethod(), pool, plan(tmp_path, workers=workers), CPU)
    pool = replace(pool, cache=Failing(RuntimeError("a mistake of the programmer")))
    with pytest.raises(RuntimeError, match="a mistake of the programmer"):
        fit(TinyMethod(), pool, plan(tmp_path, workers=workers), CPU)


ENDING = """
import sys
from dataclasses import replace
from pathlib import Path
import torch
from helpers import TinyMethod, fake_pool
from test_loop import Failing, fit, plan

kept = []
try:
    pool = replace(fake_pool(8), cache=Failing(ValueError("no")))
    fit(TinyMethod(), pool, plan(Path(sys.argv[1]), workers=1), torch.device("cpu"))
except ValueError as error:
    kept.append(error)
"""


@pytest.mark.slow
def test_a_program_ends_although_an_error_keeps_its_loaders_alive(tmp_path):
    """Loaders are deaf to the request to stop with which Python waits for them at its end."""
    paths = os.pathsep.join(map(str, (TESTS, TESTS / "engine", TESTS.parent)))
    line = [sys.executable, "-c", ENDING, str(tmp_path)]
    subprocess.run(line, env=os.environ | {"PYTHONPATH": paths}, timeout=300, check=True)


@pytest.mark.parametrize("name", ["supervised", "timebalance"])
def test_a_compiled_training_is_the_same_training(tmp_path, monkeypatch, name):
    """Traced by Dynamo but run by torch as always, which needs no compiler and rounds alike."""
    traced = []

    def counted(graph, inputs):
        traced.append(len(inputs))
        return graph.forward

    def trained(compile):
        method = made(name, tiny_profile(model__precision="auto"))
        folder = tmp_path / str(compile)
        return fit(method, fake_pool(8), plan(folder, 3, lr=1e-3, compile=compile), CPU)

    monkeypatch.setattr(
        torch.nn.Module, "compile", partialmethod(torch.nn.Module.compile, backend=counted)
    )
    plain, fused = trained(False).state_dict(), trained(True).state_dict()
    assert traced, "nothing was compiled"
    assert same_weights(plain, fused)
