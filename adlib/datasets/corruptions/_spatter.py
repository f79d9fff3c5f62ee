"""Spatter: drops of rain or splashes of mud on the lens. Lengths are in pixels of the picture at hand.

Taught in :doc:`/book/datasets/corruptions`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from adlib.datasets.corruptions import _filters
from adlib.datasets.corruptions._streams import Streams
from adlib.datasets.corruptions._weather import grey

WATER = (175 / 255, 238 / 255, 238 / 255)  # pale turquoise
MUD = (63 / 255, 42 / 255, 20 / 255)  # brown
FAR = 20  # pixels in pictures of 224: from here on the distance to a drop's outline counts as the same
EMBOSS = ((-2, -1, 0), (-1, 1, 1), (0, 1, 2))  # light from the upper left


def liquid(noise: Tensor, mean: float, deviation: float, sigma: float, threshold: float, scale: float) -> Tensor:
    """(N, H, W): the peaks of smooth noise, 0 elsewhere. noise: (N, H, W). sigma: in pixels of pictures of 224."""
    layer = _filters.smooth_noise(noise, sigma, scale).mul_(deviation).add_(mean)
    return layer.masked_fill_(layer < threshold, 0)


def colour(x: Tensor, rgb: tuple[float, float, float]) -> Tensor:
    """rgb as (1, C, 1, 1), its luma where x is grey."""
    full = x.new_tensor(rgb).view(1, 3, 1, 1)
    return full if x.shape[1] == 3 else grey(full)


def distance(outline: Tensor, furthest: int) -> Tensor:
    """Euclidean distance of every pixel to the nearest True one, at most furthest, in pixels. (N, H, W)."""
    height, width = outline.shape[-2:]
    column = torch.arange(width, dtype=torch.float32, device=outline.device)
    # along the rows: the last True pixel to the left, and likewise to the right
    left = column - torch.where(outline, column, -1e4).cummax(-1).values
    right = torch.where(outline, column, 1e4).flip(-1).cummin(-1).values.flip(-1) - column
    along = torch.minimum(left, right).clamp(max=furthest).square()
    # across them: d^2(r, c) = min_j along(r + j, c)^2 + j^2
    padded = F.pad(along[:, None], (0, 0, furthest, furthest), value=float(furthest**2))[:, 0]
    for j in range(-furthest, furthest + 1):
        along = torch.minimum(along, padded[:, furthest + j : furthest + j + height] + j * j)
    return along.sqrt().clamp(max=furthest)


def _box(x: Tensor) -> Tensor:
    """Mean of 3 x 3 pixels, mirrored at the border. (N, 1, H, W)."""
    return F.avg_pool2d(F.pad(x, (1, 1, 1, 1), "reflect"), 3, 1)


def _equalised(levels: Tensor, count: int) -> Tensor:
    """Histogram equalisation to 0 to 255, whole numbers, the lowest level to 0. levels: (N, H, W), 0 to count - 1."""
    flat = levels.flatten(1).long()
    histogram = torch.zeros(len(flat), count, device=flat.device).scatter_add_(1, flat, torch.ones_like(flat).float())
    cumulated = histogram.cumsum(1)
    lowest = histogram.gather(1, (histogram > 0).int().argmax(1, keepdim=True))
    # a picture of one level has nothing to stretch, and stays at 0
    table = (255 * (cumulated - lowest) / (flat.shape[1] - lowest).clamp(min=1)).clamp(min=0).round()
    return table.gather(1, flat).view(levels.shape)


def rain(x: Tensor, layer: Tensor, strength: float, scale: float) -> Tensor:
    """Drops of water that catch the light at one side.

    Brightness grows with the distance to the drop's outline, ranked and embossed. Overwrites x, (N, C, H, W).
    layer: (N, H, W) from :func:`liquid`.
    """
    wet = (layer > 0.5 * layer.amax((1, 2), keepdim=True)).float()[:, None]
    # the reference takes the edges that Canny's detector finds in the layer: where it falls to half its height
    inner = -F.max_pool2d(-wet, 3, 1, 1)
    outline = (wet > inner)[:, 0]
    depth = distance(outline, math.ceil(FAR * scale)).div_(scale).clamp_(max=FAR)
    ranked = _equalised(_box(depth[:, None])[:, 0], FAR + 1)
    kernel = x.new_tensor(EMBOSS).view(1, 1, 3, 3)
    lit = F.conv2d(F.pad(ranked[:, None], (1, 1, 1, 1), "reflect"), kernel).clamp_(0, 255)
    mask = layer[:, None] * _box(lit)
    mask = mask / mask.amax((1, 2, 3), keepdim=True).clamp(min=1e-12)
    return x.add_(mask * (strength * colour(x, WATER)))


def mud(x: Tensor, layer: Tensor, sigma: float) -> Tensor:
    r"""Splashes that hide what is behind them.

    .. math:: y = (1 - m) x + m b

    m: the wet places, smoothed by sigma pixels, cut off below 0.8. b: brown. Overwrites x. layer: :func:`liquid`.
    """
    mask = _filters.gaussian_blur((layer > 0).float(), sigma)[:, None]
    mask = mask.masked_fill(mask < 0.8, 0)
    return x.mul_(1 - mask).add_(mask * colour(x, MUD))


def spatter(
    x: Tensor, streams: Streams, drops: tuple[float, float, float, float], strength: float, muddy: bool, scale: float
) -> Tensor:
    """drops: mean, deviation, sigma and threshold of :func:`liquid`. strength: of the rain, or the mud's sigma."""
    layer = liquid(streams.normal(*x.shape[-2:]), *drops, scale)
    return mud(x, layer, strength * scale) if muddy else rain(x, layer, strength, scale)
