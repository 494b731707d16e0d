"""Promise 1 on a GPU with deterministic algorithms; without one each test says it is skipped."""

import os

import pytest
import torch
from helpers import TinyMethod, fake_pool, same_weights

from tblib.engine import hardware
from tblib.engine.loop import Plan, fit
from tblib.errors import Stopped
from tblib.settings.config import Runtime

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.fixture(scope="module")
def device():
    """The GPU, with torch refusing whatever it cannot repeat."""
    threads = torch.get_num_threads()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # asked for by that refusal
    torch.use_deterministic_algorithms(True)
    yield hardware.prepare(Runtime(device="cuda"))
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


def trained(folder, device, stop: int | None = None):
    """Train twenty steps; at step `stop` ask to save and stop, then go on in a new training."""
    method = TinyMethod()
    real = method.forward

    def forward(**batches):
        if method.calls == stop:
            torch.cuda.synchronize()
            raise Stopped("stopped in the middle of a step.")
        return real(**batches)

    method.forward = forward
    plan = Plan(20, 1e-2, 0.1, 0, folder, checkpoint_every=4)
    if stop is None:
        return fit(method, fake_pool(8), plan, device).state_dict()
    with pytest.raises(Stopped):
        fit(method, fake_pool(8), plan, device)
    return trained(folder, device)


def test_a_training_on_a_gpu_repeats_itself_bit_for_bit(tmp_path, device):
    first, again = trained(tmp_path / "a", device), trained(tmp_path / "b", device)
    assert same_weights(first, again)


@pytest.mark.parametrize("stop", [3, 9])
def test_interrupted_and_resumed_on_a_gpu_equals_uninterrupted(tmp_path, device, stop, scorecard):
    whole, resumed = trained(tmp_path / "a", device), trained(tmp_path / "b", device, stop)
    differences = [(whole[k].float() - resumed[k].float()).abs().max().item() for k in whole]
    scorecard["gpu_difference"] = max(*differences, scorecard.get("gpu_difference", 0.0))
    assert same_weights(whole, resumed), f"largest difference {max(differences)}"
