"""HMDB51: 51 classes of clips from films and the web, three official splits.

Each class has a file `<class>_test_split<n>.txt` with a line `<file>.avi <mark>` for every video:
1 is for training, 2 for testing, and 0 is left out, so that all classes have 70 and 30.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import DataError
from .lists import read_lines
from .table import VideoSet, assemble, folder_files

LINE = re.compile(r"(?P<stem>.+)\.(?:avi|mp4)\s+(?P<mark>[012])")
MARKS = {"0": "rest", "1": "train", "2": "test"}
HOW_TO_GET = (
    "Download hmdb51_org.rar and test_train_splits.rar of HMDB51 (see the page 'Data and "
    "licences'), unpack each class's archive, so that brush_hair/*.avi and the list files "
    "brush_hair_test_split1.txt … exist"
)


def hmdb51(
    root, lists=None, split: int = 1, classes=None, rest: bool = False, allow_missing: float = 0.0
) -> VideoSet:
    """Read HMDB51 for one official split.

    Args:
        root: folder with one folder per class.
        lists: folder with the 51 list files of the split; None looks in `root` itself and in
            `testTrainMulti_7030_splits`, `splits` and `splits/hmdb51` of it and beside it.
        split: 1, 2 or 3.
        classes: keep only these.
        rest: also train on the videos with mark 0, as the published label lists do.  Some of them
            are cut from the same film as test videos; how many is printed.
        allow_missing: largest share of listed videos that may be absent.

    Raises:
        DataError: a folder, list or video is missing, or a line is malformed (with file and line).
    """
    root, lists = _folders(Path(root).expanduser(), lists, split)
    rows = read_split(lists, split)
    if rest:
        rows = _with_rest(rows)
    rows = [row for row in rows if row["split"] != "rest"]
    known = sorted({row["class_name"] for row in rows})
    return assemble(
        f"hmdb51-split{split}", root, lists, known, classes, rows,
        lambda names: folder_files(root, names), allow_missing,
    )  # fmt: skip


def read_split(lists: Path, split: int) -> list[dict]:
    """Read the list files of one split.

    Returns:
        One dict per video: `video`, `class_name`, `group` (the film it was cut from), `split`
        ("train", "test" or "rest") and `at` (file and line).

    Raises:
        DataError: there is no list, or a line is malformed or repeated.
    """
    rows: dict[str, dict] = {}
    for path in sorted(lists.glob(f"*_test_split{split}.txt")):
        name = path.name.removesuffix(f"_test_split{split}.txt")
        for at, line in read_lines(path):
            row = _parse(line, f"{path} line {at}", name)
            earlier = rows.setdefault(row["video"], row)
            if earlier is not row:
                raise DataError(
                    f"{row['at']}: {row['video']} is listed again; see {earlier['at']}."
                )
    if not rows:
        raise DataError(f"no *_test_split{split}.txt in {lists}; {HOW_TO_GET}, or set data.lists.")
    return list(rows.values())


def _parse(line: str, where: str, name: str) -> dict:
    match = LINE.fullmatch(line)
    if not match:
        raise DataError(f"{where}: {line!r} is not of the form `clip.avi 1` with 0, 1 or 2.")
    stem = match["stem"]
    # AmericanGangster_eat_u_nm_np1_fr_bad_0: film, class, visible parts, camera, people, …
    film = re.fullmatch(rf"(.+?)_{re.escape(name)}_[a-z]+_(?:cm|nm)_np.*", stem)
    return {
        "video": f"{name}/{stem}",
        "class_name": name,
        "group": f"{name}/{film[1] if film else stem}",
        "split": MARKS[match["mark"]],
        "at": where,
    }


def _with_rest(rows: list[dict]) -> list[dict]:
    """Train on the videos that the split leaves out; count those that share a film with a test."""
    tested = {row["group"] for row in rows if row["split"] == "test"}
    spare = [row for row in rows if row["split"] == "rest"]
    shared = sum(row["group"] in tested for row in spare)
    print(
        f"data.rest adds {len(spare)} training videos; {shared} of them are cut from the same film "
        "as a test video.",
        flush=True,
    )
    # Published protocols train on them all the same: a group of its own keeps them apart.
    renamed = [row | {"split": "train", "group": f"{row['group']} (rest)"} for row in spare]
    return [row for row in rows if row["split"] != "rest"] + renamed


def _folders(root: Path, lists, split: int) -> tuple[Path, Path]:
    if not root.is_dir():
        raise DataError(f"the HMDB51 folder {root} does not exist. {HOW_TO_GET}.")
    tails = ("testTrainMulti_7030_splits", "splits", "splits/hmdb51")
    bases = (root, root.absolute().parent)
    places = [root, *(base / tail for base in bases for tail in tails)]
    if lists is not None:
        places = [Path(lists).expanduser()]
    found = [place for place in places if any(place.glob(f"*_test_split{split}.txt"))]
    if not found:
        looked = ", ".join(map(str, places))
        raise DataError(f"no *_test_split{split}.txt in {looked}. {HOW_TO_GET}, or set data.lists.")
    return root.resolve(), found[0]
