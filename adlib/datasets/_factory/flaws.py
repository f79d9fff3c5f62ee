"""What can happen to a surface: a flaw changes height, colour and gloss in one place; the light is not its business.

Every function takes the generator of the flaw and the surface, which it changes. Lengths are fractions of the side.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from adlib.datasets._factory.photograph import grid, noise
from adlib.datasets._factory.surfaces import Surface, blob, curve, near, smooth

DYES = (
    (0.55, 0.10, 0.11),
    (0.11, 0.18, 0.45),
    (0.12, 0.34, 0.20),
    (0.70, 0.58, 0.16),
    (0.07, 0.07, 0.09),
    (0.86, 0.85, 0.80),
)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Sizes spread evenly on a logarithmic scale: as many small flaws as large ones."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def thread(rng: np.random.Generator, surface: Surface) -> None:
    """A thread lies on the surface."""
    size, radius = surface.size, rng.uniform(0.010, 0.016)
    away, along, side = near(curve(rng, rng.uniform(0.4, 1.0), rng.uniform(0.8, 2.0)), size, 2 * radius)
    cover = smooth(radius - away, 1.5 / size)
    dye = np.array(DYES[rng.integers(len(DYES))])
    twist = np.sin(along * rng.uniform(250, 350) + side * away / radius * 1.6)
    tube = np.sqrt(np.clip(1 - (away / radius) ** 2, 0, 1)) * radius * (1 + 0.08 * twist)
    surface.height += cover * (surface.level + 0.3 * radius + tube - surface.height)
    surface.paint((dye * (1 + 0.07 * twist[..., None])).clip(0, 1), cover)
    surface.gloss += cover * (0.08 - surface.gloss)


def metal(rng: np.random.Generator, surface: Surface) -> None:
    """A splinter of metal lies on the surface."""
    size, radius, centre = surface.size, _between(rng, 0.06, 0.11), rng.uniform(0.2, 0.8, 2)
    y, x = (line - middle for line, middle in zip(grid(size), centre, strict=True))
    inside = np.full((size, size), np.inf, np.float32)
    for turn in rng.uniform(0, 2 * np.pi) + np.arange(5) * 1.257 + rng.uniform(-0.4, 0.4, 5):
        inside = np.minimum(inside, radius * rng.uniform(0.5, 1.2) - y * np.sin(turn) - x * np.cos(turn))
    cover = smooth(inside, 1.5 / size)
    tilt = rng.normal(0, 0.2, 2)
    plate = 0.015 + y * tilt[0] + x * tilt[1] + 0.005 * noise(rng, (size, size), 0.03 * size)
    surface.height += cover * (surface.level + plate - surface.height)
    surface.paint(np.array([0.66, 0.67, 0.70]) * rng.uniform(0.8, 1.15), cover)
    surface.gloss += cover * (0.9 - surface.gloss)


def stain(rng: np.random.Generator, surface: Surface) -> None:
    """A dye has soaked in: the relief stays, the colour goes."""
    size, radius = surface.size, _between(rng, 0.07, 0.15)
    depth = blob(rng, size, radius, rough=0.4, long=rng.uniform(1, 1.8))
    cover = smooth(depth + 0.1 * radius, 0.35 * radius)
    cover *= rng.uniform(0.7, 1) * np.clip(0.9 + 0.12 * noise(rng, (size, size), 0.05 * size, 2), 0, 1)
    dye = np.array(DYES[rng.integers(len(DYES))], np.float32)
    surface.paint(dye * (0.4 + 1.2 * surface.colour.mean(axis=2, keepdims=True)), cover)


def hole(rng: np.random.Generator, surface: Surface) -> None:
    """The material is gone, its torn edge stands up a little; what lies below is dim."""
    size, radius = surface.size, _between(rng, 0.05, 0.10)
    depth = blob(rng, size, radius, rough=0.3, long=rng.uniform(1, 1.8))
    torn = depth + 0.005 * noise(rng, (size, size), 0.012 * size, 2)
    cover = smooth(torn, 0.006)
    rim = np.exp(-((torn / 0.010) ** 2)) * np.clip(0.4 + 0.6 * noise(rng, (size, size), 0.04 * size), 0, 1)
    surface.height += 0.006 * rim - 0.05 * smooth(torn, 0.02)
    surface.paint(np.clip(surface.colour * 1.2 + 0.05, 0, 1), 0.5 * rim)
    below = 1 + 0.25 * noise(rng, (size, size), 0.02 * size, 3)
    surface.paint(surface.colour.mean(axis=(0, 1)) * 0.30 * below[..., None], cover)
    surface.gloss *= 1 - cover


def cut(rng: np.random.Generator, surface: Surface) -> None:
    """A slit with open lips that show the raw material."""
    size = surface.size
    away, along, side = near(curve(rng, rng.uniform(0.25, 0.55), 0.3), size, 0.08)
    taper = np.sqrt(np.sin(np.pi * along).clip(0))
    width = rng.uniform(0.012, 0.022) * taper + 0.004 * noise(rng, (size, size), 0.01 * size, 2)
    gap = smooth(width - away, 0.005) * (taper > 0)
    lip = np.exp(-(((away - width - 0.006) / 0.010) ** 2)) * taper
    surface.height += 0.010 * lip * (1 + 0.3 * side) - 0.05 * gap
    raw = 0.5 * lip * np.clip(0.7 + 0.3 * noise(rng, (size, size), 0.008 * size), 0, 1)
    surface.paint(surface.colour.mean(axis=(0, 1)) * 0.6 + 0.38, raw)
    surface.paint(surface.colour.mean(axis=(0, 1)) * 0.15, gap)
    surface.gloss *= 1 - gap


def scratch(rng: np.random.Generator, surface: Surface) -> None:
    """One to three grooves side by side, down to the paler material below."""
    size, first = surface.size, curve(rng, rng.uniform(0.35, 0.8), 0.15)
    for _ in range(rng.integers(1, 5)):
        away, along, _ = near(first + rng.normal(0, 0.025, 2), size, 0.04)
        pressure = np.sin(np.pi * along).clip(0) ** 0.4 * (1 + 0.3 * noise(rng, (size, size), 0.05 * size)).clip(0, 1.5)
        width = rng.uniform(0.007, 0.011) * pressure
        groove = smooth(width - away, 0.004)
        burr = np.exp(-(((away - width) / 0.004) ** 2)) * (pressure > 0.1)
        surface.height += 0.003 * burr - 0.008 * groove
        surface.paint(surface.colour.mean(axis=(0, 1)) * 0.6 + 0.4, 0.85 * groove)


def poke(rng: np.random.Generator, surface: Surface) -> None:
    """Something pointed went through: a dent, a raised rim, a dark hole."""
    size, radius = surface.size, rng.uniform(0.035, 0.06)
    depth = blob(rng, size, radius, rough=0.35, long=rng.uniform(1, 1.5))
    away = np.maximum(radius - depth, 0)
    cover = smooth(depth - 0.1 * radius, 0.008)
    surface.height += 0.016 * np.exp(-(((away - 1.5 * radius) / (0.45 * radius)) ** 2))
    surface.height -= 0.03 * np.exp(-((away / radius) ** 2)) + 0.03 * cover
    raw = np.exp(-(((away - 0.5 * radius) / (0.5 * radius)) ** 2)) * noise(rng, (size, size), 0.02 * size).clip(0, 1)
    surface.paint(surface.colour.mean(axis=(0, 1)) * 0.6 + 0.3, raw)
    surface.paint(surface.colour.mean(axis=(0, 1)) * 0.18, cover)
    surface.gloss *= 1 - cover


def fold(rng: np.random.Generator, surface: Surface) -> None:
    """A crease: the material buckles along a line, the finish on its crest is worn."""
    size, width = surface.size, rng.uniform(0.018, 0.028)
    away, along, side = near(curve(rng, rng.uniform(0.5, 0.9), 0.5), size, 4.5 * width)
    strength = np.sqrt(np.sin(np.pi * along).clip(0))
    crest = np.exp(-((away / width) ** 2)) * strength
    valley = np.exp(-(((side * away - 1.6 * width) / (0.7 * width)) ** 2)) * strength
    surface.height += 1.6 * width * crest - 1.2 * width * valley
    surface.paint(np.clip(surface.colour * 1.5 + 0.12, 0, 1), crest**2)
    surface.paint(surface.colour * 0.4, 0.8 * valley)


def glue(rng: np.random.Generator, surface: Surface) -> None:
    """A drop of glue has set on the surface: smooth, shiny, a little milky."""
    size, radius = surface.size, _between(rng, 0.06, 0.13)
    depth = blob(rng, size, radius, rough=0.25, long=rng.uniform(1, 2.2))
    cover = smooth(depth, 0.008)
    dome = ndimage.gaussian_filter(np.sqrt(np.clip(depth, 0, None) * radius) * 0.28, 0.015 * size)
    surface.height += cover * (surface.level + dome - surface.height)
    surface.paint((0.84, 0.81, 0.72), 0.6 * cover)
    surface.gloss += cover * (0.5 - surface.gloss)


def liquid(rng: np.random.Generator, surface: Surface) -> None:
    """A puddle with splashes: what is wet is darker, smoother and shines."""
    size, radius, centre = surface.size, _between(rng, 0.06, 0.12), rng.uniform(0.25, 0.75, 2)
    depth = blob(rng, size, radius, rough=0.3, long=rng.uniform(1, 1.8), place=centre)
    for _ in range(rng.integers(1, 5)):
        drop = blob(rng, size, rng.uniform(0.015, 0.03), rough=0.1, place=centre + rng.normal(0, 1.3 * radius, 2))
        depth = np.maximum(depth, drop)
    cover = smooth(depth, 0.006)
    film = 0.005 * np.sqrt(np.clip(depth, 0, 0.02) / 0.02)
    surface.height += cover * (0.8 * (surface.level - surface.height) + film)
    surface.paint(surface.colour**1.7 * 0.8, cover)
    surface.gloss += cover * (0.35 - surface.gloss)
