"""Relief under a lamp: a surface has height, colour and gloss everywhere; flaws change these, the light does the rest.

Lengths and heights are fractions of the picture's side, so that a surface looks the same at every resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from adlib.datasets._factory.photograph import grid, noise


@dataclass
class Surface:
    """height: (S, S). colour: (S, S, 3) in [0, 1]. gloss: (S, S), strength of the highlight.

    level: (S, S), height at which things come to lie on the surface.
    """

    height: np.ndarray
    colour: np.ndarray
    gloss: np.ndarray
    level: np.ndarray

    @property
    def size(self) -> int:
        return len(self.height)

    def paint(self, colour: np.ndarray | tuple[float, ...], cover: np.ndarray) -> None:
        """Mix colour over what is there, where cover (S, S) in [0, 1] says."""
        self.colour += cover[..., None] * (np.asarray(colour, np.float32) - self.colour)


def moved(picture: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The picture (S, S) as seen so many pixels further down and to the right, edges repeated."""
    size = len(picture)
    down, right = (np.clip(np.arange(size) + step, 0, size - 1) for step in (rows, columns))
    return picture[down[:, None], right[None]]


def lit(surface: Surface, azimuth: float, height: float, ambient: float) -> np.ndarray:
    """The picture (S, S, 3) in [0, 1] under one lamp and a bright sky.

    azimuth: where the lamp stands, radians from right to down. height: the tangent of its angle above the plane.
    ambient: share of the light that comes from the sky. Lambert's law, a highlight, shadows, less light in hollows.
    """
    size, relief = surface.size, surface.height
    down, right = (slope * size for slope in np.gradient(relief))
    length = np.sqrt(down**2 + right**2 + 1)
    lamp = np.array([np.sin(azimuth), np.cos(azimuth), height], np.float32) / np.float32(np.hypot(1, height))
    facing = (lamp[2] - down * lamp[0] - right * lamp[1]) / length
    shadow = np.zeros_like(relief)
    for step in np.linspace(0.004, 0.06, 10):
        blocker = moved(relief, round(lamp[0] * step * size * 1.4), round(lamp[1] * step * size * 1.4))
        shadow = np.maximum(shadow, blocker - relief - step * height)
    bright = 1 - np.clip(shadow * 110, 0, 0.85)
    hollow = np.clip((ndimage.gaussian_filter(relief, 0.012 * size) - relief) * 25, -0.25, 0.5)
    diffuse = (ambient + (1 - ambient) * np.clip(facing / lamp[2], 0, 1.6) * bright) * (1 - hollow)
    half = lamp + np.array([0, 0, 1], np.float32)  # the camera looks straight down
    half /= np.sqrt((half**2).sum())
    shine = np.clip((half[2] - down * half[0] - right * half[1]) / length, 0, 1) ** 24 * surface.gloss * bright
    return np.clip(surface.colour * diffuse[..., None] + shine[..., None], 0, 1)


def curve(rng: np.random.Generator, length: float, bend: float) -> np.ndarray:
    """Points (200, 2), row and column, of a line that wanders about a middle not too near the edge.

    bend: how far the heading strays, radians.
    """
    middle = rng.uniform(0.25, 0.75, 2)
    time = np.linspace(0, 1, 200)
    heading = rng.uniform(0, 2 * np.pi) + sum(
        bend / k * rng.normal() * np.sin(np.pi * k * time + rng.uniform(0, 2 * np.pi)) for k in (1, 2, 3)
    )
    points = np.cumsum(np.stack([np.sin(heading), np.cos(heading)], axis=1), axis=0) * length / 200
    return points - points.mean(axis=0) + middle


def near(points: np.ndarray, size: int, reach: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance of every pixel to a curve, place of the nearest point along it in [0, 1], and side (-1 or 1).

    Each (size, size). Beyond reach the distance is 1 and the other two are 0.
    """
    y, x = grid(size)
    away, index = cKDTree(points).query(np.stack([y.ravel(), x.ravel()], axis=1), distance_upper_bound=reach)
    found = np.isfinite(away)
    index = np.where(found, index, 0)
    heading = np.gradient(points, axis=0)[index]
    offset = np.stack([y.ravel(), x.ravel()], axis=1) - points[index]
    side = np.where(found, np.sign(heading[:, 1] * offset[:, 0] - heading[:, 0] * offset[:, 1]), 0)
    along = np.where(found, index / (len(points) - 1), 0)
    shape = (size, size)
    return tuple(  # type: ignore[return-value]
        values.reshape(shape).astype(np.float32) for values in (np.where(found, away, 1), along, side)
    )


def blob(
    rng: np.random.Generator,
    size: int,
    radius: float,
    *,
    rough: float = 0.25,
    long: float = 1.0,
    place: np.ndarray | None = None,
) -> np.ndarray:
    """How deep inside an irregular patch each pixel lies, (size, size): 0 on its edge, about radius in the middle.

    rough: how far the edge strays, in radii. long: ratio of its axes. place: its centre, by default not near the edge.
    """
    y, x = grid(size)
    centre = rng.uniform(0.2, 0.8, 2) if place is None else place
    turn = rng.uniform(0, np.pi)
    across = (y - centre[0]) * np.cos(turn) - (x - centre[1]) * np.sin(turn)
    along = (y - centre[0]) * np.sin(turn) + (x - centre[1]) * np.cos(turn)
    edge = radius * (1 + rough * 0.7 * noise(rng, (size, size), radius * size * 0.9, octaves=2, falloff=0.3))
    return (edge - np.hypot(across * long**0.5, along / long**0.5)).astype(np.float32)


def smooth(values: np.ndarray, width: float) -> np.ndarray:
    """0 below 0, 1 above width, a soft step between."""
    ramp = np.clip(values / width, 0, 1)
    return ramp * ramp * (3 - 2 * ramp)
