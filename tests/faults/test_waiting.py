"""A full /dev/shm, as in a container, is an error within seconds; no wait is without a limit."""

import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from smoke import ROOT
from torch.utils.data import DataLoader, Dataset

from tblib.data.loader import collate
from tblib.engine import shared_memory, workers
from tblib.errors import UserError


class Clips(Dataset):
    """A megabyte a sample."""

    def __len__(self):
        return 64

    def __getitem__(self, at):
        return np.zeros((10, 8, 64, 64, 3), np.uint8), 0, at


class Unspeakable:
    """Cannot be handed to another process."""

    def __reduce__(self):
        raise ValueError("no")


def take_all(number: int, collate_fn) -> int:
    """Return how many batches come through two processes."""
    loader = workers.loaders(
        DataLoader(Clips(), batch_size=8, num_workers=number, collate_fn=collate_fn)
    )
    with workers.loading(), workers.begun([loader]) as (batches,):
        return sum(1 for _ in batches)


def test_batches_come_in_shared_memory_and_every_wait_has_a_limit():
    loader = workers.loaders(DataLoader(Clips(), 8, num_workers=2, collate_fn=collate))
    assert 0 < loader.timeout <= 900
    clips, labels, rows = loader.collate_fn([Clips()[at] for at in range(3)])
    assert clips.is_shared() and labels.is_shared() and rows.tolist() == [0, 1, 2]
    assert workers.loaders(DataLoader(Clips(), 8)).timeout == 0, "in this process nothing waits"


def test_too_little_shared_memory_is_a_sentence_with_size_and_setting(monkeypatch):
    def full(tensor):
        raise RuntimeError("unable to allocate shared memory(shm): No space left on device (28)")

    monkeypatch.setattr(torch.Tensor, "share_memory_", full)
    began = time.monotonic()
    with pytest.raises(UserError, match="a batch of 8 MB .*set runtime.workers to 0, or give more"):
        take_all(2, collate)
    assert time.monotonic() - began < 60
    assert take_all(0, collate) == 8, "without processes none is needed"


def test_a_batch_that_cannot_be_handed_over_ends_its_process_and_is_noticed():
    """The thread that hands batches over has nobody to tell; torch would wait for ever."""
    began = time.monotonic()
    with pytest.raises(UserError, match="prepares batches was killed"):
        take_all(2, lambda samples: Unspeakable())
    assert time.monotonic() - began < 60


def test_every_tensor_of_a_batch_is_found():
    found = shared_memory._tensors(((torch.zeros(1), [torch.ones(2)]), 3, "x"))
    assert [len(tensor) for tensor in found] == [1, 2]


SCRIPT = """
import sys
sys.path[:0] = ["tests", "tests/faults"]
from test_waiting import collate, take_all
try:
    print(take_all(2, collate))
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize(
    "size, says", [("1m", "UserError a batch of 8 MB does not fit"), ("128m", "8")]
)
def test_with_a_real_small_file_system(size, says):
    """As docker makes it; only where this user may mount one."""
    mount = f'mount -t tmpfs -o size={size} tmpfs /dev/shm && exec "$@"'
    place = ["unshare", "-m", "bash", "-c", mount, "-"]
    if (
        not shutil.which("unshare")
        or subprocess.run([*place, "true"], capture_output=True).returncode
    ):
        pytest.skip("this user may not mount a file system")
    line = [*place, sys.executable, "-c", SCRIPT]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.stdout.strip().splitlines()[-1].startswith(says), done.stdout + done.stderr
