"""Pretraining methods: which clips end up where, which losses take part, and that they learn."""

import numpy as np
import pytest
import torch
from helpers import FakeCache, fake_pool, tiny_profile

from tblib.data.clips import SparseDense
from tblib.data.loader import Batch, ClipSamples, loader, to_device
from tblib.engine.loop import Plan, fit, read_log
from tblib.methods import losses, registry
from tblib.methods.pretrain import METHODS
from tblib.models import pool, time_slots

S, B = 4, 3
PARTS = {"invariant": {"ic"}, "distinctive": {"ll", "gl"}, "joint": {"ic", "ll", "gl"}}


def method(name="joint", **overrides):
    torch.manual_seed(0)
    return registry.fresh(name, tiny_profile(**overrides))


def random_batch(seed=1, videos=B):
    generator = torch.Generator().manual_seed(seed)
    clips = torch.rand(2 + 2 * S, videos, 3, 8, 16, 16, generator=generator)
    return Batch(clips, torch.arange(videos), torch.arange(videos))


def test_the_shelf_holds_the_three_methods_of_the_paper():
    assert PARTS.keys() <= METHODS.keys()


@pytest.mark.parametrize("name", PARTS)
def test_methods_ask_for_distinct_training_videos_in_sparse_and_dense_clips(name):
    (key, stream), *rest = method(name, pretrain__batch=5).streams().items()
    assert (key, rest) == ("videos", [])
    assert (stream.pool, stream.batch, stream.distinct) == ("train", 5, True)
    assert stream.views == SparseDense(8, 2, S)
    assert stream.augment.px == 16


def test_every_embedding_ends_up_at_its_view_video_and_slot():
    """Each clip encoded alone must equal its place in the batch: an error in order would show."""
    model, clips = method().eval(), random_batch().clips
    z, u, v = model.embeddings(clips)
    assert (z.shape, u.shape, v.shape) == ((2, B, 16), (2, B, S, 16), (2, B, S, 16))
    net, head = model.learner.backbone, model.learner.head
    for view in range(2):
        for video in range(B):
            alone = net(clips[view, video][None])
            torch.testing.assert_close(z[view, video], head(pool(alone))[0], atol=1e-5, rtol=0)
            for k in range(S):
                slot, dense = time_slots(alone, S)[:, k], clips[2 + S * view + k, video][None]
                torch.testing.assert_close(u[view, video, k], head(slot)[0], atol=1e-5, rtol=0)
                expected = head(pool(net(dense)))[0]
                torch.testing.assert_close(v[view, video, k], expected, atol=1e-5, rtol=0)


def test_the_sampler_and_the_embeddings_agree_on_the_order_of_views():
    """Frames numbered by time: row 2 + S a + k must show quarter k of what rows 0 and 1 show."""
    index = SparseDense(8, 2, S).indices(64, np.random.default_rng(0))
    for view in range(2):
        for k in range(S):
            dense, slot = index[2 + S * view + k], index[view].reshape(S, -1)[k]
            assert dense.min() <= slot.min() <= slot.max() <= dense.max() + 1


