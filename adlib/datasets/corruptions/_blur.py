"""Blur: a lens out of focus, frosted glass, motion, zoom. Lengths are in pixels of the picture at hand.

Every function takes x, (N, C, H, W) float32 in [0, 1], and returns the blurred pictures.

Taught in :doc:`/book/datasets/corruptions`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from adlib.datasets.corruptions import _filters
from adlib.datasets.corruptions._streams import Streams


def disc_kernel(radius: float, softness: float, scale: float) -> Tensor:
    """What a point becomes out of focus: a disc with a soft edge, (K, K) with sum 1.

    radius, softness: of the disc and of the Gaussian over its edge, in pixels. scale: below 1 a pixel is larger than
    those that the parameters were made for; the disc is then drawn on a grid at least as fine as theirs and averaged.
    """
    fine = 2 * math.ceil((1 / min(scale, 1) - 1) / 2) + 1  # points a pixel, along one axis: 1, 3, 5, ...
    reach = math.ceil(radius) + 2
    at = (torch.arange((2 * reach + 1) * fine, dtype=torch.float64) - ((2 * reach + 1) * fine - 1) / 2) / fine
    disc = (at[:, None] ** 2 + at**2 <= radius**2 + 1e-9).float()
    disc = torch.nn.functional.avg_pool2d(disc[None], fine)[0]
    disc = _filters.gaussian_blur(disc, softness)
    return disc / disc.sum()


def defocus_blur(x: Tensor, radius: float, softness: float, scale: float) -> Tensor:
    """A lens out of focus: every point becomes a disc."""
    return _filters.correlate(x, disc_kernel(radius, softness, scale)[None].to(x.device), "reflect")


def displacements(jumps: Tensor, reach: int) -> Tensor:
    r"""Where the value of every pixel comes from after one round of frosted glass.

    The reference goes through the pixels p of the inner rectangle from the lower right to the upper left, and each time
    means to swap the pixel with one at a random distance d(p). As it does so through views of one array, it copies:

    .. math:: x(p) \leftarrow x(p + d(p))

    A pixel further on was visited before and holds a copy itself. So the source of p is found by going on,
    p -> p + d(p) -> ..., while the next pixel comes later in the raster and is an inner one. No pixel has to wait for
    another for that: doubling the jumps, s(p) <- s(s(p)), finds all ends in as many steps as the logarithm of the
    longest path. The result is the reference's, draw for draw.

    jumps: (N, h, w) int64, d(p) times (width, 1) for the inner pixels, rows and columns -reach to reach - 1 apart. They
    are those from (reach + 1, reach + 1) to (H - reach, W - reach), so that h = H - 2 reach. Returns (N, H * W) int64.
    """
    count, height, width = len(jumps), jumps.shape[1] + 2 * reach, jumps.shape[2] + 2 * reach
    inner = (slice(None), slice(reach + 1, height - reach + 1), slice(reach + 1, width - reach + 1))
    visited = torch.zeros(count, height, width, dtype=torch.bool, device=jumps.device)
    visited[inner] = True
    home = torch.arange(count * height * width, device=jumps.device)  # places in the batch
    source = home.clone()
    source.view(count, height, width)[inner] += jumps
    # A path ends at a pixel that still has its original value when it is looked at.
    ends = (source <= home) | ~visited.flatten()[source]
    going_on = (~ends).nonzero()[:, 0]
    while len(going_on):
        here = source[going_on]
        source[going_on], ended = source[here], ends[here]
        ends[going_on] = ended
        going_on = going_on[~ended]
    first = home.view(count, -1)[:, :1]
    return source.view(count, -1) - first


def glass_blur(x: Tensor, streams: Streams, sigma: float, reach: int, rounds: int) -> Tensor:
    """Frosted glass: values are copied from random places up to reach pixels away, smoothed before and after."""
    x = _filters.gaussian_blur(x, sigma)
    height, width = (side - 2 * reach for side in x.shape[-2:])
    # 0 to 2 reach - 1, less reach: the reference's range, which leaves out +reach
    steps = torch.arange(-reach, reach, device=x.device)
    steps = (steps[:, None] * x.shape[-1] + steps).flatten()
    for _ in range(rounds):
        jumps = steps[streams.integers(len(steps), height, width)]
        source = displacements(jumps, reach)[:, None].expand(-1, x.shape[1], -1)
        x = x.flatten(2).gather(2, source).view_as(x)
    return _filters.gaussian_blur(x, sigma)


def motion_blur(x: Tensor, streams: Streams, radius: float, sigma: float) -> Tensor:
    """The camera moves while it exposes, in a direction of at most 45 degrees from the horizontal."""
    return _filters.motion_blur(x, streams.uniform(-45, 45), radius, sigma)


def zoom_blur(x: Tensor, step: float, count: int) -> Tensor:
    r"""The camera moves towards the scene.

    .. math:: y = \frac{1}{K + 1} \Big(x + \sum_{k=0}^{K-1} \mathrm{zoom}_{1 + k \delta}(x) \Big)
    """
    # All planes as the channels of one picture, channels last: one set of weights then serves them all, 9 times faster.
    planes = x.reshape(1, -1, *x.shape[-2:]).contiguous(memory_format=torch.channels_last)
    total = 2 * planes  # k = 0 leaves the picture as it is
    for k in range(1, count):
        total += _filters.zoom(planes, 1 + k * step)
    return total.div_(count + 1).reshape(x.shape).contiguous()
