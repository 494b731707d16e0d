"""Streams of random numbers: one for each purpose, and the same one every time."""

import re
from itertools import combinations
from zlib import crc32

from smoke import ROOT

from tblib.data.stickactions import one
from tblib.randomness import seeded

PURPOSES = {
    purpose
    for path in (ROOT / "tblib").rglob("*.py")
    if path.name != "randomness.py"
    for purpose in re.findall(r'seeded\("([^"]+)"', path.read_text())
}


def draws(*key):
    return seeded(*key).integers(2**62, size=4).tolist()


def test_a_stream_is_repeatable_and_another_number_makes_another():
    assert draws("clips", 1, 2, 3) == draws("clips", 1, 2, 3)
    assert draws("clips", 1, 2, 3) != draws("clips", 1, 2, 4)


def test_streams_of_different_purposes_differ():
    assert len(PURPOSES) >= 5
    for a, b in combinations(sorted(PURPOSES), 2):
        assert draws(a, 5, 7) != draws(b, 5, 7)


def test_a_zero_at_the_end_makes_another_stream():
    """NumPy alone seeds both alike: the order of epoch e and the clips of step e, position 0."""
    assert draws("clips", 3, 4) != draws("clips", 3, 4, 0)


def test_no_purpose_has_a_number_of_stickactions():
    assert not {crc32(purpose.encode()) for purpose in PURPOSES} & {one.LOOK, one.CLIP, one.NOISE}


def test_every_generator_of_the_package_has_a_purpose():
    """StickActions keeps the numbers its videos were drawn with."""
    for path in (ROOT / "tblib").rglob("*.py"):
        if path.name != "randomness.py" and "stickactions" not in path.parts:
            assert "default_rng" not in path.read_text(), path
