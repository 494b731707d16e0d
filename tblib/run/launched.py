"""What each process does that `runtime.launch` has started: `python -m tblib train DESCRIPTION`."""

from __future__ import annotations

import sys
from pathlib import Path

from filelock import FileLock, Timeout

from ..engine import distributed
from ..errors import UserError
from ..files import read_json, write_json
from ..methods.job import Job
from ..settings.config import Profile
from .jobs import train_job

PATIENCE = 60  # seconds in which processes that were told to stop may still be saving


def join(note: Path) -> None:
    """Take part in the training that a description names: what each launched process does.

    Raises:
        UserError: the training failed, or another process is busy with it.
    """
    told = read_json(note)
    config, job = Profile.model_validate(told["profile"]), Job(**told["job"])
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
