"""Promise 6: a number that is not finite stops a training at its step and can be replayed."""

import re

import pytest
import torch
from helpers import TinyMethod, fake_pool, same_weights
from torch.nn.functional import normalize

from tblib.data.loader import ClipSamples, rows_of_step
from tblib.engine import checkpoint
from tblib.engine.loop import Plan, fit
from tblib.errors import ConfigError, UserError
from tblib.methods import losses, reweight

CPU = torch.device("cpu")


def plan(folder, steps=12):
    return Plan(steps, 1e-2, 0.1, 0, folder, checkpoint_every=4)


def poison(method, where: str, value: float, at: int) -> None:
    """Put `value` into one place of the computation at step `at`."""
    real = method.forward

    def forward(**batches):
        step = method.calls
        if step == at and where == "input":
            batches["labelled"].clips[0, 0, 0, 0, 0, 0] = value
        if step == at and where == "weight":
            with torch.no_grad():
                method.learner.head.weight[0, 0] = value
        values = real(**batches)
        return {"loss": values["loss"] * value} if step == at and where == "loss" else values

    method.forward = forward
    if where == "gradient":
        method.learner.head.bias.register_hook(
            lambda grad: grad * value if method.calls == at + 1 else grad
        )


@pytest.mark.parametrize("value", [float("nan"), float("inf")], ids=["nan", "inf"])
@pytest.mark.parametrize("where", ["input", "weight", "loss", "gradient"])
def test_it_stops_at_that_step_and_the_states_before_are_good(tmp_path, where, value):
    whole = fit(TinyMethod(), fake_pool(8), plan(tmp_path / "whole"), CPU).state_dict()
    method, folder = TinyMethod(), tmp_path / "run"
    poison(method, where, value, at=6)
    with pytest.raises(UserError, match="became (nan|inf|-inf) at step 6 .*lower the learning"):
        fit(method, fake_pool(8), plan(folder), CPU)
    state = checkpoint.latest_state(folder)
    assert state["step"] == 4
    assert all(torch.isfinite(tensor).all() for tensor in state["method"].values())
    again = fit(TinyMethod(), fake_pool(8), plan(folder), CPU).state_dict()
    assert same_weights(whole, again), "without the fault, the same command ends right"


def test_the_message_is_enough_to_replay_the_batch(tmp_path):
    method, pool, shown = TinyMethod(poison=6), fake_pool(8), []
    real = method.forward

    def forward(**batches):
        shown.append(batches)
        return real(**batches)

    method.forward = forward
    with pytest.raises(UserError) as caught:
        fit(method, pool, plan(tmp_path), CPU)
    step, seed, first, second = re.search(
        r"step (\d+) \(seed (\d+), .*'labelled': \[(.*?)\], 'unlabelled': \[(.*?)\]",
        str(caught.value),
    ).groups()
    for number, (name, rows) in enumerate([("labelled", first), ("unlabelled", second)]):
        rows, own = [int(row) for row in rows.split(",")], int(seed) + 7919 * number
        assert rows == rows_of_step(pool.rows(name), 2, own, int(step), False).tolist()
        samples = ClipSamples(pool.cache, pool.labels, method.streams()[name], own)
        clips = [samples[int(step), at, row][0] for at, row in enumerate(rows)]
        replayed = torch.tensor(clips[1]).float().div(255).movedim(-1, -4)
        assert torch.equal(shown[-1][name].clips[:, 1], replayed)


def unit(*shape):
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(1)), dim=-1)


def opposite(*shape):
    return unit(*shape) * torch.tensor([1.0, -1.0]).view(2, *[1] * (len(shape) - 1))


FEATURES = {
    "random": lambda *shape: unit(*shape),
    "all alike": lambda *shape: unit(shape[-1]).expand(*shape),
    "zero": lambda *shape: torch.zeros(*shape),
    "opposite": opposite,
}


@pytest.mark.parametrize("tau", [0.01, 0.1, 10.0])
@pytest.mark.parametrize("kind", FEATURES)
@pytest.mark.parametrize("b", [2, 5])
def test_contrastive_losses_stay_finite_with_their_gradients(kind, b, tau):
    u, v = FEATURES[kind](2, b, 4, 8), FEATURES[kind](2, b, 4, 8)
    u, v = u.clone().requires_grad_(), v.clone().requires_grad_()
    total = losses.nt_xent(u[0, :, 0], v[1, :, 0], tau) + losses.local_local(v, tau)
    total = total + losses.global_local(u, v, tau) + losses.instance_contrast(u[:, :, 0], v, tau)
    total.backward()
    assert torch.isfinite(total)
    assert torch.isfinite(u.grad).all() and torch.isfinite(v.grad).all()


@pytest.mark.parametrize("confident", [True, False])
@pytest.mark.parametrize("clips", [1, 3])
def test_distillation_stays_finite_for_certain_and_for_clueless_teachers(confident, clips):
    p = torch.full((clips, 5), 0.2)
    if confident:
        p = torch.eye(5)[:clips]
    logits = torch.full((clips, 5), 0.0)
    logits[:, 1] = 200.0  # a student that is certain of something else
    for distance in (
        lambda x: losses.squared_distance(x.softmax(1), p),
        lambda x: losses.kl_distance(x, p),
    ):
        leaf = logits.clone().requires_grad_()
        value = distance(leaf)
        value.backward()
        assert torch.isfinite(value) and torch.isfinite(leaf.grad).all()


def test_scores_stay_finite_for_alike_zero_and_two_clips():
    for kind in ("all alike", "zero", "random"):
        raw = reweight.raw_similarity(FEATURES[kind](2, 6, 2, 8).reshape(12, 2, 8))
        for name in reweight.MAPS:
            score = reweight.fit_map(raw, name)(raw)
            assert torch.isfinite(score).all() and 0 <= score.min() <= score.max() <= 1


def test_no_unlabelled_video_is_a_sentence(tmp_path):
    with pytest.raises(ConfigError, match="a pool of videos is empty; lower data.label_fraction"):
        fit(TinyMethod(), fake_pool(4, labelled=4), plan(tmp_path), CPU)


def test_a_single_labelled_video_trains(tmp_path):
    learner = fit(TinyMethod(), fake_pool(3, labelled=1), plan(tmp_path, steps=3), CPU)
    assert all(torch.isfinite(p).all() for p in learner.parameters())
