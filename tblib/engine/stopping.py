"""Stopping in good order: a scheduler that wants its machine back sends SIGTERM or SIGUSR1.

A training remembers the signal, ends its step, saves its state and raises `Stopped`; the program
then exits with code 75 (EX_TEMPFAIL of sysexits.h: try again later), and the same command goes on.
Ctrl-C and the stop button of a notebook (SIGINT) do the same while something is trained; the second
time they do not wait for the step to end.
Whatever is not a training is cut short at once: files appear whole or not at all.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import Stopped

SIGNALS = tuple(getattr(signal, n) for n in ("SIGTERM", "SIGUSR1") if hasattr(signal, n))
EVERY = (*SIGNALS, signal.SIGINT)  # what a whole group of processes may get
_asked: list[int] = []  # signals that came while listening
_listening = False


def asked() -> bool:
    """Say whether a signal has asked this process to stop."""
    return bool(_asked)


def ask(number: int, *_) -> None:
    """Note that a signal came."""
    _asked.append(number)


def _interrupt(number: int, frame) -> None:
    """Note an interrupt; the second time do what Python always does."""
    if signal.SIGINT in _asked:
        signal.default_int_handler(number, frame)
    ask(number)


def check() -> None:
    """Stop here if a signal asked for it: for places with nothing to save.

    Raises:
        Stopped: a signal came.
    """
    if _asked:
        raise Stopped(f"stopped by {signal.Signals(_asked[0]).name}; the same command goes on.")


@contextmanager
def listening() -> Iterator[None]:
    """Remember the signals instead of dying of them; inside another `listening` nothing changes.

    Only a main thread can listen; in others this does nothing.
    """
    global _listening
    if _listening or threading.current_thread() is not threading.main_thread():
        yield
        return
    _listening = True
    try:
        with _handled(dict.fromkeys(SIGNALS, ask) | {signal.SIGINT: _interrupt}):
            yield
    finally:
        _listening = False
        _asked.clear()


@contextmanager
def raising() -> Iterator[None]:
    """Turn the signals into `Stopped` wherever the main thread is, except inside `listening`."""

    def stop(number: int, _) -> None:
        raise Stopped(f"stopped by {signal.Signals(number).name}; the same command goes on.")

    with _handled(dict.fromkeys(SIGNALS, stop)):
        yield


@contextmanager
def _handled(handlers: dict[int, Callable]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old or signal.SIG_DFL)


@contextmanager
def held() -> Iterator[None]:
    """Let signals wait: processes started meanwhile hear them when they begin to `listen`.

    A worker that died of a signal while it was starting would take the others with it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, EVERY)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def listen() -> None:
    """Listen from now on: for worker processes, which are ended by the process they work for."""
    global _listening
    if not _listening:
        _listening = True
        for number in EVERY:
            signal.signal(number, ask)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, EVERY)


def ignore(*_) -> None:
    """Leave the signals to the parent: for loaders, which must serve the step in progress."""
    for number in EVERY:
        signal.signal(number, signal.SIG_IGN)
