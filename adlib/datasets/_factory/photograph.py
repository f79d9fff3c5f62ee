"""What the generated categories share: smooth random fields, the comparison with a flawless twin, and a camera.

Lengths are in pixels. Everything is numpy and scipy.ndimage, so that the same generator gives the same picture
whatever the number of threads.
"""

from __future__ import annotations

from math import ceil

import numpy as np
from scipy import ndimage

Shape = tuple[int, int]


def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of every pixel centre, each (size, size) float32 in (0, 1)."""
    line = (np.arange(size, dtype=np.float32) + 0.5) / size
    return np.repeat(line[:, None], size, axis=1), np.repeat(line[None], size, axis=0)


def _splined(knots: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The cubic B-spline along the rows of knots (N, W), at the places (H,) from 1 to N - 3: (H, W)."""
    first = np.floor(at).astype(int) - 1
    t = (at % 1).astype(np.float32)[:, None]
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    return sum(weight * knots[first + k] for k, weight in enumerate(weights)) / np.float32(6)


def noise(
    rng: np.random.Generator, shape: Shape, scale: float | tuple[float, float], octaves: int = 1, falloff: float = 0.5
) -> np.ndarray:
    """A smooth random field, (H, W) float32 of mean 0 and standard deviation about 1.

    scale: length of a feature along rows and columns; a pair gives stretched features. octaves: how many fields are
    added, each with features half as long and ``falloff`` times as strong. A cubic B-spline over a grid of random
    numbers: where scale grows with shape, the same generator gives the same field at another resolution.
    """
    lengths = scale if isinstance(scale, tuple) else (scale, scale)
    total, power = np.zeros(shape, np.float32), 0.0
    for octave in range(octaves):
        steps = [2.0**octave / max(length, 0.1) for length in lengths]  # cells per pixel
        cells = [ceil(round(side * step, 6)) + 4 for side, step in zip(shape, steps, strict=True)]
        knots = rng.standard_normal(cells, dtype=np.float32)
        down, right = (
            (np.arange(side) + 0.5) * step + rng.uniform(1, 2) for side, step in zip(shape, steps, strict=True)
        )
        total += falloff**octave * _splined(_splined(knots, down).T, right).T
        power += falloff ** (2 * octave)
    return total / np.float32(0.479 * power**0.5)  # a cubic B-spline in two dimensions keeps 0.479 of the deviation


def reduced(picture: np.ndarray, factor: int) -> np.ndarray:
    """picture (H, W) or (H, W, C) with every factor x factor pixels replaced by their mean: drawn large, then small."""
    height, width = picture.shape[0] // factor, picture.shape[1] // factor
    blocks = picture.reshape(height, factor, width, factor, *picture.shape[2:])
    return blocks.mean(axis=(1, 3), dtype=np.float32)


def changed(good: np.ndarray, bad: np.ndarray, visible: float = 0.025) -> tuple[np.ndarray, np.ndarray]:
    """The bad twin of a picture and the pixels where it differs, (H, W, 3) and (H, W) bool; elsewhere they are equal.

    A change of no channel by more than ``visible`` is taken back, and so are specks; small gaps are closed.
    """
    size = len(good)
    mask = np.abs(bad - good).max(axis=2) > visible
    reach = max(1, round(size / 43))
    disc = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= reach + 0.3
    mask = ndimage.binary_closing(np.pad(mask, reach), disc)[reach:-reach, reach:-reach]
    parts, _ = ndimage.label(mask, np.ones((3, 3)))
    mask &= (np.bincount(parts.ravel()) >= 5e-4 * size**2)[parts]
    return np.where(mask[..., None], bad, good), mask


def photograph(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """A drawn scene (H, W, 3) in [0, 1] as a camera on the line sees it, (H, W, 3) float32 in [0, 1].

    In this order: a light that falls off in a random direction, vignetting, exposure and white balance, a slight
    defocus, shot noise and read noise. Nothing moves, so that the mask of the scene is the mask of the photograph.
    """
    y, x = grid(picture.shape[0])
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.12)
    fall = 1 + slope * ((x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle)) * 2
    corner = 1 - rng.uniform(0.02, 0.14) * ((x - 0.5) ** 2 + (y - 0.5) ** 2) * 2  # 1 in the middle
    warmth, tint = rng.normal(0, [0.012, 0.005])  # along the colours of daylight, and across
    gain = np.exp(rng.normal(0, 0.02)) * np.array([1 + warmth, 1 + tint, 1 - warmth])
    seen = picture * (fall * corner)[..., None] * gain.astype(np.float32)
    blur = rng.uniform(0.36, 0.48) * (picture.shape[0] / 128) ** 0.5
    seen = ndimage.gaussian_filter(seen, (blur, blur, 0)) if blur > 0.2 else seen
    # A photon count of mean m has variance m, so the deviation grows with the root of the light.
    spread = rng.uniform(0.006, 0.014) * np.sqrt(0.15 + np.clip(seen, 0, 1))
    seen = seen + spread * rng.standard_normal(picture.shape, dtype=np.float32)
    return np.clip(seen, 0, 1).astype(np.float32)
