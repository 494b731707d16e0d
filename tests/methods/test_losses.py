"""Every equation against a naive loop version, closed forms, and who attracts and repels whom."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from tblib.methods import losses

TAU = 0.1


def unit(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(*shape, dtype=torch.float64, generator=generator), dim=-1)


def naive_nt_xent(z0, z1, tau):
    """The definition, row by row."""
    z, b, total = torch.cat([z0, z1]), len(z0), 0.0
    for i in range(2 * b):
        positive = math.exp(float(z[i] @ z[(i + b) % (2 * b)]) / tau)
        everyone = sum(math.exp(float(z[i] @ z[j]) / tau) for j in range(2 * b) if j != i)
        total -= math.log(positive / everyone)
    return total / (2 * b)


def naive_instance(z, v, tau):
    total, s = naive_nt_xent(z[0], z[1], tau), v.shape[2]
    blocks = [v[a, :, k] for a in range(2) for k in range(s)]
    pairs = [(m, n) for m in range(2 * s) for n in range(2 * s) if m != n]
    return total + sum(naive_nt_xent(blocks[m], blocks[n], tau) for m, n in pairs) / s


def naive_local_local(v, tau):
    return sum(naive_nt_xent(v[0, i], v[1, i], tau) for i in range(v.shape[1])) / v.shape[1]


def naive_global_local(u, v, tau):
    _, b, s, _ = u.shape
    terms = []
    for a in range(2):
        for c in range(2):
            for i in range(b):
                for k in range(s):
                    target = torch.tensor([k])
                    terms.append(cross_entropy((v[c, i] @ u[a, i, k] / tau)[None], target))
                    terms.append(cross_entropy((u[a, i] @ v[c, i, k] / tau)[None], target))
    return torch.stack(terms).mean()


@pytest.mark.parametrize("b,s,d", [(2, 4, 8), (5, 4, 16), (3, 2, 8)])
@pytest.mark.parametrize("tau", [0.1, 0.5])
def test_losses_equal_their_loop_versions(b, s, d, tau):
    z, u, v = unit(2, b, d), unit(2, b, s, d, seed=1), unit(2, b, s, d, seed=2)
    assert losses.nt_xent(z[0], z[1], tau).item() == pytest.approx(
        naive_nt_xent(z[0], z[1], tau), rel=1e-9
    )
    assert losses.instance_contrast(z, v, tau).item() == pytest.approx(
        naive_instance(z, v, tau), rel=1e-9
    )
    assert losses.local_local(v, tau).item() == pytest.approx(naive_local_local(v, tau), rel=1e-9)
    assert losses.global_local(u, v, tau).item() == pytest.approx(
        naive_global_local(u, v, tau).item(), rel=1e-9
    )


def test_features_that_know_nothing_give_the_log_of_the_candidates():
    same = torch.ones(2, 6, 4, 8, dtype=torch.float64) / math.sqrt(8)
    assert losses.nt_xent(same[0, :, 0], same[1, :, 0], TAU).item() == pytest.approx(math.log(11))
    assert losses.local_local(same, TAU).item() == pytest.approx(math.log(7))
    assert losses.global_local(same, same, TAU).item() == pytest.approx(math.log(4))
    ic = losses.instance_contrast(same[:, :, 0], same, TAU).item()
    assert ic == pytest.approx((1 + 14) * math.log(11)), "one global and fourteen mean local terms"


def gradient_of(loss_of, v):
    v = v.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss_of(v), v)
    return gradient


def mean_cosines(v):
    """Mean cosine of (same video and time, other view), (same video, other time), (other video)."""
    gram = torch.einsum("aikd,bjld->abijkl", v, v)[0, 1]  # [B, B, S, S]
    video, time = (torch.eye(n, dtype=torch.bool) for n in gram.shape[1:3])
    same_video = gram[video]
    return same_video[:, time].mean(), same_video[:, ~time].mean(), gram[~video].mean()


def descend(loss_of, v, steps=60):
    for _ in range(steps):
        v = normalize(v - 0.5 * gradient_of(loss_of, v), dim=-1)
    return v


def test_invariant_loss_attracts_clips_of_a_video_and_repels_other_videos():
    v, z = unit(2, 6, 4, 16, seed=3), unit(2, 6, 16)
    before = mean_cosines(v)
    after = mean_cosines(descend(lambda x: losses.instance_contrast(z, x, TAU), v))
    assert after[0] > before[0] + 0.5, "the other view of the same clip attracts"
    assert after[1] > before[1] + 0.5, "another time of the same video attracts as well"
    assert after[2] < 0.1 < after[1], "other videos are kept away"


def test_distinctive_losses_attract_the_same_time_and_repel_other_times():
    u = v = unit(2, 6, 4, 16, seed=4) + 0.5 * unit(1, 6, 1, 16)  # clips of a video start out alike
    v = normalize(v, dim=-1)
    for loss_of in (
        lambda x: losses.local_local(x, TAU),
        lambda x: losses.global_local(normalize(u, dim=-1), x, TAU),
    ):
        before, after = mean_cosines(v), mean_cosines(descend(loss_of, v))
        assert after[0] > before[0] + 0.2, "the same time attracts"
        assert after[1] < before[1] - 0.1, "other times of the same video repel"


def test_invariant_loss_never_uses_clips_of_the_same_video_as_negatives():
    """With one video there is nobody to repel, so the loss is zero whatever the clips are."""
    z, v = unit(2, 1, 16), unit(2, 1, 4, 16)
    assert losses.instance_contrast(z, v, TAU).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("loss", ["local_local", "global_local"])
def test_distinctive_losses_ignore_other_videos(loss):
    """The gradient of video 0 does not change when all other videos are replaced."""
    u, v, w = unit(2, 3, 4, 16, seed=5), unit(2, 3, 4, 16, seed=6), unit(2, 3, 4, 16, seed=7)
    w[:, 0] = v[:, 0]
    value = (
        (lambda x: losses.local_local(x, TAU))
        if loss == "local_local"
        else (lambda x: losses.global_local(u, x, TAU))
    )
    first, second = gradient_of(value, v)[:, 0], gradient_of(value, w)[:, 0]
    torch.testing.assert_close(first, second)


def test_global_local_matches_slot_k_with_clip_k_only():
    v = unit(1, 2, 4, 32).expand(2, -1, -1, -1)
    assert losses.global_local(v, v, 0.01).item() < 1e-3
    assert losses.global_local(v.roll(1, dims=2), v, 0.01).item() > 1


def test_order_of_videos_and_views_does_not_matter():
    z, v = unit(2, 5, 16), unit(2, 5, 4, 16, seed=1)
    order = torch.tensor([3, 0, 4, 1, 2])
    whole = losses.instance_contrast(z, v, TAU)
    torch.testing.assert_close(whole, losses.instance_contrast(z[:, order], v[:, order], TAU))
    torch.testing.assert_close(whole, losses.instance_contrast(z.flip(0), v.flip(0), TAU))


def test_gradients_agree_with_finite_differences():
    u, v = unit(2, 2, 4, 6).requires_grad_(), unit(2, 2, 4, 6, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: losses.global_local(a, b, 0.5), (u, v))
    assert torch.autograd.gradcheck(lambda b: losses.instance_contrast(b[:, :, 0], b, 0.5), (v,))


def test_distillation_closed_forms_and_no_gradient_into_the_target():
    q = torch.tensor([[1.0, 0.0], [0.5, 0.5]], requires_grad=True)
    p = torch.tensor([[0.0, 1.0], [0.5, 0.5]], requires_grad=True)
    loss = losses.squared_distance(q, p)
    loss.backward()
    assert loss.item() == pytest.approx(1.0), (
        "2 for opposite certainty, 0 for agreement, mean over clips"
    )
    assert p.grad is None and q.grad is not None
    logits = torch.tensor([[2.0, -1.0, 0.5]], requires_grad=True)
    assert losses.kl_distance(logits, logits.softmax(1)).item() == pytest.approx(0, abs=1e-7)


def test_distillation_weight_does_not_depend_on_the_number_of_classes():
    """The official 50 · mean over 102 classes is 0.49 · sum over classes."""
    q, p = torch.rand(4, 102).softmax(1), torch.rand(4, 102).softmax(1)
    official = 50 * torch.nn.functional.mse_loss(q, p)
    assert 0.49 * losses.squared_distance(q, p).item() == pytest.approx(official.item(), rel=0.01)
