"""Affine maps of a batch about the middle of the picture, each picture its own, and whole-pixel shifts.

Taught in :doc:`/book/datasets/corruptions`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def warped(images: Tensor, matrices: Tensor) -> Tensor:
    r"""Each pixel looked up where an affine map sends it, bilinearly.

    .. math:: y(p) = x\big(A (p - m) + m\big), \qquad p = (\text{column}, \text{row}), \quad m = \text{the middle}

    The map leads from the new picture to the old one, as in scikit-image's ``warp``. Beyond the border is 0.

    images: (N, 1, H, W). matrices: A, (N, 2, 2). Returns the images' shape.
    """
    height, width = images.shape[2:]
    middle = images.new_tensor([(width - 1) / 2, (height - 1) / 2])
    rows, columns = (torch.arange(side, dtype=images.dtype, device=images.device) for side in (height, width))
    pixels = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1) - middle  # (H, W, 2)
    looked_up = torch.einsum("nij,hwj->nhwi", matrices, pixels) / middle
    return F.grid_sample(images, looked_up, mode="bilinear", padding_mode="zeros", align_corners=True)


def matrices(*entries: Tensor) -> Tensor:
    """(N, 2, 2) from four tensors of N entries each, row by row."""
    return torch.stack([entry.flatten() for entry in entries], -1).view(-1, 2, 2)


def shifted(images: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """y(u, v) = x(u + rows, v + columns), 0 beyond the border.

    images: (N, 1, H, W). columns, rows: (N,) whole numbers, few different ones. Returns the images' shape.
    """
    shifts = torch.stack([columns, rows], 1).long()
    result = torch.empty_like(images)
    for right, down in shifts.unique(dim=0).tolist():
        chosen = (shifts[:, 0] == right) & (shifts[:, 1] == down)
        result[chosen] = F.pad(images[chosen], (-right, right, -down, down))
    return result
