"""Where it runs: memory that is given back to the system must not be fetched again every step."""

import getpass
import os
import platform
import pwd
import subprocess
import sys

import pytest

from tblib.engine import hardware

SCRIPT = """
import resource, sys
import torch
from tblib.engine import hardware
if sys.argv[1] == "keep":
    hardware.keep_freed_memory()
for _ in range(3):
    torch.empty(2**23).fill_(1.0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.empty(2**23).fill_(1.0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(mode: str) -> int:
    """Count the pages that twenty buffers of 32 MiB, used one after the other, cost."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, mode], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_freed_memory_is_kept():
    assert page_faults("keep") < page_faults("as it comes") / 4


def test_a_user_without_a_name_gets_one(monkeypatch):
    """As in `docker run --user 12345`; torch's optimisers ask for the name."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)

    def unknown(number):
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    hardware.name_this_user()
    assert getpass.getuser() == f"user{os.getuid()}"
