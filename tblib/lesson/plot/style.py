"""One look for all figures: fixed colours, readable on a phone and on dark pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ...errors import DataError
from .words import words

WIDTH = 6.0  # inches: text of 11 points is still 10 pixels high on a page 390 pixels wide
PAPER = "#fcfcfa"
INK = "#262626"

# Okabe and Ito's colours, told apart with any common form of colour blindness.  Order matters:
# `colour` takes the first word that a system's name contains.
COLOURS = {
    "invariant": "#0072B2",
    "distinctive": "#D55E00",
    "average": "#B8579A",
    "reweighted": "#009E73",
    "student": "#009E73",
    "labelled": "#8C8C8C",
    "supervised": "#333333",
}
_SYMBOLS = {"f_I": "invariant", "f_D": "distinctive", "f_S": "student"}
_SPARE = ("#56B4E9", "#E69F00", "#7A5195", "#5F5F5F", "#A6761D", "#1B5E7D")
_OWNERS = {  # pretext methods keep one of them, whichever methods a figure shows
    "both losses": "#56B4E9",
    "joint": "#56B4E9",
    "cvrl": "#E69F00",
    "transformations": "#7A5195",
    "clip order": "#5F5F5F",
    "untrained": "#A6761D",
    "random weights": "#A6761D",
}
_MARKERS = dict(zip(dict.fromkeys([*COLOURS.values(), *_SPARE]), "os^DvpPX*<>h", strict=True))

FAMILY_COLOURS = {"persistent": "#56B4E9", "phased": "#E69F00", "": "#B3B3B3"}
FAMILY_HATCHES = {"persistent": "", "phased": "///", "": ""}

FAMILY_LEGEND = {
    "loc": "outside lower center",
    "ncols": 2,
    "title": "class family",
    "title_fontsize": 10,
}

RC = {
    "figure.dpi": 150,
    "savefig.dpi": 150,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": "#dddddd",
    "hatch.linewidth": 0.6,
    "lines.linewidth": 1.8,
}


def use_book_style() -> None:
    """Switch matplotlib to the style of the book; in a notebook also make figures show as PNG."""
    import seaborn as sns

    sns.set_theme(style="ticks", palette=list(COLOURS.values()), rc=RC)
    _show_figures_in_notebooks()


def _show_figures_in_notebooks() -> None:
    """Register the PNG picture of a Figure, which IPython otherwise does only for pyplot's."""
    try:
        from IPython import get_ipython
        from IPython.core.pylabtools import select_figure_formats
    except ImportError:  # a plain Python without notebooks
        return
    shell = get_ipython()
    if shell is not None:
        select_figure_formats(shell, {"png"}, bbox_inches=None)
        shell.display_formatter.formatters["image/png"].for_type(Figure, _with_words)


def _with_words(fig: Figure) -> tuple[str, dict[str, str]]:
    """Return a figure as base64 PNG, and its words where notebooks keep those of a picture."""
    from IPython.core.pylabtools import print_figure

    return print_figure(fig, "png", bbox_inches=None, base64=True), {"alt": words(fig)}


def colour(name: str, spare: int = 0) -> str:
    """Return the fixed colour of a system such as `invariant teacher`, `f_D` or `student`.

    Args:
        name: free text; the first key of `COLOURS` in it decides.
        spare: which neutral colour to take when no key fits.
    """
    for symbol, role in _SYMBOLS.items():
        name = name.replace(symbol, role)
    fixed = (c for word, c in (COLOURS | _OWNERS).items() if word in name.lower())
    return next(fixed, _SPARE[spare % len(_SPARE)])


def colours(names: Sequence[str]) -> list[str]:
    """Return the fixed colour of each system; of two that share one, the later takes a spare."""
    chosen: list[str] = []
    for name in names:
        options = [colour(name, len(chosen)), *_SPARE]
        chosen.append(next((c for c in options if c not in chosen), options[0]))
    return chosen


def markers(tints: Sequence[str]) -> list[str]:
    """Return the marker of each colour: who is told by colour is told by shape, too."""
    return [_MARKERS[tint] for tint in tints]


