"""Cut a patch of each picture, jitter it, turn it, and paste it where it shows.

Taught in :doc:`/book/self_supervised/cutpaste`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from adlib.self_supervised._jitter import jitter_patches

TRIALS = 32  # draws of place and jitter until the picture changes
CHANGE = 1 / 510  # half a grey level of 8 bits: a change below it would be gone in a picture file


def paste(
    images: Tensor,
    sizes: Tensor,
    draws: Tensor,
    jitter: float,
    angles: Tensor | None = None,
    canvas: tuple[int, int] = (0, 0),
) -> tuple[Tensor, Tensor]:
    """Paste until every picture has changed. sizes: (N, 2) of the upright patches. angles: (N,) of a turn, in radians.

    draws: (N, 8 * TRIALS) in [0, 1): for every trial source, target, and the four of the jitter. canvas: see _turn.
    """
    shape = torch.tensor(images.shape[2:])
    result, masks = images.clone(), images.new_zeros(images[:, 0].shape, dtype=torch.bool)
    boxes = sizes if angles is None else _turned_sizes(sizes, angles)
    which = torch.arange(len(images))  # the pictures that have not changed yet
    for trial in draws.view(len(images), TRIALS, 8).unbind(1):
        own = trial[which]
        sources = _windows(which, own[:, 0:2], sizes[which], shape)
        targets = _windows(which, own[:, 2:4], boxes[which], shape)
        old = [images[window] for window in targets]
        new = [images[window] for window in sources]
        if jitter > 0:
            shifts = jitter * (2 * own[:, 4:8] - 1)
            new = jitter_patches(new, shifts + torch.tensor([1, 1, 1, 0]))
        alphas: list[Tensor | bool] = [True] * len(new)
        if angles is not None:
            layers = _turn(new, angles[which], boxes[which], canvas)
            # y = α c + (1 − α) x, and the layer holds α c already
            new = [(layer[:-1] + (1 - layer[-1]) * x).clamp_(0, 1) for layer, x in zip(layers, old, strict=True)]
            alphas = [layer[-1] > 0 for layer in layers]
        changes = torch.stack([(y - x).abs_().amax() for y, x in zip(new, old, strict=True)])
        changed = (changes > CHANGE).cpu()
        for k in changed.nonzero().flatten().tolist():
            i, _, rows, columns = targets[k]
            result[targets[k]] = new[k].to(result.dtype)
            masks[i, rows, columns] = alphas[k]
        which = which[~changed]
        if not len(which):
            return result, masks
    raise ValueError(
        f"images must change when a part of them is pasted elsewhere, got images[{int(which[0])}], which looks the "
        f"same after {TRIALS} pastes: it is black, or constant and jitter={jitter:g} is too weak to show"
    )


def _windows(which: Tensor, draws: Tensor, sizes: Tensor, shape: Tensor) -> list[tuple]:
    """Indices of a box in each picture, its place uniform over all where it lies inside. draws, sizes: (n, 2)."""
    corners = (draws * (shape - sizes + 1)).long()
    rows = torch.cat([which[:, None], corners, corners + sizes], 1).tolist()
    return [(i, slice(None), slice(top, bottom), slice(left, right)) for i, top, left, bottom, right in rows]


def _turned_sizes(sizes: Tensor, angles: Tensor) -> Tensor:
    """(n, 2): the boxes that hold every pixel with a share in the turned patch, which reaches 1/2 beyond its pixels."""
    cos, sin = angles.cos().abs()[:, None], angles.sin().abs()[:, None]
    reach = (sizes + 1) * cos + (sizes.flip(1) + 1) * sin - 1
    return (reach - 1e-9).ceil().long()


def _turn(patches: list[Tensor], angles: Tensor, boxes: Tensor, canvas: tuple[int, int]) -> list[Tensor]:
    """Each patch times alpha, and alpha, counter-clockwise by its angle: n of (C + 1, *box).

    canvas: (h, w) of the largest patch there may be. It is the same whatever the batch holds, so that the rounding is.
    """
    channels, rim = len(patches[0]), math.ceil(math.hypot(canvas[0] + 1, canvas[1] + 1) - 1)
    dtype = torch.promote_types(patches[0].dtype, torch.float32)
    layers = torch.zeros(len(patches), channels + 1, *canvas, dtype=dtype, device=patches[0].device)
    for layer, patch in zip(layers, patches, strict=True):
        height, width = patch.shape[1:]
        layer[:-1, :height, :width] = patch
        layer[-1, :height, :width] = 1
    middles = (torch.tensor([patch.shape[1:] for patch in patches]) - 1) / 2
    offsets = torch.arange(rim, dtype=torch.float64) - (boxes[:, :, None] - 1) / 2  # (n, 2, rim)
    down, right = offsets[:, 0, :, None], offsets[:, 1, None, :]
    cos, sin = angles.cos()[:, None, None], angles.sin()[:, None, None]
    # where each pixel of the box came from: the turn by -angle, rows counted downwards
    column = cos * right - sin * down + middles[:, 1, None, None]
    row = sin * right + cos * down + middles[:, 0, None, None]
    grid = (2 * torch.stack([column, row], -1) + 1) / torch.tensor(canvas[::-1]) - 1
    turned = F.grid_sample(layers, grid.to(layers), mode="bilinear", padding_mode="zeros", align_corners=False)
    return [layer[:, :height, :width] for layer, (height, width) in zip(turned, boxes.tolist(), strict=True)]
