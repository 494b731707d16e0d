"""What many tests share: the real clips where they are present, and a tiny dataset."""

from __future__ import annotations

import os
import time
from pathlib import Path

import needs
import pytest
import sharing
from realvideo import moving_frames, write_video

os.environ.setdefault("TB_PROGRESS", "0")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin would slow other tests down
SCORES, BEGAN = pytest.StashKey[dict](), pytest.StashKey[float]()
SPENT = pytest.StashKey[float]()
FAULTS = Path(__file__).resolve().parent / "faults"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the real clips and lists; see `needs.real_videos` for where it is absent."""
    return needs.real_videos()


@pytest.fixture(scope="session")
def ucf_root(shared_data) -> Path:
    """Folder with the class folders of nine complete UCF101 classes."""
    return shared_data / "UCF-101"


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory) -> Path:
    """A UCF101-like folder: 2 classes, groups g01 (test) to g04, 2 clips each, with its lists."""
    root = tmp_path_factory.mktemp("tiny")
    lines = {"train": [], "test": []}
    for label, name in enumerate(("Walk", "Jump"), 1):
        for group in range(1, 5):
            for clip in (1, 2):
                stem = f"{name}/v_{name}_g{group:02d}_c{clip:02d}"
                seed = 100 * label + 10 * group + clip
                write_video(root / f"{stem}.avi", moving_frames(10 + clip, seed=seed), bf=2, g=4)
                part = "test" if group == 1 else "train"
                lines[part].append(f"{stem}.avi {label}" if part == "train" else f"{stem}.avi")
    lists = root / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 Walk\n2 Jump\n")
    for part, content in lines.items():
        (lists / f"{part}list01.txt").write_text("\n".join(content) + "\n")
    return root


@pytest.fixture(scope="session")
def scorecard(request) -> dict:
    """Measured values by name; written to results/reliability.json when TB_SCORECARD is 1."""
    return request.config.stash.setdefault(SCORES, {})


def pytest_configure(config):
    """Have every skip judged, and the tests shared out where several processes run them."""
    config.pluginmanager.register(needs)
    config.pluginmanager.register(sharing)


def pytest_sessionstart(session):
    """Note when the tests began."""
    session.config.stash[BEGAN] = time.time()
    session.config.stash[SPENT] = 0.0


def _in_every_run(item) -> bool:
    return FAULTS in item.path.parents and not item.get_closest_marker("nightly")


def pytest_runtest_makereport(item, call):
    """Add up the time of the fault tests that are part of every run."""
    if _in_every_run(item):
        item.config.stash[SPENT] += call.duration


def pytest_sessionfinish(session, exitstatus):
    """Put what a run measured into the scorecard, if asked for and if every test passed.

    Values of earlier runs stay; each has the card of the run that measured it.
    """
    values = session.config.stash.get(SCORES, {})
    if os.environ.get("TB_SCORECARD") == "1" and values and not exitstatus:
        began = session.config.stash[BEGAN]
        if set(FAULTS.glob("test_*.py")) <= {item.path for item in session.items}:
            spent, tests = session.config.stash[SPENT], map(_in_every_run, session.items)
            values["every_run"] = {"seconds": round(spent), "tests": sum(tests)}
        import measured  # and with it torch, which a run of light tests can do without

        measured.record(values, began, tests=session.testscollected)
