"""Strong augmentation: the same in all frames, each operation what it says, edges of ranges."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from tblib.data.augment import MID_GREY
from tblib.data.strong import OPERATIONS, Strong, moved

RNG = np.random.default_rng(0)
SCENE = cv2.resize(RNG.integers(0, 256, (6, 6, 3), dtype=np.uint8), (40, 40))
STILL = np.repeat(SCENE[None], 4, 0)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_treats_all_frames_alike_and_leaves_its_input(name):
    clip, before = STILL.copy(), STILL.copy()
    for strength in (-1.0, -0.3, 0.0, 0.3, 1.0):
        out = OPERATIONS[name](clip, strength)
        assert out.shape == clip.shape and out.dtype == np.uint8
        assert (out == out[:1]).all(), strength
        assert (clip == before).all()
    if name != "identity":
        assert (out != clip).any(), "at full strength something is seen"


@pytest.mark.parametrize("value", [0, 127, 255])
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_clip_of_one_colour_breaks_nothing(name, value):
    clip = np.full((3, 16, 16, 3), value, np.uint8)
    for strength in (-1.0, 1.0):
        assert OPERATIONS[name](clip, strength).shape == clip.shape


def pillow(edit):
    return np.asarray(edit(Image.fromarray(SCENE)))


@pytest.mark.parametrize(
    "name, strength, expected",
    [
        ("autocontrast", 1.0, ImageOps.autocontrast),
        ("posterize", 1.0, lambda image: ImageOps.posterize(image, 4)),
        ("solarize", 0.5, lambda image: ImageOps.solarize(image, 128)),
        ("brightness", -0.5, lambda image: ImageEnhance.Brightness(image).enhance(0.525)),
        ("contrast", 0.5, lambda image: ImageEnhance.Contrast(image).enhance(1.475)),
        ("saturation", 0.5, lambda image: ImageEnhance.Color(image).enhance(1.475)),
    ],
)
def test_colours_change_as_in_pillow_which_fixmatch_uses(name, strength, expected):
    difference = OPERATIONS[name](STILL, strength)[0].astype(int) - pillow(expected)
    assert np.abs(difference).max() <= 3, "rounding of means and tables"


def test_equalize_is_that_of_opencv_for_each_channel():
    expected = np.dstack([cv2.equalizeHist(plane) for plane in cv2.split(SCENE)])
    assert np.abs(OPERATIONS["equalize"](STILL, 1.0)[0].astype(int) - expected).max() <= 1


def test_a_shift_is_a_shift_and_grey_comes_in():
    out = moved(STILL, np.eye(2), (0.25, 0))
    assert (out[:, :, 10:] == STILL[:, :, :-10]).all() and (out[:, :, :10] == MID_GREY).all()
    assert (moved(STILL, np.eye(2)) == STILL).all()
    half_turn = moved(STILL, -np.eye(2))
    assert (half_turn == STILL[:, ::-1, ::-1]).all()


def test_what_is_drawn_depends_on_the_generator_alone():
    strong = Strong(32, crop_min=0.6, jitter=0.0)
    first, again, other = (strong(STILL, np.random.default_rng(s)) for s in (1, 1, 2))
    assert first.shape == (4, 32, 32, 3) and (first == first[:1]).all()
    assert (first == again).all() and (first != other).any()


def test_magnitude_and_cutout_bound_what_is_drawn():
    strong = Strong(32, operations=3, magnitude=4.0, cutout=0.5)
    draws = [strong.draw(STILL.shape, RNG) for _ in range(300)]
    assert all(len(d.drawn) == 3 for d in draws)
    assert {name for d in draws for name, _ in d.drawn} == set(OPERATIONS)
    strengths = np.array([s for d in draws for _, s in d.drawn])
    assert -0.4 <= strengths.min() < -0.3 and 0.3 < strengths.max() <= 0.4
    holes = np.array([d.hole for d in draws])
    sides = holes[:, 2:] - holes[:, :2]
    assert holes.min() >= 0 and holes.max() <= 32 and 12 < sides.max() <= 17
    assert all(d.hole[0] == d.hole[2] for d in (Strong(32, cutout=0).draw(STILL.shape, RNG),))
