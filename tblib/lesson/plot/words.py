"""What a figure shows, in words: for people who do not see it, and wherever pictures are missing.

Nothing is written by hand for a single figure: its kind is the first sentence of the function that
drew it, its content is read from what was drawn, so words and picture cannot differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import wraps

from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

MOST = 420  # characters; a screen reader cannot skim


def shows(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Give the figures of a function its first sentence, `Show bars.` as `Bars`, as their label."""
    sentence = re.match(r"[^.]+", " ".join(draw.__doc__.split()))[0]
    kind = re.sub(r"^(Show|Draw) ", "", sentence)

    @wraps(draw)
    def drawn(*arguments, **options) -> Figure:
        fig = draw(*arguments, **options)
        fig.set_label(kind if kind.startswith("s(v)") else kind[0].upper() + kind[1:])
        return fig

    return drawn


def words(fig: Figure) -> str:
    """Say what a figure shows: its kind, the titles, axes and names in it, and the main values."""
    parts = [str(fig.get_label() or "Figure")]
    if (title := fig.get_suptitle()) and title not in parts:
        parts.append(title)
    for ax in fig.axes:
        parts += [said for said in _axes(ax) if said not in parts]
    text = ". ".join(" ".join(_plain(part).split()) for part in parts if part.strip())
    return text if len(text) <= MOST else f"{text[: MOST - 2].rpartition(' ')[0]} …"


def _plain(text: str) -> str:
    """Write `$f_I$` as `f_I`: a reader says what stands there."""
    return re.sub(r"\$|\\mathbf|\\mathrm|[{}]|(?<=\w)\.$", "", text)


def _axes(ax: Axes) -> Iterator[str]:
    yield from (ax.get_title(loc=side) for side in ("left", "center", "right"))
    if ax.get_xlabel() and ax.get_ylabel() and not ax.images:
        yield f"{ax.get_ylabel()} over {ax.get_xlabel()}"
    else:
        yield from (ax.get_xlabel(), ax.get_ylabel())
    if found := [*_bars(ax), *_lines(ax)]:
        yield "; ".join(found)
    elif rows := [name for name in _rows(ax).values() if any(map(str.isalpha, name))]:
        yield ", ".join(reversed(rows))
    named = [str(artist.get_label()) for artist in ax.collections]
    if names := [name for name in dict.fromkeys(named) if name and not name.startswith("_")]:
        yield ", ".join(names)


def _rows(ax: Axes) -> dict[float, str]:
    """Return the names beside an axis by their height; a shared axis may show none of them."""
    labels = ax.get_yticklabels()
    return {round(label.get_position()[1], 3): label.get_text() for label in labels}


def _bars(ax: Axes) -> Iterator[str]:
    """Name horizontal bars with their lengths, or with both ends where they begin elsewhere."""
    names = _rows(ax)
    for bars in (c for c in ax.containers if isinstance(c, BarContainer)):
        part = "" if (label := str(bars.get_label())).startswith("_") else f"{label}: "
        for bar in bars:
            name = names.get(round(bar.get_y() + bar.get_height() / 2, 3), "")
            low, high = bar.get_x(), bar.get_x() + bar.get_width()
            ends = f"{bar.get_width():.3g}" if part or not low else f"{low:.3g} to {high:.3g}"
            if any(map(str.isalpha, name)):
                yield f"{part}{name} {ends}"


def _lines(ax: Axes) -> Iterator[str]:
    """Name the curves with their first and last values."""
    for line in ax.lines:
        values = line.get_ydata()
        if len(values) > 2 and not str(line.get_label()).startswith("_"):
            yield f"{line.get_label()} from {values[0]:.3g} to {values[-1]:.3g}"
