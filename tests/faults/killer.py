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

from tblib.engine import checkpoint
from tblib.engine.loop import Plan, fit, read_log
from tblib.files import sweep

STEPS, EVERY = 24, 2
SHORT = 8  # steps of a training that is killed at each of its write points
POOL = fake_pool(8, frames=24, px=16)


def train(folder: Path, steps: int = STEPS, every: int = EVERY, loaders: int = 0) -> None:
    """Train to the end as `jobs` does, resuming from what is there, and leave the model."""
    sweep(folder)
    plan = Plan(steps, 1e-2, 0.1, 0, folder, every, workers=loaders)
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


def kill_self() -> None:
    """Kill this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def kill_loader() -> None:
    """Kill a process that loads, and wait here until torch raises that, wherever this is."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    if children:
        os.kill(int(children[0]), signal.SIGKILL)
        time.sleep(60)
        raise AssertionError("torch did not notice")


def die_at(number: int, kill: Callable[[], None] = kill_self) -> None:
    """Call `kill` at the n-th of all moments just before or after a change on the disk."""
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count == number + 1:
            kill()

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


def loaders(home: Path, every: int) -> dict:
    """Kill a loader at every n-th write point; note what is said, and finish with the command."""
    run(home / "whole", lambda: train(home / "whole", SHORT))
    truth, said, failed, number = digest(home / "whole", SHORT), [], [], 0
    while True:
        folder = home / f"point{number}"

        def work(folder=folder, number=number):
            die_at(number, kill_loader)
            train(folder, SHORT, loaders=1)

        code, told = heard(folder, work)
        if code == 0 and said:  # the loaders have ended
            return {"said": said, "failed": failed}
        said, number = said + [told] * (code != 0), number + every
        if run(folder, lambda folder=folder: train(folder, SHORT)):
            failed.append(f"{folder.name} does not go on")
        elif digest(folder, SHORT) != truth or leftovers(folder):
            failed.append(f"{folder.name}: {digest(folder, SHORT)} {leftovers(folder)}")


def heard(folder: Path, work: Callable[[], None]) -> tuple[int, str]:
    """Do `work` in a child; return how it ended and the error it ended with."""
    said = folder.parent / f"{folder.name}.txt"

    def telling() -> None:
        try:
            work()
        except BaseException as error:
            with said.open("w") as file:  # not write_text, which may be made to kill
                file.write(f"{type(error).__name__}: {error}")
            raise

    code = run(folder, telling)
    return code, said.read_text() if said.is_file() else ""


def confine(room: int) -> None:
    """Have the kernel refuse to write more than `room` bytes a file, as a full disk does."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))


def disk_full(home: Path, room: int) -> dict:
    """Train in a child whose files of more than `room` bytes fail; then once more without."""
    return _full(home, room, EVERY)


def log_full(home: Path) -> dict:
    """Train in a child whose log fails in the middle of a line; then once more without."""
    run(home / "before", lambda: stop_at(_plan(home / "before"), 7))
    room = (home / "before" / "metrics.jsonl").stat().st_size + 20
    found = _full(home, room, 100 * STEPS)
    return found | {"room": room}


def _full(home: Path, room: int, every: int) -> dict:
    """Stop at step 7, go on with little room and a state every few steps, then end with room."""
    folder = home / "full"
    log = folder / "metrics.jsonl"

    def work():
        confine(room)
        train(folder, every=every)

    run(home / "whole")
    cut = run(folder, lambda: stop_at(_plan(folder), 7))
    before = sorted(path.name for path in folder.glob("state_*"))
    code, said = heard(folder, work)
    after = sorted(path.name for path in folder.glob("state_*"))
    return {
        "cut": cut,
        "code": code,
        "said": said,
        "log": log.read_text(),
        "kept": before == after and bool(before),
        "then": run(folder),
        "same": digest(folder) == digest(home / "whole"),
    }


def _plan(folder: Path) -> Plan:
    return Plan(STEPS, 1e-2, 0.1, 0, folder, EVERY)


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
