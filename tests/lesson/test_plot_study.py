"""Figures over several seeds: means, intervals and single seeds stand where the numbers say."""

import io

import matplotlib.image as image
import numpy as np
import pytest
from matplotlib.colors import to_hex
from study_record import synthetic_record
from test_plot import CLASSES, FAMILIES, bars, inside, pixels, row_names

from tblib.errors import DataError
from tblib.lesson import plot
from tblib.stats import mean_ci
from tblib.study.reading import Study

pytestmark = pytest.mark.filterwarnings("error")

SEEDS = [50.0, 52.0, 57.0]


@pytest.fixture(scope="module", autouse=True)
def book_style():
    plot.use_book_style()


def spans(ax, axis=0):
    """Ends of all error bars along an axis, as drawn; `()` where there is no interval."""
    drawn = [c.lines[2][axis].get_segments()[0] for c in ax.containers if hasattr(c, "has_xerr")]
    return [tuple(segment[:, axis]) if segment.size else () for segment in drawn]


def means(ax):
    """Marked points `(x, y)` of everything that has error bars."""
    data = [c.lines[0] for c in ax.containers if hasattr(c, "has_xerr")]
    return [(line.get_xdata()[0], line.get_ydata()[0]) for line in data]


def legend(fig):
    return [text.get_text() for text in fig.legends[0].get_texts()]


def test_each_system_has_its_mean_interval_and_seeds():
    panels = {"5 %": {"average": SEEDS, "reweighted": [60, 62]}, "20 %": {"reweighted": [70.0]}}
    fig = plot.accuracy_over_seeds(panels, reference="average")
    few, many = fig.axes
    assert [ax.get_title() for ax in fig.axes] == ["5 %", "20 %"]
    assert row_names(few) == ["average", "reweighted"]
    assert [x for x, _ in means(few)] == [53, 61]
    assert spans(few)[0] == pytest.approx(mean_ci(SEEDS)[1:])
    dots = [line.get_xdata().tolist() for line in few.lines if line.get_marker() == "."]
    assert dots == [SEEDS, [60, 62]]
    # the second row also where the first is absent, one seed without an interval
    assert round(means(many)[0][1]) == 1 and spans(many)[0] == ()
    dashed = [
        [line.get_xdata()[0] for line in ax.lines if line.get_ls() == "--"] for ax in fig.axes
    ]
    assert dashed == [[53], []]
    pixels(fig)
    assert inside(fig)


def test_a_study_without_any_value_is_refused():
    with pytest.raises(DataError, match="no accuracy"):
        plot.accuracy_over_seeds({"5 %": {"average": []}})


@pytest.mark.parametrize("families", [FAMILIES, None])
def test_classes_are_sorted_by_the_mean_difference(families):
    inv = np.array([[60, 50, 90, 40], [70, 50, 80, 40], [80, 50, 70, 40.0]])
    dist = np.array([[50, 60, 50, 40], [50, 70, 50, 40], [50, 80, 50, 40.0]])
    fig = plot.difference_over_seeds(inv, dist, CLASSES, families)
    ax = fig.axes[0]
    assert row_names(ax) == ["Piano", "Typing", "Jump", "Vault"]
    assert [b.get_width() for b in bars(ax, -1)] == pytest.approx([30, 20, 0, -20])
    ends = [segment[:, 0] for segment in ax.collections[-1].get_segments()]
    assert ends[1] == pytest.approx(mean_ci([10, 20, 30])[1:])
    assert ax.get_xlim()[0] < ends[3][0] and ends[0][1] < ax.get_xlim()[1]
    tint = plot.FAMILY_COLOURS["persistent"] if families else plot.COLOURS["invariant"]
    assert to_hex(bars(ax)[0].get_facecolor()).upper() == tint
    pixels(fig)


def test_one_seed_of_hundred_classes_still_fits():
    names = [f"Class{k}" for k in range(101)]
    fig = plot.difference_over_seeds(np.linspace(0, 100, 101), np.full(101, 50), names)
    pixels(fig)
    assert row_names(fig.axes[0])[0] == "Class100" and inside(fig)


def test_curves_over_training_show_mean_and_range():
    two = {0: [[10, 40], [20, 60]], 1: [[10, 50], [20, 70]]}
    fig = plot.accuracy_curves(
        {"TCLR": two, "CVRL": {0: [[10, 30], [20, 35]]}, "absent": {}}, clips=2
    )
    ax = fig.axes[0]
    assert ax.lines[0].get_ydata().tolist() == [45, 65]
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (40, 70)
    assert legend(fig) == ["TCLR", "CVRL"]
    shown = [line.get_marker() for line in fig.legends[0].get_lines()]
    assert shown == ["P", "X"] == [line.get_marker() for line in ax.lines[:2]]
    pixels(fig)


def test_labels_are_on_a_logarithmic_axis_in_percent():
    points = {0.2: SEEDS, 0.01: [20, 22, 24], 0.5: []}
    fig = plot.label_curves({"labelled only": points, "reweighted": {0.2: [55.0]}})
    ax = fig.axes[0]
    assert ax.lines[0].get_xdata().tolist() == [0.01, 0.2]
    assert ax.lines[0].get_ydata().tolist() == [22, 53]
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx(
        (mean_ci([20, 22, 24]).low, mean_ci(SEEDS).high)
    )
    assert [t.get_text() for t in ax.get_xticklabels()] == ["1 %", "20 %", "50 %"]
    pixels(fig)
    assert inside(fig)