def figure(height: float, layout: str = "constrained") -> Figure:
    """Return an empty figure as wide as the page (inches) that arranges itself without overlaps."""
    return Figure(figsize=(WIDTH, height), layout=layout)


def family_of(classes: Sequence[str], families: Mapping[str, str] | None) -> list[str]:
    """Return the family of every class, `""` where it is unknown.

    Raises:
        DataError: a family is neither `persistent` nor `phased`.
    """
    found = [(families or {}).get(name, "") for name in classes]
    if strange := set(found) - set(FAMILY_COLOURS):
        raise DataError(
            f"families {sorted(strange)} are unknown to the figures; allowed: persistent, phased."
        )
    return found


def family_legend(fig: Figure, families: Sequence[str]) -> None:
    """Put a legend of the known families below the axes, where no data are."""
    handles = [
        Patch(facecolor=FAMILY_COLOURS[f], hatch=FAMILY_HATCHES[f], edgecolor=INK, lw=0.5, label=f)
        for f in ("persistent", "phased")
        if f in families
    ]
    if handles:
        fig.legend(handles=handles, **FAMILY_LEGEND)


def class_rows(ax: Axes, classes: Sequence[str]) -> None:
    """Name one horizontal row per class, first class on top; smaller type for many classes."""
    size = 10 if len(classes) <= 40 else 8
    ax.set_yticks(range(len(classes)), classes, fontsize=size)
    ax.set_ylim(len(classes) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def rows_height(rows: int, extra: float = 1.2) -> float:
    """Return a figure height in inches for so many class rows."""
    return extra + rows * (0.25 if rows <= 40 else 0.16)


def check_frames(frames: np.ndarray, what: str = "frames", ndim: int = 4) -> np.ndarray:
    """Return frames as something imshow can draw: uint8, or float in [0, 1].

    Raises:
        DataError: not `[N, H, W, 3]`, empty, or float values outside [0, 1].
    """
    frames = np.asarray(frames)
    if frames.ndim != ndim or frames.shape[-1] != 3 or 0 in frames.shape:
        raise DataError(
            f"{what} have shape {frames.shape}; allowed: RGB frames [..., H, W, 3] with {ndim} "
            "axes and at least one frame."
        )
    if frames.dtype != np.uint8 and (frames.min() < -1e-3 or frames.max() > 1 + 1e-3):
        raise DataError(f"{what} leave [0, 1]; give uint8 or floats in [0, 1], not normalised.")
    return frames if frames.dtype == np.uint8 else np.clip(frames, 0, 1)


def spread(total: int, n: int) -> np.ndarray:
    """Return `n` (at most `total`) evenly spread indices that include the first and the last."""
    return np.linspace(0, total - 1, min(n, total)).round().astype(int)


def montage(frames: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Lay frames `[N, H, W, 3]` side by side with thin gaps of paper colour.

    Args:
        columns: frames per row, default all in one row.

    Returns:
        uint8 image `[rows·(H + gap) - gap, columns·(W + gap) - gap, 3]`, gap = W // 24 + 1.
    """
    if frames.dtype != np.uint8:
        frames = (frames * 255).round().astype(np.uint8)
    count, height, width, _ = frames.shape
    columns = columns or count
    gap, rows = width // 24 + 1, -(-count // columns)
    canvas = np.empty((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), np.uint8)
    canvas[:] = [int(PAPER[i : i + 2], 16) for i in (1, 3, 5)]
    for k, frame in enumerate(frames):
        top, left = k // columns * (height + gap), k % columns * (width + gap)
        canvas[top : top + height, left : left + width] = frame
    return canvas


def show_strip(ax: Axes, frames: np.ndarray, labels: Sequence[object] | None = None) -> None:
    """Draw frames in one row, each with its label (for example its frame number) below."""
    ax.imshow(montage(frames))
    width = frames.shape[2]
    centres = (width - 1) / 2 + np.arange(len(frames)) * (width + width // 24 + 1)
    ax.set_xticks([] if labels is None else centres, labels)
    ax.set_yticks([])
    ax.tick_params(length=0, pad=2)
    ax.spines[:].set_visible(False)
