"""Label subsets: nested, balanced, whole groups, the same for every class filter."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from realvideo import UCF_CLASSES

from tblib.data import datasets, splits
from tblib.errors import DataError


def table_of(sizes: dict[str, list[int]]) -> pd.DataFrame:
    """Make a table: for each class, the number of videos of each group; group g01 is the test."""
    rows = [
        {
            "video": f"{name}/v_{name}_g{group:02d}_c{clip:02d}",
            "class_name": name,
            "group": f"{name}/g{group:02d}",
            "split": "test" if group == 1 else "train",
        }
        for name, groups in sizes.items()
        for group, count in enumerate(groups, 1)
        for clip in range(1, count + 1)
    ]
    return pd.DataFrame(rows)


group_sizes = st.lists(st.integers(1, 7), min_size=5, max_size=10)
tables = st.lists(group_sizes, min_size=1, max_size=4).map(
    lambda sizes: table_of({f"Class{at}": groups for at, groups in enumerate(sizes)})
)
fractions = st.floats(0.05, 0.5)
seeds = st.integers(0, 50)


def subset(table, fraction, seed):
    """Return the subset, or None where the table is too small for it (another test's matter)."""
    try:
        return splits.label_subset(table, fraction, seed)
    except DataError:
        return None


@given(tables, fractions, fractions, seeds)
@settings(max_examples=60, deadline=None)
def test_subsets_are_nested_balanced_and_of_training_videos(table, one, two, seed):
    small, large = subset(table, min(one, two), seed), subset(table, max(one, two), seed)
    if small is None or large is None:
        return
    assert set(small) <= set(large)
    train = table[table["split"] == "train"]
    counts = table.iloc[large]["class_name"].value_counts()
    n = max(1, round(max(one, two) * len(train) / train["class_name"].nunique()))
    assert counts.eq(n).all() and len(counts) == table["class_name"].nunique()
    assert table.iloc[large]["split"].eq("train").all()
    assert (np.diff(large) > 0).all()


@given(tables, fractions, seeds)
@settings(max_examples=60, deadline=None)
def test_at_most_one_group_per_class_is_cut(table, fraction, seed):
    chosen = subset(table, fraction, seed)
    if chosen is None:
        return
    train = table[table["split"] == "train"]
    taken = table.iloc[chosen].groupby("group").size()
    cut = [group for group, count in taken.items() if count < (train["group"] == group).sum()]
    assert pd.Series(cut).str.partition("/")[0].is_unique if cut else True


@given(tables, fractions, seeds, st.integers(0, 2))
@settings(max_examples=60, deadline=None)
def test_roles_keep_groups_apart_and_validation_fixed(table, fraction, seed, val_groups):
    try:
        role = splits.roles(table, fraction, seed, val_groups)
    except DataError:
        return
    assert role.index.equals(table.index) and set(role) <= set(splits.ROLES)
    assert ((role == "test") == (table["split"] == "test")).all()
    for left, right in [("labelled", "unlabelled"), ("val", "labelled"), ("val", "unlabelled"),
                        ("spare", "unlabelled"), ("val", "spare")]:  # fmt: skip
        assert not set(table["group"][role == left]) & set(table["group"][role == right])
    assert set(table["group"][role == "spare"]) <= set(table["group"][role == "labelled"])
    last = table[table["split"] == "train"].groupby("class_name")["group"].unique()
    expected = {group for groups in last for group in sorted(groups)[::-1][:val_groups]}
    assert set(table["group"][role == "val"]) == expected


@given(seeds, fractions)
@settings(max_examples=40, deadline=None)
def test_class_filter_and_row_order_do_not_change_the_choice(seed, fraction):
    table = table_of({name: [2, 3, 4, 3, 4, 2] for name in ("A", "B", "C")})
    whole = set(table["video"].iloc[splits.label_subset(table, fraction, seed)])
    one = table[table["class_name"] == "B"].reset_index(drop=True)
    shuffled = table.sample(frac=1, random_state=seed)
    assert set(one["video"].iloc[splits.label_subset(one, fraction, seed)]) == {
        video for video in whole if video.startswith("B/")
    }
    again = shuffled["video"].iloc[splits.label_subset(shuffled, fraction, seed)]
    assert set(again) == whole


def test_seeds_differ_and_repeat():
    table = table_of({"A": [2] + [3] * 12, "B": [2] + [3] * 12})
    chosen = [tuple(splits.label_subset(table, 0.2, seed)) for seed in range(8)]
    assert len(set(chosen)) >= 6
    assert chosen[3] == tuple(splits.label_subset(table, 0.2, 3))


def test_choice_is_the_same_on_every_machine_and_version():
    """Recorded runs name a seed; a change here would silently change their labels."""
    table = table_of({"A": [1, 3, 3, 3], "B": [1, 3, 3, 3]})
    names = table["video"].iloc[splits.label_subset(table, 0.45, 0)]
    short = [name.partition("v_")[2] for name in names]
    assert short[:4] == ["A_g03_c01", "A_g03_c02", "A_g03_c03", "A_g04_c01"]
    assert short[4:] == ["B_g02_c02", "B_g04_c01", "B_g04_c02", "B_g04_c03"]


def test_fraction_1_means_everything_even_when_unbalanced():
    table = table_of({"A": [1, 2, 2], "B": [1, 9, 9]})
    assert len(splits.label_subset(table, 1.0, 0)) == 22
    assert splits.roles(table, 1.0, 0).value_counts().to_dict() == {"labelled": 22, "test": 2}


@pytest.mark.parametrize("fraction", [0, -0.1, 1.01, float("nan"), 10])
def test_fraction_out_of_range(fraction):
    with pytest.raises(DataError, match="above 0 and at most 1"):
        splits.label_subset(table_of({"A": [1, 2, 2]}), fraction, 0)


def test_fraction_too_small_says_the_smallest():
    table = table_of({"A": [1, 5, 5]})
    with pytest.raises(DataError, match="the smallest is 0.0500"):
        splits.label_subset(table, 0.049, 0)
    assert len(splits.label_subset(table, 0.05, 0)) == 1


def test_class_too_small_says_which_and_the_largest_fraction():
    table = table_of({"A": [1, 2, 2], "B": [1, 8, 8]})
    with pytest.raises(DataError, match="class A has 4 .* 8 of each .* fraction is 0.400"):
        splits.label_subset(table, 0.8, 0)
    assert len(splits.label_subset(table, 0.4, 0)) == 8


def test_validation_may_not_take_everything():
    table = table_of({"A": [1, 2, 2]})
    with pytest.raises(DataError, match="class A has 2 training groups, so at most 1"):
        splits.roles(table, 0.5, 0, val_groups=2)
    with pytest.raises(DataError, match="0 or larger"):
        splits.roles(table, 0.5, 0, val_groups=-1)


def test_published_list_formats_and_class_filter(tmp_path):
    table = table_of({"A": [1, 2, 2], "B": [1, 2, 2]})
    path = tmp_path / "list.txt"
    path.write_text("A/v_A_g02_c01 120 0\nZ/v_Z_g02_c01 99 7\nB/v_B_g03_c02.avi 1\n")
    role = splits.roles(table, 0.5, 0, label_list=path)
    assert table["video"][role == "labelled"].tolist() == ["A/v_A_g02_c01", "B/v_B_g03_c02"]
    assert role.value_counts().to_dict() == {"unlabelled": 6, "labelled": 2, "test": 2}


@pytest.mark.parametrize(
    "line, says",
    [
        ("A/v_A_g09_c01 120 0", "is not in the dataset"),
        ("A/v_A_g01_c01 120 0", "set aside for testing"),
        ("A/v_A_g03_c01 120 0", "set aside for testing or validation"),
    ],
)
def test_published_list_with_a_wrong_entry_names_the_line(tmp_path, line, says):
    path = tmp_path / "list.txt"
    path.write_text(f"A/v_A_g02_c01 120 0\n{line}\n")
    with pytest.raises(DataError, match=f"line 2: .*{says}"):
        splits.roles(table_of({"A": [1, 2, 2]}), 0.5, 0, val_groups=1, label_list=path)


def test_published_list_without_our_classes_is_refused(tmp_path):
    (tmp_path / "list.txt").write_text("Z/v_Z_g02_c01 99 7\n")
    with pytest.raises(DataError, match="no video of the classes A"):
        splits.roles(table_of({"A": [1, 2]}), 0.5, 0, label_list=tmp_path / "list.txt")


@pytest.mark.parametrize("percent, labelled", [(5, 35), (10, 86), (20, 182), (50, 406)])
def test_published_ucf101_lists(shared_data, ucf_root, percent, labelled):
    table = datasets.ucf101(ucf_root, classes=UCF_CLASSES).table
    name = f"ucf101_train_{percent}_percent_labeled_split_1_rawframes.txt"
    path = shared_data / "splits/videossl/ucf101/videossl_splits" / name
    role = splits.roles(table, 0.1, 0, label_list=path)
    assert role.value_counts().to_dict() == {
        "labelled": labelled,
        "unlabelled": 819 - labelled,
        "test": 306,
    }


def test_own_subset_of_real_classes_is_balanced(ucf_root):
    table = datasets.ucf101(ucf_root, classes=UCF_CLASSES).table
    role = splits.roles(table, 0.05, 0)
    assert table["class_name"][role == "labelled"].value_counts().eq(5).all()


# Groups that hold several classes: people who do every action


def by_actor(counts: dict[tuple[str, str], int]) -> pd.DataFrame:
    """Make a table from the number of training videos of each (class, actor); one test video."""
    rows = [
        {"video": f"{name}/{actor}_{n}", "class_name": name, "group": actor, "split": "train"}
        for (name, actor), count in counts.items()
        for n in range(count)
    ]
    names = sorted({name for name, _ in counts})
    rows += [
        {"video": f"{name}/test", "class_name": name, "group": "tester", "split": "test"}
        for name in names
    ]
    return pd.DataFrame(rows)


ACTORS = [f"actor{n}" for n in range(9)]


@pytest.mark.parametrize("fraction, people", [(0.12, 1), (0.23, 2), (0.34, 3), (0.8, 7)])
def test_ten_actions_by_nine_actors_label_some_actors_and_leave_the_others(fraction, people):
    """Each class drew its own actors, all were touched, and no video was left unlabelled."""
    table = by_actor({(f"action{c}", actor): 1 for c in range(10) for actor in ACTORS})
    for seed in range(5):
        role = splits.roles(table, fraction, seed)
        labelled = table[role == "labelled"]
        assert labelled["group"].nunique() == people
        assert labelled["class_name"].value_counts().eq(people).all()
        assert (role == "unlabelled").sum() == 10 * (9 - people)
        splits.need_unlabelled(role)


cells = st.dictionaries(
    st.tuples(st.sampled_from(["A", "B", "C", "D"]), st.sampled_from(ACTORS)),
    st.integers(1, 4), min_size=6,
)  # fmt: skip


@given(cells, fractions, fractions, seeds)
@settings(max_examples=150, deadline=None)
def test_shared_groups_are_drawn_once_for_all_classes(counts, one, two, seed):
    table = by_actor(counts)
    try:
        role = splits.roles(table, max(one, two), seed)
        less = splits.roles(table, min(one, two), seed)
    except DataError:
        return
    train = table[table["split"] == "train"]
    labelled, wide = table[role == "labelled"], set(table["video"][role == "labelled"])
    assert labelled["class_name"].value_counts().nunique() == 1, "as many of each class"
    assert set(labelled["class_name"]) == set(train["class_name"])
    assert set(table["video"][less == "labelled"]) <= wide, "nested"
    assert not set(labelled["group"]) & set(table["group"][role == "unlabelled"])
    assert (train["group"].isin(labelled["group"]) == (role[train.index] != "unlabelled")).all()
    if train.groupby("group")["class_name"].nunique().max() > 1:  # one order for every class
        order = sorted(train["group"].unique(), key=lambda g: splits._draw(seed, "", g))
        for name, part in labelled.groupby("class_name"):
            own = [g for g in order if g in set(train["group"][train["class_name"] == name])]
            used = [g for g in own if g in set(part["group"])]
            assert used == own[: len(used)]


@given(tables, fractions, seeds)
@settings(max_examples=60, deadline=None)
def test_groups_within_a_class_are_drawn_as_ever(table, fraction, seed):
    """Recorded runs depend on it: by class, from (seed, class, group) and (seed, class, video)."""
    chosen = subset(table, fraction, seed)
    if chosen is None:
        return
    train = table[table["split"] == "train"]
    n = len(chosen) // train["class_name"].nunique()
    expected = set()
    for name, part in train.groupby("class_name"):
        keys = [(splits._draw(seed, name, row.group), splits._draw(seed, name, row.video), at)
                for at, row in zip(part.index, part.itertuples(), strict=True)]  # fmt: skip
        expected |= {at for *_, at in sorted(keys)[:n]}
    assert set(chosen) == expected


def test_no_unlabelled_video_is_a_sentence_with_the_ways_out():
    table = by_actor({("A", "x"): 2, ("B", "x"): 2, ("A", "y"): 1, ("B", "z"): 1})
    role = splits.roles(table, 0.9, 0)
    with pytest.raises(DataError, match="no training video is unlabelled: .*unlabelled/"):
        splits.need_unlabelled(role)


def test_a_list_that_forgets_a_class_is_refused(tmp_path):
    table = table_of({"A": [1, 2, 2], "B": [1, 2, 2], "two words": [1, 2, 2]})
    path = tmp_path / "list.txt"
    path.write_text("A/v_A_g02_c01 120 0\n")
    with pytest.raises(DataError, match="list.txt leaves no labelled .* class B, two words; every"):
        splits.roles(table, 0.5, 0, label_list=path)


def test_classes_with_blanks_are_found_in_a_label_list(tmp_path):
    table = table_of({"two words": [1, 2, 2], "B": [1, 2, 2]})
    for text in ("two words/v_two words_g02_c01.mp4,x\nB/v_B_g02_c01.mp4,B\n",
                 "two_words/v_two_words_g02_c01 3 4\nB/v_B_g02_c01 3 4\n"):  # fmt: skip
        path = tmp_path / "list.csv"
        path.write_text("path,label\n" * text.endswith("B\n") + text)
        role = splits.roles(table, 0.5, 0, label_list=path)
        assert table["video"][role == "labelled"].tolist() == [
            "two words/v_two words_g02_c01", "B/v_B_g02_c01"]  # fmt: skip
