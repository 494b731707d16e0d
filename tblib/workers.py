"""Worker processes, those that train side by side and those that load: stopped in good order."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from joblib.externals.loky.process_executor import TerminatedWorkerError
from torch.utils.data import DataLoader

from . import stopping
from .errors import Stopped, UserError


def submit(executor, function: Callable, *arguments: Any) -> Future:
    """Have a worker call a function; a signal makes it save and stop, even if it is starting."""
    with stopping.held():
        return executor.submit(_call, function, *arguments)


def _call(function: Callable, *arguments: Any) -> Any:
    stopping.listen()
    stopping.check()
    return function(*arguments)


def finished(executor, running: Collection[Future]) -> set[Future]:
    """Wait up to a second until one of the calls is finished; return those that are.

    Raises:
        Stopped: a signal came; all workers have saved what they were training.
    """
    for _ in range(5):
        if stopping.asked():
            _stop(executor, running)
        done = wait(running, timeout=0.2, return_when=FIRST_COMPLETED).done
        if done:
            break
    return done


def result(executor, future: Future, running: Collection[Future], killed: str) -> Any:
    """Return what a finished call returned.

    Args:
        running: the calls beside it.
        killed: what to say if a worker was killed.

    Raises:
        Stopped: a signal came; all workers have saved what they were training.
        UserError: a worker was killed, or whatever the call raised.
    """
    try:
        return future.result()
    except Stopped:
        _stop(executor, running)
    except TerminatedWorkerError:
        stopping.check()
        raise UserError(killed) from None


def _stop(executor, running: Collection[Future]) -> NoReturn:
    """Pass the request on, wait until everything is saved, and dismiss the workers."""
    for pid in list(executor._processes):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    wait(running)
    executor.shutdown(wait=True)  # its workers would refuse further calls
    stopping.check()
    raise Stopped("a worker was asked to stop; the same command goes on.")


def loaders(loader: DataLoader) -> DataLoader:
    """Prepare the processes of a loader: started also from a worker, deaf to signals."""
    if loader.num_workers:  # joblib's workers have a default of their own, of no use here
        loader.multiprocessing_context = "fork" if sys.platform == "linux" else "spawn"
        loader.worker_init_fn = stopping.ignore
    return loader


@contextmanager
def begun(loaders: Sequence[DataLoader]) -> Iterator[list[Iterator]]:
    """Start loaders and end their processes, however this is left.

    While an error keeps them alive, this program could not end: it would wait for processes that
    are deaf to its request to stop.
    """
    iterators: list[Iterator] = []
    try:
        for loader in loaders:
            iterators.append(iter(loader))
        yield iterators
    finally:
        for iterator in iterators:
            if hasattr(iterator, "_shutdown_workers"):  # torch has no public name for it
                iterator._shutdown_workers()


def loader_killed(error: Exception) -> bool:
    """Say whether torch reports a killed loader, which it does wherever the program is."""
    return isinstance(error, RuntimeError) and "DataLoader worker (pid" in str(error)


@contextmanager
def loading() -> Iterator[None]:
    """Say in one sentence that a loader was killed, or what a loader raised.

    Raises:
        UserError: a loader was killed, or raised one: torch puts its traceback before the sentence.
    """
    try:
        yield
    except UserError as error:
        if "in DataLoader worker process" not in str(error):
            raise
        raise type(error)(str(error).splitlines()[-1].partition(": ")[2]) from None
    except RuntimeError as error:
        if not loader_killed(error):
            raise
        raise UserError(
            "a process that prepares batches was killed, usually for lack of memory; lower "
            "runtime.workers and run the same command again: it goes on from the last saved state."
        ) from None
