"""Mean teacher: two looks, a teacher without gradient that is kept, and public code's numbers."""

import pytest
import torch
from helpers import batches_of, fake_pool, made, same_weights, tiny_profile
from official_numbers import numbers, randn

from tblib.engine.loop import Plan, fit
from tblib.methods.losses import squared_distance
from tblib.methods.pseudo import sigmoid_ramp

BATCHES = batches_of(made("mean_teacher", tiny_profile()), fake_pool(24, 8))


def mean_teacher(**options):
    return made("mean_teacher", tiny_profile(), **options).train()


@pytest.mark.parametrize("case", numbers("mean_teacher")["cases"])
def test_the_consistency_is_that_of_the_official_code(case):
    """There a sum over clips of a mean over classes; here a mean over clips of a sum."""
    q, p = (randn(12, case["classes"], seed=case["seed"] + s).softmax(1) for s in (0, 100))
    expected = case["loss"] * case["classes"] / 12
    assert float(squared_distance(q, p)) == pytest.approx(expected, rel=1e-9)


def test_the_ramp_is_that_of_the_official_code():
    found = [sigmoid_ramp(step, 20, 0.5) for step in range(13)]
    assert found == pytest.approx(numbers("mean_teacher")["ramp"])


def test_the_two_views_differ_for_labelled_and_unlabelled_clips():
    for batch in BATCHES.values():
        first, second = batch.clips
        assert (first != second).flatten(1).any(1).all()


def test_the_loss_by_hand_over_all_clips_and_no_gradient_into_the_teacher():
    method = mean_teacher(weight=4.0)
    with torch.no_grad():
        method.average.network.head.weight.add_(0.3)
    method.begin(10, 100)
    student, other = (
        torch.cat([BATCHES[name].clips[view] for name in ("labelled", "unlabelled")])
        for view in (0, 1)
    )
    values = method(**BATCHES)
    method.learner.eval()  # a second pass must not move the statistics
    values["loss"].backward()
    assert all(p.grad is None for p in method.average.parameters())
    assert all(p.grad is not None for p in method.learner.parameters())
    q = method.learner.train()(student).softmax(1)
    expected = (q - method.average(other).softmax(1)).square().sum(1).mean()
    torch.testing.assert_close(values["consistency"], expected)
    ramp = sigmoid_ramp(10, 100, 0.4)
    expected = values["supervised"] + 4 * ramp * values["consistency"]
    torch.testing.assert_close(values["loss"], expected)


def test_the_teacher_is_kept_and_lags_behind(tmp_path):
    method = mean_teacher()
    kept = fit(method, fake_pool(24, 8), Plan(40, 1e-3, 0, 0, tmp_path), torch.device("cpu"))
    assert kept is method.average.network and not kept.training
    assert not same_weights(kept.state_dict(), method.learner.state_dict())


def test_dropout_is_the_student_s_alone():
    method = mean_teacher(dropout=0.5)
    assert method.learner.dropout.p == 0.5
    first, second = (method.average(BATCHES["labelled"].clips[0]) for _ in range(2))
    assert torch.equal(first, second)
