"""The text lists that come with UCF101.

`classInd.txt` (`1 Archery`), `trainlist0N.txt` (`Archery/v_Archery_g08_c01.avi 1`) and
`testlist0N.txt` (the same without the number).
"""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import DataError

LINE = re.compile(r"(?P<folder>[^/\s]+)/(?P<stem>[^/\s]+)\.(?:avi|mp4)(?:\s+(?P<label>\d{1,9}))?")
NUMBER = re.compile(r"\d{1,9}")
STEM = re.compile(r"v_.+_(?P<group>g\d+)_c\d+")


def read_lines(path: Path) -> list[tuple[int, str]]:
    """Return line numbers (from 1) and stripped lines that are not blank; CRLF and BOM are fine.

    Raises:
        DataError: the file is missing or is not text.
    """
    lines = enumerate(map(str.strip, read_text(path).splitlines()), 1)
    return [(number, line) for number, line in lines if line]


def read_text(path: Path) -> str:
    """Return a text as it is, without a byte order mark.

    Raises:
        DataError: the file is missing or is not text.
    """
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"the list {path} does not exist; check data.lists and split.") from None
    except (UnicodeDecodeError, OSError) as error:
        raise DataError(f"the list {path} cannot be read as text ({error}).") from None


def read_classes(path: Path) -> dict[str, int]:
    """Return the number of each class in `classInd.txt`, in the order of the file.

    Raises:
        DataError: a line is not `number class`, or repeats a name or number.
    """
    numbers: dict[str, int] = {}
    for at, line in read_lines(path):
        number, _, name = line.partition(" ")
        name = name.strip()
        if not NUMBER.fullmatch(number) or not name or name in (".", "..") or "/" in name:
            raise DataError(f"{path} line {at}: {line!r} is not `number class`.")
        if name in numbers or int(number) in numbers.values():
            raise DataError(f"{path} line {at}: {line!r} repeats a class name or number.")
        numbers[name] = int(number)
    return numbers


def read_list(path: Path, part: str, known: dict[str, int]) -> list[dict]:
    """Read a train or test list.

    Args:
        path: the list.
        part: "train" or "test".
        known: number of each class, from `read_classes`.

    Returns:
        One dict per video: `video`, `class_name`, `group`, `split` and `at` (file and line).

    Raises:
        DataError: a line is malformed or repeated, or its class or number is not in `known`.
    """
    rows: dict[str, dict] = {}
    for at, line in read_lines(path):
        where = f"{path} line {at}"
        row = _parse(line, where, part, known) | {"split": part, "at": where}
        earlier = rows.setdefault(row["video"], row)
        if earlier is not row:
            raise DataError(f"{where}: {row['video']} is listed again; see {earlier['at']}.")
    return list(rows.values())


def _parse(line: str, where: str, part: str, known: dict[str, int]) -> dict:
    match = LINE.fullmatch(line)
    stem = match and STEM.fullmatch(match["stem"])
    if not stem:
        raise DataError(f"{where}: {line!r} is not of the form `Punch/v_Punch_g01_c01.avi`.")
    if part == "train" and match["label"] is None:
        raise DataError(f"{where}: {line!r} has no class number at its end.")
    name = match["folder"]
    if name not in known:
        raise DataError(f"{where}: class {name!r} is not in classInd.txt.")
    if match["label"] is not None and int(match["label"]) != known[name]:
        raise DataError(f"{where}: {name} has number {match['label']}, not {known[name]}.")
    group = f"{name}/{stem['group']}"
    return {"video": f"{name}/{match['stem']}", "class_name": name, "group": group}
