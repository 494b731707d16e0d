"""What the programs for a GPU compare, and that they can time what was recorded."""

import pytest
import torch
from smoke import ROOT

from tblib.io import read_json
from tblib.models import backbone, fast


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


FORMS = {"folded": 0, "as_images": 1, "flattened": 2}


@pytest.mark.parametrize("own", [(), (0,), (1,), (2,), (0, 1, 2)])
def test_each_way_keeps_torchs_form_of_the_layers_it_names(own, monkeypatch):
    import gpu_ways

    seen, real = set(), {name: getattr(torch.nn.functional, name) for name in ("conv2d", "conv3d")}

    def norm(x, *rest, real=torch.nn.functional.batch_norm, **more):
        seen.add("flattened") if x.dim() == 4 else None
        return real(x, *rest, **more)

    def conv2d(x, weight, *rest):
        seen.add("as_images")
        return real["conv2d"](x, weight, *rest)

    squares = fast._squares
    monkeypatch.setattr(fast, "_squares", lambda x: seen.add("folded") or squares(x))
    monkeypatch.setattr(fast.functional, "conv2d", conv2d)
    rules = gpu_ways.rules(tuple(gpu_ways.FORMS[at] for at in own))
    monkeypatch.setattr(fast.functional, "batch_norm", norm)
    rules = {f if f is torch.conv3d else norm: rule for f, rule in rules.items()}
    layers = backbone("r3d_18").layers
    with fast.FastKernels(rules):
        layers(torch.rand(2, 3, 4, 32, 32))
    assert seen == {name for name, at in FORMS.items() if at not in own}


def test_the_recorded_layers_are_those_the_program_times():
    import gpu_layers

    device, recorded = torch.device("cpu"), read_json(ROOT / "results" / "gpu" / "layers.json")
    timed = dict([*gpu_layers.stems(1, device), *gpu_layers.norms(1, device)])
    assert {row["name"] for row in recorded["rows"]} < set(timed)
    for name, call in timed.items():
        if "512 channels" in name:
            call()
