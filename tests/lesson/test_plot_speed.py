"""Figures of speed: bars end where the numbers say, lines are relative to their first point."""

import numpy as np
import pytest
from test_plot import bars, inside, pixels, row_names

from tblib.errors import DataError
from tblib.lesson import plot

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module", autouse=True)
def book_style():
    plot.use_book_style()


def texts(ax):
    return [text.get_text().strip() for text in ax.texts]


def test_parts_of_a_step_are_drawn_in_milliseconds_with_their_share():
    fig = plot.time_shares({"load": 0.03, "train": 0.09})
    ax = fig.axes[0]
    assert [bar.get_width() for bar in bars(ax)] == pytest.approx([30, 90])
    assert texts(ax) == ["25 %", "75 %"] and row_names(ax) == ["load", "train"]
    assert inside(fig) and pixels(fig).std() > 0
    with pytest.raises(DataError, match="measure them first"):
        plot.time_shares({"load": 0.0})


def test_gains_start_at_one_and_losses_go_the_other_way():
    panels = {
        "loader": {"cache": (12, 10, 15), "decord": (0.5, 0.4, 0.8)},
        "step": {"ours": (2, 1, 3)},
    }
    fig = plot.gain_bars(panels)
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["loader", "step"]
    ends = [bar.get_x() + bar.get_width() for ax in fig.axes for bar in bars(ax)]
    assert ends == pytest.approx([12, 0.5, 2])
    assert {bar.get_x() for ax in fig.axes for bar in bars(ax)} == {1}
    spans = [tuple(s[:, 0]) for s in fig.axes[0].containers[1].lines[2][0].get_segments()]
    assert np.allclose(spans, [(10, 15), (0.4, 0.8)])
    assert texts(fig.axes[0]) == ["12.0", "0.5"]
    assert inside(fig) and pixels(fig).std() > 0


@pytest.mark.parametrize("panels", [{}, {"a": {}}, {"a": {"b": (1, 0, 2)}}])
def test_gains_that_cannot_be_drawn_are_refused(panels):
    with pytest.raises(DataError, match="above 0"):
        plot.gain_bars(panels)


def test_growth_is_relative_and_beside_a_linear_line():
    fig = plot.growth_curves({"flat": ([10, 100], [3.0, 3.0]), "linear": ([5, 50], [1.0, 10.0])})
    lines = {line.get_label(): line.get_ydata().tolist() for line in fig.axes[0].lines}
    assert lines["flat"] == [1, 1] and lines["linear"] == [1, 10]
    dashed = fig.axes[0].lines[0]
    assert dashed.get_linestyle() == "--" and dashed.get_ydata()[-1] == 10
    assert pixels(fig).std() > 0
    with pytest.raises(DataError, match="at least one"):
        plot.growth_curves({})
