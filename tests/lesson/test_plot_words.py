"""Figures say what they show, from what was drawn."""

import inspect

import numpy as np
import pandas as pd
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure

from tblib.lesson import plot
from tblib.lesson.plot.words import MOST, words


def bars():
    table = pd.DataFrame({"system": ["f_I", "student"], "top1": [40.0, 62.5]})
    return plot.accuracy_bars(table.assign(low=[30, 50], high=[50, 70]), {"chance": 25})


def test_bars_are_named_with_their_values():
    said = words(bars())
    assert said.startswith("Systems as horizontal bars with error bars, in the order of the table.")
    assert "f_I 40; student 62.5" in said and "top-1 accuracy (%)" in said


def test_curves_are_named_with_first_and_last_value():
    history = pd.DataFrame({"step": [1, 2, 3], "loss": [4.0, 2.0, 1.25]})
    said = words(plot.training_curves({"$f_D$": history}, ylabel="local–local loss"))
    assert said == (
        "One curve per system over optimiser steps. local–local loss over optimiser step. "
        "f_D from 4 to 1.25"
    )


def test_rows_of_dots_are_named_also_where_panels_share_them():
    seeds = {"average": [70.0, 71.0, 72.0], "reweighted": [71.0, 72.0, 73.0]}
    said = words(plot.accuracy_over_seeds({"5 %": seeds, "10 %": seeds}, reference="average"))
    assert "average" in said and "reweighted" in said and "5 %" in said and "10 %" in said


def test_boxes_have_two_ends_and_a_score_keeps_its_letter():
    s, label = np.array([0.1, 0.2, 0.3, 0.6, 0.7, 0.8]), np.array([0, 0, 0, 1, 1, 1])
    said = words(plot.score_distribution(s, label, ["Walk", "Jump"], None))
    assert said.startswith("s(v) of every video by class")
    assert "Walk 0.15 to 0.25" in said and "Jump 0.65 to 0.75" in said


def test_stacked_bars_say_which_part_they_are():
    right = np.array([True, True, False, False]), np.array([True, False, True, False])
    said = words(plot.agreement_map(*right, np.zeros(4, int), ["Walk"]))
    assert said.count("Walk 25") == 4 and "both right: Walk 25" in said


def test_words_are_short_enough_to_listen_to():
    fig = Figure()
    fig.set_label("word " * 300)
    assert len(words(fig)) <= MOST and words(fig).endswith(" …")


def test_every_figure_of_the_book_has_a_kind():
    """A function that returns a figure begins with a verb that leaves a phrase when it is gone."""
    drawn = [getattr(plot, name) for name in plot.__all__]
    drawn = [f for f in drawn if callable(f) and inspect.signature(f).return_annotation == "Figure"]
    assert len(drawn) > 20
    for function in drawn:
        assert function.__doc__.split()[0] in ("Show", "Draw"), function.__name__
        assert hasattr(function, "__wrapped__"), f"{function.__name__} lacks @shows"


def test_a_notebook_keeps_the_words_beside_the_picture():
    shell = InteractiveShell.instance()
    plot.use_book_style()
    data, kept = shell.display_formatter.format(bars())
    assert kept["image/png"]["alt"] == words(bars()) and len(data["image/png"]) > 1000
    data, kept = shell.display_formatter.format(plot.small(bars()))
    assert kept["image/png"]["alt"] == words(bars())
