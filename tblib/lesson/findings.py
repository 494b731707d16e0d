"""What a run shows: numbers of one run turned into sentences, each with the size of chance.

A chapter cannot know how a run ends; these functions do.  None of them knows another seed: they ask
what chance among the *videos* can do, see `tblib.stats`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from .. import stats
from ..errors import UserError

SURE = 0.05  # below this p we say that chance does not make it
STYLE = "border-left: 3px solid #009E73; padding: 0.2em 0 0.2em 1em; margin: 1em 0"


@dataclass(frozen=True)
class Shown:
    """A short box, *What this run shows*, below a result of a chapter."""

    sentences: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join(["What this run shows:", *(f"- {s}" for s in self.sentences)])

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{escape(s)}</li>" for s in self.sentences)
        title = "<p><strong>What this run shows</strong></p>"
        return f'<div class="finding" style="{STYLE}">{title}<ul>{items}</ul></div>'


def shown(*sentences: str) -> Shown:
    """Put sentences into a box."""
    return Shown(sentences)


def check(claims: Mapping[str, bool]) -> None:
    """Print claims with True or False; the first that is false ends the chapter.

    Raises:
        UserError: a claim is false, so that what the chapter says next would be, too.
    """
    print(" · ".join(f"{claim}: {bool(holds)}" for claim, holds in claims.items()))
    for claim, holds in claims.items():
        if not holds:
            raise UserError(
                f"the check {claim!r} came out false, and what follows rests on it; if you changed "
                "code of the chapter or of tblib, compare it with the original."
            )


def plateau(name: str, loss: float, nothing: float) -> str:
    """Compare the last loss of a training with that of a network that knows nothing.

    Args:
        loss: mean over the last steps, same unit as `nothing`, the logarithm of the candidates.
    """
    said = f"{name} ends at {loss:.2f}, knowing nothing would be {nothing:.2f}"
    if loss < 0.95 * nothing:
        return f"{said}: it has learnt {1 - loss / nothing:.0%} of the way to zero."
    return f"{said}: it has learnt next to nothing of this task."


def against_chance(name: str, share: float, chance: float, n: int) -> str:
    """Compare a share of right answers with guessing.

    Args:
        share: of n independent answers, in [0, 1]; `chance` is that of a guess.
    """
    reach = 1.96 * math.sqrt(chance * (1 - chance) / n)
    said = f"{name}: {share:.1%} where guessing has {chance:.1%} ± {reach:.1%}"
    if abs(share - chance) <= reach:
        return f"{said}, within chance."
    return f"{said}, {'more' if share > chance else 'less'} than chance."


def compared(
    first: str, second: str, right_first: Sequence[bool], right_second: Sequence[bool]
) -> str:
    """Say which of two systems is better on the same videos, and whether chance could do it."""
    pair = stats.mcnemar(right_first, right_second)
    a, b = (100 * np.mean(hits) for hits in (right_first, right_second))
    said = (
        f"{first} {a:.1f} %, {second} {b:.1f} %: {pair.only_a} videos only the first gets right, "
        f"{pair.only_b} only the second (p = {pair.p:.3f})"
    )
    if pair.p >= SURE:
        return f"{said}, a difference that chance can make."
    return f"{said}. {first if pair.only_a > pair.only_b else second} is better."


def premise(right_invariant: Sequence[bool], right_distinctive: Sequence[bool]) -> str:
    """Say whether each teacher is right where the other is wrong, on which the method rests."""
    a, b = np.asarray(right_invariant, bool), np.asarray(right_distinctive, bool)
    pair = stats.mcnemar(a, b)
    gain = 100 * ((a | b).mean() - max(a.mean(), b.mean()))
    said = (
        f"Of {len(a)} videos only the invariant teacher is right on {pair.only_a}, only the "
        f"distinctive one on {pair.only_b}; always choosing the right one would add {gain:.1f} "
        "points to the better teacher"
    )
    few, many = sorted((pair.only_a, pair.only_b))
    if 4 * few < many and pair.p < SURE:
        return f"{said}. One of them is nearly always the better choice: the premise fails here."
    return f"{said}. Both are needed, so there is something to balance."


def ranking(what: str, auc: float | None, positive: int, negative: int) -> str:
    """Say whether a score ranks one kind of videos above another.

    Args:
        auc: area under the ROC curve, in [0, 1]; None where a kind is absent.
        positive: number of videos of the first kind; `negative`, of the second.
    """
    if auc is None:
        return f"{what}: one of the two kinds is absent, so nothing can be said."
    reach = 1.96 * math.sqrt((positive + negative + 1) / (12 * positive * negative))
    said = f"{what}: AUC {auc:.2f} ({positive} against {negative} videos, chance 0.5 ± {reach:.2f})"
    if abs(auc - 0.5) <= reach:
        return f"{said}, no more than chance."
    return f"{said}: the score {'knows' if auc > 0.5 else 'says the opposite of'} it."


def spread(p: float, difference: Sequence[float]) -> str:
    """Say whether classes differ in which feature suits them.

    Args:
        p: of the spread of the differences, features exchanged.
        difference: accuracy of the invariant minus the distinctive feature by class, in [-1, 1].
    """
    for_one = int((np.asarray(difference) > 0).sum())
    for_other = int((np.asarray(difference) < 0).sum())
    said = f"The invariant feature is better on {for_one} classes, the distinctive on {for_other}"
    if p >= SURE:
        return f"{said}, no wider apart than chance makes them (p = {p:.3f})."
    return f"{said}, further apart than chance makes them (p = {p:.3f})."
