"""Linear filters for batches: separable ones as two matrices, others through the Fourier transform, zoom, look-up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from scipy.fft import next_fast_len
from torch import Tensor


def gaussian_kernel(sigma: float, truncate: float = 4.0) -> np.ndarray:
    r"""Weights :math:`\propto e^{-i^2 / 2 \sigma^2}` that sum to 1, out to truncate times sigma, as in scipy."""
    reach = int(truncate * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-6)) ** 2)
    return weights / weights.sum()


@lru_cache(maxsize=8)
def _matrix(side: int, sigma: float, truncate: float) -> Tensor:
    """A filter along one axis as a matrix, whose rows hold the rule for the border too: (side, side)."""
    kernel = gaussian_kernel(sigma, truncate)
    places = (np.arange(side)[:, None] + np.arange(len(kernel)) - len(kernel) // 2) % (2 * side)
    places = np.minimum(places, 2 * side - 1 - places)  # b a | a b c | c b, as often as it takes
    matrix = np.zeros((side, side))
    np.add.at(matrix, (np.arange(side)[:, None], places), kernel)
    return torch.from_numpy(matrix).float()


def along_both(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """rows @ x @ columns.T for every plane of (..., H, W)."""
    planes = x.reshape(-1, *x.shape[-2:])  # matmul is twice as fast on three axes as on four
    result = torch.matmul(torch.matmul(rows, planes), columns.T)
    return result.view(*x.shape[:-2], *result.shape[-2:])


def gaussian_blur(x: Tensor, sigma: float, *, truncate: float = 4.0, border: str = "nearest") -> Tensor:
    """(..., H, W) smoothed. sigma: in pixels.

    border: "nearest" repeats the pixels there, "reflect" mirrors the picture in its edge, as scipy calls it, and takes
    time that does not depend on sigma.
    """
    if border == "reflect":
        rows, columns = (_matrix(side, sigma, truncate).to(x.device) for side in x.shape[-2:])
        return along_both(x, rows, columns)
    weights = torch.from_numpy(gaussian_kernel(sigma, truncate)).to(x)
    reach = len(weights) // 2
    planes = x.reshape(1, -1, *x.shape[-2:])  # every plane a channel of its own: one call serves them all
    for pad, shape in (((0, 0, reach, reach), (1, 1, -1, 1)), ((reach, reach, 0, 0), (1, 1, 1, -1))):
        kernels = weights.view(shape).expand(planes.shape[1], -1, -1, -1)
        planes = F.conv2d(F.pad(planes, pad, "replicate"), kernels, groups=planes.shape[1])
    return planes.view(x.shape)


def smooth_noise(
    noise: Tensor, sigma: float, scale: float, *, truncate: float = 4.0, border: str = "nearest"
) -> Tensor:
    """Noise smoothed by sigma * scale, with the spread that sigma alone would leave.

    Smoothing white noise divides its deviation by about 3.5 sigma. A field for a smaller picture is smoothed less, and
    would keep more: drops would cover more of it. noise: (..., H, W) of independent numbers with mean 0.
    """
    # the deviation left along one axis is the root of the sum of squares, on two axes its square
    left = np.square(gaussian_kernel(sigma, truncate)).sum()
    kept = np.square(gaussian_kernel(sigma * scale, truncate)).sum()
    return gaussian_blur(noise, sigma * scale, truncate=truncate, border=border).mul_(float(left / kept))


def correlate(x: Tensor, kernel: Tensor, border: str) -> Tensor:
    r"""Every picture with a kernel, through the Fourier transform: the cost does not depend on the kernel's entries.

    .. math:: y(p) = \sum_o k(o)\, x(p + o)

    x: (N, C, H, W). kernel: (N, K, K) or (1, K, K), K odd, o counted from its middle. border: "replicate" repeats the
    pixels at the border, "reflect" mirrors the picture in the middle of the outermost ones.
    """
    reach, (height, width) = kernel.shape[-1] // 2, x.shape[-2:]
    x = F.pad(x, (reach, reach, reach, reach), border)
    size = tuple(next_fast_len(side, True) for side in x.shape[-2:])
    # correlation theorem: F(y) = F(x) conj(F(k))
    spectrum = torch.fft.rfft2(x, s=size).mul_(torch.fft.rfft2(kernel[:, None], s=size).conj())
    return torch.fft.irfft2(spectrum, s=size)[..., :height, :width]


def line_kernel(angles: Sequence[float] | Tensor, radius: float, sigma: float) -> Tensor:
    r"""Motion to one side, as ImageMagick has it: half a Gaussian along a ray, on the nearest pixels.

    .. math:: k(o_i) \propto e^{-i^2 / 2 \sigma^2}, \quad o_i = \lceil i (\cos a, \sin a) - 1/2 \rceil, \quad
              i = 0, \dots, 2 \lceil r \rceil

    angles: a in degrees, (N,), clockwise from the right. radius, sigma: r and sigma in pixels. Returns (N, K, K).
    """
    angles = torch.deg2rad(torch.as_tensor(angles, dtype=torch.float64).cpu())
    reach = 2 * math.ceil(radius)
    i = torch.arange(reach + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (i / sigma) ** 2)
    rows, columns = (torch.ceil(i * side(angles)[:, None] - 0.5).long() + reach for side in (torch.sin, torch.cos))
    width = 2 * reach + 1
    kernel = torch.zeros(len(angles), width * width, dtype=torch.float64)
    kernel.scatter_add_(1, rows * width + columns, (weights / weights.sum()).expand(len(angles), -1))
    return kernel.view(-1, width, width).float()


def motion_blur(x: Tensor, angles: Sequence[float] | Tensor, radius: float, sigma: float) -> Tensor:
    """(N, C, H, W) with :func:`line_kernel`; one angle for all, or N."""
    return correlate(x, line_kernel(angles, radius, sigma).to(x.device), "replicate")


def zoom(x: Tensor, factor: float) -> Tensor:
    """The middle of (N, C, H, W), magnified to the same size, bilinearly. factor: 1 or more.

    As in the reference: ceil(side / factor) pixels are cut out, corners go to corners, and what is too much is cut off.
    """
    sides = x.shape[-2:]
    inner = [math.ceil(side / factor) for side in sides]
    top, left = ((side - cut) // 2 for side, cut in zip(sides, inner, strict=True))
    size = [round(cut * factor) for cut in inner]
    x = F.interpolate(
        x[..., top : top + inner[0], left : left + inner[1]], size=size, mode="bilinear", align_corners=True
    )
    top, left = ((out - side) // 2 for side, out in zip(sides, size, strict=True))
    return x[..., top : top + sides[0], left : left + sides[1]]


def pixels(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Column and row of every pixel, (H, W) each."""
    rows, columns = (torch.arange(side, dtype=torch.float32, device=device) for side in (height, width))
    row, column = torch.meshgrid(rows, columns, indexing="ij")
    return column, row


def look_up(x: Tensor, column: Tensor, row: Tensor, border: str) -> Tensor:
    """Values at real places, bilinearly.

    x: (N, C, H, W). column, row: (N, h, w) or (h, w), in pixels, 0 is the middle of the first. border: "reflect" is
    b a | a b c | c b, "mirror" is c b | a b c | b a, "zeros" takes 0 outside. Returns (N, C, h, w).
    """
    height, width = x.shape[-2:]
    # grid_sample mirrors in the outer edge of the border pixels, or in their middle where align_corners is True.
    middle = border == "mirror"
    column, row = (
        at * (2 / (side - 1)) - 1 if middle else (2 * at + 1) / side - 1
        for at, side in ((column, width), (row, height))
    )
    grid = torch.stack(torch.broadcast_tensors(column, row), -1).expand(len(x), -1, -1, -1)
    padding = "zeros" if border == "zeros" else "reflection"
    return F.grid_sample(x, grid, mode="bilinear", padding_mode=padding, align_corners=middle)
