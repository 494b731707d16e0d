"""Fair timing: CPU time of this process, methods in turns, ratios round by round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence


def compare(methods: Mapping[str, Callable[[int], object]], rounds: int) -> dict[str, list[float]]:
    """Call every method once per round, after one unmeasured call; the round is its argument.

    Returns:
        CPU seconds of each call.  Process time does not count what other programs take; what they
        do to caches and clocks remains, so methods take turns and ratios are taken per round.
    """
    for call in methods.values():
        call(0)
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for turn in range(1, rounds + 1):
        for name, call in methods.items():
            begin = time.process_time()
            call(turn)
            seconds[name].append(time.process_time() - begin)
    return seconds


def gains(seconds: Mapping[str, Sequence[float]]) -> dict[str, tuple[float, float, float]]:
    """Return how many times faster than the first each method is: median, least, most of rounds.

    Args:
        seconds: what `compare` returned.
    """
    base = next(iter(seconds.values()))
    found = {}
    for name, values in seconds.items():
        ratios = [a / b for a, b in zip(base, values, strict=True)]
        found[name] = (statistics.median(ratios), min(ratios), max(ratios))
    return found