def test_scores_are_sorted_by_class_mean():
    labels = np.array([0, 0, 1, 1, 3])
    s = np.array([[0.2, 0.4, 0.9, 0.7, 0.5], [0.4, 0.6, 0.7, 0.5, 0.5]])
    fig = plot.scores_by_class(s, labels, CLASSES, FAMILIES)
    ax = fig.axes[0]
    assert row_names(ax) == ["Vault", "Jump", "Typing"]
    assert [x for x, _ in means(ax)] == pytest.approx([0.7, 0.5, 0.4])
    dots = [line.get_xdata().tolist() for line in ax.lines if line.get_marker() == "."]
    assert dots[0] == pytest.approx([0.8, 0.6])
    pixels(fig)
    assert inside(fig)


def test_agreement_follows_the_score_of_each_seed():
    inv = np.array([[0, 1, 1, 1], [1, 1, 1, 0]], bool)
    dist = np.array([[1, 1, 0, 0], [0, 0, 1, 0]], bool)
    s = np.array([[0.1, 0.2, 0.8, 0.9], [0.9, 0.8, 0.2, 0.1]])
    fig = plot.agreement_by_score(inv, dist, s, bins=2)
    height = {
        c.get_label(): [b.get_height() for b in c]
        for c in fig.axes[0].containers
        if hasattr(c, "patches")
    }
    assert height["only invariant"] == [0, 100] and height["only distinctive"] == [25, 0]
    assert height["both right"] == [50, 0] and height["neither"] == [25, 0]
    assert legend(fig) == ["only invariant", "both right", "neither", "only distinctive"]
    pixels(fig)


def test_pretext_methods_are_placed_with_both_intervals():
    time = {"invariant": [25, 26, 27], "clip order": [60.0]}
    fig = plot.pretext_plane(
        time, {"invariant": SEEDS, "clip order": [40.0]}, chance=25, space="backbone features"
    )
    ax = fig.axes[0]
    assert means(ax) == [(26, 53), (60, 40)]
    assert spans(ax, 0) == [pytest.approx(mean_ci([25, 26, 27])[1:]), ()]
    assert spans(ax, 1) == [pytest.approx(mean_ci(SEEDS)[1:]), ()]
    assert [line.get_xdata()[0] for line in ax.lines if line.get_ls() == "--"] == [25]
    assert legend(fig) == ["invariant", "clip order"]
    pixels(fig)
    assert inside(fig)


def test_a_record_gives_the_planted_picture():
    """Persistent classes on top of both charts, from the arrays that a record is read into."""
    study = Study(synthetic_record(families=True))
    families = dict(zip(study.classes, study.families, strict=True))
    right = [study.per_class(f"teacher_{kind}", 0.2) for kind in ("invariant", "distinctive")]
    charts = [
        plot.difference_over_seeds(*right, study.classes, families),
        plot.scores_by_class(study.s(0.2), study.label, study.classes, families),
    ]
    for fig in charts:
        order = [families[name] for name in row_names(fig.axes[0])]
        assert order[:8] == ["persistent"] * 8 and order[-8:] == ["phased"] * 8
        pixels(fig)
        assert inside(fig)


def test_a_small_picture_keeps_size_and_colours():
    fig = plot.label_curves({"labelled only": {0.2: SEEDS, 0.5: SEEDS}, "average": {0.2: SEEDS}})
    small = image.imread(io.BytesIO(plot.small_png(fig)))
    whole = pixels(fig)[..., :3]
    assert small.shape[:2] == whole.shape[:2]
    assert np.abs(small[..., :3] - whole).mean() < 0.005
    full = io.BytesIO()
    fig.savefig(full, format="png")
    assert len(plot.small_png(fig)) < len(full.getvalue()) / 2


def test_a_small_picture_leaves_grey_grey():
    """Lines of the grid and the pale bands of a grey system must not take another's colour."""
    study = Study(synthetic_record())
    cells = ("scratch", "ssl", "student_average", "student_reweighted")
    fig = plot.label_curves({c: {f: study.top1(c, f) for f in study.fractions} for c in cells})
    small = image.imread(io.BytesIO(plot.small_png(fig)))[..., :3]
    grey = np.ptp(pixels(fig)[..., :3], axis=-1) < 0.004
    assert np.quantile(np.ptp(small, axis=-1)[grey], 0.99) < 0.015, "edges of letters aside"


def test_a_small_picture_keeps_eight_systems_apart():
    """The pale dots of single seeds too: each has its colour, not the nearest frequent one."""
    fig = plot.accuracy_over_seeds({"5 %": dict.fromkeys(map(str, range(8)), SEEDS)})
    small = image.imread(io.BytesIO(plot.small_png(fig)))[..., :3]
    assert np.abs(small - pixels(fig)[..., :3]).max(-1)[10:-10].max() < 0.2
