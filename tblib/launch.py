"""One training on several GPUs or machines: started by `runtime.launch`, usually torchrun.

A chapter or a study stays one process.  For each training it writes a description and starts the
launcher, whose processes all run `python -m tblib train DESCRIPTION` and share every batch, see
`tblib.distributed`.  They must see the same run directory.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock, Timeout

from . import distributed, stopping
from .config import Profile
from .errors import Stopped, UserError
from .io import read_json, write_json
from .systems import Job

PATIENCE = 60  # seconds in which processes that were told to stop may still be saving


def train_shared(config: Profile, folder: Path, chapter: int, job: Job) -> None:
    """Train one job on the processes that `runtime.launch` starts, and wait for it.

    Raises:
        UserError: the training failed; what the first process said, or where its log is.
        Stopped: a signal came; the training is saved.
    """
    stopping.check()
    note = folder / "launch" / f"{job.name}.json"
    log, failure = note.with_suffix(".log"), note.with_suffix(".error")
    described = {"profile": config.model_dump(mode="json"), "run_dir": str(folder)}
    write_json(note, described | {"chapter": chapter, "job": asdict(job)})
    failure.unlink(missing_ok=True)
    with log.open("w") as output:
        code = _run(command(config.runtime.launch, note), output)
    if code == 0:
        return
    stopping.check()
    if failure.is_file():
        told = read_json(failure)
        raise (Stopped if told["kind"] == "Stopped" else UserError)(told["message"])
    raise UserError(f"the processes that trained {job.name!r} failed; what they said is in {log}.")


def command(launch: str, note: Path) -> list[str]:
    """Return the command line of a shared training; torchrun is that of this Python."""
    torchrun = [sys.executable, "-m", "torch.distributed.run"]
    words = shlex.split(launch)
    line = [part for word in words for part in (torchrun if word == "torchrun" else [word])]
    return [*line, "-m", "tblib", "train", str(note)]


def processes(launch: str) -> int | None:
    """Return how many processes a launcher starts for each training, 1 without a launcher.

    None stands for "not said": another launcher than torchrun, or a number it finds out itself.
    """
    if not launch:
        return 1
    words = shlex.split(launch)
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--nproc-per-node", "--nproc_per_node", default="1")
    options.add_argument("--nnodes", default="1")
    said, _ = options.parse_known_args(words)
    counts = [said.nproc_per_node, said.nnodes.partition(":")[0]]
    if "torchrun" not in words or not all(count.isdecimal() for count in counts):
        return None
    return int(counts[0]) * int(counts[1])


def _run(line: list[str], output) -> int:
    """Run to the end; a request to stop is passed on once, for torchrun counts them."""
    here = str(Path(__file__).resolve().parents[1])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    process = subprocess.Popen(
        line, stdout=output, stderr=output, env=environment, start_new_session=True
    )
    told = False
    try:
        while process.poll() is None:
            if stopping.asked() and not told:
                process.send_signal(signal.SIGTERM)
                told = True
            time.sleep(0.1)
    finally:
        if process.poll() is None:
            process.terminate()
    return process.returncode


def join(note: Path) -> None:
    """Take part in the training that a description names: what each launched process does.

    Raises:
        UserError: the training failed, or another process is busy with it.
    """
    from .jobs import train_job

    told = read_json(note)
    config, job = Profile.model_validate(told["profile"]), _job(told["job"])
    distributed.start(config.runtime.device)
    try:
        with FileLock(note.with_suffix(f".{distributed.rank()}.lock"), timeout=PATIENCE):
            train_job(config, Path(told["run_dir"]), told["chapter"], job)
    except Timeout:
        raise UserError(f"the training {job.name!r} is in the hands of other processes.") from None
    except UserError as error:
        if not distributed.leads():
            sys.exit(error.exit_code)  # one process speaks for all
        kind = type(error).__name__
        write_json(note.with_suffix(".error"), {"kind": kind, "message": str(error)})
        raise
    distributed.end()


def _job(values: dict) -> Job:
    return Job(**values | {"teachers": tuple(values["teachers"])})
