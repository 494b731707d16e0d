"""Stopped by a signal or killed at any time: the same command ends with the same weights."""

import multiprocessing
import os
import random
import signal
import socket
import sys
import threading
import time
from multiprocessing import resource_sharer
from pathlib import Path

import pandas as pd
import pytest
from helpers import same_weights, tiny_profile
from joblib.externals.loky import get_reusable_executor
from torch.utils.data import DataLoader, Dataset

from tblib.engine import checkpoint, stopping, workers
from tblib.engine.loop import read_log
from tblib.errors import Stopped, UserError
from tblib.methods.job import Job
from tblib.run.directory import open_run
from tblib.run.jobs import run_jobs

JOBS = [
    Job("ssl", "joint", steps=16, seed=0),
    Job("inv", "supervised", steps=64, seed=0, init="ssl"),
    Job("dist", "supervised", steps=64, seed=1, init="ssl"),
    Job("student", "timebalance", steps=16, seed=0, teachers=("inv", "dist"), score="s"),
]
NAMES = [job.name for job in JOBS]
LIMIT = 400  # seconds that one process may take on a busy machine


def program(folder: Path, root: Path, settings: dict) -> None:
    """Train whatever is not finished in the folder; exit as the command line does."""
    os.setsid()
    sys.stderr = (folder.parent / "said.txt").open("w")
    os.environ["TB_DATA"] = str(folder.parent / "data")
    settings = {"student__batch_labelled": 2, "student__batch_unlabelled": 2} | settings
    config = tiny_profile(data__dataset="ucf101", data__root=str(root), **settings)
    try:
        run = open_run(config, folder, 1)
        score = [row / len(run.videos.table) for row in range(len(run.videos.table))]
        pd.DataFrame({"s": score}).to_csv(folder / "similarity.csv", index=False)
        run_jobs(run, JOBS)
    except UserError as error:
        print(error, file=sys.stderr, flush=True)
        sys.exit(error.exit_code)
    finally:  # Python does this at its end, but multiprocessing first waits until they are idle
        get_reusable_executor().shutdown(wait=True)


class Program:
    """One start of the program: a process forked from one that only imports, to spare the imports.

    Forked from this process it would inherit the locks and workers of whatever test ran before.
    """

    def __init__(self, folder: Path, root: Path, **settings):
        self.folder = folder
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tblib.run.jobs"])
        self.process = context.Process(target=program, args=(folder, root, settings))
        self.process.start()

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def wait_for(self, condition) -> None:
        """Wait until a condition on the steps of each training holds."""
        limit = time.monotonic() + LIMIT
        while not condition(steps(self.folder)):
            assert self.process.is_alive(), (self.folder.parent / "said.txt").read_text()
            assert time.monotonic() < limit
            time.sleep(0.01)

    def end(self) -> tuple[int, str]:
        """Return the exit code and what was said on stderr."""
        self.process.join(LIMIT)
        return self.process.exitcode, (self.folder.parent / "said.txt").read_text()


def steps(folder) -> dict[str, int]:
    """Return the last logged step of each training."""
    logs = {name: read_log(folder / "ckpt" / name / "metrics.jsonl") for name in NAMES}
    return {name: log[-1]["step"] if log else 0 for name, log in logs.items()}


