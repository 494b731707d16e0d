"""Numbers become the right sentence: both ways out of every question, and the size of chance."""

import numpy as np
import pytest

from tblib.errors import UserError
from tblib.lesson import findings


def hits(*runs):
    """`hits((3, True), (2, False))`: three right, two wrong."""
    return np.concatenate([np.full(n, value) for n, value in runs])


def test_the_premise_fails_where_one_teacher_is_nearly_always_the_better():
    invariant = hits((50, True), (4, True), (37, False), (9, False))
    distinctive = hits((50, True), (4, False), (37, True), (9, False))
    said = findings.premise(invariant, distinctive)
    assert "invariant teacher is right on 4, only the distinctive one on 37" in said
    assert "add 4.0 points" in said and said.endswith("the premise fails here.")


def test_the_premise_holds_where_both_are_right_alone():
    invariant = hits((20, True), (10, True), (12, False))
    distinctive = hits((20, True), (10, False), (12, True))
    assert findings.premise(invariant, distinctive).endswith("something to balance.")


@pytest.mark.parametrize(
    ("won", "lost", "end"),
    [
        (30, 5, "p = 0.000). student is better."),
        (5, 30, "p = 0.000). teacher is better."),
        (6, 5, "(p = 1.000), a difference that chance can make."),
    ],
)
def test_two_systems_on_the_same_videos(won, lost, end):
    first, second = hits((won, True), (lost, False)), hits((won, False), (lost, True))
    said = findings.compared("student", "teacher", first, second)
    assert said.endswith(end) and f"{won} videos only the first gets right, {lost} only" in said


@pytest.mark.parametrize(
    ("share", "end"), [(0.40, "more than"), (0.10, "less than"), (0.27, "within")]
)
def test_shares_are_held_against_guessing(share, end):
    said = findings.against_chance("f_D", share, 0.25, 100)
    assert "guessing has 25.0% ± 8.5%" in said and said.endswith(f"{end} chance.")


def test_a_loss_is_held_against_knowing_nothing():
    assert "50% of the way" in findings.plateau("f_D", 0.97, 1.94)
    assert findings.plateau("f_D", 1.94, 1.95).endswith("next to nothing of this task.")


@pytest.mark.parametrize(
    ("auc", "end"), [(0.9, "knows it."), (0.1, "opposite of it."), (0.55, "no more than chance.")]
)
def test_a_score_is_held_against_chance(auc, end):
    said = findings.ranking("persistent above phased", auc, 20, 20)
    assert "0.5 ± 0.18" in said and said.endswith(end)


def test_an_absent_kind_is_said():
    assert "nothing can be said" in findings.ranking("x", None, 0, 20)


@pytest.mark.parametrize(("p", "end"), [(0.4, "no wider apart"), (0.01, "further apart")])
def test_classes_that_differ(p, end):
    said = findings.spread(p, [0.2, -0.1, 0.0, 0.3])
    assert "better on 2 classes, the distinctive on 1" in said and end in said


def test_a_box_is_text_and_html():
    box = findings.shown("a < b", "c")
    assert repr(box) == "What this run shows:\n- a < b\n- c"
    assert "<li>a &lt; b</li><li>c</li>" in box._repr_html_()


def test_a_false_check_ends_with_its_sentence(capsys):
    findings.check({"same target": True})
    with pytest.raises(UserError, match="the check 'unchanged' came out false"):
        findings.check({"same target": True, "unchanged": False})
    assert capsys.readouterr().out == "same target: True\nsame target: True · unchanged: False\n"
