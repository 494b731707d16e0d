"""Kill real trainings with SIGKILL, at random times or at every point where a file is written.

Run as a program, because it forks: this process imports everything once and never computes; each
training is a child of it.  Prints one JSON object.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from helpers import TinyMethod, fake_pool

from tblib import checkpoint
from tblib.io import sweep
from tblib.train import Plan, fit, read_log

STEPS, EVERY = 24, 2
SHORT = 8  # steps of a training that is killed at each of its write points
POOL = fake_pool(8, frames=24, px=16)


def train(folder: Path, steps: int = STEPS) -> None:
    """Train to the end as `jobs` does, resuming from what is there, and leave the model."""
    sweep(folder)
    plan = Plan(steps, 1e-2, 0.1, 0, folder, EVERY)
    learner = fit(TinyMethod(), POOL, plan, torch.device("cpu"))
    checkpoint.save_model(folder, learner.state_dict(), {})
    checkpoint.drop_states(folder)


def child(work: Callable[[], None]) -> int:
    """Do `work` in a forked process and return its number."""
    pid = os.fork()
    if pid == 0:
        try:
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return pid


def status(pid: int) -> int:
    """Wait for a child; 0 if it ended well, -9 if it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run(folder: Path, work: Callable[[], None] | None = None) -> int:
    """Train in a child without disturbing it."""
    folder.mkdir(parents=True, exist_ok=True)
    return status(child(work or (lambda: train(folder))))


def digest(folder: Path, steps: int = STEPS) -> str:
    """Hash the finished model and its log; say so if the log has a step missing or twice."""
    weights = checkpoint.load_weights(folder)
    lines = read_log(folder / "metrics.jsonl")
    if [line["step"] for line in lines] != list(range(1, steps + 1)):
        return f"the log has the steps {[line['step'] for line in lines]}"
    text = json.dumps(lines) + "".join(
        f"{k}{v.numpy().tobytes().hex()}" for k, v in sorted(weights.items())
    )
    return hashlib.sha256(text.encode()).hexdigest()


def leftovers(folder: Path) -> list[str]:
    """Files that a finished training should not leave."""
    allowed = {"model.safetensors", "model.json", "metrics.jsonl"}
    return sorted({path.name for path in folder.iterdir()} - allowed)


def open_files() -> int:
    """Count the files that this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def cycles(home: Path, wanted: int, seed: int = 0) -> dict:
    """Kill trainings at random times until `wanted` kills have hit; compare each end."""
    rng, began = random.Random(seed), time.monotonic()
    run(home / "whole")
    span, truth = time.monotonic() - began, digest(home / "whole")
    kills = survived = trainings = most = 0
    files = open_files()
    while kills < wanted:
        folder, mine, limit = home / f"run{trainings}", 0, span / 4
        folder.mkdir()
        while True:
            pid = child(lambda folder=folder: train(folder))
            if kills < wanted:
                time.sleep(rng.uniform(0, limit))
                os.kill(pid, signal.SIGKILL)
            code = status(pid)
            if code != -signal.SIGKILL:
                break
            mine, kills, limit = mine + 1, kills + 1, limit * 1.05
            most = max(most, sum(path.stat().st_size for path in folder.iterdir()))
        same = code == 0 and digest(folder) == truth and not leftovers(folder)
        survived += mine if same else 0
        trainings += 1
    return {
        "kills": kills,
        "survived": survived,
        "trainings": trainings,
        "most_bytes": most,
        "more_open_files": open_files() - files,
        "seconds": round(time.monotonic() - began, 1),
    }


def die_at(number: int) -> None:
    """Kill this process at the n-th of all moments just before or after a change on the disk."""
    count = 0

    def tick() -> None:
        nonlocal count
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    def around(function):
        def wrapped(*arguments, **options):
            tick()
            result = function(*arguments, **options)
            tick()
            return result

        return wrapped

    for name in ("replace", "fsync", "unlink"):
        setattr(os, name, around(getattr(os, name)))
    torch.save = half_written(torch.save, tick)
    Path.write_text = half_written(lambda text, path: path.open("w").write(text), tick, swap=True)


def half_written(save, tick, swap=False):
    """Make a writer that gets killed with half of the file on the disk."""

    def wrapped(first, second, *more, **options):
        value, path = (second, first) if swap else (first, second)
        save(value, path)
        whole = Path(path).read_bytes()
        Path(path).write_bytes(whole[: len(whole) // 2])
        tick()
        Path(path).write_bytes(whole)
        tick()

    return wrapped


def points(home: Path, every: int = 1) -> dict:
    """Kill one training at every n-th write point in turn; finish each with the same command."""
    run(home / "whole", lambda: train(home / "whole", SHORT))
    truth, tried, failed, number = digest(home / "whole", SHORT), 0, [], 0
    while True:
        folder = home / f"point{number}"

        def again(folder=folder):
            train(folder, SHORT)

        def work(folder=folder, number=number):
            die_at(number)
            train(folder, SHORT)

        code = run(folder, work)
        if code != -signal.SIGKILL:
            return {"points": tried, "failed": failed, "ended": code}
        tried, number = tried + 1, number + every
        if run(folder, again) or digest(folder, SHORT) != truth or leftovers(folder):
            failed.append(f"{folder.name}: {digest(folder, SHORT)} {leftovers(folder)}")


def disk_full(home: Path, room: int) -> dict:
    """Train in a child that may write files of at most `room` bytes; then once more without."""
    said = home / "said.txt"
    folder = home / "full"

    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        try:
            train(folder)
        except Exception as error:
            said.write_text(f"{type(error).__name__}: {error}")
            raise

    run(home / "whole")
    begin = Plan(STEPS, 1e-2, 0.1, 0, folder, EVERY)
    cut = run(folder, lambda: stop_at(begin, 7))
    before = sorted(path.name for path in folder.glob("state_*"))
    code = run(folder, work)
    after = sorted(path.name for path in folder.glob("state_*"))
    return {
        "cut": cut,
        "code": code,
        "said": said.read_text() if said.is_file() else "",
        "kept": before == after and bool(before),
        "then": run(folder),
        "same": digest(folder) == digest(home / "whole"),
    }


def stop_at(plan: Plan, step: int) -> None:
    """Train until just before a step, then end at once."""
    method = TinyMethod()
    real = method.forward

    def forward(**batches):
        if method.calls == step:
            os._exit(3)
        return real(**batches)

    method.forward = forward
    fit(method, POOL, plan, torch.device("cpu"))


if __name__ == "__main__":
    what, place, *rest = sys.argv[1:]
    print(json.dumps(globals()[what](Path(place), *map(int, rest))))
