"""The moving average: its warm start, its reach, buffers, and that nothing else moves it."""

import pytest
import torch
from helpers import TinyNet, same_weights
from official_numbers import numbers, randn

from tblib.methods.ema import Average, decay_at
from tblib.models import Classifier


def test_the_share_that_stays():
    early = [decay_at(step, 10**6, 0.999, 0.05) for step in range(4)]
    assert early == pytest.approx([0, 1 / 2, 2 / 3, 3 / 4])
    assert decay_at(10**5, 10**6, 0.999, 0.05) == 0.999
    assert decay_at(300, 320, 0.999, 0.05) == pytest.approx(1 - 1 / 16)
    assert decay_at(1, 2, 0.999, 0.05) == 0, "a training of two steps keeps its last weights"


def test_the_average_by_hand():
    torch.manual_seed(0)
    net = Classifier(TinyNet(), 3)
    average, steps = Average(net, decay=0.8, span=1.0), 40
    weight, mean = torch.zeros_like(net.head.weight), torch.zeros(6)
    for step in range(steps):
        net.train()(torch.rand(4, 3, 4, 8, 8))
        with torch.no_grad():
            net.head.weight.add_(0.1)
        average.begin(step, steps)
        average.follow(net)
        share = min(0.8, 1 - 1 / (step + 1))
        weight = share * weight + (1 - share) * net.head.weight.detach()
        mean = share * mean + (1 - share) * net.backbone.layers[1].running_mean
    torch.testing.assert_close(average.network.head.weight, weight)
    torch.testing.assert_close(average.network.backbone.layers[1].running_mean, mean)
    assert average.network.backbone.layers[1].num_batches_tracked == steps


def test_the_average_of_the_official_code():
    official = numbers("mean_teacher")["average"]
    net, first = torch.nn.Linear(2, 1).double(), torch.nn.Linear(2, 1).double()
    with torch.no_grad():
        for module, seeds in ((net, (0, 1)), (first, (2, 3))):
            module.weight.copy_(randn(1, 2, seed=seeds[0]))
            module.bias.copy_(randn(1, seed=seeds[1]))
    average = Average(first, decay=0.7, span=1.0)
    for step, expected in enumerate(official):
        with torch.no_grad():
            net.weight.add_(1)
            net.bias.mul_(0.5)
        average.begin(step, 1000)
        average.follow(net)
        weights = torch.cat([p.flatten() for p in average.network.parameters()])
        torch.testing.assert_close(weights, torch.tensor(expected, dtype=torch.float64))


def test_it_has_no_gradient_stays_in_eval_mode_and_passes_change_nothing():
    torch.manual_seed(0)
    average = Average(Classifier(TinyNet(), 3)).train()
    before = {name: value.clone() for name, value in average.state_dict().items()}
    out = average(torch.rand(4, 3, 4, 8, 8))
    assert not out.requires_grad and not any(p.requires_grad for p in average.parameters())
    assert not any(module.training for module in average.modules())
    assert same_weights(before, average.state_dict())
