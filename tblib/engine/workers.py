"""Worker processes, those that train side by side and those that load: stopped in good order."""

from __future__ import annotations

import multiprocessing.queues
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from joblib.externals.loky.process_executor import ProcessPoolExecutor, TerminatedWorkerError
from torch.utils.data import DataLoader

from ..errors import Stopped, UserError
from . import stopping
from .shared_memory import Shared

PATIENCE = 900  # seconds without a batch: a hundred times the slowest that was seen

Tell = Callable[[list[tuple["Task", float]]], None]


@dataclass(frozen=True)
class Task:
    """A call in a worker, after the tasks it needs."""

    name: str
    call: Callable
    arguments: tuple
    needs: tuple[str, ...] = ()


def side_by_side(tasks: list[Task], size: int, tell: Tell, killed: str) -> None:
    """Run tasks in the order given, up to `size` at a time, each after those of them it needs.

    Args:
        tell: called about every second with the tasks finished since, each with its seconds.
        killed: what to say if the process of a task was killed; `{!r}` is the task's name.

    Raises:
        Stopped: a signal came, to this process or to a worker.
        UserError: a worker was killed, or whatever a task raised.
    """
    waiting, running = list(tasks), {}
    with _pool(size) as pool:
        while waiting or running:
            for task in _ready(waiting, [task for task, _ in running.values()], size):
                waiting.remove(task)
                running[_submit(pool, task)] = task, time.monotonic()
            done = []
            for future in _finished(running):
                task, since = running.pop(future)
                _result(future, killed.format(task.name))
                done.append((task, time.monotonic() - since))
            tell(done)


def _ready(waiting: list[Task], running: list[Task], size: int) -> list[Task]:
    unfinished = {task.name for task in [*waiting, *running]}
    return [t for t in waiting if not unfinished.intersection(t.needs)][: size - len(running)]


@contextmanager
def _pool(size: int) -> Iterator[ProcessPoolExecutor]:
    """Keep up to `size` worker processes for a block of code.

    However the block is left, by an error, a signal or an interrupted cell, the workers first save
    what they are training. loky's reusable workers would be those of joblib's `Parallel` as well,
    which cannot work with them unless it started them itself.  A worker that has grown by 300 MB,
    as a large network makes it, gives its place to a fresh one; loky's warning suspects a fault.
    """
    executor = ProcessPoolExecutor(max_workers=size)
    try:
        yield executor
    except BaseException:
        for pid in list(executor._processes):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        raise
    finally:
        executor.shutdown(wait=True)


def _submit(pool: ProcessPoolExecutor, task: Task) -> Future:
    """Have a worker do a task; a signal makes it save and stop, even if it is starting."""
    with stopping.held():
        return pool.submit(_call, task.call, *task.arguments)


def _call(function: Callable, *arguments: Any) -> Any:
    stopping.listen()
    stopping.check()
    return function(*arguments)


def _finished(running: Collection[Future]) -> set[Future]:
    """Wait up to a second until one of the calls is finished; return those that are."""
    for _ in range(5):
        stopping.check()
        done = wait(running, timeout=0.2, return_when=FIRST_COMPLETED).done
        if done:
            break
    return done


def _result(future: Future, killed: str) -> Any:
    try:
        return future.result()
    except Stopped:
        stopping.check()
        raise Stopped("a worker was asked to stop; the same command goes on.") from None
    except TerminatedWorkerError:
        stopping.check()
        raise UserError(killed) from None


def loaders(loader: DataLoader) -> DataLoader:
    """Prepare the processes of a loader: started also from a worker, deaf and silent.

    A batch that does not come within `PATIENCE` seconds is an error.
    """
    if loader.num_workers:  # joblib's workers have a default of their own, of no use here
        loader.multiprocessing_context = "fork" if sys.platform == "linux" else "spawn"
        loader.worker_init_fn = _begin_loader
        loader.collate_fn = Shared(loader.collate_fn)
        loader.timeout = PATIENCE
    return loader


def _begin_loader(number: int) -> None:
    """Be deaf to signals, and silent when the program leaves in the middle of fetching a batch.

    A thread hands the batches over.  If a second loader is killed meanwhile, the program ends with
    a sentence, and that thread would put a traceback before it.
    """
    stopping.ignore(number)
    sys.excepthook = _unless_left
    multiprocessing.queues.Queue._on_queue_feeder_error = staticmethod(_end)


def _end(error: BaseException, batch: Any) -> None:
    """End the process whose batch cannot be handed over: its end is noticed, silence is not."""
    os._exit(1)


def _unless_left(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    if not issubclass(kind, ConnectionError | EOFError):
        sys.__excepthook__(kind, error, trace)


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
        if "DataLoader timed out" in str(error):
            raise UserError(
                f"no batch came for {PATIENCE} seconds; a disk or network that hangs is the usual "
                "cause. Run the same command again: it goes on from the last saved state."
            ) from None
        if not loader_killed(error):
            raise
        raise UserError(
            "a process that prepares batches was killed, usually for lack of memory, also in "
            "/dev/shm; lower runtime.workers and run the same command again: it goes on from the "
            "last saved state."
        ) from None
