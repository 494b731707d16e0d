"""Tables as CSV that come back exactly, whatever characters names have.

Read and written as usual, a carriage return ends a row, `NA` is nothing and `007` a number.
"""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from ..errors import DataError
from ..files import atomic_write


def save(path: Path, table: pd.DataFrame, text: Collection[str] = ("video",)) -> None:
    """Write a table, atomically, and compare it with what is read back before it gets its name.

    Args:
        text: columns that hold text; all others hold numbers.

    Raises:
        DataError: it does not come back; what was at `path` is still there.
    """

    def write(temporary: Path) -> None:
        table.to_csv(temporary, index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        back, wanted = load(temporary, text), table.reset_index(drop=True)
        same = len(back) == len(wanted) and [*back] == [*wanted]
        if not (same and back.astype(wanted.dtypes).equals(wanted)):
            raise DataError(f"the table {path} cannot hold these names; rename the files.")

    atomic_write(path, write)


def load(path: Path, text: Collection[str] = ("video",)) -> pd.DataFrame:
    """Read a table that `save` wrote.

    Raises:
        OSError, ValueError: the file is not there or is no such table.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    return table.assign(**{name: _numbers(table[name]) for name in table if name not in text})


def _numbers(column: pd.Series) -> pd.Series:
    """Turn text into whole numbers or else into floats, exactly; nothing is not a number."""
    if column.str.fullmatch(r"[+-]?\d+").all():
        return column.astype("int64")
    return column.replace("", "nan").map(float)
