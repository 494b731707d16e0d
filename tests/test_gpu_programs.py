"""What the programs for a GPU compare computes the same; seen on the processor, in float64."""

import copy

import pytest
import torch
from smoke import ROOT

from tblib.io import read_json
from tblib.models import Backbone, backbone

NETS = ["tiny_r3d", "r3d_18", "slow_r50", "slowfast_r50", "tsm_r18"]


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


@pytest.mark.parametrize("px", [32, 33])
@pytest.mark.parametrize("name", NETS)
def test_fast_kernels_compute_the_same(name, px, monkeypatch):
    import gpu_fast

    monkeypatch.setattr(Backbone, "forward", lambda self, x: self.layers(x))
    plain = backbone(name).double().train()
    other, x = copy.deepcopy(plain), torch.rand(2, 3, 8, px, px, dtype=torch.float64)
    shapes = []

    def folded(x, *rest):
        shapes.append(x.shape[1])
        return gpu_fast.folded(x, *rest)

    expected = plain(x)
    with gpu_fast.FastKernels(gpu_fast.RULES | {torch.conv3d: folded}):
        found = other(x)
    assert 3 in shapes, "the first convolution did not pass the rule"
    for result in (expected, found):
        (result**2).mean().backward()
    torch.testing.assert_close(found, expected)
    for one, another in zip(plain.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one.grad, another.grad)
    for one, another in zip(plain.buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(one, another)


def test_the_first_convolution_is_folded_into_squares(monkeypatch):
    import gpu_fast

    real, seen = torch.conv3d, []
    monkeypatch.setattr(
        torch, "conv3d", lambda x, weight, *rest: seen.append((x, weight)) or real(x, weight, *rest)
    )
    x = torch.rand(2, 3, 4, 32, 32).to(memory_format=torch.channels_last_3d)
    found = gpu_fast.folded(x, torch.rand(8, 3, 3, 7, 7), None, (1, 2, 2), (1, 3, 3))
    assert found.shape == (2, 8, 4, 16, 16)
    (squares, weight), *_ = seen
    assert squares.shape == (2, 12, 4, 19, 19) and weight.shape == (8, 12, 3, 4, 4)
    assert squares.is_contiguous(memory_format=torch.channels_last_3d)


def test_flat_batch_norm_copies_no_map_and_no_gradient(monkeypatch):
    """The kernel gets channels-last memory, and ReLU in place does not change a view."""
    import gpu_fast

    norm, seen = torch.nn.BatchNorm3d(16), []
    x = torch.rand(2, 16, 4, 6, 6).to(memory_format=torch.channels_last_3d).requires_grad_()
    real = gpu_fast.functional.batch_norm
    monkeypatch.setattr(
        gpu_fast.functional, "batch_norm", lambda x, *rest: seen.append(x) or real(x, *rest)
    )
    stored = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    y = gpu_fast.flattened(x, *stored, True, 0.1, 1e-5)
    assert seen[0].data_ptr() == x.data_ptr()
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
    assert y.is_contiguous(memory_format=torch.channels_last_3d) and not y._is_view()
    assert torch.relu_(y).grad_fn.name().startswith("Relu")


def test_the_ways_with_fast_kernels_use_them(monkeypatch):
    import gpu_fast
    import gpu_ways

    def noted(function):
        rule = gpu_fast.RULES[function]
        return lambda *args, **more: used.append(function) or rule(*args, **more)

    monkeypatch.setattr(gpu_ways, "RULES", {f: noted(f) for f in gpu_fast.RULES})
    real = gpu_ways.profile
    monkeypatch.setattr(gpu_ways, "profile", lambda px, *rest: real(16, "fp32", 2, "tiny_r3d"))
    for name, way in gpu_ways.FAST.items():
        used = []
        _, loss = gpu_ways.pretraining(way, 2, torch.device("cpu"))
        loss().backward()
        assert set(used) == set(way.fast), name


def test_the_recorded_layers_are_those_the_program_times():
    import gpu_layers

    device, recorded = torch.device("cpu"), read_json(ROOT / "results" / "gpu" / "layers.json")
    timed = dict([*gpu_layers.stems(1, device), *gpu_layers.norms(1, device)])
    assert {row["name"] for row in recorded["rows"]} < set(timed)
    for name, call in timed.items():
        if "512 channels" in name:
            call()
