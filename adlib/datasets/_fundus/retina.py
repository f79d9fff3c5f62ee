"""Draws an eye as a fundus camera sees it: pigment, nerve fibres, disc and vessels, then light, lens and sensor.

Colours are (..., 3) float32, red, green, blue; 1 is white.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image
from scipy import ndimage

from adlib.datasets._fundus.eye import ANGLES, Eye, View
from adlib.datasets._fundus.vessels import Tree, paint

OVER = 2  # drawn so many times finer than asked for


def _rgb(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def _noise(rng: np.random.Generator, side: int, high: int, wide: int) -> np.ndarray:
    """Smooth noise (side, side) from high x wide normal numbers: the same at every resolution."""
    grid = Image.fromarray(rng.normal(size=(high, wide)).astype(np.float32))
    return np.asarray(grid.resize((side, side), Image.Resampling.BICUBIC))


def _choroid(view: View, rng: np.random.Generator) -> np.ndarray:
    """Vessels of the choroid, about -1 (islands of pigment) to 1: long bands that run to the four vortex veins."""
    wide, cut = 3 * view.side // 2, view.side // 4
    diagonal = []
    for degrees in (-40, 40):
        grid = Image.fromarray(rng.normal(size=(76, 24)).astype(np.float32))
        bands = grid.resize((wide, wide), Image.Resampling.BICUBIC).rotate(degrees, Image.Resampling.BILINEAR)
        diagonal.append(np.asarray(bands)[cut : cut + view.side, cut : cut + view.side])
    share = _step(12 * (view.u - rng.normal(0, 0.15)) * (view.v - rng.normal(0, 0.1)))
    return np.tanh(1.2 * (share * diagonal[0] + (1 - share) * diagonal[1]) + 0.4 * _noise(rng, view.side, 40, 40))


def _step(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


def _bell(x: np.ndarray) -> np.ndarray:
    return np.exp(-(x**2))


def _blend(colour: np.ndarray, share: np.ndarray, other: np.ndarray) -> np.ndarray:
    return colour + share[..., None] * (other - colour)


def _fibres(view: View, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Thickness of the nerve fibre layer, and its streaks.

    Each bundle is named by the angle at which it leaves the disc. On the temporal side it arches around the fovea
    along y = c sqrt(x) exp(-x^2 / 4X^2), as the vessels do; c at a pixel gives its bundle.
    """
    eye = view.eye
    ahead = np.maximum(view.x, 1e-3)
    raphe = view.y - view.x * eye.fovea[1] / eye.fovea[0]
    leaving = np.linspace(1e-3, np.pi / 2 - 1e-3, 200)
    level = np.tan(leaving) * np.sqrt(np.cos(leaving)) * np.exp((np.cos(leaving) / 2 / eye.fovea[0]) ** 2)
    own = np.abs(raphe) / np.sqrt(ahead) * np.exp((ahead / 2 / eye.fovea[0]) ** 2)
    bundle = np.where(view.x > 0, np.interp(own, level, leaving) * np.sign(raphe), view.angle).astype(np.float32)
    streaks = sum(np.interp(bundle, np.linspace(-np.pi, np.pi, n), rng.normal(size=n)) for n in (260, 90))
    layer = (_bell((np.abs(bundle) - 1.25) / 0.45) + 0.3) * np.exp(-np.maximum(view.radius - 0.9, 0) / 2.2)
    layer *= _step((view.radius - 0.7) / 0.1)
    if eye.defect is not None:
        where, half, depth = eye.defect
        layer *= 1 - depth * np.exp(-(((bundle - where) / half) ** 4))
    return layer, np.asarray(streaks, np.float32)


