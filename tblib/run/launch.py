"""One training on several GPUs or machines: started by `runtime.launch`, usually torchrun.

A chapter or a study stays one process.  For each training it writes a description and starts the
launcher, whose processes all run `python -m tblib train DESCRIPTION` and share every batch, see
`tblib.engine.distributed`.  They must see the same run directory.
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

from ..engine import stopping
from ..errors import Stopped, UserError
from ..files import ROOT, read_json, write_json
from ..methods.job import Job
from ..settings.config import Profile


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
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
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
