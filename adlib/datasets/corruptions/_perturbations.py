"""ImageNet-P: ten perturbations and four more for validation, as sequences of frames.

Source: Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations",
ICLR 2019. The parameters are those of the authors' code, hendrycks/robustness; the code is our own.

Taught in :doc:`/book/datasets/corruptions`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from adlib import _checks
from adlib.datasets.corruptions import _digital, _filters, _noise, _spatter, _weather
from adlib.datasets.corruptions._pictures import SMALLEST, check_generator, check_images, check_name, chunks, scale
from adlib.datasets.corruptions._streams import Streams

LONGEST = 101  # frames; tilted by 50 degrees, the whole picture is still before the camera

# Each function takes x, (N, C, H, W) float32 in [0, 1], one Streams for it and the number of frames, and yields them.


def _noisy(
    x: Tensor, streams: Streams, frames: int, *, add: Callable[[Tensor, Streams, float], Tensor], strength: float
) -> Iterator[Tensor]:
    """The picture, then the picture with noise, each time anew."""
    yield x
    for _ in range(1, frames):
        yield add(x.clone(), streams, strength)


def _motion_blur(x: Tensor, streams: Streams, frames: int) -> Iterator[Tensor]:
    """The direction turns by 4 degrees a frame, from -120 degrees."""
    s = scale(*x.shape[-2:])
    for t in range(frames):
        yield _filters.motion_blur(x, [4.0 * (t - 30)], 10 * s, 3 * s)


def _gaussian_blur(x: Tensor, streams: Streams, frames: int) -> Iterator[Tensor]:
    """Sigma grows from 0.25 by 0.035 a frame."""
    s = scale(*x.shape[-2:])
    for t in range(frames):
        yield _filters.gaussian_blur(x, (0.25 + 0.035 * t) * s, truncate=6)


def _snow(x: Tensor, streams: Streams, frames: int) -> Iterator[Tensor]:
    """The same flakes, in a wind that turns by 4 degrees a frame, from -150 degrees."""
    s = scale(*x.shape[-2:])
    layer = _weather.flakes(streams.normal(*x.shape[-2:]), 0.05, 0.3, 3 * s, 0.5)
    for t in range(frames):
        falling = _filters.motion_blur(layer, [4.0 * t - 150], 14 * s, 4 * s)
        yield _weather.snowed(x.clone(), falling, 0.85)


def _drops(x: Tensor, streams: Streams, frames: int) -> Iterator[Tensor]:
    """The drops run down: 70 % of the water by two pixels a frame."""
    s = scale(*x.shape[-2:])
    layer = _spatter.liquid(streams.normal(*x.shape[-2:]), 0.65, 0.27, 3.7, 0.69, s)
    # y(r) = 0.7 x(r - 2) + 0.15 x(r - 1) + 0.1 x(r) + 0.05 x(r + 1)
    flow = torch.tensor([0.7, 0.15, 0.1, 0.05], device=x.device).view(1, 1, 4, 1)
    for _ in range(frames):
        yield _spatter.rain(x.clone(), layer, 0.6, s)
        layer = F.conv2d(F.pad(layer[:, None], (0, 0, 2, 1)), flow)[:, 0]


def _brightness(x: Tensor, streams: Streams, frames: int) -> Iterator[Tensor]:
    """From dark to bright by 0.02 a frame; the middle frame is the picture."""
    for t in range(frames):
        yield _digital.brightness(x, 0.02 * (t - frames // 2))


# geometry


def _translate(steps: int, t: int, size: tuple[int, int], s: float) -> np.ndarray:
    """To the right by a pixel a frame; the middle frame is the picture."""
    return np.array([[1, 0, -steps * s], [0, 1, 0], [0, 0, 1]])


def _rotate(steps: int, t: int, size: tuple[int, int], s: float) -> np.ndarray:
    """Clockwise by a degree a frame."""
    a = math.radians(steps)
    return np.array([[math.cos(a), math.sin(a), 0], [-math.sin(a), math.cos(a), 0], [0, 0, 1]])


def _shear(steps: int, t: int, size: tuple[int, int], s: float) -> np.ndarray:
    """Upright lines lean by a degree a frame."""
    return np.array([[1, math.tan(math.radians(steps)), 0], [0, 1, 0], [0, 0, 1]])


def _scale(steps: int, t: int, size: tuple[int, int], s: float) -> np.ndarray:
    """From 40 % of its size, by 2.5 % a frame."""
    return np.diag([1 / (0.4 + 0.025 * t), 1 / (0.4 + 0.025 * t), 1])


def _tilt(steps: int, t: int, size: tuple[int, int], s: float) -> np.ndarray:
    r"""Turned about the vertical and the horizontal axis by a degree a frame, seen by a pinhole camera.

    It is one pixel further away than the focal length f, as in the reference, and so a little smaller in the middle
    frame. With a the angle, f the diagonal, and (X, Y) from the middle, the camera sees (X, Y, 1) at f (x, y) / z:

    .. math:: x = X \cos a - \sin a, \quad h = X \sin a + \cos a, \quad y = Y \cos a - h \sin a, \quad
              z = Y \sin a + h \cos a + f
    """
    f, sin, cos = math.hypot(*size), math.sin(math.radians(steps)), math.cos(math.radians(steps))
    seen = [[f * cos, 0, -f * sin], [-f * sin * sin, f * cos, -f * sin * cos], [sin * cos, sin, cos * cos + f]]
    return np.linalg.inv(np.array(seen))


def _looked_up(x: Tensor, back: np.ndarray, margin: int) -> Tensor:
    """The picture through a homography that leads from a frame back to it, about the middle, without its margin."""
    height, width = x.shape[-2:]
    column, row = _filters.pixels(height - 2 * margin, width - 2 * margin, x.device)
    middle = (width - 1) / 2, (height - 1) / 2
    column, row = column + (margin - middle[0]), row + (margin - middle[1])
    across, down, depth = (a * column + b * row + c for a, b, c in back.tolist())
    return _filters.look_up(x, across / depth + middle[0], down / depth + middle[1], "zeros")


def _moved(
    x: Tensor, frames: int, margin: int, back: Callable[[int, int, tuple[int, int], float], np.ndarray]
) -> Iterator[Tensor]:
    size = (x.shape[-2], x.shape[-1])
    s = scale(*(side - 2 * margin for side in size))
    for t in range(frames):
        yield _looked_up(x, back(t - frames // 2, t, size, s), margin)


def _zoom_blur(x: Tensor, frames: int, margin: int) -> Iterator[Tensor]:
    """Frame t is the mean of the picture magnified by 1, 1.004, ..., 1 + 0.004 t."""
    total = torch.zeros_like(x[..., margin : x.shape[-2] - margin, margin : x.shape[-1] - margin])
    for t in range(frames):
        total += _looked_up(x, np.diag([1 / (1 + 0.004 * t), 1 / (1 + 0.004 * t), 1]), margin)
        yield total / (t + 1)


# the two kinds: those that see the picture only, and those that see its margin too

_WITHIN: dict[str, Callable[[Tensor, Streams, int], Iterator[Tensor]]] = {
    "gaussian_noise": partial(_noisy, add=_noise.gaussian_noise, strength=0.03),
    "shot_noise": partial(_noisy, add=_noise.shot_noise, strength=300),
    "motion_blur": _motion_blur,
    "snow": _snow,
    "brightness": _brightness,
    "speckle_noise": partial(_noisy, add=_noise.speckle_noise, strength=0.05),
    "gaussian_blur": _gaussian_blur,
    "spatter": _drops,
}
_BEYOND: dict[str, Callable[[Tensor, int, int], Iterator[Tensor]]] = {
    "zoom_blur": _zoom_blur,
    "translate": partial(_moved, back=_translate),
    "rotate": partial(_moved, back=_rotate),
    "tilt": partial(_moved, back=_tilt),
    "scale": partial(_moved, back=_scale),
    "shear": partial(_moved, back=_shear),
}

IMAGENET_P: tuple[str, ...] = (
    *("gaussian_noise", "shot_noise", "motion_blur", "zoom_blur", "brightness"),
    *("translate", "rotate", "tilt", "scale", "snow"),
)
"""The ten perturbations that count."""

IMAGENET_P_EXTRA: tuple[str, ...] = ("speckle_noise", "gaussian_blur", "spatter", "shear")
"""Four more, set aside for choosing parameters."""


def imagenet_p(
    images: Tensor,
    name: str,
    *,
    frames: int = 31,
    margin: int = 0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Pictures as short sequences, each with one of the perturbations of ImageNet-P.

    In the three sequences of noise (gaussian, shot, speckle) the first frame is the picture and all others have noise
    of their own; a classifier's answers are compared with that for the first. The others drift slowly; answers are
    compared from frame to frame. See :func:`flip_probability`.

    images: (N, 3, H, W) or (N, 1, H, W), floats in [0, 1], at least 16 pixels high and wide without their margin, on
    any device; they are not changed. name: one of ``IMAGENET_P`` or ``IMAGENET_P_EXTRA``. generator: as in
    :func:`imagenet_c`.

    frames: 2 to 101. The steps from frame to frame are the reference's whatever their number. Brightness, translation,
    rotation, tilt and shear go as far to one side of the picture as to the other, the rest begin where the reference
    does. All its sequences have 31 frames but one: its loop for ``"translate"`` makes 41, from -20 to 20 pixels. Here
    31 frames go from -15 to 15, and ``frames=41`` gives its sequence.

    margin: so many pixels on each side belong to the surroundings. They can move into the frame and are cut off in the
    end. Beyond them all is black, as in the reference, which moves pictures with a short side of 256 pixels and cuts
    out the middle 224 after that: ``margin=16`` for those.

    Returns (N, frames, C, H - 2 margin, W - 2 margin) of the pictures' dtype and device, in [0, 1], computed in
    float32 and not rounded to 8 bits: frames times the memory of the pictures. The reference stores its sequences as
    compressed video. Lengths are scaled with the short side, without its margin, as in :func:`imagenet_c`, and the own
    parts of snow and spatter are the same. ``"shear"`` is a pure one, where the reference's also shrinks the height
    by the cosine of the angle, and tilt turns about the middle of the pixels, half a pixel from the reference's.

    Raises ValueError for an unknown name, too few or too many frames, a margin that leaves less than 16 pixels,
    pictures of another shape, dtype or range, or a generator that is none. Source: Hendrycks and Dietterich, 2019.

    Taught in :doc:`/book/datasets/corruptions`.
    """
    images = check_images(images)
    check_name(name, IMAGENET_P + IMAGENET_P_EXTRA)
    frames = _checks.integer("frames", frames, 2, LONGEST)
    margin = _checks.integer("margin", margin, 0, (min(images.shape[2:]) - SMALLEST) // 2)
    generator = check_generator(generator)
    count, channels, height, width = images.shape
    with torch.inference_mode(False), torch.no_grad():  # threads know nothing of an inference_mode around this
        result = images.new_empty(count, frames, channels, height - 2 * margin, width - 2 * margin)
        for part, x in chunks(images):
            streams = Streams(len(x), generator, x.device)
            if name in _WITHIN:
                inner = x[..., margin : height - margin, margin : width - margin]
                sequence = _WITHIN[name](inner.contiguous(), streams, frames)
            else:
                sequence = _BEYOND[name](x, frames, margin)
            for t, frame in enumerate(sequence):
                result[part, t] = frame.clamp(0, 1)
    return result
