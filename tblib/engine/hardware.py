"""Device, threads and seeds."""

from __future__ import annotations

import ctypes
import getpass
import os
import sys

import cv2
import torch

from ..errors import ConfigError
from ..settings.config import Runtime


def device(name: str) -> torch.device:
    """Turn `auto`, `cpu` or `cuda` into a device.

    Raises:
        ConfigError: `cuda` was asked for and there is none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigError(
            "runtime.device = 'cuda', but torch finds no CUDA device; use 'auto' or 'cpu'."
        )
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def prepare(runtime: Runtime) -> torch.device:
    """Fix the number of threads, on which CPU results depend, and return the device."""
    torch.set_num_threads(runtime.threads)
    cv2.setNumThreads(1)
    name_this_user()
    keep_freed_memory()
    return device(runtime.device)


def name_this_user() -> None:
    """Give a user without an entry in the list of users a name, as torch asks for one.

    Containers run as any number: `docker run --user 12345`.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = f"user{os.getuid()}"


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks instead of handing them back to the system after every step.

    Activations are freed and wanted again at each step; taken from the system each time, their
    pages must be zeroed anew.  Costs no result, saves a tenth of a training step and a third of an
    evaluation on a CPU.  Other C libraries are left alone.
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        m_trim_threshold, m_mmap_threshold = -1, -3  # from malloc.h
        for option in (m_trim_threshold, m_mmap_threshold):
            libc.mallopt(option, 1 << 30)
