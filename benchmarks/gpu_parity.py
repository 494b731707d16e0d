"""Does a GPU compute what a processor computes in float64? Losses, gradients, one training step.

Errors are ‖GPU − reference‖ / ‖reference‖.  Then: does a training repeat itself bit for bit, and
which operations does torch refuse once it must be repeatable?
"""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Callable

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # asked for by deterministic cuBLAS

import numpy as np
import torch
from gpu_common import METHODS, batches, build, moved, options, profile, scenes, write
from torch import Tensor, nn
from torch.nn.functional import normalize

from tblib.data.loader import to_input
from tblib.methods import losses
from tblib.models import Backbone, Classifier, starting_backbone

VIDEOS, BATCH, PX, STEPS = 20, 2, 16, 3
REAL_FORWARD = Backbone.forward
PRECISIONS = {  # name: precision of the profile, whether float32 products may use TF32
    "float32": ("fp32", False),
    "float32 with TF32 convolutions, torch's own choice": ("fp32", True),
    "bfloat16": ("bf16", True),
}


def error(found: Tensor, reference: Tensor) -> float:
    """Relative error of a tensor; NaN stays NaN."""
    reference = reference.double().cpu()
    return float((found.double().cpu() - reference).norm() / reference.norm())


def flat(tensors) -> Tensor:
    """Join tensors into one vector of float64."""
    return torch.cat([t.detach().double().flatten().cpu() for t in tensors])


def loss_errors(device: torch.device) -> list[dict]:
    """Compare value and gradient of every loss."""
    rng = torch.Generator().manual_seed(1)

    def unit(*shape: int) -> Tensor:
        return normalize(torch.randn(*shape, generator=rng, dtype=torch.float64), dim=-1)

    z, u, v = unit(2, 32, 128), unit(2, 32, 4, 128), unit(2, 32, 4, 128)
    logits = torch.randn(64, 101, generator=rng, dtype=torch.float64)
    p = torch.randn(64, 101, generator=rng, dtype=torch.float64).softmax(1)
    cases: dict[str, tuple[Callable, tuple[Tensor, ...]]] = {
        "nt_xent": (lambda z: losses.nt_xent(z[0], z[1], 0.1), (z,)),
        "instance_contrast": (lambda z, v: losses.instance_contrast(z, v, 0.1), (z, v)),
        "local_local": (lambda v: losses.local_local(v, 0.1), (v,)),
        "global_local": (lambda u, v: losses.global_local(u, v, 0.1), (u, v)),
        "squared_distance": (lambda x: losses.squared_distance(x.softmax(1), p.to(x)), (logits,)),
        "kl_distance": (lambda x: losses.kl_distance(x, p.to(x)), (logits,)),
    }
    found = []
    for name, (function, inputs) in cases.items():
        values, slopes = [], []
        for place, dtype in ((torch.device("cpu"), torch.float64), (device, torch.float32)):
            given = [x.to(place, dtype, copy=True).requires_grad_() for x in inputs]
            value = function(*given)
            value.backward()
            values.append(value.detach())
            slopes.append(flat(x.grad for x in given))
        found.append(
            {
                "loss": name,
                "value": error(values[1], values[0]),
                "gradient": error(slopes[1], slopes[0]),
            }
        )
    return found


def still(method: nn.Module) -> nn.Module:
    """Switch dropout off: processor and GPU draw different numbers from the same seed."""
    for module in method.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return method


def one_step(method: nn.Module, given: dict) -> tuple[Tensor, Tensor, Tensor]:
    """Take a step of AdamW; return loss, gradient and change of the weights."""
    parameters = list(method.learner.parameters())
    before = flat(parameters)
    optimiser = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=1e-2)
    torch.manual_seed(0)  # of the orders that clip order draws
    loss = method(**given)["loss"]
    loss.backward()
    gradient = flat(p.grad for p in parameters)
    optimiser.step()
    return loss.detach(), gradient, flat(parameters) - before


def reference_forward(self: Backbone, x: Tensor) -> Tensor:
    """Let a backbone stay in float64; its own forward hands on float32."""
    return self.layers(x)


