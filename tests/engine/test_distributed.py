"""Two processes that share every batch train what one process trains."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest
import torch
from helpers import fake_pool, tiny_profile
from torch import nn

from tblib.data.loader import ClipSamples, loader
from tblib.engine import checkpoint, distributed
from tblib.engine.loop import read_log
from tblib.errors import ConfigError, Stopped
from tblib.methods import registry, semi
from tblib.methods.job import Job
from tblib.run.directory import open_run
from tblib.run.jobs import run_jobs

TESTS = Path(__file__).parents[1]
NAMES = [
    *("invariant", "distinctive", "cvrl", "transformations", "clip_order", "rotation"),
    *("rho_moco", "rho_byol", "memdpc"),
    *(name for name in semi.METHODS if name != "ups"),  # dropout masks are drawn by each process
    *("sd", "mt_sd", "videosemi"),
]
LAUNCH = "torchrun --standalone --nproc-per-node=2"
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


def train(folder, *launcher):
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, str(TESTS / "ranks.py"), str(folder), *NAMES]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Folders of the trainings by one and by two processes, ten steps in float64."""
    folder = tmp_path_factory.mktemp("ranks")
    return train(folder / "one"), train(folder / "two", *TORCHRUN)


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_have_the_losses_and_the_weights_of_one(pair, name):
    one, two = (read_log(folder / name / "metrics.jsonl") for folder in pair)
    assert [line["step"] for line in two] == list(range(1, 11)), "only the first process writes"
    for lines in zip(one, two, strict=True):
        known = [{k: v for k, v in line.items() if v is not None} for line in lines]
        assert known[0] == pytest.approx(known[1], rel=1e-8)
        assert lines[0].keys() == lines[1].keys(), "a share of nothing is null in both"
    assert one[0]["loss"] != pytest.approx(one[-1]["loss"], rel=1e-3), "it trained"
    first, second = (torch.load(folder / name / "final.pt", weights_only=True) for folder in pair)
    assert first.keys() == second.keys()
    for key, value in first.items():
        torch.testing.assert_close(second[key], value, rtol=1e-5, atol=1e-7)


def test_only_the_first_process_saves_states(pair):
    for folder in pair:
        states = sorted(path.name for path in (folder / "supervised").glob("state_*.pt"))
        assert states == ["state_00000004.pt", "state_00000008.pt"]


def test_alone_everything_is_handed_back_unchanged():
    method, z = registry.fresh("invariant", tiny_profile()), torch.rand(2, 3)
    kinds = [type(module) for module in method.modules()]
    distributed.share(method)
    assert [type(module) for module in method.modules()] == kinds
    assert distributed.gather(z, 1) is z
    assert distributed.parallel(method) is method
    assert (distributed.size(), distributed.rank(), distributed.leads()) == (1, 0, True)


def test_parts_make_up_the_batch_and_uneven_batches_are_refused(monkeypatch):
    pool, stream = fake_pool(8), registry.fresh("invariant", tiny_profile()).streams()["videos"]
    whole = loader(ClipSamples(pool.cache, pool.labels, stream, 0), pool.rows("train"), 0, 2)
    assert distributed.own_part(whole) is whole
    monkeypatch.setattr(distributed, "size", lambda: 2)
    parts = []
    for rank in range(2):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        parts.append(list(distributed.own_part(whole)))
    for batch, *shares in zip(whole, *parts, strict=True):
        for tensor, *pieces in zip(batch, *shares, strict=True):
            assert torch.equal(tensor, torch.cat(pieces))
    monkeypatch.setattr(distributed, "size", lambda: 3)
    with pytest.raises(ConfigError, match="a batch of 4 cannot be divided among 3 processes"):
        next(iter(distributed.own_part(whole)))


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(8, 5), (4, 5, 2, 3, 3)])
def test_shared_batch_norm_is_batch_norm(monkeypatch, shape, affine):
    """With one process, whose sums are those of all; over two see above."""
    monkeypatch.setattr(distributed, "_average", lambda part: part)
    torch.manual_seed(0)
    plain = (nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm3d)(5, affine=affine).double()
    shared = distributed.SharedBatchNorm(5, affine=affine).double()
    for train in (True, True, False):
        results = []
        for norm in (plain, shared):
            norm.train(train)
            x = torch.linspace(-2, 3, 2000, dtype=torch.double)[: torch.Size(shape).numel()]
            x = x.view(shape).clone().requires_grad_()
            y = norm(x)
            (y.sin() * y).sum().backward()
            results.append((y, x.grad, *(p.grad for p in norm.parameters())))
        for a, b in zip(*results, strict=True):
            torch.testing.assert_close(a, b)
    for key, value in plain.state_dict().items():
        torch.testing.assert_close(shared.state_dict()[key], value)


@pytest.mark.slow
def test_a_launched_training_stops_when_asked_and_ends_like_one_process(
    tmp_path, tiny_root, monkeypatch
):
    """Real torchrun from within a run; the signal comes to the process that started it."""
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    job = Job("model", "supervised", steps=12, seed=0)

    def open_folder(name, launch):
        config = tiny_profile(
            data__dataset="ucf101", data__root=str(tiny_root), runtime__launch=launch
        )
        return open_run(config, tmp_path / name, 1)

    alone, pair = open_folder("alone", ""), open_folder("pair", LAUNCH)
    expected = run_jobs(alone, [job])["model"]
    log = pair.folder("model") / "metrics.jsonl"

    def ask():
        limit = time.monotonic() + 500
        while not read_log(log) and time.monotonic() < limit:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=ask).start()
    with pytest.raises(Stopped, match="the same command goes on"):
        run_jobs(pair, [job])
    state = checkpoint.latest_state(pair.folder("model"))
    assert 0 < state["step"] < 12
    found = run_jobs(pair, [job])["model"]
    assert found.step.tolist() == expected.step.tolist()
    assert found.loss.tolist() == pytest.approx(expected.loss.tolist(), rel=0.02)
    assert pair.has_model("model")
