"""Guesses, their loss against a loop, ramps, and several batches in one pass."""

import math

import pytest
import torch
from helpers import TinyNet
from torch.nn.functional import cross_entropy

from tblib.methods.pseudo import (
    guesses,
    linear_ramp,
    masked_cross_entropy,
    sigmoid_ramp,
    together,
)
from tblib.models import Classifier


@pytest.mark.parametrize("tau", [0.0, 0.4, 0.7, 1.1])
@pytest.mark.parametrize("classes", [2, 5, 400])
def test_the_loss_against_a_loop(classes, tau):
    torch.manual_seed(0)
    q, p = torch.randn(9, classes), (5 * torch.randn(9, classes)).softmax(1)
    guess = guesses("u", p, tau)
    total = 0.0
    for row, given in zip(q, p, strict=True):
        if max(given) >= tau:
            total += -math.log(row.softmax(0)[int(given.argmax())])
    found = masked_cross_entropy(q, guess.label, guess.used)
    assert float(found) == pytest.approx(total / 9, abs=1e-5)
    if tau > 1:
        assert found == 0 and not guess.used.any()


def test_an_empty_set_has_a_gradient_of_zero():
    q = torch.randn(4, 3, requires_grad=True)
    masked_cross_entropy(q, torch.zeros(4, dtype=torch.long), torch.zeros(4)).backward()
    assert q.grad.abs().max() == 0


def test_the_threshold_counts_itself_and_may_differ_by_class():
    p = torch.tensor([[0.75, 0.25], [0.25, 0.75], [0.5, 0.5]])
    assert guesses("u", p, 0.75).used.tolist() == [True, True, False]
    by_class = guesses("u", p, torch.tensor([0.5, 0.8]))
    assert by_class.label.tolist() == [0, 1, 0] and by_class.used.tolist() == [True, False, True]


def test_no_gradient_flows_into_a_guess():
    logits = torch.randn(4, 3, requires_grad=True)
    guess = guesses("u", logits.softmax(1), 0.1)
    assert not guess.label.requires_grad and not guess.used.requires_grad


def test_ramps():
    assert [linear_ramp(s, 100, 0.4) for s in (0, 20, 40, 99)] == [0, 0.5, 1, 1]
    assert linear_ramp(0, 100, 0) == sigmoid_ramp(0, 100, 0) == 1
    rising = [sigmoid_ramp(s, 100, 0.4) for s in range(100)]
    assert rising[0] == pytest.approx(math.exp(-5)) and rising[40:] == [1] * 60
    assert rising == sorted(rising)


def test_batches_together_share_their_statistics():
    torch.manual_seed(0)
    net = Classifier(TinyNet(), 3).train()
    calls = []
    net.register_forward_pre_hook(lambda _, x: calls.append(len(x[0])))
    a, b = torch.rand(2, 3, 4, 8, 8), torch.rand(5, 3, 4, 8, 8)
    first, second = together(net, a, b)
    assert calls == [7] and (len(first), len(second)) == (2, 5)
    torch.testing.assert_close(torch.cat([first, second]), net(torch.cat([a, b])))
    assert not torch.allclose(first, net(a))
    assert torch.isfinite(cross_entropy(first, torch.tensor([0, 1])))
