"""The two networks of future frame prediction: a U-Net that draws the next frame, and a critic that judges patches.

Taught in :doc:`/book/video/future_frame`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

STAGES = 3  # of the U-Net: each halves height and width
SLOPE = 0.2  # of LeakyReLU below 0, in the critic


class UNet(nn.Module):
    """From some frames to the next one: down to an eighth of the size and up again, with what was seen on the way.

    On the way down two 3 x 3 convolutions a level and max-pooling by 2, with ``width``, 2, 4 and 8 times ``width``
    maps. On the way up a 2 x 2 transposed convolution of stride 2, the maps of the same level from the way down beside
    it, and again two convolutions. ReLU after each, no batch norm; the last convolution has a tanh. Without the maps
    handed across, everything would have to pass an eighth of the size, and no edge would stay sharp.
    Sides that 8 does not divide are padded at their ends by the border's values and cut back.

    frames: t, how many go in. channels: C of each. width: maps of the first level. ``forward`` takes (N, t, C, H, W)
    in [0, 1] and returns (N, C, H, W) in [0, 1]; inside both are in [-1, 1].
    Source: Ronneberger et al., 2015, in the sizes of Liu et al., 2018 (width 64: 7,704,195 weights for t = 4, C = 3).
    Taught in :doc:`/book/video/future_frame`.
    """

    def __init__(self, frames: int, channels: int, width: int = 64) -> None:
        super().__init__()
        widths = [width * 2**stage for stage in range(STAGES + 1)]
        self.down = nn.ModuleList(_two(before, after) for before, after in pairwise([frames * channels, *widths]))
        self.up = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(deep, flat, 2, 2), nn.ReLU()) for deep, flat in pairwise(widths[::-1])
        )
        self.beside = nn.ModuleList(_two(2 * flat, flat) for flat in widths[-2::-1])
        self.last = nn.Conv2d(width, channels, 3, padding=1)
        _start(self)

    def forward(self, frames: Tensor) -> Tensor:
        """frames: (N, t, C, H, W) in [0, 1], the oldest first. Returns the frame after them, (N, C, H, W) in [0, 1]."""
        height, width = frames.shape[3:]
        x = (2 * frames - 1).flatten(1, 2)
        x = pad(x, (0, -width % 2**STAGES, 0, -height % 2**STAGES), mode="replicate")
        kept: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(nn.functional.max_pool2d(x, 2) if level else x)
            kept.append(x)
        for up, beside, seen in zip(self.up, self.beside, kept[-2::-1], strict=True):
            x = beside(torch.cat([seen, up(x)], 1))
        return (torch.tanh(self.last(x))[..., :height, :width] + 1) / 2


class PatchCritic(nn.Module):
    """Is each patch of a frame real or drawn? A discriminator without a whole-picture verdict.

    4 x 4 convolutions of stride 2 for all widths but the last, of stride 1 for the last and for the one map that comes
    out; each after 2 pixels of reflection on every side; LeakyReLU between. A value of the result sees a patch of the
    frame alone, 70 pixels wide for the paper's four widths, and is near 1 for a real one.

    channels: C of the frame. widths: maps of each layer. ``forward`` takes (N, C, H, W) in [0, 1], each side long
    enough to reflect, and returns (N, 1, h, w) in (0, 1), for the paper's widths and 256 pixels 35 x 35.
    Source: Isola et al., 2017 (PatchGAN), in the sizes of Liu et al., 2018, whose code has the sigmoid that the
    least-squares GAN does without. Taught in :doc:`/book/video/future_frame`.
    """

    def __init__(self, channels: int, widths: Sequence[int] = (128, 256, 512, 512)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(pairwise([channels, *widths]), 1):
            stride = 1 if number == len(widths) else 2
            layers += [nn.ReflectionPad2d(2), nn.Conv2d(before, after, 4, stride), nn.LeakyReLU(SLOPE)]
        layers += [nn.ReflectionPad2d(2), nn.Conv2d(widths[-1], 1, 4), nn.Sigmoid()]
        self.layers = nn.Sequential(*layers)
        _start(self)

    def forward(self, frame: Tensor) -> Tensor:
        """frame: (N, C, H, W) in [0, 1]. Returns a value for each patch, (N, 1, h, w)."""
        return self.layers(2 * frame - 1)


def _two(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.Conv2d(after, after, 3, padding=1), nn.ReLU()
    )


def _start(network: nn.Module) -> None:
    """Weights after Glorot and Bengio, biases 0: the start of TensorFlow, in which the paper's code is written."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
