"""ImageNet-C: fifteen corruptions and four more for validation, at five severities each.

Source: Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations",
ICLR 2019. The parameters are those of the authors' code, hendrycks/robustness; the code is our own.

Taught in :doc:`/book/datasets/corruptions`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from adlib.datasets.corruptions import _blur, _digital, _filters, _noise, _spatter, _weather
from adlib.datasets.corruptions._pictures import (
    check_generator,
    check_images,
    check_name,
    check_severity,
    chunks,
    scale,
)
from adlib.datasets.corruptions._streams import Streams

# Severities 1 to 5. Lengths are in pixels of a picture of 224.
_PARAMETERS: dict[str, tuple[Any, ...]] = {
    "gaussian_noise": (0.08, 0.12, 0.18, 0.26, 0.38),  # deviation
    "shot_noise": (60, 25, 12, 5, 3),  # photons that make a pixel white
    "impulse_noise": (0.03, 0.06, 0.09, 0.17, 0.27),  # share of values hit
    "defocus_blur": ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),  # radius, softness of the edge
    "glass_blur": ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),  # sigma, reach, rounds
    "motion_blur": ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),  # radius, sigma
    # Step and number of factors. The reference's arange(1, 1.11, 0.01) and (1, 1.16, 0.01) have 12 and 16 by rounding.
    "zoom_blur": ((0.01, 12), (0.01, 16), (0.02, 11), (0.02, 13), (0.03, 11)),
    # flakes: mean, deviation, size, threshold; their motion: radius, sigma; share of the colours kept
    "snow": (
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    ),
    "frost": ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),  # weights of picture and ice
    "fog": ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),  # amount, decay of small clouds
    "brightness": (0.1, 0.2, 0.3, 0.4, 0.5),  # added to the value
    "contrast": (0.4, 0.3, 0.2, 0.1, 0.05),  # share kept
    # displacement, its smoothing, shift of the corners, over 244: the reference's slip for 224, part of the set
    "elastic_transform": ((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02)),
    "pixelate": (0.6, 0.5, 0.4, 0.3, 0.25),  # share of height and width
    "jpeg_compression": (25, 18, 15, 10, 7),  # quality
    "speckle_noise": (0.15, 0.2, 0.35, 0.45, 0.6),  # deviation, as a share of the value
    "gaussian_blur": (1, 2, 3, 4, 6),  # sigma
    # noise: mean, deviation, smoothing, threshold; strength of water or smoothing of mud; mud instead of water
    "spatter": (
        (0.65, 0.3, 4, 0.69, 0.6, False),
        (0.65, 0.3, 3, 0.68, 0.6, False),
        (0.65, 0.3, 2, 0.68, 0.5, False),
        (0.65, 0.3, 1, 0.65, 1.5, True),
        (0.67, 0.4, 1, 0.65, 1.5, True),
    ),
    "saturate": ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),  # factor of the saturation, and what is added
}
_NAMES = tuple(_PARAMETERS)

IMAGENET_C: tuple[str, ...] = _NAMES[:15]
"""The fifteen corruptions that count, in the order of the paper."""

IMAGENET_C_EXTRA: tuple[str, ...] = _NAMES[15:]
"""Four more, set aside for choosing parameters."""


def _corrupted(x: Tensor, name: str, values: Any, streams: Streams) -> Tensor:
    """One chunk. values: the parameters of name at one severity."""
    s = scale(*x.shape[-2:])
    match name:
        case "gaussian_noise":
            return _noise.gaussian_noise(x, streams, values)
        case "shot_noise":
            return _noise.shot_noise(x, streams, values)
        case "impulse_noise":
            return _noise.impulse_noise(x, streams, values)
        case "speckle_noise":
            return _noise.speckle_noise(x, streams, values)
        case "gaussian_blur":
            return _filters.gaussian_blur(x, values * s)
        case "defocus_blur":
            return _blur.defocus_blur(x, values[0] * s, values[1], s)
        case "glass_blur":
            sigma, reach, rounds = values
            return _blur.glass_blur(x, streams, sigma * s, max(1, round(reach * s)), rounds)
        case "motion_blur":
            return _blur.motion_blur(x, streams, values[0] * s, values[1] * s)
        case "zoom_blur":
            return _blur.zoom_blur(x, *values)
        case "snow":
            mean, deviation, size, threshold, radius, sigma, kept = values
            return _weather.snow(x, streams, (mean, deviation, size * s, threshold), radius * s, sigma * s, kept)
        case "frost":
            return _weather.frost(x, streams, *values)
        case "fog":
            return _weather.fog(x, streams, *values)
        case "spatter":
            return _spatter.spatter(x, streams, values[:4], values[4], values[5], s)
        case "brightness":
            return _digital.brightness(x, values)
        case "contrast":
            return _digital.contrast(x, values)
        case "saturate":
            return _digital.saturate(x, *values)
        case "elastic_transform":
            strength, sigma, shift = (244 * value for value in values)
            return _digital.elastic(x, streams, strength, sigma, shift, s)
        case "pixelate":
            return _digital.pixelate(x, values)
        case _:
            return _digital.jpeg_compression(x, values)


def imagenet_c(images: Tensor, name: str, severity: int, *, generator: torch.Generator | None = None) -> Tensor:
    """Pictures with one of the corruptions of ImageNet-C, each picture with random draws of its own.

    images: (N, 3, H, W) or (N, 1, H, W), floats in [0, 1], at least 16 pixels high and wide, on any device; they are
    not changed. name: one of ``IMAGENET_C`` or ``IMAGENET_C_EXTRA``. severity: 1 to 5.

    generator: where the random numbers come from. None stands for torch's own on the CPU, the one that
    ``torch.manual_seed`` sets. Numbers are drawn where the generator is (a CPU, mostly) and moved to the pictures, so
    that a GPU gives the CPU's result up to rounding. Each picture is seeded by one number of the generator: a batch
    gives what its pictures give one after the other, and neither the chunks nor the threads it is worked on in matter.

    Returns the pictures' shape, dtype and device, in [0, 1], computed in float32. Values are not rounded to 8 bits,
    except by ``"jpeg_compression"``, whose standard wants it; the authors' code rounds all, and writes JPEG files of
    quality 85.

    On pictures of 224 pixels the algorithms are those of the authors' code, up to rounding and the order of random
    draws, with three exceptions. ``"frost"`` draws its ice, as theirs are photographs. The water of ``"spatter"`` takes
    the drops' outlines where theirs runs Canny's detector, and exact distances. ``"elastic_transform"`` looks up its
    affine map exactly, where theirs rounds places to 1/32 of a pixel. ``"glass_blur"`` copies pixels as theirs does;
    swaps were meant. ``"motion_blur"``, and that of the snow, is the line kernel of ImageMagick, computed here.

    Other sizes: the parameters are lengths in pictures of 224 pixels. They are scaled by the short side over 224, so
    that a corruption looks alike at every size; counts of pixels stay at least 1. On pictures of 28 or 32 pixels the
    mild severities of the blurs change next to nothing and those of glass blur do not differ in order. CIFAR-10-C has
    parameters of its own, chosen by hand and not offered here, and digits have :func:`mnist_c`. One channel: the luma
    of ice, water and mud is taken; ``"saturate"`` leaves it as it is.

    The mean distance to the picture does not grow with every severity: for glass blur, snow, frost, fog, elastic
    transform and saturate severity 3 or 4 can lie nearer to it than the one before, by the reference's parameters.

    Raises ValueError for an unknown name, a severity other than 1 to 5, pictures of another shape, dtype or range, or a
    generator that is none. Source: Hendrycks and Dietterich, 2019.

    Taught in :doc:`/book/datasets/corruptions`.
    """
    images = check_images(images)
    values = _PARAMETERS[check_name(name, _NAMES)][check_severity(severity) - 1]
    generator = check_generator(generator)
    with torch.inference_mode(False), torch.no_grad():  # threads know nothing of an inference_mode around this
        result = images.new_empty(images.shape)
        for part, x in chunks(images):
            result[part] = _corrupted(x, name, values, Streams(len(x), generator, x.device)).clamp_(0, 1)
    return result
