"""Canny edges of a batch: Gaussian, Sobel, non-maximum suppression, hysteresis.

The idea is Canny's (1986); definition and defaults are those of scikit-image's ``feature.canny``, which made the
released MNIST-C. Sobel values are sums, not divided by 8: a ramp of one grey level a pixel has 8.

Taught in :doc:`/book/datasets/corruptions`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SIGMA = 1.0  # pixels
LOW, HIGH = 0.1, 0.2  # of the Sobel magnitude, for grey levels in [0, 1]

# Symmetric shapes have equal gradients side by side. Without a tolerance rounding would drop some of them, others on
# another machine. On MNIST's test pictures it changes nothing.
TIE = 1e-10


def gaussian(images: Tensor, sigma: float, *, axes: tuple[int, ...] = (2, 3), border: str = "replicate") -> Tensor:
    """Gaussian smoothing along some axes of (N, 1, H, W), by a kernel cut off at 4 sigma.

    sigma: in pixels. axes: 2 for along the height, 3 for along the width. border: ``"replicate"`` repeats the pixels at
    the border, ``"constant"`` takes 0 beyond it.
    """
    radius = int(4 * sigma + 0.5)
    at = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    kernel = kernel / kernel.sum()
    for axis in axes:
        pad, shape = ((0, 0, radius, radius), (-1, 1)) if axis == 2 else ((radius, radius, 0, 0), (1, -1))
        images = F.conv2d(F.pad(images, pad, border), kernel.view(1, 1, *shape))
    return images


def sobel(images: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives of (N, 1, H, W) along height and width, times 8. The pixels at the border are repeated."""
    down = images.new_tensor([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
    kernels = torch.stack([down, down.T])[:, None]
    both = F.conv2d(F.pad(images, (1, 1, 1, 1), "replicate"), kernels)
    return both[:, :1], both[:, 1:]


def _is_ridge(magnitude: Tensor, along_height: Tensor, along_width: Tensor) -> Tensor:
    """Where the magnitude is no smaller than one step up and one step down the gradient.

    A step goes to the ring of the eight neighbours and mostly ends between two of them: a straight one and a diagonal
    one, weighed linearly.
    """
    height, width = magnitude.shape[2:]
    padded = F.pad(magnitude, (1, 1, 1, 1))

    def neighbour(rows: int, columns: int) -> Tensor:
        return padded[..., 1 + rows : 1 + rows + height, 1 + columns : 1 + columns + width]

    tall, wide = along_height.abs(), along_width.abs()
    steep = tall >= wide
    share = torch.where(steep, wide, tall) / torch.where(steep, tall, wide).clamp(min=torch.finfo(tall.dtype).tiny)
    falling = along_height * along_width >= 0  # the gradient points down and right, or up and left
    ridge = torch.ones_like(steep)
    for sign in (1, -1):
        straight = torch.where(steep, neighbour(sign, 0), neighbour(0, sign))
        rising = torch.where(steep, neighbour(sign, -sign), neighbour(-sign, sign))
        diagonal = torch.where(falling, neighbour(sign, sign), rising)
        ridge &= diagonal * share + straight * (1 - share) <= magnitude * (1 + TIE)
    return ridge


def canny(images: Tensor, *, sigma: float = SIGMA, low: float = LOW, high: float = HIGH) -> Tensor:
    """Edges of grey pictures.

    The pictures are smoothed with a Gaussian. A pixel is a candidate where its gradient is at least ``low`` and no
    smaller than the gradients beside it, up and down its own direction. Candidates stay where their 8-connected
    component holds one of at least ``high``. Near the border the smoothing weighs the pixels that are there; the
    outermost pixels are never edges.

    images: (N, 1, H, W) in [0, 1]. sigma: in pixels. low, high: of the Sobel magnitude. Returns (N, 1, H, W) bool on
    the same device. Source: Canny, 1986, in the form of scikit-image.

    Taught in :doc:`/book/datasets/corruptions`.
    """
    images = images.double()  # see TIE
    smooth = gaussian(images, sigma, border="constant") / gaussian(
        torch.ones_like(images[:1]), sigma, border="constant"
    )
    along_height, along_width = sobel(smooth)
    magnitude = torch.hypot(along_height, along_width)
    ridge = _is_ridge(magnitude, along_height, along_width)
    ridge[..., [0, -1], :] = False
    ridge[..., :, [0, -1]] = False
    weak, strong = ridge & (magnitude >= low), ridge & (magnitude >= high)
    while True:  # one pixel further along the candidates each time
        grown = F.max_pool2d(strong.to(images.dtype), 3, 1, 1).bool() & weak
        if torch.equal(grown, strong):
            return strong
        strong = grown
