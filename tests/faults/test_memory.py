"""Promise 4, again: a long or large video needs no more memory than a short one."""

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from hungry import killed_always, killed_once
from realvideo import write_video

from tblib.data import cache, datasets, manifest, stores
from tblib.errors import DataError, DecodeError

ROOT = Path(__file__).resolve().parents[2]
CAPPED = """
import resource, sys, types
from pathlib import Path
import pandas as pd
from tblib.data import cache, container, manifest, video
path, folder, kind = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
for warm in Path(sys.argv[4]).iterdir():  # what libraries need for themselves
    manifest.row("warm", warm)
before = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_DATA, (before + (1 << 29), before + (1 << 29)))
if kind == "verify":
    row = manifest.row("a", path)
    container.check_clean(path)
    print(row["frames"], row["height"], row["width"])
else:
    table = pd.DataFrame({"video": ["a"], "path": [str(path)]})
    videos = types.SimpleNamespace(name="one", root=folder, table=table)
    print(*cache.build(videos, 32, folder, 1, kind)[0].shape[:3])
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """40 frames of 2160 x 3840: 1 GB of pixels, in a small file of each code."""
    folder = tmp_path_factory.mktemp("large")
    moving = np.full((40, 216, 384, 3), 90, np.uint8)
    for at, frame in enumerate(moving):
        frame[20:80, 5 * at : 5 * at + 60] = 240 - at
    for name, codec in (("film.mp4", "libx264"), ("film.avi", "mpeg4")):
        _write(folder / name, moving, codec, 2160, 3840)
        _write(folder / "warm" / name, moving, codec, 216, 384)
    return folder


def _write(path: Path, frames, codec: str, height: int, width: int) -> None:
    path.parent.mkdir(exist_ok=True)
    options = {"preset": "ultrafast"} if codec == "libx264" else {}
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            file.mux(
                stream.encode(picture.reformat(width, height, "yuv420p", interpolation="POINT"))
            )
        file.mux(stream.encode())


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
@pytest.mark.parametrize("name", ["film.mp4", "film.avi"])
@pytest.mark.parametrize("kind", ["verify", "raw", "jpeg"])
def test_a_large_film_is_read_in_half_a_gibibyte(large, tmp_path, name, kind):
    """Its frames as they are need twice that."""
    command = [sys.executable, "-c", CAPPED, large / name, tmp_path, kind, large / "warm"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    expected = "40 2160 3840" if kind == "verify" else "40 32 57"
    assert done.stdout.splitlines()[-1] == expected


@pytest.mark.parametrize("kind", ["raw", "jpeg"])
def test_frames_are_written_one_by_one_as_if_all_at_once(tmp_path, kind):
    frames = np.random.default_rng(0).integers(0, 255, (12, 24, 32, 3), dtype=np.uint8)
    alive, most = [0], [0]

    def each():
        for frame in frames:
            alive[0] += 1
            most[0] = max(most[0], alive[0])
            yield frame.copy()
            alive[0] -= 1

    assert stores.write(tmp_path / "a.npy", each(), kind) == frames.shape and most[0] == 1
    np.save(tmp_path / "b.npy", stores.encode(frames, kind))
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_a_killed_process_costs_its_video_and_no_other(tiny_root, monkeypatch):
    videos = datasets.ucf101(tiny_root, classes=("Walk",))
    monkeypatch.setattr(manifest, "_report", killed_always)
    report = manifest.verify(videos, workers=2)
    assert dict(zip(report["video"], report["reason"], strict=True)) == {
        name: "killed" if name.endswith("g02_c01") else "" for name in videos.table["video"]
    }
    assert report["detail"].str.contains("killed twice, most likely because memory").sum() == 1


def test_a_process_that_was_killed_once_costs_nothing(tiny_root, tmp_path, monkeypatch, capsys):
    videos = datasets.ucf101(tiny_root, classes=("Walk",))
    known = {name: {"mark": str(tmp_path / "mark")} for name in videos.table["video"]}
    monkeypatch.setattr(manifest, "_report", killed_once)
    report = manifest.verify(videos, 2, known)
    assert (tmp_path / "mark").exists() and (report["reason"] == "").all() and len(report) == 8
    assert "verify: a process was killed; what it held is done again." in capsys.readouterr().out


def test_a_cache_is_built_but_for_the_video_whose_process_is_killed(tiny_root, tmp_path,
                                                                   monkeypatch):  # fmt: skip
    videos = datasets.ucf101(tiny_root, classes=("Walk",))
    seen = []

    def run_all(function, todo, workers, desc, hung, seen_by):
        for item in todo:
            name = item[0]
            error = DecodeError(item[1], "killed", manifest.KILLED)
            seen.append(name)
            seen_by(hung(name, error) if name.endswith("g02_c01") else function(*item))

    monkeypatch.setattr(manifest, "run_all", run_all)
    with pytest.raises(DataError, match=r"1 of 8 videos cannot be read: .*g02_c01.*\[killed\]"):
        cache.build(videos, 20, tmp_path / "c")
    assert len(seen) == 8 and len(list((tmp_path / "c").rglob("*.npy"))) == 7


def test_a_large_file_may_take_longer(tmp_path):
    path = write_video(tmp_path / "a.avi", np.zeros((2, 48, 64, 3), np.uint8))
    assert manifest._patience([("a", str(path)), ("b", "none.avi")]) == manifest.HANG_SECONDS
    with path.open("r+b") as file:
        file.truncate(20 * 10**9)
    assert manifest._patience([("a", str(path))]) == manifest.HANG_SECONDS + 100_000