def _ground(view: View, rng: np.random.Generator, tint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Choroid, pigment and macula, nerve fibres, and what surrounds the disc. Also returns the streaks."""
    normal, uniform, eye, old = rng.normal, rng.uniform, view.eye, view.eye.age
    fine, middle, coarse = (_noise(rng, view.side, n, n) for n in (110, 34, 6))
    pigment = 0.9 * eye.pigment + 0.05 * fine + 0.05 * middle + 0.07 * coarse
    # Old eyes: the vessels of the choroid show between islands of pigment, less so at the macula.
    tessellation = 0.25 * max(0.0, 0.15 + 0.7 * (old - 0.5) + 0.25 * normal())
    pigment -= tessellation * _choroid(view, rng) * (1 - 0.75 * _bell(view.to_fovea / 2.2))
    pigment += 0.32 * _bell(view.to_fovea / 1.5) + uniform(0.3, 0.55) * _bell(view.to_fovea / 0.42)
    yellow = 0.35 * _bell(view.to_fovea / 0.9) + 1.5 * old**2  # of the macula and of an old lens
    absorbed = _rgb(0.34, 0.85, 1.15) * pigment[..., None] + _rgb(0, 0.12, 0.55) * yellow[..., None]
    colour = _rgb(0.90, 0.55, 0.30) * tint * np.exp(-absorbed)

    layer, streaks = _fibres(view, rng)
    sheen = np.maximum(uniform(0.6, 1.3) * (1.1 - 0.9 * old**2) * layer * (1 + 0.28 * streaks), 0)
    colour += sheen[..., None] * _rgb(0.06, 0.085, 0.06)
    if uniform() < 1 - old:  # young maculae reflect: a ring around, a point in the middle
        ring = _bell((view.to_fovea - uniform(1.1, 1.5)) / 0.22) * (1 + 0.5 * middle)
        colour += (0.03 * ring + 0.1 * _bell(view.to_fovea / 0.1))[..., None] * _rgb(0.9, 1, 0.8)

    # Beside the disc: a pale crescent of atrophy, a dark one of pigment.
    width = eye.atrophy * np.clip(np.cos(view.angle - 0.25), 0, None) ** 0.7
    pale = 0.75 * _step((view.disc + width - view.radius) / 0.04) * (width > 0.02) * (1 + 0.15 * middle)
    colour = _blend(colour, pale, _rgb(0.9, 0.66, 0.42))
    rim = _bell((view.radius - view.disc - 0.8 * eye.atrophy - 0.05) / 0.07)
    rim *= uniform(0, 0.3) * np.clip(np.cos(view.angle - normal(0, 0.6)), 0, 1)
    return colour * (1 - rim[..., None] * _rgb(0.5, 0.7, 0.8)), streaks


def _disc(view: View, rng: np.random.Generator, colour: np.ndarray, tint: np.ndarray) -> np.ndarray:
    """A pink rim, redder and less sharp on the nasal side, a yellow ring of sclera, a pale cup."""
    temporal = (1 + np.cos(view.angle)) / 2
    pink = _rgb(0.98, 0.66, 0.40) * tint**0.6 + temporal[..., None] * _rgb(0, 0.06, 0.06)
    pink += 0.02 * _noise(rng, view.side, 110, 110)[..., None]
    inside = _step((view.disc - view.radius) / (0.05 - 0.02 * temporal))
    colour = _blend(colour, inside * (0.5 + 0.2 * temporal), pink)
    ring = rng.uniform(0, 0.5) * temporal * _bell((view.radius - view.disc - 0.01) / 0.05)
    colour = _blend(colour, ring, _rgb(1, 0.82, 0.55))
    pores = 0.05 * np.minimum(_noise(rng, view.side, 150, 150), 0)  # of the lamina cribrosa
    deep = _step((view.cup - view.radius) / rng.uniform(0.03, 0.09))  # steep cups and sloping ones
    return _blend(colour, rng.uniform(0.75, 0.95) * deep, _rgb(1, 0.92, 0.70) * tint**0.4 + pores[..., None])


def _blood(view: View, rng: np.random.Generator, colour: np.ndarray, streaks: np.ndarray) -> np.ndarray:
    """Vessels and haemorrhage take away green and blue: multiplied by exp(-absorption)."""
    uniform, eye = rng.uniform, view.eye

    def edge(x: float, y: float) -> float:
        return math.hypot(x, y) - float(np.interp(math.atan2(y, x), ANGLES, eye.cup))

    radius, width = float(eye.disc.mean()), uniform(0.12, 0.155)
    tree = Tree(rng, eye.fovea, (*eye.centre, eye.field + 0.3), uniform(0.1, 0.24), edge if eye.bayonet else None)
    origin = -eye.nasal * radius, float(rng.normal(0, 0.04))
    vessels = tree.grow(origin, radius, width * uniform(0.62, 0.78), width)
    vein, artery = (
        paint([each for each in vessels if each.vein == kind], view.place, view.side, view.scale)
        for kind in (True, False)
    )
    reflex = paint([each for each in vessels if each.main], view.place, view.side, view.scale, 0.3)
    # Arteries are brighter, and mostly lie over the veins where they cross.
    absorbed = (vein * (1 - 0.6 * artery))[..., None] * _rgb(0.52, 1.15, 0.95) + artery[..., None] * _rgb(
        0.16, 0.8, 0.8
    )
    colour = colour * np.exp(-uniform(0.75, 1.0) * absorbed)
    colour += (uniform(0.06, 0.16) * reflex)[..., None] * _rgb(1, 0.75, 0.55)
    if eye.haemorrhage is not None:  # a flame along the nerve fibres, across the rim
        along = view.radius - float(np.interp(eye.haemorrhage, ANGLES, eye.disc)) - 0.1
        off = view.angle - eye.haemorrhage
        flame = np.exp(-((along / 0.28) ** 2) - (view.radius * np.sin(off) / 0.06) ** 2) * (np.cos(off) > 0)
        flame = np.clip(1.5 * flame * (1 + 0.3 * streaks), 0, 1)
        colour = colour * np.exp(-flame[..., None] * _rgb(0.6, 1.6, 1.3))
    return colour


def _photograph(view: View, rng: np.random.Generator, colour: np.ndarray, size: int) -> np.ndarray:
    """Uneven light, haze, reflexes, the camera's mask, blur and noise. Old eyes, with small pupils, give worse ones."""
    normal, uniform, old, u, v = rng.normal, rng.uniform, view.eye.age, view.u, view.v
    distance = np.hypot(u, v)
    towards = uniform(0, 2 * np.pi)
    light = 1 + min(abs(normal(0, 0.03 + 0.45 * old**2)), 0.45) * (u * math.cos(towards) + v * math.sin(towards))
    light -= (uniform(0.05, 0.2) + 0.35 * old**2) * distance**2
    light *= math.exp(normal(-0.08 * old**2, 0.02 + 0.32 * old**2)) * (1 + 0.04 * _noise(rng, view.side, 4, 4))
    colour = colour * np.clip(light, 0, None)[..., None]
    haze = max(0.0, 0.01 + 0.25 * (old - 0.45) + normal(0, 0.03))  # of the lens: light from everywhere over everything
    veil = 0.6 * colour[distance < 1].mean(0) + _rgb(0.19, 0.15, 0.1)
    colour = _blend(colour, haze * (1 + 0.3 * _noise(rng, view.side, 3, 3)), veil)
    if uniform() < 0.02 + 0.25 * old**2:  # a crescent of light from the edge of the pupil
        towards = uniform(0, 2 * np.pi)
        crescent = _bell((distance - 1.02) / uniform(0.07, 0.16))
        crescent *= np.clip(np.cos(np.arctan2(v, u) - towards), 0, 1) ** uniform(2, 5)
        tone = _rgb(0.7, 0.45, 0.25) if uniform() < 0.6 else _rgb(0.55, 0.6, 0.75)
        colour = colour + (uniform(0.3, 0.7) * crescent)[..., None] * tone
    mask = _step((1 - distance) / 0.006)
    if uniform() < 0.3:  # some cameras cut off above and below
        mask = mask * _step((uniform(0.8, 0.93) - np.abs(v)) / 0.006)
    colour = (np.clip(colour, 0, None) * mask[..., None]).astype(np.float32)
    sigma = OVER * (0.25 + size / 128 * (0.12 + abs(normal(0, 0.16)) + 1.2 * haze))
    colour = ndimage.gaussian_filter(colour, (sigma, sigma, 0))
    colour = colour.reshape(size, OVER, size, OVER, 3).mean((1, 3))
    colour = np.where(colour > 0.8, 0.8 + 0.2 * np.tanh((colour - 0.8) / 0.2), colour)  # highlights saturate softly
    noise = uniform(0.003, 0.012)
    colour = colour + noise * normal(size=(size, size, 1)) + 0.5 * noise * normal(size=colour.shape)
    return np.clip(colour, 0, 1).astype(np.float32)


def _pixels(inside: np.ndarray) -> np.ndarray:
    """Pixels at least half inside. Of a cup smaller than that, those most inside: it is not lost."""
    share = inside.reshape(len(inside) // OVER, OVER, -1, OVER).mean((1, 3))
    return share >= min(0.5, share.max())


def draw(eye: Eye, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Picture (size, size, 3) float32 in [0, 1]; disc and cup (size, size) bool, pixels at least half inside."""
    view = View(eye, OVER * size, fill=float(rng.uniform(0.95, 1.0)))
    tint = np.exp(rng.normal(0, [0.03, 0.045, 0.07])).astype(np.float32)  # of the camera
    colour, streaks = _ground(view, rng, tint)
    colour = _disc(view, rng, colour, tint)
    colour = _blood(view, rng, colour, streaks)
    disc, cup = (_pixels(view.radius < outline) for outline in (view.disc, view.cup))
    return _photograph(view, rng, colour, size), disc, cup
