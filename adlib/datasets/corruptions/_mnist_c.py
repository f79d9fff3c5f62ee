"""MNIST-C: the fifteen corruptions of Mu and Gilmer, "MNIST-C: A Robustness Benchmark for Computer Vision", 2019.

Parameters are those of google-research/mnist-c, which made the released files; lengths are in pixels of 28 x 28
pictures. Every picture of a batch gets draws of its own. What stays different: pictures are floats and are not rounded
to 8 bits between or after the steps, and the draws are torch's, so that single pictures equal no released one.

Taught in :doc:`/book/datasets/corruptions`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from adlib.datasets.corruptions import _affine, _draws, _strokes
from adlib.datasets.corruptions._canny import canny, gaussian
from adlib.datasets.corruptions._clouds import clouds
from adlib.datasets.corruptions._draws import Generator
from adlib.datasets.corruptions._pictures import check_generator, check_images, check_name, check_severity

MNIST_C: dict[str, int | None] = {
    "shot_noise": 5,
    "impulse_noise": 4,
    "glass_blur": 1,
    "motion_blur": 1,
    "shear": 2,
    "scale": 3,
    "rotate": 2,
    "brightness": 5,
    "translate": 3,
    "stripe": None,
    "fog": 5,
    "spatter": 4,
    "dotted_line": None,
    "zigzag": None,
    "canny_edges": None,
}
"""The fifteen corruptions in the order of the paper's code, each with the severity of the released files.

