"""The paper's tables: spot checks against the printed numbers, and what must stay disclosed."""

import numpy as np
import pytest

from tblib.lesson import paper

COLUMNS = [
    "ucf101_1", "ucf101_5", "ucf101_10", "ucf101_20", "ucf101_50",
    "hmdb51_40", "hmdb51_50", "hmdb51_60", "k400_1", "k400_10",
]  # fmt: skip


@pytest.mark.parametrize(
    "backbone, printed",
    [
        ("3D-ResNet18", [29.1, 47.9, 69.8, 79.1, 83.3, 49.8, 51.4, 53.1, 17.1, 54.9]),
        ("3D-ResNet50", [30.1, 53.5, 81.1, 83.3, 85.0, 52.6, 53.9, 54.5, 19.6, 61.2]),
    ],
)
def test_timebalance_rows(backbone, printed):
    table = paper.results()
    row = table[(table["method"] == "TimeBalance") & (table["backbone"] == backbone)]
    assert row[COLUMNS].to_numpy().tolist() == [printed]


@pytest.mark.parametrize(
    "method, column, printed",
    [
        ("PL", "ucf101_5", 17.6),
        ("VideoSemi", "hmdb51_60", 37.0),
        ("TG-FixMatch", "k400_10", 43.8),
        ("TCL", "k400_1", 11.6),
        ("TCLR", "ucf101_20", 73.4),
        ("FixMatch", "k400_10", 49.4),
        ("MotionFit", "ucf101_50", 59.0),
    ],
)
def test_single_numbers(method, column, printed):
    table = paper.results().set_index("method")
    assert table.loc[method, column] == printed


def test_all_rows_are_there_and_are_percentages():
    table = paper.results()
    assert len(table) == 24 and table["method"].nunique() == 19
    values = table[COLUMNS].to_numpy()
    assert np.nanmin(values) > 0 and np.nanmax(values) < 100
    assert np.isfinite(values).sum() == 140


def test_more_labels_never_hurt_in_the_printed_table():
    # Catches shifted columns: a value one column off breaks the order in most rows.
    table = paper.results()
    for prefix in ("ucf101", "hmdb51", "k400"):
        for row in table[[c for c in COLUMNS if c.startswith(prefix)]].to_numpy():
            given = row[np.isfinite(row)]
            assert (np.diff(given) > 0).all(), row


def test_what_is_not_comparable_is_said():
    table = paper.results().set_index("method")
    assert table["notes"].str.len().min() > 0
    assert set(table.index[table["outside"].str.contains("ImageNet")]) == {
        "SD", "MT+SD", "VideoSemi", "TACL", "ActorCM",
    }  # fmt: skip
    assert "doubtful" in table.loc["3DRotNet", "notes"]
    assert table.loc["TimeBalance", "ssl"].all() and not table.loc["PL", "ssl"]
    assert {topic for topic, _ in paper.NOT_COMPARABLE} >= {"label lists", "pretraining"}


def test_ablations():
    table = paper.ablations()
    a = table[table["table"] == "A"]
    assert a["ucf101_5"].tolist() == [25.60, 43.94, 44.30, 49.57, 53.10]
    assert a["ucf101_20"].tolist() == [46.20, 74.85, 75.22, 80.06, 83.00]
    assert table.loc[table["teachers"] == "Inv1 + Dist1", "ucf101_5"].item() == 52.14
    c = table[table["table"] == "C"]
    assert c["ucf101_5"].tolist() == [47.94, 47.60, 47.02, 46.91, 46.72]
    assert c["ucf101_20"].isna().all()
    assert table["notes"].str.len().min() > 0


def test_callers_may_change_their_copy():
    table = paper.results()
    table.loc[0, "method"] = "changed"
    assert paper.results().loc[0, "method"] == "PL"