def step_errors(name: str, start: nn.Module, device: torch.device) -> list[dict]:
    """Compare one training step of a method with float64 on the processor, in every precision."""
    start = still(copy.deepcopy(start)).train()
    given = batches(start, VIDEOS, 0)
    Backbone.forward = reference_forward
    cpu = torch.device("cpu")
    truth = one_step(copy.deepcopy(start).double(), moved(given, cpu, torch.float64))
    Backbone.forward = REAL_FORWARD
    found = []
    for title, (precision, tf32) in PRECISIONS.items():
        torch.backends.cudnn.allow_tf32 = tf32
        method = in_precision(copy.deepcopy(start), precision).to(device)
        step = one_step(method, moved(given, device))
        errors = dict(zip(("loss", "gradient", "update"), map(error, step, truth), strict=True))
        found.append({"method": name, "precision": title} | errors)
    torch.backends.cudnn.allow_tf32 = True
    return found


def in_precision(method: nn.Module, precision: str) -> nn.Module:
    """Set the precision of every backbone inside."""
    for module in method.modules():
        if isinstance(module, Backbone):
            module.precision = precision
    return method


def feature_errors(device: torch.device, net: str) -> list[dict]:
    """Compare class probabilities of a fresh classifier in eval mode, as in testing."""
    torch.manual_seed(0)
    model = Classifier(starting_backbone(profile(PX, "fp32", BATCH, net).model), 5).eval()
    clips = to_input(scenes(16, 16, PX, np.random.default_rng(0)))
    Backbone.forward = reference_forward
    with torch.no_grad():
        truth = copy.deepcopy(model).double()(clips.double()).softmax(1)
        Backbone.forward = REAL_FORWARD
        found = []
        for title, (precision, tf32) in PRECISIONS.items():
            torch.backends.cudnn.allow_tf32 = tf32
            net = in_precision(copy.deepcopy(model), precision).to(device)
            p = net(clips.to(device)).softmax(1)
            found.append({"precision": title, "probabilities": error(p, truth)})
    torch.backends.cudnn.allow_tf32 = True
    return found


def trained(start: nn.Module, device: torch.device) -> dict[str, Tensor]:
    """Take a few steps in the precision that `auto` chooses; return the weights."""
    method = in_precision(copy.deepcopy(start), "auto").to(device).train()
    optimiser = torch.optim.AdamW(method.learner.parameters(), lr=1e-3, fused=True)
    for step in range(STEPS):
        torch.manual_seed(step)
        optimiser.zero_grad(set_to_none=True)
        method(**batches(method, VIDEOS, step, device.type))["loss"].backward()
        optimiser.step()
    return {key: value.cpu() for key, value in method.learner.state_dict().items()}


def difference(first: dict[str, Tensor], second: dict[str, Tensor]) -> float:
    """Largest difference of two state dicts; 0 means bit for bit."""
    same = all(torch.equal(first[key], second[key]) for key in first)
    return 0.0 if same else max(float((first[k] - second[k]).abs().max()) for k in first)


def repetition(name: str, start: nn.Module, device: torch.device) -> dict:
    """Train twice from one start, as torch likes, then deterministically; name what is refused."""
    plain = difference(*(trained(start, device) for _ in range(2)))
    torch.use_deterministic_algorithms(True, warn_only=True)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fixed = difference(*(trained(start, device) for _ in range(2)))
    torch.use_deterministic_algorithms(False)
    refused = sorted({str(w.message).split(" ")[0] for w in said if "determinis" in str(w.message)})
    return {
        "method": name,
        "steps": STEPS,
        "difference": plain,
        "difference_deterministic": fixed,
        "refused": refused,
    }


def main() -> None:
    """Measure and record, method by method."""
    o = options(__doc__, backbone="r3d_18")
    device = torch.device(o.device)
    torch.backends.cuda.matmul.allow_tf32 = False
    found: dict = {
        "settings": {"backbone": o.backbone, "px": PX, "videos": BATCH, "seed": 0},
        "losses": loss_errors(device),
        "testing": feature_errors(device, o.backbone),
        "steps": [],
        "repetition": [],
    }
    for name in METHODS:
        torch.manual_seed(0)
        start = build(name, profile(PX, "fp32", BATCH, o.backbone), VIDEOS)
        found["repetition"].append(repetition(name, start, device))
        found["steps"] += step_errors(name, start, device)
        write(o.out, "parity", found)


if __name__ == "__main__":
    main()