None: there is one strength only. ``"identity"``, the sixteenth folder of the release, leaves pictures as they are.
"""

MINIMUM = 8  # pixels: the lines need room

# What severities 1 to 5 mean.
_STRENGTHS: dict[str, tuple[Any, ...]] = {
    "shot_noise": (60, 25, 12, 5, 3),  # expected counts of a white pixel
    "impulse_noise": (0.03, 0.06, 0.09, 0.17, 0.27),  # share of pixels hit
    "glass_blur": ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),  # sigma, furthest swap, rounds
    "motion_blur": ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),  # radius, sigma in pixels
    "shear": (0.2, 0.4, 0.6, 0.8, 1.0),  # radians
    "scale": (0.9, 0.8, 0.7, 0.6, 0.5),  # size of the digit, 1 as it was
    "rotate": (0.2, 0.4, 0.6, 0.8, 1.0),  # radians
    "brightness": (0.1, 0.2, 0.3, 0.4, 0.5),  # grey levels added
    "translate": (1, 2, 3, 4, 5),  # pixels, along both axes
    "fog": ((1.5, 2), (2.0, 2), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)),  # amount; how fast small clouds get fainter
    "spatter": (  # mean and sigma of the noise, its smoothing, threshold, smoothing of the drops
        *((0.65, 0.3, 4, 0.69, 0.6), (0.65, 0.3, 3, 0.68, 0.6), (0.65, 0.3, 2, 0.68, 0.5)),
        *((0.65, 0.3, 1, 0.65, 1.5), (0.67, 0.4, 1, 0.65, 1.5)),
    ),
}


# noise


def _shot_noise(images: Tensor, counts: float, generator: Generator) -> Tensor:
    """Poisson(c x) / c: the fewer photons a white pixel stands for, the stronger."""
    return (_draws.poisson(counts * images, generator) / counts).clamp(max=1)


def _impulse_noise(images: Tensor, share: float, generator: Generator) -> Tensor:
    """A share of the pixels turns black or white, half of them each."""
    drawn = _draws.uniform(images, images[0].numel(), generator).view_as(images)
    return torch.where(drawn < share, (drawn < share / 2).to(images), images)


# blur


def _glass_blur(images: Tensor, strength: tuple[float, int, int], generator: Generator) -> Tensor:
    """Pixels swap places with near ones, in order from the lower right, every other one on average.

    Smoothed before and after, along the height only: the reference calls its picture without a colour axis one
    with, and so takes the width for colours.
    """
    sigma, furthest, rounds = strength
    height, width = images.shape[2:]
    across = torch.arange(-furthest, furthest)
    jumps = (across[:, None] * width + across).flatten()
    jumps = torch.cat([torch.zeros_like(jumps), jumps]).to(images.device)  # one half stays where it is
    places = [
        row * width + column
        for row in range(height - furthest, furthest, -1)
        for column in range(width - furthest, furthest, -1)
    ]
    drawn = jumps[_draws.integers(images, 0, len(jumps), rounds * len(places), generator)].T.contiguous()
    pixels = gaussian(images, sigma, axes=(2,)).flatten(1).T.contiguous()  # a row a place: a swap touches whole rows
    for step, jump in enumerate(drawn):
        place = places[step % len(places)]
        other = (place + jump)[None]
        here = pixels[place].clone()
        pixels[place] = pixels.gather(0, other)[0]
        pixels.scatter_(0, other, here[None])
    return gaussian(pixels.T.reshape(images.shape), sigma, axes=(2,))


def _motion_blur(images: Tensor, strength: tuple[int, float], generator: Generator) -> Tensor:
    r"""A streak to one side: the mean of the pixels along a ray, weighed by half a Gaussian of their distance.

    The ray points down and right or up and right, at -45 to 45 degrees. Kernel and rounding are ImageMagick's.
    """
    radius, sigma = strength
    height, width = images.shape[2:]
    angle = torch.deg2rad(90 * _draws.uniform(images, 1, generator).double() - 45)  # rounded to pixels, so exact
    steps = torch.arange(2 * radius + 1, device=images.device, dtype=torch.float64)
    weights = torch.exp(-0.5 * (steps / sigma) ** 2)
    weights = weights / weights.sum()
    right, down = ((steps * part - 0.5).ceil().long() for part in (angle.cos(), angle.sin()))
    rows, columns = (torch.arange(side, device=images.device) for side in (height, width))
    pictures, one = images[:, 0], torch.arange(len(images), device=images.device)[:, None, None]
    result = torch.zeros_like(pictures)
    for step, weight in enumerate(weights.tolist()):
        row = (rows + down[:, step, None]).clamp(0, height - 1)  # beyond the border its last pixel goes on
        column = (columns + right[:, step, None]).clamp(0, width - 1)
        result += weight * pictures[one, row[:, :, None], column[:, None, :]]
    return result[:, None]


# affine maps


def _shear(images: Tensor, angle: float, generator: Generator) -> Tensor:
    """Rows slide by the sine of the angle times their height, to either side. Heights grow by 1 / cosine."""
    angles = angle * _draws.signs(images, 1, generator)
    one, zero = torch.ones_like(angles), torch.zeros_like(angles)
    return _affine.warped(images, _affine.matrices(one, -angles.sin(), zero, angles.cos()))


def _rotate(images: Tensor, angle: float, generator: Generator) -> Tensor:
    angles = angle * _draws.signs(images, 1, generator)
    return _affine.warped(images, _affine.matrices(angles.cos(), -angles.sin(), angles.sin(), angles.cos()))


def _scale(images: Tensor, size: float, generator: Generator) -> Tensor:
    return _affine.warped(images, (torch.eye(2) / size).to(images).expand(len(images), 2, 2))


def _translate(images: Tensor, distance: int, generator: Generator) -> Tensor:
    """By the same distance along both axes, each way at random."""
    columns, rows = (distance * _draws.signs(images, 2, generator)).T
    return _affine.shifted(images, columns, rows)


# light and weather


def _brightness(images: Tensor, added: float, generator: Generator) -> Tensor:
    return (images + added).clamp(max=1)


def _stripe(images: Tensor, strength: None, generator: Generator) -> Tensor:
    """The left and the right quarter inverted."""
    quarter = images.shape[3] // 4
    result = images.clone()
    for part in (slice(None, quarter), slice(images.shape[3] - quarter, None)):
        result[..., part] = 1 - images[..., part]
    return result


def _fog(images: Tensor, strength: tuple[float, float], generator: Generator) -> Tensor:
    """(x + c clouds) m / (m + c), with m the brightest pixel of the picture."""
    amount, decay = strength
    height, width = images.shape[2:]
    side = max(256, 1 << (max(height, width) - 1).bit_length())  # of the field: a power of two, 256 in the reference
    foggy = []
    for part in images.split(32):  # a field is 84 times as large as a picture, so memory is bounded here
        draws = 2 * _draws.uniform(part, side * side - 1, generator) - 1
        thick = part + amount * clouds(draws, (height, width), decay)[:, None]
        brightest = part.amax(dim=(1, 2, 3), keepdim=True)
        foggy.append((thick * brightest / (brightest + amount)).clamp(max=1))
    return torch.cat(foggy)


def _spatter(images: Tensor, strength: tuple[float, ...], generator: Generator) -> Tensor:
    """Drops of dark grey mud cover the picture where smoothed noise is above a threshold."""
    mean, spread, smoothing, threshold, softness = strength
    liquid = gaussian(mean + spread * _draws.normal(images, generator), smoothing)
    drops = gaussian((liquid > threshold).to(images), softness)
    drops = torch.where(drops < 0.8, 0, drops)
    return images * (1 - drops) + drops * (63 / 255)


# lines


def _dotted_line(images: Tensor, strength: None, generator: Generator) -> Tensor:
    """From any row in the first column to any in the last, the lowest row excepted."""
    height, width = images.shape[2:]
    left, right = _draws.integers(images, 0, height - 1, 2, generator).to(images).T
    return (images + _strokes.dotted_line((height, width), left, right)[:, None]).clamp(max=1)


def _zigzag(images: Tensor, strength: None, generator: Generator) -> Tensor:
    """From any row but the lowest to one that lies 5 higher to 4 lower."""
    height, width = images.shape[2:]
    drawn = _draws.integers(images, 0, 10 * (height - 1), 1, generator)[:, 0]
    left = (drawn // 10).to(images)
    right = left + (drawn % 10).to(images) - 5
    return (images + _strokes.zigzag((height, width), left, right)[:, None]).clamp(max=1)


def _canny_edges(images: Tensor, strength: None, generator: Generator) -> Tensor:
    return canny(images).to(images)


def _identity(images: Tensor, strength: None, generator: Generator) -> Tensor:
    return images.clone()


_FUNCTIONS: dict[str, Callable[[Tensor, Any, Generator], Tensor]] = {
    "shot_noise": _shot_noise,
    "impulse_noise": _impulse_noise,
    "glass_blur": _glass_blur,
    "motion_blur": _motion_blur,
    "shear": _shear,
    "scale": _scale,
    "rotate": _rotate,
    "brightness": _brightness,
    "translate": _translate,
    "stripe": _stripe,
    "fog": _fog,
    "spatter": _spatter,
    "dotted_line": _dotted_line,
    "zigzag": _zigzag,
    "canny_edges": _canny_edges,
    "identity": _identity,
}


def mnist_c(
    images: Tensor, name: str, *, severity: int | None = None, generator: torch.Generator | None = None
) -> Tensor:
    """Corrupted pictures, as MNIST-C has them.

    images: (N, 1, H, W) floats in [0, 1], on any device, at least 8 x 8. The constants are for bright digits on black,
    28 x 28; lengths are in pixels and do not grow with the picture. name: one of ``MNIST_C``, or ``"identity"``:

    - ``"shot_noise"``, ``"impulse_noise"``: noise of photons counted, pixels turned black or white;
    - ``"glass_blur"``, ``"motion_blur"``: near pixels shuffled, a streak to one side;
    - ``"shear"``, ``"scale"``, ``"rotate"``, ``"translate"``: maps about the middle, ways at random, digits smaller;
    - ``"brightness"``, ``"stripe"``, ``"fog"``, ``"spatter"``: greys raised, outer quarters inverted, clouds, mud;
    - ``"dotted_line"``, ``"zigzag"``: a line across the picture; ``"canny_edges"``: outlines only (Canny, 1986).

    severity: 1 to 5, where the corruption has such; None for that of the released files, ``MNIST_C``. generator:
    where the draws come from, each picture its own; it may live on another device than the pictures. None takes torch's
    default generator of the CPU, which ``torch.manual_seed`` sets. A CPU generator gives the same result for a batch as
    for its parts in turn.

    Returns new pictures of the same shape, dtype and device, in [0, 1]; the given ones stay as they are.
    Raises ValueError for a bad argument. Source: Mu and Gilmer, 2019.

    Taught in :doc:`/book/datasets/corruptions`.
    """
    check_name(name, tuple(_FUNCTIONS))
    check_generator(generator)
    if name not in _STRENGTHS:
        if severity is not None:
            raise ValueError(f"severity must be None for {name}, which has one strength only, got {severity!r}")
        strength = None
    else:
        strength = _STRENGTHS[name][check_severity(MNIST_C[name] if severity is None else severity) - 1]
    pictures = check_images(images, (1,), MINIMUM).contiguous()
    exact = pictures if pictures.dtype == torch.float64 else pictures.float()  # half precision is for keeping only
    return _FUNCTIONS[name](exact, strength, generator).clamp(0, 1).to(pictures.dtype)
