"""The paper's own tables as a section of the results page."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import tables

from tblib.lesson import paper

DATASETS = {"ucf101": "UCF101", "hmdb51": "HMDB51", "k400": "Kinetics"}
KEPT = {"method": "method", "backbone": "network", "frames": "frames"}
ABLATIONS = {
    "A": "the score and the teachers",
    "B": "kinds of teachers",
    "C": "what the student starts from",
}


def _column(name: str) -> str:
    """`ucf101_5` → `UCF101 5 %`."""
    dataset, _, share = name.rpartition("_")
    return f"{DATASETS[dataset]} {share} %"


def _rows(frame: pd.DataFrame) -> list[list]:
    """Turn a table into plain values; None for what is not reported."""
    return [[None if pd.isna(v) else v for v in row] for row in frame.itertuples(index=False)]


def main_table(folder: Path) -> str:
    """Write the main table, one row per printed row, with what hinders a comparison."""
    frame = paper.results()
    numbers = {name: _column(name) for name in frame if name.startswith(tuple(DATASETS))}
    frame = frame.assign(ssl=frame["ssl"].map({True: "yes", False: "no"}))
    names = {**KEPT, **numbers, "ssl": "pretrained without labels", "notes": "notes"}
    named = frame.assign(
        method=[f"{m} ({v})" if v else m for m, v in zip(frame.method, frame.variant, strict=True)]
    )[list(names)].rename(columns=names)
    return tables.sortable("paper main table", list(named), _rows(named), folder, "wide")


def ablation_tables(folder: Path) -> str:
    """Write the three ablations, each with its note."""
    parts = []
    for letter, group in paper.ablations().groupby("table"):
        columns = {"condition": "condition", "teachers": "teachers"}
        columns |= {name: _column(name) for name in ("ucf101_5", "ucf101_20")}
        named = group[list(columns)].rename(columns=columns)
        text = tables.sortable(f"paper ablation {letter}", list(named), _rows(named), folder)
        note = group["notes"].iloc[0]
        title = f"Ablation {letter}: {ABLATIONS[letter]}"
        parts.append(tables.closed(title, f"{text}\n{note[0].upper()}{note[1:]}.\n"))
    return "\n".join(parts)


def section(folder: Path) -> str:
    """Write the section: the printed tables, and why their rows are not one experiment."""
    reasons = "\n".join(f"- **{topic}.** {why}" for topic, why in paper.NOT_COMPARABLE)
    return "\n".join(
        [
            "## The paper's own tables\n",
            "Top-1 accuracy in percent as printed, on the real data sets and at the paper's scale. "
            "They must not be put beside our numbers, and rows must not be put beside each other "
            "without reading the notes; [](field.md) says which may.\n",
            f"{reasons}\n",
            tables.closed("The main table", main_table(folder)),
            ablation_tables(folder),
        ]
    )
