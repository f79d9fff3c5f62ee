"""Weather: snow, frost, fog. Lengths are in pixels of the picture at hand.

Every function takes x, (N, C, H, W) float32 in [0, 1], which it may overwrite, and returns the pictures with their
weather, not yet cut to [0, 1].

Taught in :doc:`/book/datasets/corruptions`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from adlib.datasets.corruptions import _filters
from adlib.datasets.corruptions import _frost as ice
from adlib.datasets.corruptions._clouds import clouds
from adlib.datasets.corruptions._streams import Streams


def grey(x: Tensor) -> Tensor:
    """(N, 1, H, W): the luma of the JPEG standard, 0.299 R + 0.587 G + 0.114 B; one channel is grey already."""
    if x.shape[1] == 1:
        return x
    return 0.299 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:]


# snow


def flakes(noise: Tensor, mean: float, deviation: float, size: float, threshold: float) -> Tensor:
    """(N, 1, H, W) in [0, 1]: the peaks of magnified noise. size: of a flake, about, in pixels. noise: (N, H, W)."""
    layer = _filters.zoom(noise[:, None] * deviation + mean, max(1.0, size))
    return layer.masked_fill(layer < threshold, 0).clamp(0, 1)


def snowed(x: Tensor, layer: Tensor, kept: float) -> Tensor:
    r"""Flakes on a picture that is paler for the snow in the air.

    .. math:: y = a x + (1 - a) \max(x, 1.5\, \mathrm{grey}(x) + 0.5) + s + s_{180^\circ}

    layer: s, (N, 1, H, W), flakes in motion; once more turned by half a turn. kept: a, of the colours.
    """
    pale = torch.maximum(x, grey(x) * 1.5 + 0.5)
    return x.mul_(kept).add_(pale, alpha=1 - kept).add_(layer + layer.flip(2, 3))


def snow(x: Tensor, streams: Streams, flake: Sequence[float], radius: float, sigma: float, kept: float) -> Tensor:
    """Snow that falls at up to 45 degrees from straight down. flake: mean, deviation, size and threshold of flakes."""
    layer = flakes(streams.normal(*x.shape[-2:]), *flake)
    layer = _filters.motion_blur(layer, streams.uniform(-135, -45), radius, sigma)
    return snowed(x, layer, kept)


# frost


def frost(x: Tensor, streams: Streams, kept: float, iced: float) -> Tensor:
    r"""Ice on the window pane: a random part of one of six sheets, mirrored at random.

    .. math:: y = a x + b f

    kept, iced: a and b. f: ice, :func:`._frost.sheet`.
    """
    height, width = x.shape[-2:]
    rows, columns = ice.size(height, width)
    draws = (streams.integers(count) for count in (len(ice.SHEETS), rows - height + 1, columns - width + 1, 4))
    for picture, number, top, left, mirrored in zip(x, *(each.tolist() for each in draws), strict=True):
        part = ice.sheet(number, height, width)[:, top : top + height, left : left + width].to(x.device)
        part = part.flip([axis for axis in (1, 2) if mirrored & axis])
        picture.mul_(kept).add_(grey(part[None])[0] if len(picture) == 1 else part, alpha=iced)
    return x


# fog


def fog(x: Tensor, streams: Streams, amount: float, decay: float) -> Tensor:
    r"""Light scattered by clouds of droplets between scene and camera.

    .. math:: y = (x + c f) \frac{m}{m + c}, \quad m = \max x

    amount: c. f: fractal noise in [0, 1], :func:`._clouds.clouds`. decay: how much fainter the
    noise gets from one octave to the next, squared; near 1 the fog is ragged.
    """
    height, width = x.shape[-2:]
    size = 1 << (max(height, width) - 1).bit_length()
    haze = clouds(streams.uniform(-1, 1, size * size - 1), (height, width), decay)[:, None]
    brightest = x.flatten(1).amax(1).view(-1, 1, 1, 1)
    return x.add_(haze, alpha=amount).mul_(brightest / (brightest + amount))
