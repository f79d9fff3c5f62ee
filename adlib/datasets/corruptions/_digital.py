"""Digital changes: brightness, contrast, saturation, elastic warps, large pixels, JPEG.

Every function takes x, (N, C, H, W) float32 in [0, 1], which it may overwrite, and returns the changed pictures.

Taught in :doc:`/book/datasets/corruptions`.
"""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from adlib.datasets.corruptions import _filters
from adlib.datasets.corruptions._streams import Streams, spread

# colours


def brightness(x: Tensor, added: float) -> Tensor:
    r"""More light: c is added to the value V of hue, saturation and value.

    .. math:: y = x \frac{\min(V + c, 1)}{V}, \quad V = \max_{RGB} x

    Hue and saturation depend on ratios only, so that there is no need to compute them. Black becomes grey.
    """
    value = x.amax(1, keepdim=True)
    lit = (value + added).clamp(0, 1)
    return torch.where(value > 0, x * (lit / value.clamp(min=1e-12)), lit)


def contrast(x: Tensor, kept: float) -> Tensor:
    r"""Less contrast, about the mean of each channel.

    .. math:: y = c (x - \bar x) + \bar x
    """
    return torch.lerp(x.mean((2, 3), keepdim=True), x, kept)


def saturate(x: Tensor, factor: float, added: float) -> Tensor:
    r"""Paler or more vivid colours: S becomes a S + b, cut to [0, 1], where hue and value stay.

    .. math:: y = V - (V - x) \frac{S'}{S}, \quad V = \max_{RGB} x, \quad S = \frac{V - \min_{RGB} x}{V}

    A grey pixel has no hue, and as in the reference turns towards red. One channel has no colour and stays as it is.
    """
    if x.shape[1] == 1:
        return x
    value = x.amax(1, keepdim=True)
    chroma = value - x.amin(1, keepdim=True)
    saturation = chroma / value.clamp(min=1e-12)
    wanted = (saturation * factor + added).clamp(0, 1)
    tint = x.new_tensor([0, 1, 1]).view(1, 3, 1, 1)  # V - x of pure red, over V
    return value - torch.where(chroma > 0, (value - x) * (wanted / saturation.clamp(min=1e-12)), value * wanted * tint)


# places


def _affine_back(corners: Tensor, moved: Tensor) -> Tensor:
    """(N, 2, 3): the affine maps that lead from three moved points back to where they were. (N, 3, 2) each."""
    ones = torch.ones_like(moved[..., :1])
    # [moved 1] A^T = corners
    return torch.linalg.solve(torch.cat([moved, ones], -1), corners).mT


def elastic(x: Tensor, streams: Streams, strength: float, sigma: float, shift: float, scale: float) -> Tensor:
    r"""A random affine map, then random displacements that change smoothly over the picture.

    .. math:: y(p) = x(A p + \alpha\, G_\sigma * u(p)), \quad u \sim \mathcal{U}(-1, 1)^2

    The affine map moves three corners of a square in the middle by up to ``shift``. Both are looked up bilinearly one
    after the other, as in the reference. strength, sigma, shift: :math:`\alpha`, :math:`\sigma` and the corners' shift
    in pixels of 224; scale: times this much here, displacements and their waves alike.
    """
    height, width = x.shape[-2:]
    column, row = _filters.pixels(height, width, x.device)
    middle = torch.tensor([width // 2, height // 2], dtype=torch.float32)
    reach = min(height, width) // 3
    corners = middle + reach * torch.tensor([[1, 1], [1, -1], [-1, -1]], dtype=torch.float32)
    corners = corners.expand(len(x), -1, -1).to(x.device)
    back = _affine_back(corners, corners + streams.uniform(-shift, shift, 3, 2) * scale)[..., None, None]
    x = _filters.look_up(
        x,
        back[:, 0, 0] * column + back[:, 0, 1] * row + back[:, 0, 2],
        back[:, 1, 0] * column + back[:, 1, 1] * row + back[:, 1, 2],
        "mirror",
    )
    moves = streams.uniform(-1, 1, 2, height, width)
    moves = _filters.smooth_noise(moves, sigma, scale, truncate=3, border="reflect").mul_(strength * scale)
    return _filters.look_up(x, column + moves[:, 0], row + moves[:, 1], "reflect")


def _cells(side: int, small: int) -> tuple[Tensor, Tensor]:
    """The two halves of Pillow's BOX resize to ``small`` pixels and back, along one axis.

    Returns (small, side), means of the whole pixels whose middles lie in a cell, and (side,), the cell of every pixel.
    """
    cell, place = side / small, np.arange(side)
    middle = (np.arange(small)[:, None] + 0.5) * cell
    # A middle may lie on the edge of a cell: rounding decides, so that the steps are Pillow's.
    first, last = (middle - cell * 0.5 + 0.5).astype(int), (middle + cell * 0.5 + 0.5).astype(int)
    away = (place - middle + 0.5) * (1 / cell)
    inside = (first <= place) & (place < last) & (away > -0.5) & (away <= 0.5)
    means = torch.from_numpy(inside / inside.sum(1, keepdims=True)).float()
    return means, torch.from_numpy(((place + 0.5) * (small / side)).astype(np.int64))


def pixelate(x: Tensor, share: float) -> Tensor:
    """Large pixels: shrunk to a share of height and width by means of boxes, magnified by repetition."""
    (row_means, rows), (column_means, columns) = (_cells(side, int(side * share)) for side in x.shape[-2:])
    small = _filters.along_both(x, row_means.to(x.device), column_means.to(x.device))
    return small.index_select(2, rows.to(x.device)).index_select(3, columns.to(x.device))


# codec


def _coded(pixels: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def jpeg_compression(x: Tensor, quality: int) -> Tensor:
    """Written as JPEG and read again, by Pillow, one picture a thread. Values are rounded to 8 bits before."""
    pixels = (x * 255).round_().byte().movedim(1, -1).cpu().numpy()
    pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    decoded = torch.from_numpy(np.stack(spread(lambda each: _coded(each, quality), list(pixels)))).to(x.device)
    decoded = decoded[:, None] if decoded.ndim == 3 else decoded.movedim(-1, 1)
    return decoded.float().div_(255)
