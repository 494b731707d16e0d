"""Promise 12 under a hail of changes: real containers, some bytes of which are others."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from realvideo import moving_frames, write_video

ROOT = Path(__file__).resolve().parents[2]
KINDS = {
    "a.mp4": ("libx264", {}), "b.mp4": ("mpeg4", {"bf": 2}), "a.mov": ("libx264", {"g": 8}),
    "f.mp4": ("libx264", {"movflags": "frag_keyframe+empty_moov"}), "a.mkv": ("libx264", {"bf": 2}),
    "a.webm": ("libvpx", {}), "b.webm": ("libvpx-vp9", {"cpu-used": 8}),
    "a.avi": ("mpeg4", {"bf": 2}), "b.avi": ("mjpeg", {"strict": "unofficial"}),
    "a.ts": ("libx264", {}), "a.wmv": ("wmv2", {}),
    "a.flv": ("flv", {}), "a.mpg": ("mpeg2video", {}),
}  # fmt: skip
READ = """
import resource, sys
from pathlib import Path
from tblib.data import container, manifest
from tblib.errors import UserError
resource.setrlimit(resource.RLIMIT_DATA, (3 << 30, 3 << 30))
for path in sorted(Path(sys.argv[1]).iterdir()):
    print(path.name, flush=True)  # the last one named is the one that ended the process
    try:
        manifest.row("a", path, 32)
        container.check_clean(path)
    except UserError as error:
        assert len(str(error).splitlines()) == 1, error
"""


def changed(data: bytes, rng: random.Random) -> bytes:
    """Flip, cut, drop or repeat a few bytes; half of the time where the headers are."""
    for _ in range(rng.randint(1, 4)):
        size = len(data)
        where = rng.choice([(0, min(600, size)), (max(0, size - 900), size), (0, size), (0, size)])
        at, kind = rng.randrange(*where), rng.randrange(6)
        if kind < 3:
            data = (
                data[:at] + bytes([rng.choice([0, 1, 0x7F, 0xFF, data[at] ^ 1])]) + data[at + 1 :]
            )
        elif kind == 3:
            data = data[:at] + rng.randbytes(4) + data[at + 4 :]
        elif kind == 4:
            data = data[:at] + data[at + rng.choice([1, 4, 100]) :]
        else:
            data = data[:at] + data[at : at + 60] * 2 + data[at + 60 :]
        data = data or b"x"
    return data


def hail(folder: Path, sources: dict[str, bytes], seed: int, count: int) -> None:
    """Have changed files read in another process; each gets frames or a sentence of one line."""
    rng = random.Random(seed)
    (folder / "try").mkdir(parents=True)
    for at in range(count):
        name = rng.choice(sorted(sources))
        (folder / "try" / f"{at:04}-{name}").write_bytes(changed(sources[name], rng))
    command = [sys.executable, "-c", READ, str(folder / "try")]
    quiet = os.environ | {"OPENCV_LOG_LEVEL": "OFF"}
    done = subprocess.run(
        command, cwd=ROOT, env=quiet, capture_output=True, text=True, timeout=60 + 2 * count
    )
    last = (done.stdout.splitlines() or ["none"])[-1]
    assert done.returncode == 0, f"{folder / 'try' / last}: {done.stderr[-1500:]}"


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("sources")
    return {
        name: write_video(folder / name, moving_frames(16), codec, **options).read_bytes()
        for name, (codec, options) in KINDS.items()
    }


def test_whatever_is_changed_in_a_container_is_answered_with_frames_or_a_sentence(
    tmp_path, sources
):
    hail(tmp_path, sources, 0, 150)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_thousands_of_changed_containers_are_answered(tmp_path, sources, scorecard):
    for seed in range(1, 31):
        hail(tmp_path / str(seed), sources, seed, 100)
    scorecard["fuzzed"] = scorecard.get("fuzzed", 0) + 3000
