"""How tests are shared out to processes by `pytest -n 2 --dist loadfile`.

Files go to processes whole, so that what a file trains for its tests is trained once, and the
longest files first, so that no process waits long for the other at the end.
"""

from __future__ import annotations

import os

import pytest

# One process runs these: they use one smoke run, one book and the folder of Snakemake's locks.
BOOK = (
    "tests/book/test_reproduce.py",
    "tests/book/test_pages.py",
    "tests/book/test_browser.py",
    "tests/data/test_real_ucf101.py",
    "tests/faults/test_workflow.py",
)
# Then the other files that take a minute or more.  Another order costs time, nothing else.
LONG = (
    "tests/engine/test_stopping.py",
    "tests/notebooks/test_nbval.py",
    "tests/study/test_study.py",
    "tests/notebooks/test_solutions.py",
    "tests/engine/test_distributed.py",
    "tests/run/test_training_view.py",
    "tests/notebooks/test_execute.py",
)
FIRST = {name: place for place, name in enumerate((*BOOK, *LONG))}
# Whoever asks for one of these waits for a training, a run of all chapters, or a book.
SLOW_FIXTURES = {"smoke_run", "html", "after", "whole", "pair", "kernel"}


def unit(nodeid: str) -> str:
    """Return the name of the tests that stay in one process with this one."""
    file = nodeid.partition("::")[0]
    return "book" if file in BOOK else file


def worker(config) -> str:
    """Return the name of this process among those that run tests; "" if it is the only one."""
    return getattr(config, "workerinput", {}).get("workerid", "")


def pytest_configure(config):
    """Refuse to measure a scorecard with several processes, none of which sees all values."""
    if os.environ.get("TB_SCORECARD") == "1" and getattr(config.option, "numprocesses", None):
        raise pytest.UsageError("a scorecard is measured by one process: leave out -n.")


@pytest.fixture(scope="session", autouse=True)
def own_data(request, tmp_path_factory):
    """Give each of several processes data of its own: two that build one data set would collide."""
    if worker(request.config):
        os.environ["TB_DATA"] = str(tmp_path_factory.getbasetemp() / "data")


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by marker
def pytest_collection_modifyitems(config, items):
    """Mark what waits for a slow fixture; where processes share the tests, long files first."""
    for item in items:
        if SLOW_FIXTURES & set(item.fixturenames):
            item.add_marker("slow")
    if worker(config):
        items.sort(key=lambda item: FIRST.get(item.nodeid.partition("::")[0], len(FIRST)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Share out whole files in the order of the collection, those of the book together."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    scheduler = LoadFileScheduling(config, log)
    config.option.loadscopereorder = False
    scheduler._split_scope = unit
    return scheduler
