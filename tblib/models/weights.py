"""Starting weights from a file the user has: torchvision's Kinetics-400 training of `r3d_18`."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ..errors import CheckpointError
from .base import Backbone

# Inputs here are in [0, 1]; torchvision trained on clips standardised with these.
MEAN, STD = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)
PARTS = ("stem", "layer1", "layer2", "layer3", "layer4")  # of torchvision's network, in order
HINT = (
    "the file must be torchvision's r3d_18, saved by torch, for example "
    "r3d_18-b3b3357e.pth (R3D_18_Weights.KINETICS400_V1)"
)


def load_torchvision(net: Backbone, path: str | Path) -> None:
    """Load torchvision's `r3d_18` weights into a backbone `r3d_18`; its classifier is left out.

    Raises:
        CheckpointError: the file is missing, unreadable or of another network.
    """
    path = Path(path).expanduser()
    state = _rename(_read(path), path)
    own = net.state_dict()
    wrong = [name for name in own if name not in state or state[name].shape != own[name].shape]
    if wrong or len(state) != len(own):
        name = wrong[0] if wrong else next(iter(state.keys() - own.keys()))
        raise CheckpointError(
            f"model.weights {path} is of another network ({len(wrong)} of {len(own)} tensors do "
            f"not fit, for example {name}); {HINT}."
        )
    net.load_state_dict(_standardised_input(state))


def _read(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"model.weights {path} does not exist; {HINT}.") from None
    except Exception as error:  # what torch raises depends on which bytes are wrong
        said = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
        raise CheckpointError(f"model.weights {path} cannot be read ({said}); {HINT}.") from None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(f"model.weights {path} holds no table of weights; {HINT}.")
    return state


def _rename(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Give torchvision's names the ones they have here; the classifier `fc` is dropped."""
    renamed = {}
    for name, value in state.items():
        part, _, rest = str(name).partition(".")
        if part == "fc":
            continue
        if part not in PARTS:
            raise CheckpointError(
                f"model.weights {path} is of another network (it holds {name}); {HINT}."
            )
        renamed[f"stages.{PARTS.index(part)}.{rest}"] = value
    return renamed


def _standardised_input(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Fold the standardisation of the input into the first convolution and its batch norm.

    Exact where the filter lies inside the picture; at the border, padding with zeros now means
    black instead of the mean colour.
    """
    mean, std = (torch.tensor(v).view(1, 3, 1, 1, 1) for v in (MEAN, STD))
    weight, centre = state["stages.0.0.weight"] / std, state["stages.0.1.running_mean"]
    shift = (weight * mean).sum((1, 2, 3, 4))
    return state | {"stages.0.0.weight": weight, "stages.0.1.running_mean": centre + shift}