class TimelessFeatures(torch.nn.Module):
    """A backbone whose features say nothing about time: small noise, and rarely a large clip."""

    def forward(self, clips):
        """Return random features `[N, 128, T/2, 1, 1]`, new ones for every clip and slot."""
        shape = len(clips), 128, clips.shape[2] // 2, 1, 1
        rare = torch.rand(len(clips), 1, clips.shape[2] // 2, 1, 1) < 0.08
        return 0.01 * torch.randn(shape) + 10 * rare * torch.randn(shape)


def times_found(z):
    """Share of times of `[2, B, S, D]` whose nearest neighbour in the other view is the same."""
    nearest = torch.einsum("bsd,btd->bst", z[0], z[1]).argmax(-1)
    return (nearest == torch.arange(S)).float().mean().item()


def test_batch_statistics_do_not_tell_the_time():
    """Normalised slot by slot, the chance mean of a slot marks it in both views; in one batch not.

    The first half of the test is the shortcut itself, as one batch norm per slot offers it.
    """
    torch.manual_seed(0)
    model = method().train()
    model.learner.backbone = TimelessFeatures()
    local = pool(model.learner.backbone(torch.rand(2 * S * 64, 3, 8, 16, 16)))
    by_slot = local.unflatten(0, (2, 64, S)).transpose(0, 2)
    leaky = torch.stack([model.learner.head(part.flatten(0, 1)) for part in by_slot])
    assert times_found(leaky.unflatten(1, (64, 2)).permute(2, 1, 0, 3)) > 0.5
    for z in model.embeddings(random_batch(videos=64).clips)[1:]:
        assert abs(times_found(z) - 1 / S) < 0.1


@pytest.mark.parametrize("name", PARTS)
def test_the_loss_is_the_weighted_sum_of_the_parts_that_take_part(name):
    weights = {"ic": 1.5, "ll": 2.0, "gl": 0.25}
    model = method(name, **{f"pretrain__weight_{k}": w for k, w in weights.items()})
    values = model(videos=random_batch())
    assert values.keys() == {"loss"} | PARTS[name]
    expected = sum(weights[part] * values[part] for part in PARTS[name])
    torch.testing.assert_close(values["loss"], expected)


def test_parts_are_the_equations_of_the_embeddings():
    model, batch = method().eval(), random_batch()
    values = model(videos=batch)
    z, u, v = model.embeddings(batch.clips)
    torch.testing.assert_close(values["ic"], losses.instance_contrast(z, v, 0.1))
    torch.testing.assert_close(values["ll"], losses.local_local(v, 0.1))
    torch.testing.assert_close(values["gl"], losses.global_local(u, v, 0.1))


def test_the_invariant_method_has_no_negatives_from_the_same_video():
    """Through the whole module: a lone video has nobody to repel, so loss and gradient vanish."""
    model = method("invariant").eval()
    values = model(videos=random_batch(videos=1))
    assert values["loss"].item() == pytest.approx(0, abs=1e-4)
    values["loss"].backward()
    assert max(p.grad.abs().max() for p in model.parameters() if p.grad is not None) < 1e-4


@pytest.mark.parametrize("name,affected", [("invariant", True), ("distinctive", False)])
def test_only_the_invariant_method_looks_at_other_videos(name, affected):
    """Gradient with respect to video 0 when all others are replaced (networks in eval mode)."""
    model, gradients = method(name).eval(), []
    for seed in (1, 2):
        clips = random_batch(seed).clips
        clips[:, 0] = random_batch(9).clips[:, 0]
        clips.requires_grad_()
        batch = Batch(clips, torch.arange(B), torch.arange(B))
        (gradient,) = torch.autograd.grad(model(videos=batch)["loss"], clips)
        gradients.append(gradient[:, 0])
    difference = (gradients[0] - gradients[1]).norm() / gradients[0].norm()
    assert (difference > 0.1) == affected
    assert affected or difference < 1e-3


@pytest.mark.parametrize("name", PARTS)
def test_fifteen_steps_on_one_batch_of_videos_lower_the_loss(name):
    model, batch, history = method(name).train(), random_videos(), []
    optimiser = torch.optim.AdamW(model.learner.parameters(), 3e-3)
    for _ in range(15):
        history.append(model(videos=batch)["loss"])
        optimiser.zero_grad()
        history[-1].backward()
        optimiser.step()
    assert history[-1] < 0.7 * history[0], [round(value.item(), 2) for value in history]


@pytest.mark.parametrize("name", PARTS)
def test_methods_train_in_the_loop_and_log_their_parts(name, tmp_path):
    model = method(name)
    before = {k: v.clone() for k, v in model.learner.state_dict().items()}
    fit(model, fake_pool(6), Plan(2, 1e-3, 1e-4, 0, tmp_path), torch.device("cpu"))
    assert all(not torch.equal(before[k], p) for k, p in model.learner.named_parameters())
    line = read_log(tmp_path / "metrics.jsonl")[-1]
    assert line.keys() == {"step", "loss"} | PARTS[name]


def random_videos():
    """One batch of the synthetic videos, augmented once and kept."""
    stream = method().streams()["videos"]
    samples = ClipSamples(FakeCache(6), np.zeros(6, int), stream, 5)
    return to_device(next(iter(loader(samples, np.arange(6), 0, 1))), torch.device("cpu"))
