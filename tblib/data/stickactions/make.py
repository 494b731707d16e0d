"""Write the dataset: H.264 videos, ground truth and lists in the layout of UCF101."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from joblib import Parallel, delayed

from tblib.errors import DataError
from tblib.files import atomic_write, read_json, write_json
from tblib.progress import track

from . import render, truth
from .files import complete, encode
from .one import LENGTH, check_shared, check_sizes, class_index, numbers_for, painted
from .scenes import CLASSES

VERSION = 1


@dataclass(frozen=True)
class Parameters:
    """What decides the content of a dataset folder."""

    px: int
    train_groups: int
    test_groups: int
    clips_per_group: int
    frames: tuple[int, int]
    seed: int
    classes: tuple[str, ...]
    one_actor: bool = False
    one_gym: bool = False

    def __post_init__(self):
        check_sizes(self.px, self.frames)
        check_shared(self.one_actor, self.one_gym)
        for name in ("train_groups", "test_groups", "clips_per_group", "seed"):
            if getattr(self, name) < 0:
                raise DataError(f"{name} = {getattr(self, name)} is not possible: give 0 or more.")


def _make(folder: Path, parameters: Parameters, name: str, group: int, clip: int) -> None:
    """Make one video and its ground truth unless both are there."""
    video, p = folder / video_path(name, group, clip), parameters
    if complete(video, p.px):
        return
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # the parallelism is over videos
    try:
        length = numbers_for(LENGTH, name, p.seed, group, clip)
        frames = int(length.integers(p.frames[0], p.frames[1] + 1))
        shared = {"one_actor": p.one_actor, "one_gym": p.one_gym}
        scene, pictures, layer = painted(name, p.seed, group, clip, frames, p.px, **shared)
    finally:
        cv2.setNumThreads(threads)
    known = {
        "phase": scene.phase,
        "layer": layer,
        "motion": render.motions(scene, p.px),
        "actor": np.array(scene.stage.actor),
        "meta": scene.meta | {"group": group, "clip": clip},
    }
    atomic_write(video.with_suffix(".npz"), partial(truth.save, **known))
    atomic_write(video, partial(encode, frames=pictures))
    if not complete(video, p.px):
        raise DataError(f"{video} does not read back after writing; check the disk and try again.")


def video_path(name: str, group: int, clip: int) -> str:
    """Return the path of a video inside the dataset, as the lists spell it."""
    return f"{name}/v_{name}_g{group:02d}_c{clip:02d}.mp4"


def _write_lists(folder: Path, p: Parameters) -> None:
    """Write class index, training and test list in the format of UCF101 (test groups first)."""
    lines: dict[str, list[str]] = {"classInd.txt": [], "trainlist01.txt": [], "testlist01.txt": []}
    for number, name in enumerate(p.classes, 1):
        lines["classInd.txt"].append(f"{number} {name}")
        for group, clip in _clips(p):
            path = video_path(name, group, clip)
            if group <= p.test_groups:
                lines["testlist01.txt"].append(path)
            else:
                lines["trainlist01.txt"].append(f"{path} {number}")
    for file, content in lines.items():
        text = "".join(line + "\n" for line in content)
        atomic_write(folder / file, partial(Path.write_text, data=text))


def _clips(p: Parameters) -> list[tuple[int, int]]:
    """List (group, clip), both from 1."""
    groups = range(1, p.test_groups + p.train_groups + 1)
    return [(group, clip) for group in groups for clip in range(1, p.clips_per_group + 1)]


def _claim(folder: Path, p: Parameters) -> dict:
    """Refuse a folder made with other parameters; return the description of this one."""
    content = {"dataset": "StickActions", "version": VERSION, "parameters": asdict(p)}
    content["parameters"] |= {"frames": list(p.frames), "classes": list(p.classes)}
    if (folder / "dataset.json").exists():
        there = read_json(folder / "dataset.json")
        older = {"version": there.get("version"), "one_actor": False, "one_gym": False}
        theirs = older | there.get("parameters", {})
        ours = {"version": VERSION} | content["parameters"]
        other = sorted(k for k in ours if theirs.get(k) != ours[k])
        if other:
            raise DataError(f"{folder} holds a StickActions dataset with other {', '.join(other)}; "
                            "choose another folder or delete it.")  # fmt: skip
    return content


def build(folder: Path, *, px: int = 64, train_groups: int = 10, test_groups: int = 4,
          clips_per_group: int = 3, frames: tuple[int, int] = (72, 96), seed: int = 0,
          classes: Sequence[str] | None = None, one_actor: bool = False,
          one_gym: bool = False, workers: int = 2) -> None:  # fmt: skip
    """Write the dataset, or what is missing of it.

    A group is one actor with one look and one scene; groups 1 … `test_groups` are the test set,
    the following ones the training set.  A video depends on (seed, class, group, clip, px, frames)
    only: neither `workers` nor the choice of classes changes it.

    Args:
        folder: gets `<Class>/v_<Class>_gNN_cNN.mp4` with a .npz beside each, `classInd.txt`,
            `trainlist01.txt`, `testlist01.txt` and `dataset.json`.
        px: side length in pixels, a multiple of 2.
        frames: least and most frames of a video (25 a second).
        classes: some keys of `FAMILY`; `CLASSES` without.
        one_actor: the same person in the same clothes in every video.
        one_gym: every persistent video in the same room, its equipment hardly standing out, the
            person on the same spot in the same posture; needs `one_actor`.
        workers: processes.

    Raises:
        DataError: unknown class, impossible size, a gym without its actor, or a folder made with
            other parameters.
    """
    chosen = tuple(sorted(set(CLASSES if classes is None else classes), key=class_index))
    p = Parameters(px, train_groups, test_groups, clips_per_group, tuple(frames), seed, chosen,
                   one_actor, one_gym)  # fmt: skip
    folder = Path(folder)
    content = _claim(folder, p)
    todo = [(name, group, clip) for name in chosen for group, clip in _clips(p)]
    if not todo:
        raise DataError("no video to make: give at least one class, one group and one clip.")
    write_json(folder / "dataset.json", content | {"videos": len(todo), "complete": False})
    jobs = (delayed(_make)(folder, p, *video) for video in todo)
    done = Parallel(n_jobs=workers, return_as="generator_unordered")(jobs)
    for _ in track(done, "stickactions", total=len(todo)):
        pass
    _write_lists(folder, p)
    write_json(folder / "dataset.json", content | {"videos": len(todo), "complete": True})
