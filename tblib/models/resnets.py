"""Backbones from torchvision's video residual networks: R3D-18, R(2+1)D-34 and TSM on ResNet-18.

torchvision's R3D-18 and R(2+1)D end with two time steps for sixteen frames.  Here the last stage
does not stride in time, so that four slots survive: the filter that would have strided looks two
steps back and ahead instead, all others at neighbours.  That adds no weights.

torchvision brings torch's compiler along, a second and a half, so only networks that need it import
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .base import Backbone, conv

if TYPE_CHECKING:
    from torchvision.models.video import VideoResNet

SHIFTED = 8  # one eighth of the channels comes from the frame before, one from the frame after


def _stages(net: VideoResNet) -> nn.Sequential:
    return nn.Sequential(net.stem, net.layer1, net.layer2, net.layer3, net.layer4)


def _keep_time(stage: nn.Module) -> None:
    """Dilate the temporal filter that strides in time, and let the shortcut keep its time steps.

    Only that filter, the first of the stage: with every filter dilated, step k would hear steps
    k ± 2 and itself alone.  Source: the release's and TCLR's `models/model.py`, for R3D-18.
    """
    for module in stage.modules():
        if isinstance(module, nn.Conv3d) and module.stride[0] == 2:
            module.stride = (1, *module.stride[1:])
            if module.kernel_size[0] == 3:
                module.dilation = (2, 1, 1)
                module.padding = (2, *module.padding[1:])


class R3D18(Backbone):
    """torchvision's `r3d_18`, changed as in the release: 16-16-8-4-4 time steps.

    33.2 M parameters with 101 classes.
    """

    dim = 512
    time_stride = 4

    def __init__(self):
        super().__init__()
        from torchvision.models.video import r3d_18

        net = r3d_18(weights=None)
        _keep_time(net.layer4)
        self.stages = _stages(net)

    def layers(self, x: Tensor) -> Tensor:
        """Map `[N, 3, T, H, W]` to `[N, 512, T/4, H/16, W/16]`."""
        return self.stages(x)


class R2Plus1D34(Backbone):
    """R(2+1)D-34: 63.5 M parameters with 101 classes.

    Each 3×3×3 filter is a 1×3×3 and a 3×1×1 one with as many weights together.  Source: Tran et
    al., CVPR 2018; the width between the two filters is matched for every convolution, as in the
    published weights, where torchvision matches it once per block.  The release has no such
    network; its last stage keeps time here as that of R3D-18 does there.  Eighteen temporal filters
    act on the last four time steps: at random weights each slot hears nearly the whole clip, its
    own end most.
    """

    dim = 512
    time_stride = 4

    def __init__(self):
        super().__init__()
        from torchvision.models.video.resnet import (
            BasicBlock,
            Conv2Plus1D,
            R2Plus1dStem,
            VideoResNet,
        )

        net = VideoResNet(BasicBlock, [Conv2Plus1D] * 4, [3, 4, 6, 3], R2Plus1dStem)
        for layer, width in ((net.layer2, 128), (net.layer3, 256), (net.layer4, 512)):
            layer[0].conv2[0] = Conv2Plus1D(width, width, 9 * width // 4)
        _keep_time(net.layer4)
        self.stages = _stages(net)

    def layers(self, x: Tensor) -> Tensor:
        """Map `[N, 3, T, H, W]` to `[N, 512, T/4, H/16, W/16]`."""
        return self.stages(x)


class Shift(nn.Module):
    """Move an eighth of the channels one frame on and an eighth one frame back; no weights."""

    def forward(self, x: Tensor) -> Tensor:
        """Shift `[N, C, T, H, W]` along T; what leaves is lost and zeros come in."""
        fold = x.shape[1] // SHIFTED
        out = torch.zeros_like(x)
        out[:, :fold, :-1] = x[:, :fold, 1:]
        out[:, fold : 2 * fold, 1:] = x[:, fold : 2 * fold, :-1]
        out[:, 2 * fold :] = x[:, 2 * fold :]
        return out


class TSMR18(Backbone):
    """A 2-D ResNet-18 whose residual branches see neighbouring frames: 11.2 M with 101 classes.

    Source: Lin et al., ICCV 2019.  Time is never reduced.
    """

    dim = 512

    def __init__(self):
        super().__init__()
        from torchvision.models.video.resnet import BasicBlock, Conv3DNoTemporal, VideoResNet

        net = VideoResNet(BasicBlock, [Conv3DNoTemporal] * 4, [2, 2, 2, 2], image_stem)
        for block in net.modules():
            if isinstance(block, BasicBlock):
                block.conv1.insert(0, Shift())
        self.stages = _stages(net)

    def layers(self, x: Tensor) -> Tensor:
        """Map `[N, 3, T, H, W]` to `[N, 512, T, H/32, W/32]`."""
        return self.stages(x)


def image_stem(width: int = 64, time: int = 1) -> nn.Sequential:
    """Begin as a 2-D ResNet does, with 7×7 filters and pooling, `time` frames at once."""
    return nn.Sequential(
        conv(3, width, (time, 7, 7), (1, 2, 2)),
        nn.BatchNorm3d(width),
        nn.ReLU(inplace=True),
        nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
    )
