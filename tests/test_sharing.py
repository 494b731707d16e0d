"""`pytest -n 2` shares files out whole, the long ones first, and loses nothing."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import sharing

HERE = Path(__file__).parent
SETTINGS = tomllib.loads((HERE.parent / "pyproject.toml").read_text())
PLACES = SETTINGS["tool"]["pytest"]["ini_options"]["pythonpath"]
TEST = """
import os, pathlib, time
def note(place):
    time.sleep(0.2)
    with open("log", "a") as file:
        print(os.environ["PYTEST_XDIST_WORKER"], place, os.environ["TB_DATA"], file=file)
def test_one(): note("{0}")
def test_two(): note("{0}")
"""


def run(folder: Path, *options: str, **environment) -> subprocess.CompletedProcess:
    """Run pytest in a process of its own, with the plugin and nothing of these tests."""
    line = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", folder, "-q"]
    line += ["-p", "no:cacheprovider", "-p", "xdist", "-p", "sharing", *options]
    alone = {"PYTHONPATH": str(HERE), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment = os.environ | alone | environment
    return subprocess.run(
        line, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.fixture
def suite(tmp_path):
    """Six files of two tests, three of which belong to the book and one of which is long."""
    for name in (*sharing.BOOK[:3], sharing.LONG[0], "tests/a/test_a.py", "tests/b/test_b.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(TEST.format(Path(name).stem))
    return tmp_path


@pytest.mark.slow
def test_files_stay_whole_and_the_book_in_one_process(suite):
    done = run(suite, "-n", "2", "--dist", "loadfile")
    assert re.search(r"^12 passed in ", done.stdout.splitlines()[-1]), done.stdout
    log = [line.split() for line in (suite / "log").read_text().splitlines()]
    makers = {place: {worker for worker, name, _ in log if name == place} for _, place, _ in log}
    assert len(makers) == 6 and all(len(workers) == 1 for workers in makers.values())
    book = [makers[Path(name).stem] for name in sharing.BOOK[:3]]
    assert book == [book[0]] * 3 != [makers["test_stopping"]] * 3
    own = {worker: {data for name, _, data in log if name == worker} for worker, _, _ in log}
    assert len(own) == 2 and all(len(places) == 1 for places in own.values())
    assert len(set.union(*own.values())) == 2, "each process has data of its own"
    orders = {worker: [place for name, place, _ in log if name == worker] for worker in own}
    assert {tuple(order[:1]) for order in orders.values()} == {
        ("test_reproduce",),
        ("test_stopping",),
    }


def test_a_scorecard_is_measured_by_one_process(suite):
    done = run(suite, "-n", "2", "--dist", "loadfile", TB_SCORECARD="1")
    assert done.returncode == 4 and "leave out -n" in done.stderr


def test_files_that_are_named_exist():
    assert [name for name in sharing.FIRST if not (HERE.parent / name).is_file()] == []


@pytest.mark.parametrize("path", sorted(HERE.rglob("test_*.py")), ids=lambda path: path.stem)
def test_a_file_runs_without_the_others(path):
    """What it takes from another test file is beside it or where pyproject.toml has pytest look."""
    nodes = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)]
    taken = {n.module for n in nodes if n.module and n.module.startswith("test_")}
    places = [path.parent, *(HERE.parent / name for name in PLACES)]
    missing = [m for m in taken if not any((folder / f"{m}.py").is_file() for folder in places)]
    assert missing == []
