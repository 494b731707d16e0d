"""Work for processes that are killed while they do it, in a module that workers import at once."""

import os
import signal
from pathlib import Path

from tblib.data import manifest
from tblib.errors import DecodeError


def killed_always(name, path, known):
    """Stand for a video that needs more memory than there is."""
    if name.endswith("g02_c01"):
        os.kill(os.getpid(), signal.SIGKILL)
    return manifest._as_row(name, DecodeError(path, "", ""))


def killed_once(name, path, known):
    """Stand for a process that was killed for the sake of another one."""
    mark = Path(known["mark"])
    if name.endswith("g02_c01") and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return manifest._as_row(name, DecodeError(path, "", ""))
