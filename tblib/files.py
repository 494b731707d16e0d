"""Files that are either complete or absent."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .errors import ConfigError, DataError, StorageError, UserError

ROOT = Path(__file__).resolve().parents[1]  # the checkout: notebooks, results, data and runs


def resolved(path: str | Path) -> Path:
    """Return the one absolute path that a user's words mean, seen from the working folder.

    Raises:
        ConfigError: its bytes are not UTF-8, or `~` is meant and nobody says which folder it is.
    """
    try:
        if b"\0" in str(path).encode():
            raise ValueError("it holds a zero byte")
        place = Path(path).expanduser().absolute()
        return place.resolve() if ".." in place.parts else place  # links stay, with what is beside
    except UnicodeEncodeError:
        raise ConfigError(
            f"the path {shown(path)} is not written in UTF-8, as notebooks are; rename it."
        ) from None
    except (RuntimeError, ValueError) as error:  # no home, links in a circle
        raise ConfigError(
            f"the path {str(path)!r} leads nowhere ({error}); give it in full."
        ) from None


def shown(path: str | Path) -> str:
    """Return a path as it can always be printed: bytes that are not UTF-8 become `\\xe9`."""
    return os.fsencode(path).decode(errors="backslashreplace")


def atomic_write(path: str | Path, writer: Callable[[Path], None]) -> Path:
    """Let `writer` fill a temporary file, then move it to `path` in one step.

    A reader sees the old file or the whole new one, also after a power cut: the data and the
    folder entry are flushed to disk before this returns.

    Args:
        path: final place; its folder is made if needed.
        writer: called with the temporary path (same folder, same suffix) and must write it.

    Raises:
        StorageError: the file cannot be written; what was at `path` is still there.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        with _refusable(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            writer(temporary)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_folder(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink()
    return path


def append_line(path: Path, line: str) -> None:
    """Add a line at the end of a text file; a full disk may leave a part of it, without an end.

    Raises:
        StorageError: the line cannot be written; the lines before it are still there.
    """
    with _refusable(path), path.open("a") as file:
        file.write(f"{line}\n")


@contextmanager
def _refusable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written ({error}); free space or allow writing there, or set "
            "TB_DATA and TB_RUNS to other folders, and run the same command again. What was there "
            "before is unchanged."
        ) from None


def sweep(folder: Path) -> None:
    """Delete half-written files that killed processes left; only for who holds the folder."""
    for temporary in folder.glob(".*.part*"):
        temporary.unlink()


@contextmanager
def held(lock: Path, what: str) -> Iterator[None]:
    """Be the only process that does `what`; the lock is freed when this one ends, however it ends.

    Args:
        lock: file to lock; a note beside it says who holds it.

    Raises:
        UserError: another process holds it; its number and machine are named.
    """
    note, guard = lock.with_suffix(".holder"), FileLock(lock, timeout=0)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        guard.acquire()
        note.write_text(f"process {os.getpid()} on {socket.gethostname()}")
    except Timeout:
        holder = note.read_text() if note.is_file() else "its number is not known"
        raise UserError(
            f"{what} is being run by another process ({holder}); wait for it, or end it first."
        ) from None
    except OSError as error:
        guard.release()
        raise StorageError(
            f"{lock} cannot be written ({error}); free space or allow writing there, or choose "
            "another folder (TB_RUNS, RUN_DIR or --run-dir)."
        ) from None
    try:
        yield
    finally:
        guard.release()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: str | Path, value: Any) -> Path:
    """Write `value` as indented JSON, atomically; NaN and infinity are refused."""
    text = json.dumps(value, indent=2, allow_nan=False, default=_plain) + "\n"
    return atomic_write(path, lambda temporary: temporary.write_text(text))


def _plain(value: Any) -> Any:
    """Turn NumPy scalars and arrays, tensors and paths into what JSON knows."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"cannot write {type(value).__name__} as JSON")


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        DataError: the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; check the path, or run what writes it.") from None
    except (ValueError, RecursionError, OSError) as error:
        raise DataError(
            f"{path} is not readable JSON ({error}); delete it and run again."
        ) from None


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
