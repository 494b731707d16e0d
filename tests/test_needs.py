"""Where CI=true nothing is skipped that an installation could change."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import needs
import pytest

HERE = Path(__file__).parent
# Every way to skip, with the reason it is told by.
TOY = """
import pytest

def test_that_runs(): pass
@pytest.mark.skipif(True, reason={0!r})
def test_marked(): raise AssertionError
def test_that_finds_out(): pytest.skip({0!r})
@pytest.fixture
def thing(): pytest.skip({0!r})
def test_of_a_thing(thing): raise AssertionError
@pytest.mark.xfail(reason={0!r}, strict=True)
def test_expected_to_fail(): raise AssertionError
"""


def outcomes(ci: str, *arguments, cwd=needs.ROOT, **environment) -> tuple[dict[str, int], str]:
    """Run pytest in a process of its own; count tests by outcome, and return what was said."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *map(str, arguments)],
        env=os.environ | {"CI": ci} | environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
    )
    last = done.stdout.strip().splitlines()[-1]
    found = {what.rstrip("s"): int(n) for n, what in re.findall(r"(\d+) ([a-z]+)", last)}
    found.pop("deselected", None)
    assert (done.returncode in (1, 2)) == bool(found.keys() & {"failed", "error"}), done.stdout
    return found, done.stdout


def toy(folder: Path, ci: str, text: str) -> tuple[dict[str, int], str]:
    (folder / "test_toy.py").write_text(text)
    options = ("-p", "needs", "-c", os.devnull, "--rootdir", folder, "-rA", "test_toy.py")
    alone = {"PYTHONPATH": str(HERE), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return outcomes(ci, *options, cwd=folder, **alone)


@pytest.mark.parametrize(
    ("ci", "reason", "counts"),
    [
        ("", "no Chromium on PATH", {"passed": 1, "skipped": 3, "xfailed": 1}),
        ("true", "no Chromium on PATH", {"passed": 1, "failed": 1, "error": 2, "xfailed": 1}),
        ("true", "no CUDA device", {"passed": 1, "skipped": 3, "xfailed": 1}),
    ],
)
def test_a_skip_is_a_failure_unless_its_reason_may_be_one(tmp_path, ci, reason, counts):
    found, said = toy(tmp_path, ci, TOY.format(reason))
    assert found == counts
    assert reason in said


def test_a_file_that_skips_itself_is_a_failure(tmp_path):
    text = "import pytest\npytest.importorskip('no_such_package')\ndef test_it(): pass\n"
    assert toy(tmp_path, "", text)[0] == {"skipped": 1}
    found, said = toy(tmp_path, "true", text)
    assert found == {"error": 1} and "could not import 'no_such_package'" in said


def test_only_these_reasons_may_be_one():
    """Each is about the machine itself.  Whoever adds one says here why no installation helps."""
    assert set(needs.MAY_BE_SKIPPED) == {
        "no CUDA device",  # tests of promises on a GPU
        "there is a CUDA device",  # the test of the sentence that says there is none
        "the setting is glibc's",  # of another C library there is nothing to test
        "no real UCF101 files: there is no folder `shared` beside the checkout",  # not ours to copy
    }


@pytest.mark.slow
@pytest.mark.parametrize(("ci", "outcome"), [("", "skipped"), ("true", "error")])
def test_without_chromium_tests_in_a_browser_fail_where_ci_is_true(tmp_path, ci, outcome):
    """At once, before a book is made for them."""
    file = HERE / "book" / "test_browser.py"
    found, said = outcomes(ci, file, "-k", "search or moving_s", PATH=str(tmp_path))
    assert found == {outcome: 2}
    assert "no Chromium on PATH: no page is opened" in said


@pytest.mark.parametrize(
    ("beside", "named", "may_be_skipped"),
    [("", None, True), ("shared", None, False), ("", "/no/such/folder", False)],
)
def test_real_videos_may_be_absent_only_where_nothing_is_shared(
    tmp_path, monkeypatch, beside, named, may_be_skipped
):
    (tmp_path / beside).mkdir(exist_ok=True)
    monkeypatch.setattr(needs, "ROOT", tmp_path / "checkout")
    monkeypatch.delenv("TB_TEST_DATA", raising=False)
    if named:
        monkeypatch.setenv("TB_TEST_DATA", named)
    with pytest.raises(pytest.skip.Exception, match="^no real UCF101 files") as skipped:
        needs.real_videos()
    assert (skipped.value.msg in needs.MAY_BE_SKIPPED) == may_be_skipped


def test_real_videos_are_found_beside_the_checkout(tmp_path, monkeypatch):
    (tmp_path / "shared" / "data" / "UCF-101").mkdir(parents=True)
    monkeypatch.setattr(needs, "ROOT", tmp_path / "checkout")
    monkeypatch.delenv("TB_TEST_DATA", raising=False)
    assert needs.real_videos() == tmp_path / "shared" / "data"


FAKE = """#!/bin/sh
echo "apt-get $*" >> {log}
case "$*" in *install*) [ $(grep -c install {log}) -gt {failures} ] && touch {folder}/chromium;
  chmod -f +x {folder}/chromium; [ -e {folder}/chromium ];; esac
"""


@pytest.mark.parametrize(("failures", "code"), [(0, 0), (2, 0), (9, 1)])
def test_a_failed_installation_of_chromium_is_tried_again_and_then_is_a_failure(
    tmp_path, failures, code
):
    """`apt-get`, `make` and `id` are stand-ins that note how they were called."""
    log, folder = tmp_path / "log", tmp_path / "bin"
    folder.mkdir()
    fakes = {"make": 'echo "make $* CI=$CI" >> {log}', "id": "echo 0", "apt-get": FAKE}
    for name, text in fakes.items():
        text = text.format(log=log, folder=folder, failures=failures)
        (folder / name).write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    for name in ("dirname", "sleep", "grep", "touch", "chmod", "sh", "bash"):
        (folder / name).symlink_to(shutil.which(name))
    line = [folder / "bash", needs.ROOT / ".ci" / "run"]
    done = subprocess.run(line, env={"PATH": str(folder), "PAUSE": "0"}, timeout=60)
    assert done.returncode == code
    said = log.read_text()
    assert said.count("apt-get update") == said.count("apt-get install") == min(failures + 1, 4)
    assert ("make test CI=true" in said) == (code == 0)
