"""Clouds: fractal noise by the diamond-square rule, as the fog of MNIST-C and ImageNet-C has it.

Taught in :doc:`/book/datasets/corruptions`.
"""

from __future__ import annotations

import math

from torch import Tensor


def clouds(draws: Tensor, shape: tuple[int, int], decay: float) -> Tensor:
    """Fractal noise, stretched to [0, 1] over a square field that repeats itself, of which a corner is returned.

    The step is halved in each pass. The middle of each square of four points becomes their mean plus noise, then the
    middle of each diamond. The noise lies in [-w^2, w^2], with w = 100 in the first pass and w / decay in the next.

    draws: (N, S * S - 1) uniform in [-1, 1], with the side of the field S a power of two. shape: (H, W) of the corner.
    decay: the larger, the fainter small clouds are. Returns (N, H, W).
    Source: Fournier, Fussell and Carpenter, 1982; constants of Hendrycks and Dietterich, 2019.
    """
    size = math.isqrt(draws.shape[1] + 1)
    field = draws.new_zeros(len(draws), size, size)
    step, wobble, used = size, 100.0, 0

    def middles(sums: Tensor) -> Tensor:
        nonlocal used
        first, used = used, used + sums[0].numel()
        return sums / 4 + wobble**2 * draws[:, first:used].view_as(sums)

    while step > 1:
        half = step // 2
        corners = field[:, ::step, ::step]
        edges = corners + corners.roll(-1, 1)
        field[:, half::step, half::step] = middles(edges + edges.roll(-1, 2))
        centres = field[:, half::step, half::step]
        field[:, ::step, half::step] = middles(centres + centres.roll(1, 1) + corners + corners.roll(-1, 2))
        field[:, half::step, ::step] = middles(centres + centres.roll(1, 2) + edges)
        step, wobble = half, wobble / decay
    low, high = (end[:, None, None] for end in field.flatten(1).aminmax(dim=1))
    return (field[:, : shape[0], : shape[1]] - low) / (high - low)
