"""The picture of the package: its floors, from the top, and which imports from which."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import grimp
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path as Curve

from tblib.lesson.chapters import ROOT
from tblib.lesson.plot import small_png
from tblib.lesson.plot.style import INK, PAPER, RC, WIDTH

COLOURS = ("#333333", "#7A5195", "#D55E00", "#0072B2", "#A6761D", "#009E73", "#B8579A", "#E69F00",
           "#56B4E9", "#1B5E7D")  # fmt: skip
GREY = "#8C8C8C"  # of the bottom floor
BOX, GAP, BROAD, ASIDE = 0.46, 0.28, 2.1, -0.3  # inches: of a box, and its middle on the page
HEIGHTS = {1: 0.32, -1: 0.21}  # how far a bow reaches out, for each inch of its length
THIN, PER_IMPORT = 0.6, 0.22  # points
WORDS = {"__main__": "command line"}


def floors() -> dict[str, list[str]]:
    """Return the modules of each floor, from the top; rooms by name, loose files together.

    A room is a package.  Loose files of neighbouring layers share a floor, called after all of
    them; layers are those of `[tool.importlinter]` in `pyproject.toml`.
    """
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    found: list[list[str]] = []
    for layer in tools["importlinter"]["contracts"][0]["layers"]:
        names = [name.strip() for name in layer.split("|")]
        if found and not any(map(_is_room, [*names, *found[-1]])):
            found[-1] += names
        else:
            found += [[name] for name in names] if all(map(_is_room, names)) else [names]
    return {" · ".join(WORDS.get(name, name) for name in names): names for names in found}


def _is_room(name: str) -> bool:
    return (ROOT / "tblib" / name / "__init__.py").is_file()


def arrows() -> Counter[tuple[str, str]]:
    """Count the modules that modules of one floor import from another, also inside functions."""
    floor_of = {module: floor for floor, modules in floors().items() for module in modules}
    graph, found = grimp.build_graph("tblib"), Counter()
    for importer in graph.modules - {"tblib"}:
        for imported in graph.find_modules_directly_imported_by(importer) - {"tblib"}:
            pair = tuple(floor_of[module.split(".")[1]] for module in (importer, imported))
            if pair[0] != pair[1]:
                found[pair] += 1
    return found


def draw() -> Figure:
    """Draw floors as boxes and imports as arrows, the thicker the more; each has its pair as gid.

    Arrows to the bottom floor, on which nearly all stand, run on the left and are grey.
    """
    names, found = list(floors()), arrows()
    height = len(names) * (BOX + GAP)
    fig = Figure(figsize=(WIDTH, height), facecolor=PAPER, dpi=RC["figure.dpi"])
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-WIDTH / 2, WIDTH / 2), ylim=(GAP / 2 - height, GAP / 2))
    ax.axis("off")
    at = dict(zip(names, [-k * (BOX + GAP) for k in range(len(names))], strict=True))
    colour = dict(zip(names, (*COLOURS[: len(names) - 1], GREY), strict=True))
    for name in names:
        _box(ax, name, at[name], colour[name])
    for side, pairs in _sides(found, names).items():
        ports = _ports(pairs, names)
        for pair in pairs:
            ends = [at[name] - BOX * port for name, port in zip(pair, ports[pair], strict=True)]
            width = THIN + PER_IMPORT * found[pair]
            bow = _arrow(ax, side, ends, width, colour[pair[0]] if side > 0 else GREY)
            bow.set_gid("→".join(pair))
    return fig


def _sides(found: Iterable[tuple[str, str]], names: list[str]) -> dict[int, list[tuple[str, str]]]:
    ground = [pair for pair in found if pair[1] == names[-1]]
    return {1: [pair for pair in found if pair not in ground], -1: ground}


def _ports(pairs: list[tuple[str, str]], names: list[str]) -> dict[tuple[str, str], list[float]]:
    """Where an arrow leaves and reaches its boxes, from 0 at the top: longer ones run outside."""

    def length(pair: tuple[str, str]) -> int:
        return names.index(pair[1]) - names.index(pair[0])

    ports: dict[tuple[str, str], list[float]] = {pair: [0.0, 0.0] for pair in pairs}
    for name in names:
        into = sorted((pair for pair in pairs if pair[1] == name), key=length)
        out = sorted((pair for pair in pairs if pair[0] == name), key=length, reverse=True)
        lined = [*((pair, 1) for pair in into), *((pair, 0) for pair in out)]
        for k, (pair, end) in enumerate(lined):
            ports[pair][end] = (k + 0.7) / (len(lined) + 0.4)
    return ports


def _box(ax: Axes, name: str, top: float, colour: str) -> None:
    style = {"boxstyle": "round,pad=0,rounding_size=0.08", "facecolor": PAPER, "edgecolor": colour}
    corner = (ASIDE - BROAD / 2, top - BOX)
    ax.add_patch(FancyBboxPatch(corner, BROAD, BOX, linewidth=1.6, zorder=3, **style))
    parts = name.split(" · ")
    half = (len(parts) + 1) // 2
    lines = [parts] if len(name) < 24 else [parts[:half], parts[half:]]
    words = "\n".join(" · ".join(line) for line in lines)
    ax.text(ASIDE, top - BOX / 2, words, ha="center", va="center", zorder=4,
            fontsize=12 if len(lines) == 1 else 10, color=INK)  # fmt: skip


def _arrow(ax: Axes, side: int, ends: list[float], width: float, colour: str) -> PathPatch:
    """Draw a bow beside the boxes from the height of its first end to that of its second."""
    edge = ASIDE + side * BROAD / 2
    head, reach = 0.07 + 0.012 * width, 0.2 + HEIGHTS[side] * abs(ends[0] - ends[1])
    tip = (edge + side * head, ends[1])
    bow = [(edge, ends[0]), (edge + side * reach, ends[0]), (tip[0] + side * reach, ends[1]), tip]
    curve = Curve(bow, [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4])
    style = {"facecolor": "none", "edgecolor": colour, "linewidth": width, "capstyle": "butt"}
    point = [(edge, ends[1]), (tip[0], ends[1] + head / 2), (tip[0], ends[1] - head / 2)]
    ax.add_patch(Polygon(point, facecolor=colour, edgecolor="none"))
    return ax.add_patch(PathPatch(curve, **style))


def alternative() -> str:
    """Say in words what the picture shows, for those who do not see it."""
    names, found = list(floors()), arrows()
    most = [f"{a} imports {n} times from {b}" for (a, b), n in found.most_common(5)]
    up = sum(names.index(a) > names.index(b) for a, b in found)
    return (
        f"Floors of the package, from the top: {'; '.join(names)}. {len(found)} arrows for "
        f"{found.total()} imports between them, {up or 'none'} of them upwards. The thickest: "
        f"{', '.join(most)}."
    )


def fill(page: str, folder: Path) -> str:
    """Put the picture where the page has its mark; its file goes to `folder`."""
    (folder / "rooms.png").write_bytes(small_png(draw(), 64))
    picture = f"```{{image}} rooms.png\n:alt: {alternative()}\n```\n"
    return page.replace("<!-- rooms -->\n", picture)
