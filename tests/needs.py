"""What tests need of the machine.  Where CI=true, a test that looks away has failed.

A skip is for something that cannot be had on a machine, never for something that was not
installed: a run in which tests quietly did not happen looks like one in which they passed.
`conftest.py` has pytest use the hooks below for every test.
"""

from __future__ import annotations

import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book"))
import browser as chromium  # noqa: E402

# Reasons that hold on a machine whatever is installed on it; all others fail where CI=true.
MAY_BE_SKIPPED = (
    "no CUDA device",
    "there is a CUDA device",
    "the setting is glibc's",
    "no real UCF101 files: there is no folder `shared` beside the checkout",
)


def strict() -> bool:
    """Say whether everything that can be tested has to be tested."""
    return os.environ.get("CI", "").lower() == "true"


def real_videos() -> Path:
    """Folder with real clips and lists: `../shared/data`, or what TB_TEST_DATA names.

    Skips where it is absent.
    """
    shared, named = ROOT.parent / "shared", os.environ.get("TB_TEST_DATA")
    folder = Path(named or shared / "data")
    if (folder / "UCF-101").is_dir():
        return folder
    if not (named or shared.is_dir()):
        pytest.skip(MAY_BE_SKIPPED[-1])
    pytest.skip(f"no real UCF101 files: no UCF-101 in {folder} (set TB_TEST_DATA)")


def no_browser() -> str:
    """Return why no page can be opened, "" if one can."""
    if chromium.find() is None:
        return "no Chromium on PATH"
    return "" if find_spec("playwright") else "playwright is not installed"


in_a_browser = pytest.mark.skipif(bool(no_browser()), reason=f"{no_browser()}: no page is opened")


def _judged(report):
    """Turn a skip into a failure where CI=true, unless its reason may be one."""
    if not (strict() and report.skipped) or hasattr(report, "wasxfail"):
        return report
    reason = re.sub("^Skipped: ", "", report.longrepr[2])
    if reason not in MAY_BE_SKIPPED:
        report.outcome = "failed"
        report.longrepr = (
            f"{report.nodeid} was skipped ({reason}), which is a failure where CI=true; install "
            "what is missing, or add a reason that no installation can change to "
            "MAY_BE_SKIPPED in tests/needs.py."
        )
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport():
    """Judge the skip of one test."""
    return _judged((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report():
    """Judge the skip of a whole file."""
    return _judged((yield))
