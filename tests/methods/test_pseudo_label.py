"""Pseudo-label: one view, the ramp, the mean over all, nothing below the threshold."""

import pytest
import torch
from helpers import batches_of, fake_pool, made, tiny_profile
from torch.nn.functional import cross_entropy

BATCHES = batches_of(made("pseudo_label", tiny_profile()), fake_pool(24, 8))


def pseudo_label(**options):
    return made("pseudo_label", tiny_profile(), **options).eval()


def test_target_and_training_see_one_view():
    assert len(BATCHES["unlabelled"].clips) == 1


@pytest.mark.parametrize("step, share", [(0, 0.0), (20, 0.5), (40, 1.0), (99, 1.0)])
def test_the_ramp(step, share):
    method = pseudo_label(tau=0.0, weight=3.0)
    method.begin(step, 100)
    values = method(**BATCHES)
    assert values["unlabelled"] > 0
    expected = values["supervised"] + 3 * share * values["unlabelled"]
    torch.testing.assert_close(values["loss"], expected)


def test_the_loss_is_a_mean_over_all_and_exactly_zero_below_the_threshold():
    method = pseudo_label()
    logits = method.learner(BATCHES["unlabelled"].clips[0])
    p, label = logits.detach().softmax(1).max(1)
    method.tau = float(p.median())
    each = cross_entropy(logits, label, reduction="none")
    used = p >= method.tau
    assert 0 < used.sum() < len(used)
    torch.testing.assert_close(method(**BATCHES)["unlabelled"], each[used].sum() / len(used))
    method.tau = float(p.max()) + 1e-4
    assert method(**BATCHES)["unlabelled"] == 0
