"""What the drawn objects share: a grid, noise, signed distances, shading, and the comparison with the clean twin.

Everything is drawn in linear light, channels first, on twice the points of the picture each way. Lengths are in halves
of the picture's side, x to the right, y down, the middle at 0: every feature scales with the picture. Angles are in
rad. Fields are float32 (2 size, 2 size); factors are Python's floats, which leave them so.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import cos, pi, sin

import numpy as np
from scipy import ndimage

Field = np.ndarray
Lamp = tuple[float, float, float, float]  # azimuth, elevation, strength, sharpness (the larger, the smaller the lamp)

VISIBLE = 4.5 / 255  # a fainter change drowns in the noise of a camera: it is taken back and left out of the mask


@lru_cache(maxsize=8)
def grid(size: int) -> tuple[Field, Field]:
    """x and y of the points."""
    axis = ((np.arange(2 * size) + 0.5) / size - 1).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    x.setflags(write=False)
    y.setflags(write=False)
    return x, y


def turned(x: Field, y: Field, angle: float) -> tuple[Field, Field]:
    """Coordinates along and across a direction."""
    return cos(angle) * x + sin(angle) * y, cos(angle) * y - sin(angle) * x


# random fields


@lru_cache(maxsize=64)
def _spline(points: int, cells: int) -> tuple[np.ndarray, tuple[Field, ...]]:
    """First knot and the four weights of a uniform cubic B-spline at points spread over so many cells."""
    at = (np.arange(points) + 0.5) / points * cells
    first = at.astype(np.int64)
    t = at - first
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    return first, tuple((w / 6).astype(np.float32)[:, None] for w in weights)


def noise(rng: np.random.Generator, size: int, cells: int, stretch: int = 1) -> Field:
    """Smooth noise of mean 0 and standard deviation about 1: random values on a lattice under a cubic B-spline.

    cells: cells of the lattice along x. stretch: features are so many times longer along y.
    """
    counts = (max(cells // stretch, 1), cells)
    lattice = rng.standard_normal((counts[0] + 3, counts[1] + 3), dtype=np.float32) * 2.1
    for count in counts:  # rows, then columns as rows of the transpose: memory is read in order
        first, weights = _spline(2 * size, count)
        rows = lattice[first] * weights[0]
        for k in (1, 2, 3):
            rows += lattice[first + k] * weights[k]
        lattice = np.ascontiguousarray(rows.T)
    return lattice


def bearing(angle: Field) -> np.ndarray:
    """An angle as the place in a table of 720 steps a turn, for :func:`around`."""
    return (angle * (360 / pi)).astype(np.int16) % np.int16(720)


def around(rng: np.random.Generator, place: np.ndarray, waves: int, roughness: float = 1.0) -> Field:
    """Noise along an angle, standard deviation about 1, period a turn: a cosine series looked up in a table."""
    order = np.arange(1, waves + 1)
    size = order**-roughness
    size = size / np.sqrt((size**2).sum() / 2)
    angle = np.arange(720) * (2 * pi / 720)
    table = (size * np.cos(order * angle[:, None] + rng.uniform(0, 2 * pi, waves))).sum(1)
    return table.astype(np.float32)[place]


# shapes: signed distances, negative inside


def cover(distance: Field, soft: float) -> Field:
    """1 inside, 0 outside, over an edge so wide."""
    return np.clip(0.5 - distance * (1 / soft), 0, 1)


def ramp(low: float, high: float, value: Field) -> Field:
    """0 below low, 1 above high, a smooth step between; it falls where high < low."""
    t = np.clip((value - low) * (1 / (high - low)), 0, 1)
    return t * t * (3 - 2 * t)


def ring(r: Field, middle: float | Field, width: float) -> Field:
    """A ridge: 1 where r is middle, falling to 0 within two widths."""
    return np.exp(-(((r - middle) * (1 / width)) ** 2))


def stroke(rng: np.random.Generator, along: Field, across: Field, length: float, width: float, bow: float) -> Field:
    """A bent stroke that starts at 0, runs along an axis and tapers at both ends."""
    t = along / length
    phase, waves = rng.uniform(0, 2 * pi, 3), np.array([0.5, 1.3, 2.9])
    weights = bow * np.array([1.0, 0.25, 0.06]) * rng.uniform(0.6, 1.4, 3)
    knots = np.linspace(-0.2, 1.2, 200)
    bends = (weights * (np.sin(2 * pi * waves * knots[:, None] + phase) - np.sin(phase))).sum(1)
    path = np.interp(t, knots, bends).astype(np.float32)
    taper = np.sqrt(np.clip(4 * t * (1 - t), 0, 1))
    past = np.maximum(np.maximum(-along, along - length), 0)
    return np.hypot(across - path, past) - width / 2 * (taper * 1.2 - 0.2)


def polygon(rng: np.random.Generator, x: Field, y: Field, corners: int, radius: float) -> Field:
    """A convex shard around 0."""
    angles = (np.arange(corners) + rng.uniform(-0.4, 0.4, corners)) * 2 * pi / corners
    far = radius * rng.uniform(0.7, 1.1, corners)
    return np.maximum.reduce([turned(x, y, way)[0] - d for way, d in zip(angles.tolist(), far.tolist(), strict=True)])


def facets(
    rng: np.random.Generator, x: Field, y: Field, reach: tuple[float, float], count: int
) -> tuple[Field, Field, np.ndarray]:
    """Broken faces: each point goes to the nearest of count seeds. Slopes of the face along x and y, and its number."""
    best, which = np.full_like(x, np.inf), np.zeros(x.shape, np.int64)
    seeds, stretch = rng.uniform(-1, 1, (count, 2)) * reach, rng.uniform(0.5, 1.5, (count, 2))
    for k, ((sx, sy), (wx, wy)) in enumerate(zip(seeds.tolist(), stretch.tolist(), strict=True)):
        far = wx * np.abs(x - sx) + wy * np.abs(y - sy)
        near = far < best
        which[near], best[near] = k, far[near]
    slopes = rng.normal(0, 1, (2, count)).astype(np.float32)
    return slopes[0][which], slopes[1][which], which


# colour and light


def rgb(red: float, green: float, blue: float) -> Field:
    """A colour as a screen shows it, 0 to 1, in linear light: (3, 1, 1)."""
    return np.array([red, green, blue], np.float32).reshape(3, 1, 1) ** 2.2


def tinted(rng: np.random.Generator, colour: Field, spread: float) -> Field:
    """The colour of one batch: the light it throws back off by a factor up to exp(spread), a little more a channel."""
    return colour * np.exp(spread * (rng.uniform(-1, 1) + rng.uniform(-0.2, 0.2, (3, 1, 1)))).astype(np.float32)


def paint(under: Field, colour: Field, alpha: Field) -> Field:
    """colour (3, n, n) or (3, 1, 1) laid over a picture (3, n, n), with opacity alpha (n, n)."""
    over = (colour - under) * alpha
    over += under
    return over


def normals(height: Field, size: int) -> tuple[Field, Field, Field]:
    """Unit normals of a relief, the third component towards the camera."""
    gx, gy = np.zeros_like(height), np.zeros_like(height)
    gx[:, 1:-1] = (height[:, :-2] - height[:, 2:]) * (size / 2)  # points lie 1 / size apart
    gy[1:-1] = (height[:-2] - height[2:]) * (size / 2)
    nz = 1 / np.sqrt(gx * gx + gy * gy + 1)
    return gx * nz, gy * nz, nz


def mirror(normal: tuple[Field, Field, Field], lamps: Sequence[Lamp], floor: float, sky: float) -> Field:
    """Light that a polished surface throws into a camera above it: floor at the horizon, sky at the zenith, lamps."""
    nx, ny, nz = normal
    rx, ry, rz = 2 * nz * nx, 2 * nz * ny, 2 * nz * nz - 1
    light = floor + (sky - floor) * np.abs(rz)  # below the horizon: what the ground throws back
    for azimuth, elevation, strength, sharpness in lamps:
        facing = rx * (cos(azimuth) * cos(elevation)) + ry * (sin(azimuth) * cos(elevation)) + rz * sin(elevation)
        light += strength * np.exp(sharpness * (facing - 1))
    return light


def shadow(solid: Field, size: int, lamp: float, length: float, soft: float) -> Field:
    """The shadow a flat shape casts away from a lamp, blurred by a Gaussian of standard deviation soft."""
    cast = ndimage.gaussian_filter(solid, soft * size, mode="nearest", truncate=2.5)
    for axis, step in ((0, length * sin(lamp)), (1, length * cos(lamp))):
        cast = cast.take(np.arange(2 * size) + round(step * size), axis, mode="clip")
    return cast


def developed(light: Field) -> Field:
    """Linear light (3, 2 size, 2 size) as a picture (size, size, 3) float32 in [0, 1] under the screen's gamma."""
    light = light[:, ::2] + light[:, 1::2]
    light = np.maximum((light[..., ::2] + light[..., 1::2]) / 4, 0)
    light = np.where(light < 0.6, light, 1 - 0.4 * np.exp((0.6 - light) / 0.4))  # highlights roll off, as on film
    return np.ascontiguousarray((light ** (1 / 2.2)).transpose(1, 2, 0), np.float32)


def changed(clean: Field, flawed: Field) -> tuple[Field, np.ndarray]:
    """The flawed picture and the mask of what differs from its clean twin; outside the mask the two are equal.

    Gaps are filled, specks dropped, and what is too faint to be seen is taken back: the mask is compact, yet exact.
    """
    mask = np.abs(flawed - clean).max(2) > VISIBLE
    reach = max(1, round(len(mask) / 85))
    disc = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= reach + 0.3
    mask = ndimage.binary_closing(np.pad(mask, reach), disc)[reach:-reach, reach:-reach]
    regions = ndimage.label(ndimage.binary_fill_holes(mask))[0]
    areas = np.bincount(regions.ravel(), minlength=2)
    areas[0] = 0
    mask = (areas > 0.05 * areas.max())[regions]
    return np.where(mask[..., None], flawed, clean), mask