def weights(folder) -> dict[str, dict]:
    return {name: checkpoint.load_weights(folder / "ckpt" / name) for name in NAMES}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_root):
    """Folder of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert Program(folder, tiny_root).end()[0] == 0
    return folder


def check_equal(folder, whole):
    for name, expected in weights(whole).items():
        assert same_weights(expected, weights(folder)[name]), name
        log = read_log(folder / "ckpt" / name / "metrics.jsonl")
        assert log == read_log(whole / "ckpt" / name / "metrics.jsonl"), "each step once"
    assert [str(path) for path in folder.rglob("*.part*")] == []
    assert [str(path) for path in folder.rglob("state_*")] == []


def check_stopped(started):
    """It says what it did, exits with 75, and every training begun has a state as new as its log.

    Returns:
        The names of the trainings that were stopped.
    """
    code, said = started.end()
    assert code == 75, said
    assert "the same command goes on" in said and "Traceback" not in said
    assert [str(path) for path in started.folder.rglob("*.part*")] == []
    places = {name: started.folder / "ckpt" / name for name in NAMES}
    done = steps(started.folder)
    begun = [n for n in NAMES if done[n] and not (places[n] / "model.json").is_file()]
    assert all(checkpoint.latest_state(places[name])["step"] >= done[name] for name in begun)
    return begun


def test_pretraining_finetuning_and_student_save_when_a_signal_comes(tmp_path, tiny_root, whole):
    folder = tmp_path / "run"
    for name, signum in (
        ("ssl", signal.SIGTERM),
        ("inv", signal.SIGUSR1),
        ("student", signal.SIGTERM),
    ):
        started = Program(folder, tiny_root)
        started.wait_for(lambda done, name=name: done[name] > 0)
        started.signal(signum)
        assert check_stopped(started) == [name]
    assert Program(folder, tiny_root).end()[0] == 0
    check_equal(folder, whole)


@pytest.mark.parametrize("everyone", [False, True], ids=["parent", "group"])
def test_trainings_side_by_side_save_when_a_signal_comes(tmp_path, tiny_root, whole, everyone):
    """Schedulers signal the first process or all of them; loaders must go on till the step ends."""
    folder, settings = tmp_path / "run", {"runtime__jobs": 2, "runtime__workers": 1}
    started = Program(folder, tiny_root, **settings)
    started.wait_for(lambda done: done["inv"] + done["dist"] > 0)
    if everyone:
        os.killpg(started.process.pid, signal.SIGTERM)
    else:
        started.signal(signal.SIGTERM)
    assert check_stopped(started)
    assert Program(folder, tiny_root, **settings).end()[0] == 0
    check_equal(folder, whole)


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_at_random_times_the_weights_are_the_same(tmp_path, tiny_root, whole, workers):
    """SIGKILL after a random number of further steps and a random part of a step."""
    folder, chance = tmp_path / "run", random.Random(workers)
    settings = {"runtime__checkpoint_every": 3, "runtime__workers": workers}
    reached = 0
    for _ in range(5):
        started = Program(folder, tiny_root, **settings)
        goal = reached + chance.randrange(12, 30)
        started.wait_for(lambda done, goal=goal: sum(done.values()) >= goal)
        time.sleep(chance.uniform(0, 0.1))
        started.signal(signal.SIGKILL)
        assert started.end()[0] == -signal.SIGKILL
        reached = sum(steps(folder).values())
    assert Program(folder, tiny_root, **settings).end()[0] == 0
    check_equal(folder, whole)


def test_a_killed_loader_is_reported_in_one_sentence(tmp_path, tiny_root, whole):
    settings = {"runtime__checkpoint_every": 3, "runtime__workers": 2}
    started = Program(tmp_path / "run", tiny_root, **settings)
    started.wait_for(lambda done: done["inv"] > 4)
    started.signal(signal.SIGSTOP)  # or it may be between two trainings when the kill comes
    children = Path(f"/proc/{started.process.pid}/task/{started.process.pid}/children")
    loader = children.read_text().split()[-1]  # those that decoded are older and idle
    os.kill(int(loader), signal.SIGKILL)
    started.signal(signal.SIGCONT)
    code, said = started.end()
    assert code == 2 and "a process that prepares batches was killed" in said
    assert "Traceback" not in said
    assert Program(tmp_path / "run", tiny_root, **settings).end()[0] == 0
    check_equal(tmp_path / "run", whole)


class Handed(Dataset):
    """Says where a loader's thread waits to hand something over."""

    def __len__(self):
        return 8

    def __getitem__(self, _):
        return resource_sharer.DupFd(0)._id[0]


def test_a_loader_whose_program_leaves_while_fetching_prints_no_traceback(capfd):
    loader = workers.loaders(DataLoader(Handed(), batch_size=None, num_workers=1))
    with workers.begun([loader]) as (samples,):
        with socket.socket(socket.AF_UNIX) as program:
            program.connect(next(samples))
            time.sleep(0.5)  # until it has asked who is there
        time.sleep(0.5)
        assert next(samples), "it goes on"
    assert "Traceback" not in capfd.readouterr().err


def test_a_signal_is_remembered_while_listening_and_forgotten_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    with stopping.listening():
        stopping.check()
        os.kill(os.getpid(), signal.SIGTERM)
        with stopping.listening():
            assert stopping.asked()
        with pytest.raises(Stopped, match="stopped by SIGTERM; the same command goes on"):
            stopping.check()
    assert not stopping.asked()
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_first_interrupt_waits_for_the_step_the_second_does_not():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), stopping.listening():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Stopped, match="stopped by SIGINT; the same command goes on"):
            stopping.check()
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
    assert not stopping.asked() and signal.getsignal(signal.SIGINT) == before


def test_outside_a_training_a_signal_stops_at_once():
    with pytest.raises(Stopped, match="SIGUSR1"), stopping.raising():
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(5)


def test_another_thread_does_not_listen():
    seen = []

    def look():
        with stopping.listening():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]
