"""Layers in a form that GPUs compute faster: the same numbers, seen on a processor in float64."""

import copy

import pytest
import torch
from helpers import opened
from torch._subclasses.fake_tensor import FakeTensorMode

from tblib.models import BACKBONES, Backbone, backbone, fast


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.slow
@pytest.mark.parametrize("px", [32, 33])
@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_fast_kernels_compute_the_same(name, px, monkeypatch):
    monkeypatch.setattr(Backbone, "forward", lambda self, x: self.layers(x))
    plain = opened(backbone(name)).double().train()
    other, x = copy.deepcopy(plain), torch.rand(2, 3, 8, px, px, dtype=torch.float64)
    shapes = []

    def folded(x, *rest):
        shapes.append(x.shape[1])
        return fast.folded(x, *rest)

    expected = plain(x)
    with fast.FastKernels(fast.RULES | {torch.conv3d: folded}):
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
    real, seen = torch.conv3d, []
    monkeypatch.setattr(
        torch, "conv3d", lambda x, weight, *rest: seen.append((x, weight)) or real(x, weight, *rest)
    )
    x = torch.rand(2, 3, 4, 32, 32).to(memory_format=torch.channels_last_3d)
    geometry = (1, 2, 2), (1, 3, 3), (1, 1, 1), 1
    found = fast.folded(x, torch.rand(8, 3, 3, 7, 7), None, *geometry)
    assert found.shape == (2, 8, 4, 16, 16)
    (squares, weight), *_ = seen
    assert squares.shape == (2, 12, 4, 19, 19) and weight.shape == (8, 12, 3, 4, 4)
    assert squares.is_contiguous(memory_format=torch.channels_last_3d)


def test_flat_batch_norm_copies_no_map_and_no_gradient(monkeypatch):
    """The kernel gets channels-last memory, and ReLU in place does not change a view."""
    norm, seen = torch.nn.BatchNorm3d(16), []
    x = torch.rand(2, 16, 4, 6, 6).to(memory_format=torch.channels_last_3d).requires_grad_()
    real = fast.functional.batch_norm
    monkeypatch.setattr(
        fast.functional, "batch_norm", lambda x, *rest: seen.append(x) or real(x, *rest)
    )
    stored = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    y = fast.flattened(x, *stored, True, 0.1, 1e-5)
    assert seen[0].data_ptr() == x.data_ptr()
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
    assert y.is_contiguous(memory_format=torch.channels_last_3d) and not y._is_view()
    assert torch.relu_(y).grad_fn.name().startswith("Relu")


WHERE = [("cuda", "bf16", True), ("cuda", "fp32", False), ("cpu", "bf16", False)]


@pytest.mark.filterwarnings("ignore:CUDA is not available")
@pytest.mark.parametrize("device, precision, used", WHERE)
def test_the_forms_are_used_in_bfloat16_on_a_gpu_only(device, precision, used, monkeypatch):
    """Tensors without numbers stand in for those of a GPU, so this needs none."""
    seen, squares = set(), fast._squares
    monkeypatch.setattr(fast, "_squares", lambda x: seen.add(x.device.type) or squares(x))
    with FakeTensorMode(), torch.device(device):
        net = BACKBONES["r3d_18"]()
        net.precision = precision
        features = net(torch.rand(1, 3, 8, 32, 32))
    assert features.device.type == device and features.dtype == torch.float32
    assert seen == ({device} if used else set())
