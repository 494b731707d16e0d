"""Pictures of motion: grey where nothing moves, the shift where all moves, signs under flips."""

import cv2
import numpy as np
import pytest

from tblib.data.augment import MID_GREY, Augment, Choice
from tblib.data.modality import KINDS, REACH, Motion, adjacent, optical_flow, temporal_gradient
from tblib.data.strong import Strong


def walk(px=40, right=1, down=0, frames=8):
    """A smooth scene, of which each frame shows a part further left and up: all moves together."""
    coarse = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    scene = cv2.resize(coarse, (3 * px, 3 * px), interpolation=cv2.INTER_CUBIC)
    at = [(px - down * i, px - right * i) for i in range(frames)]
    return np.stack([scene[y : y + px, x : x + px] for y, x in at])


def in_pixels(picture, px):
    """Mean displacement (right, down) in the middle of pictures of flow."""
    inner = slice(px // 5, -px // 5)
    return (picture[:, inner, inner, :2].mean((0, 1, 2)) - MID_GREY) * REACH * px / MID_GREY


@pytest.mark.parametrize("kind", KINDS)
def test_a_still_clip_is_grey(kind):
    video = np.repeat(walk()[:1], 5, 0)
    for pictured in (Augment(32, jitter=0.9), Strong(32, operations=0, cutout=0)):
        motion = Motion(pictured, kind)
        drawn = motion.draw((4, *video.shape[1:]), np.random.default_rng(0))
        clip = motion.apply(drawn, motion.pictures(video, np.arange(4)))
        assert clip.shape == (4, 32, 32, 3)
        assert np.abs(clip.astype(int) - MID_GREY).max() <= 1


def test_the_gradient_by_hand_rounds_down():
    a, b = (np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, 3) for _ in range(2))
    b = b[:, ::-1]
    expected = (a.astype(int) - b + 255) // 2
    assert (temporal_gradient(a, np.ascontiguousarray(b)) == expected).all()


def test_gradients_are_of_adjacent_frames_whatever_the_stride_and_the_direction():
    video, motion = walk(), Motion(Augment(32), "gradient")
    index = np.array([4, 2, 0, 7])
    expected = [(video[i].astype(int) - video[min(i + 1, 7)] + 255) // 2 for i in index]
    assert (motion.pictures(video, index) == expected).all()
    frames, following = adjacent(index, 8)
    assert following.tolist() == [5, 3, 1, 7] and frames is index


@pytest.mark.parametrize("px, right, down", [(40, 1, 0), (40, -1, 1), (128, 3, -2), (128, 0, 4)])
def test_the_flow_of_a_shifted_picture_is_the_shift(px, right, down):
    video = walk(px, right, down)
    found = in_pixels(optical_flow(video[:-1], video[1:]), px)
    assert found == pytest.approx([right, down], abs=0.15 + 0.05 * max(abs(right), abs(down)))


@pytest.mark.parametrize("mirror", [False, True])
def test_mirror_and_crop_show_the_flow_that_they_make(mirror):
    """Flow of the cut clip, and the clip cut from the flow."""
    video, motion = walk(px=80, right=2, down=1), Motion(Augment(80), "flow")
    choice = Choice((20, 20, 40, 40), mirror, None, None, None)
    from_flow = motion.apply(choice, motion.pictures(video, np.arange(7)))
    cut = Augment(80).apply(choice, video)
    of_cut = optical_flow(cut[:-1], cut[1:])
    sign = -1 if mirror else 1
    assert in_pixels(from_flow, 80) == pytest.approx([4 * sign, 2], abs=0.4)
    assert in_pixels(of_cut, 80) == pytest.approx([4 * sign, 2], abs=0.6)


def test_colours_are_left_alone():
    motion = Motion(Augment(32, jitter=1.0, flicker=True), "gradient")
    drawn = motion.draw((4, 40, 40, 3), np.random.default_rng(0))
    assert drawn.colour is None and drawn.flicker is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_video_of_one_frame_has_no_motion(kind):
    pictures = Motion(Augment(16), kind).pictures(walk(frames=1), np.zeros(4, int))
    assert np.abs(pictures.astype(int) - MID_GREY).max() <= 1
