"""Brightness, contrast, saturation and hue of many patches of different sizes at once.

The patches' pixels lie one after the other in one tensor, so that each step is one operation for all of them.
Taught in :doc:`/book/self_supervised/cutpaste`.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

LUMA = (0.2989, 0.587, 0.114)  # torchvision's
GROUP = 2**17  # pixels worked on at a time on a CPU: few enough for its cache, enough for several threads


def jitter_patches(patches: list[Tensor], factors: Tensor) -> list[Tensor]:
    r"""Multiply brightness, contrast and saturation, and turn the hue, in this order.

    .. math:: x \leftarrow bx, \quad x \leftarrow cx + (1 - c)\, \overline{L(x)}, \quad x \leftarrow sx + (1 - s) L(x)

    L is the luma, the bar its mean over the patch; each result is clamped to [0, 1]. Then the hue turns in HSV. A grey
    patch has neither saturation nor hue.

    patches: n of (C, h, w) in [0, 1], C 1 or 3, each of its own h and w. factors: (n, 4) on the CPU: b, c, s at least
    0, the hue in turns. Returns n of the same shapes, at least float32. Each equals torchvision's
    ``adjust_brightness``, ``adjust_contrast``, ``adjust_saturation``, ``adjust_hue`` up to rounding.
    Taught in :doc:`/book/self_supervised/cutpaste`.
    """
    dtype = torch.promote_types(patches[0].dtype, torch.float32)
    results: list[Tensor] = []
    for part in _groups(patches):
        shapes = [patch.shape for patch in patches[part]]
        areas = [shape[1] * shape[2] for shape in shapes]
        x = torch.cat([patch.reshape(len(patch), -1) for patch in patches[part]], 1).to(dtype)
        x = _jitter(x, factors[part].to(x), areas)
        results += [values.view(shape) for values, shape in zip(x.split(areas, 1), shapes, strict=True)]
    return results


def _groups(patches: list[Tensor]) -> Iterator[slice]:
    """Consecutive patches of about GROUP pixels together; all of them on a GPU."""
    start = pixels = 0
    for end, patch in enumerate(patches, 1):
        pixels += patch[0].numel()
        if end == len(patches) or (pixels >= GROUP and not patch.is_cuda):
            yield slice(start, end)
            start, pixels = end, 0


def _jitter(x: Tensor, factors: Tensor, areas: list[int]) -> Tensor:
    """x: (C, pixels) of all patches, their areas in turn."""

    def spread(per_patch: Tensor) -> Tensor:  # (n, k) to (k, pixels); repeat_interleave takes three times as long
        return torch.cat([row[:, None].expand(-1, area) for row, area in zip(per_patch, areas, strict=True)], 1)

    brightness, contrast, saturation, hue = spread(factors)
    x = (x * brightness).clamp_(max=1)
    means = spread(torch.stack([values.mean() for values in _luma(x).split(areas)])[:, None])
    x = torch.lerp(means, x, contrast).clamp_(0, 1)
    if len(x) == 1:
        return x
    x = torch.lerp(_luma(x), x, saturation).clamp_(0, 1)
    return _turn_hue(x, hue)


def _luma(x: Tensor) -> Tensor:
    if len(x) == 1:
        return x[0]
    return (LUMA[0] * x[0]).add_(x[1], alpha=LUMA[1]).add_(x[2], alpha=LUMA[2])


def _turn_hue(x: Tensor, turns: Tensor) -> Tensor:
    r"""Turn the hue without the way through saturation and value.

    .. math:: x_k \leftarrow V - (V - \min_j x_j)\, \mathrm{clamp}(d(H, 2k) - 1, 0, 1)

    V: the largest of the three. H: the hue in sixths of a turn, red at 0, green at 2, blue at 4. d: the distance on the
    circle of 6. x: (3, pixels). turns: (pixels,).
    """
    red, green, blue = x
    green_blue = torch.maximum(green, blue)
    top = torch.maximum(red, green_blue)
    chroma = top - torch.minimum(torch.minimum(red, green), blue)
    some = chroma.clamp(min=torch.finfo(x.dtype).tiny)  # a grey pixel keeps its grey whatever its hue is said to be
    hue = torch.where(
        red >= green_blue,
        (green - blue).div_(some),
        torch.where(green >= blue, (blue - red).div_(some).add_(2), (red - green).div_(some).add_(4)),
    )
    hue = hue.add_(turns, alpha=6).remainder_(6)
    result = torch.empty_like(x)
    for channel, own in zip(result, (0, 2, 4), strict=True):
        # d(H, own) - 1 = 2 - ||H - own| - 3|, since both lie in [0, 6]
        below = (hue - own).abs_().sub_(3).abs_().neg_().add_(2).clamp_(0, 1)
        torch.addcmul(top, chroma, below, value=-1, out=channel)
    return result
