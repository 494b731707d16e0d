"""The records of `results/gpu/` as they stand in the README; `python benchmarks/gpu_tables.py`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tblib.files import read_json
from tblib.lesson.chapters import ROOT

RECORDS = ROOT / "results" / "gpu"


def table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Write a table: words to the left, numbers to the right."""
    lines = [list(map(str, row)) for row in rows]
    marks = [":--", *["--:"] * (len(list(head)) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, marks, *lines))


def speeds() -> str:
    """Write the tables of `gpu_throughput.py`."""
    return _speeds(read_json(RECORDS / "throughput.json"), "way")


def earlier() -> str:
    """Write what was measured only with all layers in torch's form: more sizes and ways."""
    record = read_json(RECORDS / "throughput-h100.json")
    kept = ("ours", "torch.compile", "cuDNN tries its algorithms")
    ways = {
        title: [row for row in rows if row["name"] in kept]
        for title, rows in record.items()
        if title.endswith((" videos", " clips"))
    }
    sizes = {title: rows for title, rows in record.items() if " by " in title}
    return f"{_speeds(ways, 'way')}\n\n{_speeds(sizes, 'clips or videos')}"


def _speeds(record: dict[str, Any], what: str) -> str:
    parts = []
    for title, rows in record.items():
        if isinstance(rows, list):
            head = [what, "ms per step", "per second", "of the matrix rate", "gain", "peak GB"]
            parts.append(f"#### {title}\n\n{table(head, map(_speed, rows, [rows[0]] * len(rows)))}")
    return "\n\n".join(parts)


def _speed(row: dict[str, Any], first: dict[str, Any]) -> list[str]:
    """Describe a way; its gain is over the plain form, or over the first size in clips a second."""
    if "error" in row:
        return [row["name"], row["error"], "", "", "", ""]
    gain = row["samples_per_s"] / first["samples_per_s"]
    share = f"{100 * row['mfu']:.0f} %"
    return [row["name"], f"{row['ms']:.0f}", f"{row['samples_per_s']:.0f}", share, f"{gain:.2f}",
            f"{row['peak_gb']:.1f}"]  # fmt: skip


def errors() -> str:
    """Write the relative errors of one training step, on the GPU and on a processor."""
    records = [read_json(RECORDS / f"{name}.json") for name in ("parity", "parity-cpu")]
    head = ["method", "float32", "float32 on a CPU", "TF32", "bfloat16", "bfloat16 on a CPU"]
    (exact, tf32, half), names = _precisions(records[0]), _methods(records[0])
    rows = []
    for name in names:
        found = [_gradient(records[k], name, p)
                 for p, k in ((exact, 0), (exact, 1), (tf32, 0), (half, 0), (half, 1))]  # fmt: skip
        rows.append([name, *(f"{value:.2g}" for value in found)])
    return table(head, rows)


def _precisions(record: dict) -> list[str]:
    return list(dict.fromkeys(row["precision"] for row in record["steps"]))


def _methods(record: dict) -> list[str]:
    return list(dict.fromkeys(row["method"] for row in record["steps"]))


def _gradient(record: dict, method: str, precision: str) -> float:
    return next(
        row["gradient"]
        for row in record["steps"]
        if (row["method"], row["precision"]) == (method, precision)
    )


def resumed() -> str:
    """Write what kills did to trainings on the GPU."""
    rows = [
        [
            row["method"],
            "yes" if row["deterministic"] else "no",
            ", ".join(map(str, row["killed_after_state"])),
            f"{row['difference_after_kills']:g}",
        ]
        for row in read_json(RECORDS / "resume.json")["trainings"]
    ]
    head = ["method", "deterministic algorithms", "killed after the states of steps"]
    return table([*head, "largest difference at the end"], rows)


def features() -> str:
    """Write what pretraining taught on real videos: probes of frozen features."""
    unit = read_json(RECORDS / "ucf101-9.json")["units"][0]
    rows = [
        [
            name,
            found["steps"],
            f"{found['linear']:.1f}",
            f"{found['knn']:.1f}",
            f"{100 * sum(found['retrieval']) / len(found['retrieval']):.1f}",
        ]
        for name, found in unit["pretraining"].items()
    ]
    return table(["pretraining", "steps", "linear probe", "5-NN", "times found"], rows)


def layers() -> str:
    """Write how long single layers take, forwards and backwards."""
    rows: dict[str, dict[str, str]] = {}
    for row in read_json(RECORDS / "layers.json")["rows"]:
        name, _, way = row["name"].rpartition(", ")
        if name:
            rows.setdefault(name, {})[way] = f"{row['ms']:.2f}"
    ways = ("forward", "backward", "in testing")
    cells = [[name, *(found.get(way, "–") for way in ways)] for name, found in rows.items()]
    return table(["ms per call", *ways], cells)


# What a control was that has another meaning now.
OLD_NAMES = {"student_constant": "student constant ½, the average once more"}


def classifiers() -> str:
    """Write top-1 of what was trained with labels on real videos."""
    units = read_json(RECORDS / "ucf101-9.json")["units"]
    names = list(dict.fromkeys(name for unit in units for name in unit["cells"]))
    rows = [
        [OLD_NAMES.get(name, name.replace("_", " ")), *(_top1(u["cells"].get(name)) for u in units)]
        for name in names
    ]
    head = [f"{100 * unit['fraction']:g} % of the labels" for unit in units]
    return table(["classifier", *head], rows)


def _top1(cell: dict | None) -> str:
    return f"{100 * cell['right'].count('1') / len(cell['right']):.1f}" if cell else "–"


TABLES = (speeds, earlier, layers, errors, resumed, features, classifiers)

if __name__ == "__main__":
    print("\n\n".join(make() for make in TABLES))
