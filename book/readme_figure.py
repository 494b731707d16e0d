"""Draw the figure of the README, `book/readme.png`: two StickActions videos and what s(v) does."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from tblib.data import stickactions
from tblib.lesson import plot
from tblib.lesson.plot.style import COLOURS, figure, show_strip, spread

PATH = Path(__file__).with_name("readme.png")
ROWS = (
    (
        "Rowing",
        "invariant",
        "Every moment is alike: s(v) is high, the invariant teacher is heard",
    ),
    (
        "RunCartwheel",
        "distinctive",
        "Moments differ: s(v) is low, the distinctive one is heard",
    ),
)


def draw() -> Figure:
    """Return the figure: one row of frames per video, its title in the colour of the teacher."""
    plot.use_book_style()
    fig = figure(2.7)
    for ax, (name, teacher, title) in zip(fig.subplots(len(ROWS), 1), ROWS, strict=True):
        frames = stickactions.sample(name, px=160, seed=5).frames
        show_strip(ax, frames[spread(len(frames), 8)])
        ax.set_title(title, loc="left", fontsize=10, color=COLOURS[teacher], fontweight="bold")
        ax.set_ylabel(name, fontsize=9)
    fig.supxlabel(
        r"target of the student:  $p_T = s(v)\,p_I + (1 - s(v))\,p_D$", fontsize=11, color="#262626"
    )
    return fig


def save(path: Path = PATH) -> Path:
    """Write the figure with 256 colours, which halves the file."""
    draw().savefig(path)
    Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)
    return path


if __name__ == "__main__":
    print(save())
