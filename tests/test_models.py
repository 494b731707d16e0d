"""Networks: sizes, time steps that survive, and slots that really are times."""

import helpers  # noqa: F401  (one thread)
import pytest
import torch

from tblib.errors import ConfigError
from tblib.models import (
    Classifier,
    ProjectionHead,
    backbone,
    parameter_count,
    pool,
    resolve_precision,
    time_slots,
)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_r3d_18_has_the_published_size():
    assert parameter_count(Classifier(backbone("r3d_18"), 101)) / 1e6 == pytest.approx(
        33.2, abs=0.05
    )


def test_tiny_r3d_has_half_a_million_weights():
    assert parameter_count(backbone("tiny_r3d")) / 1e6 == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("name,frames,px", [("r3d_18", 16, 16), ("tiny_r3d", 8, 32)])
def test_four_time_steps_survive_and_space_shrinks_sixteenfold(name, frames, px):
    net = backbone(name).eval()
    with torch.no_grad():
        features = net(torch.rand(1, 3, frames, px, px))
    assert features.shape == (1, net.dim, 4, px // 16, px // 16)
    assert time_slots(features, 4).shape == (1, 4, net.dim)
    assert time_slots(features, 2).shape == (1, 2, net.dim)
    assert pool(features).shape == (1, net.dim)


def test_slots_average_neighbouring_times_in_order():
    features = torch.arange(8.0).reshape(1, 1, 8, 1, 1).expand(2, 3, 8, 2, 2)
    assert time_slots(features, 4)[1, :, 2].tolist() == [0.5, 2.5, 4.5, 6.5]
    torch.testing.assert_close(time_slots(features, 4).mean(1), pool(features))


@pytest.mark.parametrize("name,frames,px", [("r3d_18", 16, 16), ("tiny_r3d", 8, 32)])
@pytest.mark.parametrize("slot", [0, 3])
def test_a_change_at_one_end_shows_more_in_its_slot_than_at_the_other_end(name, frames, px, slot):
    net = backbone(name).eval()
    clip = torch.rand(2, 3, frames, px, px)
    changed = clip.clone()
    quarter = slice(slot * frames // 4, (slot + 1) * frames // 4)
    changed[:, :, quarter] = torch.rand_like(changed[:, :, quarter])
    with torch.no_grad():
        moved = (time_slots(net(changed), 4) - time_slots(net(clip), 4)).norm(dim=-1).mean(0)
    assert moved[slot] > 2 * moved[3 - slot]


def test_impossible_slots_are_explained():
    with pytest.raises(ConfigError, match="leaves 4 time steps, which cannot make 3 slots"):
        time_slots(torch.rand(1, 2, 4, 1, 1), 3)
    with pytest.raises(ConfigError, match="more frames per clip"):
        time_slots(backbone("tiny_r3d").eval()(torch.rand(1, 3, 4, 16, 16)), 4)


def test_an_unknown_backbone_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match="did you mean 'r3d_18'"):
        backbone("r3d18")


def test_weights_follow_the_seed_and_are_channels_last():
    torch.manual_seed(3)
    first = backbone("tiny_r3d")
    torch.manual_seed(3)
    second = backbone("tiny_r3d")
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
        assert a.dim() < 5 or a.is_contiguous(memory_format=torch.channels_last_3d)


def test_projection_gives_unit_vectors_and_removes_what_all_rows_share():
    head = ProjectionHead(8, 5).train()
    h = torch.randn(16, 8)
    out = head(h)
    assert out.shape == (16, 5)
    torch.testing.assert_close(out.norm(dim=1), torch.ones(16))
    torch.testing.assert_close(head(h + 3.0), out, atol=1e-4, rtol=0)


def test_zero_features_stay_finite_in_the_head():
    out = ProjectionHead(8, 5).train()(torch.zeros(4, 8))
    assert torch.isfinite(out).all()


def test_classifier_pools_time_and_space():
    model = Classifier(backbone("tiny_r3d"), 7).eval()
    x = torch.rand(2, 3, 8, 16, 16)
    expected = model.head(model.backbone(x).mean(dim=(2, 3, 4)))
    torch.testing.assert_close(model(x), expected)


def test_reduced_precision_ends_at_the_feature_map():
    """Weights and features stay float32; inside, bfloat16 rounds to about three digits."""
    torch.manual_seed(0)
    net = backbone("tiny_r3d").eval()
    x = torch.rand(2, 3, 8, 32, 32)
    exact = net(x)
    net.precision = "bf16"
    rounded = net(x)
    assert rounded.dtype == torch.float32
    assert {p.dtype for p in net.parameters()} == {torch.float32}
    assert not torch.equal(exact, rounded)
    assert torch.allclose(exact, rounded, atol=0.02 * exact.abs().max().item())


@pytest.mark.parametrize("capable, expected", [(True, "bf16"), (False, "fp32")])
def test_auto_precision_asks_the_processor(monkeypatch, capable, expected):
    resolve_precision.cache_clear()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": capable}, False)
    assert resolve_precision("auto", "cpu") == expected
    assert [resolve_precision(name, "cpu") for name in ("fp32", "bf16")] == ["fp32", "bf16"]
    resolve_precision.cache_clear()
