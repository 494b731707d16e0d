"""A batch augmented on the device is the batch that the loader would have made, up to rounding."""

import cv2
import numpy as np
import pytest
import torch
from helpers import FakeCache, TinyMethod, fake_pool, same_weights

from tblib.data.augment import Augment
from tblib.data.clips import RandomClip, SparseDense
from tblib.data.loader import ClipSamples, Stream, collate, loader, to_device
from tblib.data.on_device import resizing, uncut
from tblib.data.stores import JpegFrames, encode
from tblib.engine.loop import Plan, fit
from tblib.errors import UserError

CPU = torch.device("cpu")
EVERYTHING = Augment(16, 0.4, jitter=1.0, erase=0.5, flicker=True)
LEVEL = 1 / 255


class Mixed:
    """Videos of other lengths and shapes, some shorter than a clip."""

    def __init__(self):
        shapes = [(40, 24, 32), (9, 30, 24), (64, 24, 24), (21, 25, 41), (1, 24, 26)]
        random = np.random.default_rng(0)
        self.videos = [random.integers(0, 256, (*s, 3), dtype=np.uint8) for s in shapes]

    def __getitem__(self, row):
        return self.videos[row]


def both_ways(augment, views, cache=None, batch=5):
    """Return the same batch cut by the loader and on the device."""
    stream = Stream("train", batch, views, augment)
    made = []
    for leave_uncut in (False, True):
        samples = ClipSamples(cache or Mixed(), np.arange(batch), stream, 7, leave_uncut)
        made.append(to_device(collate([samples[3, k, k] for k in range(batch)]), CPU))
    return made


@pytest.mark.parametrize("views", [RandomClip(4, 2), SparseDense(8, 2, 4)], ids=["one", "ten"])
@pytest.mark.parametrize(
    "augment",
    [
        Augment(16, 0.4, jitter=0.0, flip=0.0),
        Augment(40, 0.4, jitter=0.0, flip=1.0),
        Augment(16, 0.5, jitter=1.0),
        Augment(16, 0.5, jitter=0.0, erase=1.0),
        Augment(16, 0.5, jitter=0.0, flicker=True),
        EVERYTHING,
    ],
    ids=["crop", "enlarge and mirror", "colour", "box", "flicker", "everything"],
)
def test_same_pixels_up_to_rounding(augment, views):
    by_loader, on_device = both_ways(augment, views)
    assert on_device.clips.shape == by_loader.clips.shape
    assert on_device.clips.dtype == torch.float32
    assert by_loader.clips.flatten(0, 1).is_contiguous(memory_format=torch.channels_last_3d)
    assert on_device.clips.flatten(0, 1).is_contiguous(memory_format=torch.channels_last_3d)
    difference = (on_device.clips - by_loader.clips) / LEVEL
    colours = augment.jitter > 0 or augment.flicker
    assert difference.abs().max() < (8.5 if colours else 1.5), "a level, which colours may enlarge"
    assert difference.abs().mean() < (0.4 if colours else 0.2)
    assert abs(difference.mean()) < 0.15, "OpenCV's fixed-point weights round down a little"
    assert torch.equal(on_device.label, by_loader.label)
    assert torch.equal(on_device.row, by_loader.row)


def test_weights_are_those_of_opencv_and_stay_inside_the_cut():
    row = np.random.default_rng(1).random((1, 30)).astype(np.float32)
    for first, length, px in [(3, 20, 8), (0, 30, 30), (5, 7, 24), (29, 1, 4)]:
        weights = resizing(torch.tensor([first]), torch.tensor([length]), 30, px)[0]
        expected = cv2.resize(row[:, first : first + length], (px, 1))[0]
        np.testing.assert_allclose(weights.numpy() @ row[0], expected, atol=1e-5)
        np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
        assert not weights[:, :first].any()
        assert not weights[:, first + length :].any()


def test_every_frame_travels_once_and_random_numbers_are_used_up_alike():
    video, views = np.zeros((80, 24, 24, 3), np.uint8), SparseDense(16, 1, 4)
    first, second = np.random.default_rng(4), np.random.default_rng(4)
    index = views.indices(len(video), first)
    sample = uncut(video, index, EVERYTHING, first)
    assert sample.frames.shape == (64, 24, 24, 3)
    assert (np.unique(index)[sample.index] == index).all()
    for view in views.indices(len(video), second):
        EVERYTHING(video[view], second)
    assert first.random() == second.random()


def test_compressed_frames_are_decoded_when_they_are_read():
    frames = cv2.blur(np.random.default_rng(2).integers(0, 256, (12, 32, 96), np.uint8), (5, 5))
    videos = [JpegFrames(encode(frames.reshape(12, 32, 32, 3), "jpeg"))]
    by_loader, on_device = both_ways(Augment(16), RandomClip(4, 2), videos, batch=1)
    assert (on_device.clips - by_loader.clips).abs().max() < 4.5 * LEVEL


def test_workers_change_nothing():
    stream = Stream("train", 3, SparseDense(4, 1, 2), EVERYTHING)
    samples = ClipSamples(FakeCache(10), np.arange(10), stream, 1, leave_uncut=True)
    made = [
        [to_device(b, CPU).clips for b in loader(samples, np.arange(10), 0, 4, workers)]
        for workers in (0, 2)
    ]
    assert all(torch.equal(a, b) for a, b in zip(*made, strict=True))


def test_a_training_is_the_same_up_to_rounding_and_resumes_exactly(tmp_path):
    def trained(name, on_device=True, **poison):
        plan = Plan(6, 1e-3, 1e-2, 5, tmp_path / name, 3, augment_on_device=on_device)
        return fit(TinyMethod(**poison), fake_pool(8), plan, CPU).state_dict()

    whole, by_loader = trained("whole"), trained("by loader", on_device=False)
    assert not same_weights(whole, by_loader), "nothing ran on the device"
    for name, weights in whole.items():
        torch.testing.assert_close(weights, by_loader[name], rtol=0.01, atol=0.01)
    with pytest.raises(UserError, match="at step 4"):
        trained("stopped", poison=4)
    assert same_weights(whole, trained("stopped"))
