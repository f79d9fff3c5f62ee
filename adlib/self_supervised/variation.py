"""What every picture goes through before anything is pasted into it: a shift, a jitter of its colours, a crop.

Without it a network could tell a pasted picture by knowing the few normal ones by heart.
Taught in :doc:`/book/self_supervised/cutpaste`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from adlib import _checks
from adlib.self_supervised._jitter import jitter_patches


@torch.no_grad()
def varied(
    images: Tensor,
    *,
    generator: torch.Generator,
    translation: float = 0.1,
    jitter: float = 0.1,
    crop: int | None = None,
) -> Tensor:
    """Each picture shifted, with other colours, and perhaps only a square of it.

    images: float (N, C, H, W) in [0, 1], C 1 or 3. generator: on the CPU, whatever the images' device. translation:
    largest shift as a fraction of each side, in [0, 0.5], uniform, in whole pixels; what comes in at an edge is the
    mirror of what is there. jitter: as in :func:`~adlib.self_supervised.augmentation.cut_paste`, of the whole picture.
    crop: side in pixels of a square at a uniform place of the shifted picture; None or a side that is not shorter than
    the picture's leaves it whole. Returns (N, C, H, W) or (N, C, crop, crop), the same for the same state of the
    generator. Raises ``ValueError`` that names the argument.

    Source: Li et al., 2021, says that there is a translation and a jitter, and no range for the first; the mirror is
    ours. Taught in :doc:`/book/self_supervised/cutpaste`.
    """
    _checks.number("translation", translation, "a number in [0, 0.5]", 0, 0.5)
    _checks.number("jitter", jitter, "a number in [0, 0.5]", 0, 0.5)
    n, _, *sides = images.shape
    draws = torch.rand(n, 8, generator=generator, dtype=torch.float64)
    rows, columns = (
        _places(side, min(side, crop or side), translation, *draws[:, 2 * axis : 2 * axis + 2].T).to(images.device)
        for axis, side in enumerate(sides)
    )
    number = torch.arange(n, device=images.device)[:, None, None]
    moved = images[number, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    if not jitter:
        return moved.contiguous()
    factors = 1 + jitter * (2 * draws[:, 4:] - 1)
    factors[:, 3] -= 1  # the hue is not multiplied but turned
    return torch.stack(jitter_patches(list(moved), factors)).to(images.dtype)


def _places(side: int, length: int, translation: float, shift: Tensor, corner: Tensor) -> Tensor:
    """(n, length): the rows or columns to read, from two numbers in [0, 1) for each picture."""
    first = ((2 * shift - 1) * translation * side).round() + (corner * (side - length + 1)).floor()
    places = first.long()[:, None] + torch.arange(length)
    last = side - 1
    return last - (last - places.abs()).abs()  # mirrored at 0 and at the last
