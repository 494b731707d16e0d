"""Systems with an image network: own head, no labels in it, each term switchable, three logged."""

import cv2
import numpy as np
import pytest
import torch
from helpers import batches_of, fake_pool, tiny_profile
from needs import real_videos
from torch.nn.functional import cross_entropy
from torchvision.models._meta import _IMAGENET_CATEGORIES as NAMES

from tblib.engine.loop import Plan, fit, read_log
from tblib.methods import registry
from tblib.methods.base import Sampling
from tblib.methods.outside import soft_cross_entropy
from tblib.methods.pseudo import sigmoid_ramp
from tblib.models import Classifier, backbone
from tblib.models.imagenet import ImageNet

GUIDED = ("sd", "mt_sd", "videosemi")


class Colours(torch.nn.Module):
    """Stands in for the image network: tells how red, green and blue a frame is."""

    def forward(self, frames):
        """Map frames `[B, 3, H, W]` to probabilities `[B, 3]`."""
        return (30 * frames.mean((2, 3))).softmax(1)


def small(name, teacher=None, **options):
    torch.manual_seed(0)
    learner, sampling = Classifier(backbone("tiny_r3d"), 2), Sampling(px=16)
    kind = registry.method(name)
    method = kind(learner, teacher or Colours(), (3, 4), sampling, outputs=3, **options)
    return method.train()


def test_cross_entropy_with_soft_labels_by_hand():
    logits, p = torch.randn(5, 7), torch.rand(5, 7).softmax(1)
    by_hand = sum(
        float(-p[i, c] * logits[i].softmax(0)[c].log()) for i in range(5) for c in range(7)
    )
    assert float(soft_cross_entropy(logits, p)) == pytest.approx(by_hand / 5, rel=1e-5)
    hard = torch.eye(7)[[1, 2, 3, 4, 5]]
    expected = cross_entropy(logits, hard.argmax(1))
    torch.testing.assert_close(soft_cross_entropy(logits, hard), expected)


@pytest.mark.parametrize("name", GUIDED)
def test_the_loss_is_the_sum_of_parts_that_are_computed_by_hand(name):
    method = small(name).eval()
    method.begin(50, 100)
    batches = batches_of(method, fake_pool(24, 8))
    values = method(**batches)
    clips = torch.cat([batch.clips[0] for batch in batches.values()])
    logits, told = method.learner(clips)
    image = soft_cross_entropy(told, Colours()(clips[:, :, 4]))
    torch.testing.assert_close(values["image"], image)
    expected = values["supervised"] + image
    if name == "mt_sd":
        other = torch.cat([batch.clips[1] for batch in batches.values()])
        distance = (logits.softmax(1) - method.average(other).softmax(1)).square().sum(1).mean()
        torch.testing.assert_close(values["consistency"], distance)
        expected = expected + 10 * sigmoid_ramp(50, 100, 0.4) * distance
    if name == "videosemi":
        expected = expected + values["unlabelled"]
    torch.testing.assert_close(values["loss"], expected)


@pytest.mark.parametrize("name", GUIDED)
def test_the_image_term_has_a_head_of_its_own_and_reaches_the_backbone(name):
    method = small(name)
    method(**batches_of(method, fake_pool(24, 8)))["image"].backward()
    assert method.classifier.head.weight.grad is None
    assert method.learner.second.weight.grad.abs().max() > 0
    assert all(p.grad is not None for p in method.classifier.backbone.parameters())


def test_mt_sd_is_either_system_when_the_other_is_switched_off():
    parts = small("mt_sd", weight_consistency=0.0), small("mt_sd", weight_image=0.0)
    batches = batches_of(parts[0], fake_pool(24, 8))
    alone = small("sd")(**batches)
    torch.testing.assert_close(parts[0](**batches)["loss"], alone["loss"])
    values = parts[1](**batches)
    expected = values["supervised"] + 10 * values["consistency"]
    torch.testing.assert_close(values["loss"], expected)


def test_no_guess_counts_in_the_warm_up_and_later_it_comes_from_the_same_view(tmp_path):
    method = small("videosemi", tau=0.5, warm=0.5)
    batches = batches_of(method, fake_pool(24, 8))
    method.begin(49, 100)
    values = method(**batches)
    assert values["unlabelled"] == 0 and not values["guess"].used.any()
    method.eval().begin(50, 100)
    values, logits = method(**batches), method.classifier(batches["unlabelled"].clips[0])
    label = logits.argmax(1)
    assert values["guess"].used.all() and torch.equal(values["guess"].label, label)
    torch.testing.assert_close(values["unlabelled"], cross_entropy(logits, label))
    fit(method.train(), fake_pool(24, 8), Plan(4, 1e-3, 0, 0, tmp_path), torch.device("cpu"))
    lines = read_log(tmp_path / "metrics.jsonl")
    assert [line["guess_used"] for line in lines] == [0, 0, 1, 1]
    assert {"supervised", "unlabelled", "image", "guess_right"} <= lines[0].keys()


def test_answers_about_other_clips_teach_less(tmp_path):
    """Soft labels that belong to the clips are learnt; the same ones shuffled are not."""

    class Shuffled(Colours):
        def forward(self, frames):
            return super().forward(frames)[torch.randperm(len(frames))]

    last = {}
    for kind in (Colours, Shuffled):
        plan = Plan(60, 3e-3, 0, 0, tmp_path / kind.__name__)
        fit(small("sd", kind()), fake_pool(24, 8), plan, torch.device("cpu"))
        last[kind] = read_log(plan.folder / "metrics.jsonl")[-1]["image"]
    assert last[Colours] < last[Shuffled] - 0.02


def test_systems_with_outside_knowledge_are_marked():
    marked = {name for name, kind in registry.METHODS.items() if kind.outside}
    assert set(GUIDED) <= marked and {"fixmatch", "supervised", "timebalance"}.isdisjoint(marked)
    method = registry.fresh("sd", tiny_profile())
    assert isinstance(method.teacher, ImageNet) and not method.train().teacher.training


WORDS = {
    "PlayingViolin": ("violin", "cello"),
    "PlayingPiano": ("upright", "grand piano"),
    "Archery": ("bow",),
    "Surfing": ("seashore", "speedboat", "promontory"),
}


def test_the_image_network_knows_what_frames_of_ucf101_show():
    """Small square frames, as a run has them; ImageNet has no word for a horse with a rider."""
    answers = {}
    for name in WORDS:
        files = sorted((real_videos() / "UCF-101" / name).glob("*_c01.avi"))[:8]
        answers[name] = ImageNet()(torch.stack([thirtieth_frame(file) for file in files])).mean(0)
    for name, words in WORDS.items():
        index = [NAMES.index(word) for word in words]
        probability = {other: float(p[index].sum()) for other, p in answers.items()}
        assert max(probability, key=probability.get) == name
        others = [value for other, value in probability.items() if other != name]
        assert probability[name] > 0.05 and probability[name] > 2 * max(others)


def thirtieth_frame(file):
    video = cv2.VideoCapture(str(file))
    frame = [video.read()[1] for _ in range(30)][-1]
    edge = (frame.shape[1] - frame.shape[0]) // 2
    square = cv2.resize(frame[:, edge:-edge, ::-1], (112, 112), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(np.ascontiguousarray(square)).permute(2, 0, 1) / 255
