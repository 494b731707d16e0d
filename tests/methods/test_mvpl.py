"""MvPL: three inputs of one network, one guess of all, statistics of frames."""

import numpy as np
import torch
from helpers import batches_of, fake_pool, made, tiny_profile
from torch.nn.functional import cross_entropy

from tblib.data.modality import Motion
from tblib.methods.semi.mvpl import MvPL

BATCHES = batches_of(made("mvpl", tiny_profile()), fake_pool(24, 8))


def mvpl(**options):
    return made("mvpl", tiny_profile(), **options)


def test_labelled_and_unlabelled_clips_come_as_frames_flow_and_gradient():
    for stream in mvpl().streams().values():
        kinds = [a.shows if isinstance(a, Motion) else "rgb" for a in stream.augment]
        assert kinds == ["rgb", "flow", "gradient"] * (len(kinds) // 3)
        index = stream.views.indices(80, np.random.default_rng(0))
        assert (index == index[0]).all() and not stream.same_crop
    assert len(BATCHES["labelled"].clips) == 3 and len(BATCHES["unlabelled"].clips) == 6


def test_the_loss_by_hand():
    method = mvpl(tau=0.0, weight=1.5).eval()
    method.begin(99, 100)
    net, clips = method.learner, BATCHES["unlabelled"].clips
    label = torch.stack([net(view) for view in clips[:3]]).mean(0).argmax(1)
    pseudo = torch.stack([cross_entropy(net(view), label) for view in clips[3:]]).mean()
    values = method(**BATCHES)
    torch.testing.assert_close(values["unlabelled"], pseudo)
    truth = BATCHES["labelled"].label
    each = [cross_entropy(net(view), truth) for view in BATCHES["labelled"].clips]
    torch.testing.assert_close(values["loss"], torch.stack(each).mean() + 1.5 * pseudo)


def test_removing_a_view_changes_the_target(monkeypatch):
    says = {"rgb": (1.0, 0.0), "gradient": (0.5, 0.0), "flow": (0.0, 2.0)}

    def passed(self, kind, *clips):
        return tuple(torch.tensor([says[kind]]).repeat(len(part), 1) for part in clips)

    monkeypatch.setattr(MvPL, "passed", passed)
    pool, labels = fake_pool(24, 8), []
    for inputs in ("rgb flow gradient", "rgb gradient"):
        method = mvpl(tau=0.0, inputs=inputs)
        method.begin(99, 100)
        labels.append(method(**batches_of(method, pool))["guess"].label)
    assert labels[0].eq(1).all() and labels[1].eq(0).all()


def test_guesses_wait_until_it_is_warm():
    method = mvpl(tau=0.0, warm=0.25).eval()
    for step, used in ((0, False), (24, False), (25, True)):
        method.begin(step, 100)
        values = method(**BATCHES)
        assert values["guess"].used.all() == used and (values["unlabelled"] > 0) == used


def test_batch_norm_keeps_the_statistics_of_frames_alone():
    both, frames = mvpl().train(), mvpl(inputs="rgb").train()
    both(**BATCHES)
    clips = torch.cat([BATCHES["labelled"].clips[0], *BATCHES["unlabelled"].clips[[0, 3]]])
    frames.learner(clips)
    for name, value in frames.learner.state_dict().items():
        if "running" in name:
            torch.testing.assert_close(both.learner.state_dict()[name], value, msg=name)
    assert both.learner.backbone.stem[1].momentum == 0.1
