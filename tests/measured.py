"""The scorecard, `results/reliability.json`: what the tests measured, and when and where."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import torch

from tblib import files
from tblib.run import cards

RECORD = Path(__file__).resolve().parents[1] / "results" / "reliability.json"


def record(values: dict, began: float, **more) -> None:
    """Write values into the scorecard with a card that says when and where they were measured."""
    card = {
        "commit": cards.commit(),
        "device": cards._device_name(torch.device("cpu")),
        "host_cpus": os.cpu_count(),
        "date": datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - began, 1),
    } | more
    old = files.read_json(RECORD) if RECORD.is_file() else {"values": {}, "cards": {}}
    files.write_json(
        RECORD,
        {
            "values": old["values"] | values,
            "cards": old["cards"] | dict.fromkeys(values, card),
        },
    )
