r"""CutPaste: a patch cut from a normal picture and pasted elsewhere in it looks like a local defect.

Source: Li, Sohn, Yoon and Pfister, CVPR 2021. The paper gives the ranges. It gives no code, and it leaves open: the law
of sizes in whole pixels, what becomes of a patch too long for the picture, the order of the jitter's four steps, and
pastes that change nothing.

One row of random numbers a picture, one row after the other, drawn on the CPU: the same generator gives the same
patches on every device, and to a batch the same as to its pictures one by one. No picture depends on its neighbours.
Taught in :doc:`/book/self_supervised/cutpaste`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from adlib import _checks
from adlib.detector import check_images
from adlib.self_supervised._paste import TRIALS, paste

Range = tuple[float, float]

AREA, ASPECT, JITTER = (0.02, 0.15), (0.3, 3.3), 0.1
WIDTH, HEIGHT, DEGREES = (2, 16), (10, 25), (-45, 45)
SIDE = 256  # pixels; the scar's width and height are lengths in pictures of this size
THINNEST, SHORTEST = 2, 4  # pixels; a scar is at least so wide and so high in a picture of any size
SMALLEST = 8  # pixels; below, a patch is less than a pixel, and a scar does not fit


@torch.no_grad()
def cut_paste(
    images: Tensor, *, generator: torch.Generator, area: Range = AREA, aspect: Range = ASPECT, jitter: float = JITTER
) -> tuple[Tensor, Tensor]:
    r"""Paste a rectangle of each picture at another place of the same picture.

    .. math:: y(p + t) = J\big(x(p + s)\big), \quad p \in \{0, \ldots, h - 1\} \times \{0, \ldots, w - 1\}

    and y = x elsewhere. (h, w) follow :func:`patch_sizes`; the corners s and t are uniform over all places where the
    patch lies inside; J multiplies brightness, contrast and saturation by factors uniform in 1 ± jitter, in this order,
    then turns the hue by a part of a full turn uniform in ± jitter. Each is torchvision's ``adjust_*`` on the patch
    alone; a grey patch has neither saturation nor hue.

    images: float (N, C, H, W) in [0, 1], C 1 or 3, H and W at least 8. generator: on the CPU, whatever the images'
    device. area: of the patch, as a fraction of the picture's, in (0, 1). aspect: h / w. jitter: in [0, 0.5].

    Returns the pictures, and where they may differ: (N, H, W) bool, True on the pasted rectangle. A paste that changes
    no value by more than 1/510, half a grey level, is drawn again, place and jitter, up to 32 times in all. Raises
    ``ValueError`` that names the argument; for ``images`` too where they never change: black pictures, and constant
    ones without jitter. Source: Li et al., 2021; the new draws and the order of the jitter are adlib's.
    Taught in :doc:`/book/self_supervised/cutpaste`.
    """
    images = _check(images, generator)
    jitter = _check_jitter(jitter)
    area, aspect = _check_area(area), _check_aspect(aspect)
    draws = _uniform(len(images), 2 + 8 * TRIALS, generator)
    sizes = _patch_sizes(draws[:, :2], images.shape[2], images.shape[3], area, aspect)
    return paste(images, sizes, draws[:, 2:], jitter)


@torch.no_grad()
def cut_paste_scar(
    images: Tensor,
    *,
    generator: torch.Generator,
    width: Range = WIDTH,
    height: Range = HEIGHT,
    degrees: Range = DEGREES,
    jitter: float = JITTER,
) -> tuple[Tensor, Tensor]:
    r"""Paste a thin, turned rectangle of each picture at another place of the same picture.

    .. math:: y = R_\theta\big(J(c)\big) + \big(1 - R_\theta(1)\big)\, x

    c is the patch, cut upright and jittered as in :func:`cut_paste`, with 0 around it; 1 is a mask of ones of its size;
    R turns both about their middle, bilinearly. So :math:`\alpha = R_\theta(1)` is the share of the patch in every
    pixel, and no dark seam appears. The place is uniform over all where the turned patch lies inside.

    images, generator, jitter: as in :func:`cut_paste`. width, height: of the patch, as in :func:`scar_sizes`. degrees:
    of the turn, uniform, counter-clockwise, in [-180, 180].

    Returns the pictures, and where they may differ: (N, H, W) bool, True where :math:`\alpha > 0`. Pastes that change
    nothing and errors: as in :func:`cut_paste`. Source: Li et al., 2021; alpha is adlib's reading of a pasted patch
    that is turned.
    Taught in :doc:`/book/self_supervised/cutpaste`.
    """
    images = _check(images, generator)
    jitter = _check_jitter(jitter)
    side = min(images.shape[2:])
    width, height, largest = _check_scar(width, height, side)
    degrees = _check_range("degrees", degrees, "in [-180, 180]", -180, 180, ends=True)
    draws = _uniform(len(images), 3 + 8 * TRIALS, generator)
    sizes = _scar_sizes(draws[:, :2], side, width, height)
    angles = torch.deg2rad(_between(draws[:, 2], degrees))
    return paste(images, sizes, draws[:, 3:], jitter, angles, largest)


def three_way(
    images: Tensor,
    *,
    generator: torch.Generator,
    area: Range = AREA,
    aspect: Range = ASPECT,
    width: Range = WIDTH,
    height: Range = HEIGHT,
    degrees: Range = DEGREES,
    jitter: float = JITTER,
) -> tuple[Tensor, Tensor, Tensor]:
    """The pictures as they are, then with :func:`cut_paste`, then with :func:`cut_paste_scar`.

    Arguments and errors: as there. Draws for all rectangles first, then for all scars. Returns images (3N, C, H, W),
    labels (3N,) int64, 0 normal, 1 CutPaste, 2 scar, and masks (3N, H, W) bool, all False for the normal ones.
    Source: Li et al., 2021.
    Taught in :doc:`/book/self_supervised/cutpaste`.
    """
    cut, cut_masks = cut_paste(images, generator=generator, area=area, aspect=aspect, jitter=jitter)
    scar, scar_masks = cut_paste_scar(
        images, generator=generator, width=width, height=height, degrees=degrees, jitter=jitter
    )
    labels = torch.arange(3, device=images.device).repeat_interleave(len(images))
    return (
        torch.cat([images.detach(), cut, scar]),
        labels,
        torch.cat([torch.zeros_like(cut_masks), cut_masks, scar_masks]),
    )


def patch_sizes(
    n: int, height: int, width: int, *, generator: torch.Generator, area: Range = AREA, aspect: Range = ASPECT
) -> Tensor:
    r"""n sizes (h, w) of the rectangles of :func:`cut_paste`, in pixels.

    .. math:: a \sim U(\text{area}), \quad r \sim \tfrac12 U(r_0, 1) + \tfrac12 U(1, r_1), \quad
        h = \sqrt{a H W r}, \quad w = \sqrt{a H W / r}

    with aspect = (r0, r1); plain U(r0, r1) where 1 does not lie between them. Where such a patch would be longer than
    the picture, r is moved to the nearest aspect that fits, and the area stays. The short side is rounded, the long one
    follows from the area and is rounded so that the area stays in its range, where whole pixels allow that.

    n: at least 1. height, width: H, W of the pictures, at least 8. generator: on the CPU. Returns (n, 2) int64 on the
    CPU. Raises ``ValueError``. Source: Li et al., 2021; what fits and how it is rounded is adlib's.
    Taught in :doc:`/book/self_supervised/cutpaste`.
    """
    n, height, width = (_checks.integer("n", n, 1), _check_side("height", height), _check_side("width", width))
    area, aspect = _check_area(area), _check_aspect(aspect)
    return _patch_sizes(_uniform(n, 2, _check_generator(generator)), height, width, area, aspect)


def scar_sizes(
    n: int, side: int, *, generator: torch.Generator, width: Range = WIDTH, height: Range = HEIGHT
) -> Tensor:
    r"""n sizes (h, w) of the upright patches of :func:`cut_paste_scar`, in pixels.

    .. math:: h = \max\left(4, \frac{S}{256} U(\text{height})\right), \quad
        w = \max\left(2, \frac{S}{256} U(\text{width})\right)

    both rounded. S is the short side of the pictures. n: at least 1. side: S, at least 8. width, height: in pixels of
    pictures of 256. generator: on the CPU. Returns (n, 2) int64 on the CPU. Raises ``ValueError``, also where the
    longest scar would not fit in a square of S by its diagonal. Source: Li et al., 2021; how it scales is adlib's.
    Taught in :doc:`/book/self_supervised/cutpaste`.
    """
    n, side = _checks.integer("n", n, 1), _check_side("side", side)
    width, height, _ = _check_scar(width, height, side)
    return _scar_sizes(_uniform(n, 2, _check_generator(generator)), side, width, height)


# --- the laws, from numbers that are uniform in [0, 1)


def _uniform(n: int, count: int, generator: torch.Generator) -> Tensor:
    return torch.rand(n, count, generator=generator, dtype=torch.float64)


def _between(draws: Tensor, ends: Range) -> Tensor:
    return ends[0] + draws * (ends[1] - ends[0])


def _patch_sizes(draws: Tensor, height: int, width: int, area: Range, aspect: Range) -> Tensor:
    low, high = (fraction * height * width for fraction in area)
    pixels = _between(draws[:, 0], (low, high))
    if aspect[0] < 1 < aspect[1]:
        half = 2 * draws[:, 1]
        ratio = torch.where(half < 1, _between(half, (aspect[0], 1)), _between(half - 1, (1, aspect[1])))
    else:
        ratio = _between(draws[:, 1], aspect)
    ratio = ratio.clamp(pixels / width**2, height**2 / pixels)  # h <= H and w <= W
    tall = ratio > 1
    short = torch.minimum(pixels * ratio, pixels / ratio).sqrt().round().clamp(min=1)
    # 1e-9: a bound that is a whole number may have been rounded off it
    fewest, most = (low / short - 1e-9).ceil(), (high / short + 1e-9).floor()
    long = (pixels / short).round().clamp(fewest, most).clamp(min=1)
    sizes = torch.stack([torch.where(tall, long, short), torch.where(tall, short, long)], 1).long()
    return sizes.clamp(max=torch.tensor([height, width]))


def _scar_sizes(draws: Tensor, side: int, width: Range, height: Range) -> Tensor:
    sizes = torch.stack([_between(draws[:, 0], height), _between(draws[:, 1], width)], 1) * (side / SIDE)
    return sizes.round().long().clamp(min=torch.tensor([SHORTEST, THINNEST]))


# --- checks


def _check(images: Any, generator: Any) -> Tensor:
    _check_generator(generator)
    images = check_images(images).detach()
    if images.shape[1] not in (1, 3):
        raise ValueError(f"images must have 1 or 3 channels, got shape {tuple(images.shape)}")
    if min(images.shape[2:]) < SMALLEST:
        raise ValueError(f"images must be at least {SMALLEST} pixels high and wide, got shape {tuple(images.shape)}")
    return images


def _check_generator(generator: Any) -> torch.Generator:
    if not isinstance(generator, torch.Generator) or generator.device.type != "cpu":
        came = f"one on {generator.device}" if isinstance(generator, torch.Generator) else repr(generator)
        raise ValueError(f"generator must be a torch.Generator on the CPU, got {came}")
    return generator


def _check_range(name: str, value: Any, accepted: str, low: float, high: float, *, ends: bool) -> Range:
    wanted = f"{name} must be two numbers (least, most) {accepted}"
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ValueError(f"{wanted}, got {value!r}")
    least, most = value
    try:
        least, most = (_checks.number(name, end, accepted, low, high, ends=ends) for end in value)
    except ValueError:
        raise ValueError(f"{wanted}, got {value!r}") from None
    if least > most:
        raise ValueError(f"{wanted}, got {value!r}")
    return least, most


def _check_area(area: Any) -> Range:
    return _check_range("area", area, "in (0, 1)", 0, math.nextafter(1, 0), ends=False)


def _check_aspect(aspect: Any) -> Range:
    return _check_range("aspect", aspect, "above 0", 0, math.inf, ends=False)


def _check_jitter(jitter: Any) -> float:
    return _checks.number("jitter", jitter, "a number in [0, 0.5]", 0, 0.5)


def _check_scar(width: Any, height: Any, side: int) -> tuple[Range, Range, tuple[int, int]]:
    """The ranges, and the size (h, w) of the largest scar."""
    width = _check_range("width", width, "above 0", 0, math.inf, ends=False)
    height = _check_range("height", height, "above 0", 0, math.inf, ends=False)
    tall, wide = _scar_sizes(torch.ones(1, 2, dtype=torch.float64), side, width, height)[0].tolist()
    if math.hypot(tall + 1, wide + 1) - 1 > side:
        raise ValueError(
            f"width and height must leave a turned scar inside pictures of {side} px, got {width} and {height} at "
            f"{SIDE} px: up to {wide} x {tall} px"
        )
    return width, height, (tall, wide)


def _check_side(name: str, value: Any) -> int:
    return _checks.integer(name, value, SMALLEST)
