"""Which training videos keep their label.

Subsets are nested (the 5 % are among the 10 %), hold the same number of videos of each class, and
take whole groups one after the other: clips of a group show one scene, so labels for one clip and
none for its twin would make the unlabelled part easier than it is.  Where groups hold several
classes, as people who do every action, they are taken in one order for all classes: whoever is
labelled is labelled for everything, and the others stay unlabelled.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DataError
from .published import listed

ROLES = ("labelled", "unlabelled", "spare", "val", "test")


def label_subset(table: pd.DataFrame, fraction: float, seed: int) -> np.ndarray:
    """Choose the training videos that keep their label.

    Per class, groups are put in a random order, and videos within a group too; the first n of
    this list are chosen, with n = fraction times the mean number of training videos per class,
    rounded.  The order depends on `seed` and the class's name alone; where any group holds several
    classes, the order of groups is the same for all classes and depends on `seed` alone.

    Args:
        table: table of a `VideoSet`; only rows with split "train" are considered.
        fraction: share of labels, above 0 and up to 1; exactly 1 means all.
        seed: 0 or larger.

    Returns:
        int64 `[n * K]`, sorted positions of rows in `table`.

    Raises:
        DataError: the fraction is out of range or less than half a video per class, or a class
            has fewer than n videos.
    """
    _check_fraction(fraction)
    train = _positions(table, table["split"] == "train")
    if fraction == 1:
        return np.sort(np.concatenate(list(train.values())))
    mean = np.mean([len(rows) for rows in train.values()])
    if fraction * mean < 0.5:
        raise DataError(
            f"a label fraction of {fraction} is less than half a video per class; with "
            f"{mean:.1f} training videos per class the smallest is {0.5 / mean:.4f}."
        )
    n = max(1, round(fraction * mean))
    _check_enough(train, n, mean)
    one_order = _groups_span_classes(table.iloc[np.concatenate(list(train.values()))])
    chosen = [
        _ordered(table, "" if one_order else name, rows, seed)[:n] for name, rows in train.items()
    ]
    return np.sort(np.concatenate(chosen))


def roles(
    table: pd.DataFrame,
    fraction: float,
    seed: int,
    val_groups: int = 0,
    label_list: Path | None = None,
    missing: tuple[str, ...] = (),
) -> pd.Series:
    """Say what each video is used for.

    `val` are the last `val_groups` training groups of each class by name, the same for every
    seed, set aside first.  `spare` are the unlabelled twins of labelled videos, in the one group
    per class that the cut goes through: pretraining sees them, but they are neither labelled nor
    unlabelled, so no group is on both sides.

    With `label_list` the labelled videos are those of a published list.  Published lists choose
    single clips, so groups are then on both sides and all other training videos are unlabelled.

    Args:
        table: table of a `VideoSet`.
        fraction: share of labels among training videos that are not `val`.
        seed: of the choice; has no effect with `label_list`.
        val_groups: groups per class to set aside, 0 or more.
        label_list: text file in one of the forms of `tblib.data.published`.
        missing: listed videos of the dataset that are not there, see `VideoSet`.

    Returns:
        One of `ROLES` per row, indexed like `table`.

    Raises:
        DataError: like `label_subset`; or val_groups is out of range, or a list names an unknown
            video.
    """
    result = _set_aside(table, val_groups)
    train = table[(result == "unlabelled") & (table["class_name"] != "")]
    if label_list is not None:
        result[listed(table, train, Path(label_list), missing)] = "labelled"
        _refuse_without_label(table, result, f"the label list {label_list}")
        return result
    labelled = train.index[label_subset(train, fraction, seed)]
    touched = set(table.loc[labelled, "group"])
    result[(result == "unlabelled") & table["group"].isin(touched)] = "spare"
    result[labelled] = "labelled"
    _refuse_without_label(table, result, f"val_groups={val_groups}")
    return result


def _set_aside(table: pd.DataFrame, val_groups: int) -> pd.Series:
    """Return the roles before labels are handed out: `test`, `val`, and else `unlabelled`."""
    result = pd.Series("unlabelled", index=table.index, name="role")
    for part in ("test", "val"):
        result[table["split"] == part] = part
    result[_validation(table, val_groups)] = "val"
    return result


def need_unlabelled(role: pd.Series) -> None:
    """Refuse roles with which there is nothing to learn without labels.

    Raises:
        DataError: no video is unlabelled; the message names the ways out.
    """
    if not (role == "unlabelled").any():
        spare = int((role == "spare").sum())
        why = f"; {spare} are spare, being of groups with a labelled video" if spare else ""
        raise DataError(
            f"no training video is unlabelled: {int((role == 'labelled').sum())} are labelled"
            f"{why}; lower data.label_fraction or data.val_groups, use smaller groups, or add "
            "videos without a class in a folder unlabelled/."
        )


def _refuse_without_label(table: pd.DataFrame, role: pd.Series, cause: str) -> None:
    """A class that nobody shows the network cannot be learnt."""
    named = set(table["class_name"]) - {""}
    if absent := sorted(named - set(table["class_name"][role == "labelled"])):
        raise DataError(
            f"{cause} leaves no labelled training video of the class {', '.join(absent[:3])}"
            f"{' and more' if len(absent) > 3 else ''}; every class needs one, or set data.classes "
            "to the others."
        )


def _check_fraction(fraction: float) -> None:
    if not 0 < fraction <= 1:
        raise DataError(f"a label fraction must be above 0 and at most 1, not {fraction}.")


def _check_enough(train: dict[str, np.ndarray], n: int, mean: float) -> None:
    name = min(train, key=lambda key: len(train[key]))
    fewest = len(train[name])
    if fewest < n:
        raise DataError(
            f"class {name} has {fewest} training videos, but {n} of each class are to be "
            f"labelled; the largest balanced fraction is {fewest / mean:.3f} (1 labels all)."
        )


def _positions(table: pd.DataFrame, wanted: pd.Series) -> dict[str, np.ndarray]:
    """Return row positions of wanted rows by class name."""
    names = table["class_name"].where(wanted).to_numpy()
    found = {name: np.flatnonzero(names == name) for name in table["class_name"].unique()}
    found = {name: rows for name, rows in found.items() if len(rows)}
    if not found:
        raise DataError("no training videos to choose labels from; check split and val_groups.")
    return found


def _groups_span_classes(train: pd.DataFrame) -> bool:
    return bool((train.groupby("group")["class_name"].nunique() > 1).any())


def _ordered(table: pd.DataFrame, name: str, rows: np.ndarray, seed: int) -> np.ndarray:
    """Return a class's rows, groups in random order and videos of a group in random order.

    Each group and video draws from (seed, name, its name), so that a class filter, the order of the
    table or groups set aside do not change the order of the others.

    Args:
        name: of the class, or "" for an order that all classes share.
    """
    part = table.iloc[rows]
    keys = pd.DataFrame(
        {
            "group": [_draw(seed, name, group) for group in part["group"]],
            "video": [_draw(seed, name, video) for video in part["video"]],
        }
    )
    return rows[keys.sort_values(["group", "video"]).index.to_numpy()]


def _draw(seed: int, *names: str) -> str:
    return hashlib.sha256("\n".join([str(seed), *names]).encode()).hexdigest()


def _validation(table: pd.DataFrame, val_groups: int) -> pd.Series:
    if val_groups < 0:
        raise DataError(f"val_groups must be 0 or larger, not {val_groups}.")
    chosen: set[str] = set()
    known = table[(table["split"] == "train") & (table["class_name"] != "")]
    for name, part in known.groupby("class_name"):
        groups = sorted(part["group"].unique())
        if val_groups >= len(groups):
            raise DataError(
                f"val_groups={val_groups} leaves nothing to train on: class {name} has "
                f"{len(groups)} training groups, so at most {len(groups) - 1} are allowed."
            )
        chosen.update(groups[len(groups) - val_groups :])
    return (table["split"] == "train") & table["group"].isin(chosen)
