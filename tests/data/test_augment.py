"""One draw per clip: whatever happens to a frame happens to all frames of the clip."""

import numpy as np
import pytest

from tblib.data.augment import (
    LUMA,
    Augment,
    centre_crop,
    colour_matrix,
    draw_box,
    erase_box,
    hue_rotation,
    recolour,
    resize,
)


def noise(t=6, h=24, w=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (t, h, w, 3), dtype=np.uint8)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("seed", range(20))
def test_identical_frames_stay_identical(seed):
    still = np.repeat(noise(1), 5, axis=0)
    out = Augment(16, 0.5, jitter=1.0, erase=1.0)(still, rng(seed))
    assert (out == out[0]).all()
    assert (out != resize(still, 16)).any()


@pytest.mark.parametrize("shape", [(6, 24, 32), (1, 16, 16), (4, 40, 17)])
def test_shape_type_and_repeatability(shape):
    frames, augment = noise(*shape), Augment(16, 0.5, jitter=1.0, erase=0.5)
    frames.flags.writeable = False  # nothing may be written into the input
    out = augment(frames, rng(4))
    assert out.shape == (shape[0], 16, 16, 3)
    assert out.dtype == np.uint8
    assert out.flags.c_contiguous
    assert (out == augment(frames, rng(4))).all()
    assert (out != augment(frames, rng(5))).any()


def test_everything_off_is_only_a_resize():
    out = Augment(16, crop_min=1.0, jitter=0.0, erase=0.0, flip=0.0)(noise(), rng())
    assert (out == resize(noise(), 16)).all()


def test_a_flip_mirrors_left_and_right():
    plain = Augment(16, 1.0, 0.0, flip=0.0)(noise(), rng(2))
    flipped = Augment(16, 1.0, 0.0, flip=1.0)(noise(), rng(2))
    assert (flipped == plain[:, :, ::-1]).all()


def test_no_colour_change_at_strength_zero():
    matrix = colour_matrix(rng(), 0.0)
    np.testing.assert_allclose(matrix, np.eye(3, 4), atol=1e-12)
    assert (recolour(noise(), matrix) == noise()).all()


@pytest.mark.parametrize("angle", [-2.0, -0.3, 0.0, 0.7, 3.0])
def test_hue_keeps_grey_and_luminance(angle):
    np.testing.assert_allclose(hue_rotation(angle) @ np.ones(3), np.ones(3), atol=1e-12)
    np.testing.assert_allclose(LUMA @ hue_rotation(angle), LUMA, atol=1e-12)
    turned = hue_rotation(angle) @ hue_rotation(-angle)
    np.testing.assert_allclose(turned, np.eye(3), atol=1e-12)


def test_hue_turns_colours():
    assert np.abs(hue_rotation(1.0) @ [1, 0, 0] - [1, 0, 0]).max() > 0.3


def test_recolour_is_the_matrix_on_every_pixel_and_saturates():
    matrix = np.array([[1, 0.5, 0, 10], [0, 2, 0, 0], [-1, 0, 1, 0.0]])
    frames = noise()
    expected = np.einsum("ij,thwj->thwi", matrix[:, :3], frames.astype(float)) + matrix[:, 3]
    difference = recolour(frames, matrix).astype(int) - expected.clip(0, 255)
    assert np.abs(difference).max() <= 0.51


def test_colour_draws_vary_and_stay_in_range():
    matrices = [colour_matrix(rng(i), 1.0) for i in range(300)]
    sums = np.array([(m @ [127.5, 127.5, 127.5, 1])[m[:, 0] != 0].max() for m in matrices])
    assert sums.min() > 127.5 * 0.49
    assert sums.max() < 127.5 * 1.51, "brightness factor times mid-grey; contrast keeps mid-grey"
    grey = [np.allclose(m[0], m[1]) and np.allclose(m[1], m[2]) for m in matrices]
    dropped = [(m[:, :3] == 0).all(1).any() for m in matrices]
    assert 0.1 < np.mean(grey) < 0.4
    assert 0.1 < np.mean(dropped) < 0.3


def test_erase_fills_one_box_in_every_frame():
    for seed in range(30):
        out = np.zeros((4, 24, 24, 3), np.uint8)
        erase_box(out, draw_box(24, rng(seed)))
        rows, columns = np.nonzero(out[0, :, :, 0])
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert 24 // 6 <= height <= 24 // 3
        assert 24 // 6 <= width <= 24 // 3
        assert (out[0] == 127).sum() == 3 * height * width, "a full rectangle of mid-grey"
        assert (out == out[0]).all()


@pytest.mark.parametrize("crop_min", [0.5, 1.0])
def test_augmentation_spares_the_frames_it_gets(crop_min):
    frames = noise(w=24)  # the whole of it in its own size needs no resizing
    out = Augment(24, crop_min, jitter=0.0, erase=1.0, flip=0.0)(frames, rng(0))
    assert (out == 127).all(-1).any(), "a box was erased"
    assert (frames == noise(w=24)).all()


def test_centre_crop_takes_the_middle():
    frames = np.zeros((2, 20, 40, 3), np.uint8)
    frames[:, 2:18, 4:36] = 200
    assert (centre_crop(frames, 16, 0.8) == 200).all()
    assert (centre_crop(frames, 16, 1.0)[:, 0, 0] == 0).all()
