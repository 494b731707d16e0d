"""Device, threads and seeds."""

from __future__ import annotations

import cv2
import torch

from .config import Runtime
from .errors import ConfigError


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
    return device(runtime.device)
