"""What the programs for a GPU compare, and that they can time what was recorded."""

import pytest
import torch
from smoke import ROOT

from tblib.files import read_json
from tblib.models import backbone, fast


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


@pytest.mark.parametrize("own", [(), (0,), (1,), (0, 1)])
def test_each_way_keeps_torchs_form_of_the_layers_it_names(own, monkeypatch):
    import gpu_ways

    seen, squares, view = set(), fast._squares, torch.ops.aten._unsafe_view
    monkeypatch.setattr(fast, "_squares", lambda x: seen.add(0) or squares(x))
    monkeypatch.setattr(torch.ops.aten, "_unsafe_view", lambda *x: seen.add(1) or view(*x))
    with fast.FastKernels(gpu_ways.rules(tuple(gpu_ways.FORMS[at] for at in own))):
        backbone("r3d_18").layers(torch.rand(2, 3, 4, 32, 32))
    assert seen == {0, 1} - set(own)


def test_the_recorded_layers_are_those_the_program_times():
    import gpu_layers

    device, recorded = torch.device("cpu"), read_json(ROOT / "results" / "gpu" / "layers.json")
    timed = dict([*gpu_layers.stems(1, device), *gpu_layers.norms(1, device)])
    assert {row["name"] for row in recorded["rows"]} < set(timed)
    for name, call in timed.items():
        if "512 channels" in name:
            call()
