"""Errors that a user can cause: one clear sentence each, never a wall of traceback.

A message says what is wrong, where, what is allowed, and what to do about it.  Command-line
programs print that sentence and exit with `UserError.exit_code`; notebooks show it in one line.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user can put right; the message is meant for them."""

    exit_code = 2

    def _render_traceback_(self) -> list[str]:
        """Tell IPython to show the sentence instead of the stack."""
        return [f"{type(self).__name__}: {self}"]


class ConfigError(UserError):
    """A parameter or profile has an unknown name, a wrong type or a value out of range."""


class DataError(UserError):
    """A dataset folder, list file, class name or split is missing or contradicts itself."""


class MissingStage(UserError):
    """A chapter needs something that an earlier chapter has not produced yet."""


class StorageError(UserError, OSError):
    """A file could not be written: the disk is full, a folder is write-protected or in the way."""


class CheckpointError(UserError):
    """A checkpoint is absent, damaged or belongs to another model."""


class Stopped(UserError):
    """A signal asked the program to stop; everything is saved and the same command goes on.

    The exit code is EX_TEMPFAIL, "try again later", on which schedulers may requeue.
    """

    exit_code = 75


class DecodeError(DataError):
    """A video file could not be read completely.

    Attributes:
        path: the file.
        reason: one of `missing`, `empty`, `not_video`, `no_video_stream`, `truncated`, `frozen`,
            `unreadable`, `damaged`, `changed`, `timeout`, `killed`.
    """

    def __init__(self, path, reason: str, detail: str):
        self.path, self.reason, self.detail = str(path), reason, detail
        super().__init__(f"video {path}: {detail} [{reason}]")

    def __reduce__(self):
        """Survive the trip back from a worker process."""
        return type(self), (self.path, self.reason, self.detail)


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Name the closest allowed spelling, then all of them.

    Returns:
        Text such as `did you mean 'steps'? allowed: batch, lr, steps`.
    """
    options = sorted(map(str, allowed))
    close = difflib.get_close_matches(str(name), options, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(options)}"
