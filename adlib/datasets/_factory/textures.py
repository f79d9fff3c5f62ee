"""The textures of the factory: carpet, grid, leather, wood.

``DRAW[category](rng, size, defect)`` gives the scene before the camera, (H, W, 3) float32 in [0, 1], and the pixels
that the defect changed, (H, W) bool. defect: one of ``DEFECTS[category]``, or None for the flawless twin.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from adlib.datasets._factory import flaws
from adlib.datasets._factory.photograph import changed, grid, noise, reduced
from adlib.datasets._factory.surfaces import Surface, lit, smooth

Random = np.random.Generator


def _batch(rng: Random, spread: float) -> np.ndarray:
    """How the colour of one batch differs from the next: darker or lighter, redder or yellower."""
    return np.exp(rng.normal(0, spread) + rng.normal(0, spread) * np.array([0.5, 0, -1]))


def _surface(height: np.ndarray, colour: np.ndarray, gloss: np.ndarray | float, level: float | None = None) -> Surface:
    """level: where things come to lie; by default the relief without its details."""
    height = height.astype(np.float32)
    rest = ndimage.gaussian_filter(height, 0.03 * len(height)) if level is None else np.full_like(height, level)
    return Surface(height, colour.astype(np.float32), np.full_like(height, gloss), rest)


def _carpet(rng: Random, size: int) -> Surface:
    """A 2/2 twill of thick yarns: each passes over two and under two, one step further in every row."""
    y, x = grid(size)
    turn, pitch = rng.normal(0, 0.06), 1 / rng.uniform(20, 23)
    y, x = (line + 0.006 * noise(rng, (size, size), 0.35 * size, 2) for line in (y, x))
    u = (np.cos(turn) * x + np.sin(turn) * y) / pitch + rng.uniform(4, 8)
    v = (np.cos(turn) * y - np.sin(turn) * x) / pitch + rng.uniform(4, 8)
    column, row = np.floor(u), np.floor(v)
    step = (column + row) % 4
    warp = step < 2
    across = np.where(warp, u - column, v - row) - 0.5
    along = np.where(warp, step + v - row, step - 2 + u - column) / 2
    bulge = np.sqrt(np.clip(1 - (across * 1.9) ** 2, 0, 1)) * (0.35 + 0.65 * np.sin(np.pi * along))
    twist = np.sin(2 * np.pi * (along * 4 + across * 1.2 * np.where(warp, 1, -1)))
    fuzz = noise(rng, (size, size), 0.006 * size)
    height = pitch * (0.36 * bulge + 0.03 * twist * bulge + 0.03 * fuzz)
    shade = 1 + 0.06 * rng.standard_normal(200, dtype=np.float32)
    tone = shade[np.where(warp, column, row + 100).astype(int)] + 0.08 * noise(rng, (size, size), 0.3 * size, 3)
    colour = np.where(warp[..., None], (0.595, 0.58, 0.55), (0.435, 0.425, 0.415)) * (tone + 0.05 * fuzz)[..., None]
    return _surface(height, colour, 0.02)


def _leather(rng: Random, size: int) -> Surface:
    """Pebbles between creases, with pores where creases meet."""
    y, x = grid(size)
    count = int(rng.uniform(24, 31))
    cells = np.mgrid[-2 : count + 2, -2 : count + 2].reshape(2, -1).T
    centres = (cells + rng.uniform(-0.05, 1.05, cells.shape)) / count
    stretch = np.array([rng.uniform(0.8, 1.25), 1])
    bent = [line + 0.012 * noise(rng, (size, size), 0.12 * size, 3) for line in (y, x)]
    away, index = cKDTree(centres * stretch).query(np.stack(bent, axis=-1) * stretch, k=3)
    first, second, third = np.moveaxis(away.astype(np.float32) * count, -1, 0)
    pebble = smooth(second - first, 0.55) * (1 - 0.25 * first**2)
    pore = np.clip(1 - (third - first) / 0.22, 0, 1)
    crease = np.clip(1 - np.abs(noise(rng, (size, size), (0.30 * size, 0.18 * size), 3)) / 0.10, 0, 1)
    grain = noise(rng, (size, size), 0.006 * size, 2)
    rise = 0.24 + 0.05 * noise(rng, (size, size), 0.2 * size)
    height = (rise * pebble + 0.02 * grain - 0.25 * pore - 0.16 * crease) / count
    height += 0.004 * noise(rng, (size, size), 0.3 * size)
    tone = 0.74 + 0.26 * pebble + 0.03 * rng.standard_normal(len(cells))[index[..., 0]] - 0.25 * pore - 0.1 * crease
    tone += 0.04 * noise(rng, (size, size), 0.25 * size, 3)
    base = np.array([0.53, 0.34, 0.23]) * _batch(rng, 0.04)
    return _surface(height, base * tone[..., None], 0.10 + 0.06 * pebble)


def _wood(rng: Random, size: int) -> Surface:
    """A sanded board cut near the middle of the trunk: rings, fibres, pores."""
    y, x = grid(size)
    pith = rng.uniform(-1.6, -0.4) if rng.random() < 0.5 else rng.uniform(1.4, 2.6)
    lean, below = rng.normal(0, 0.05), rng.uniform(0.1, 0.5) + rng.normal(0, 0.25) * y
    bow = 0.035 * noise(rng, (size, size), (1.2 * size, 0.3 * size), 2)
    ring = np.hypot(x - pith + lean * (y - 0.5) + bow, below) * rng.uniform(11, 17)
    ring += 0.35 * noise(rng, (size, size), (2.0 * size, 0.08 * size), 2)
    phase = ring % 1
    # Pale wood of spring passes into dark wood of summer, which ends at once.
    late = phase**2.2 * (1 - smooth(phase - 0.93, 0.07)) * (0.6 + 0.4 * rng.random(64)[ring.astype(int) % 64])
    fibre = noise(rng, (size, size), (0.30 * size, 0.005 * size), 2)
    streak = noise(rng, (size, size), (0.8 * size, 0.03 * size), 2)
    pore = np.clip(noise(rng, (size, size), (0.05 * size, 0.0025 * size)) - 0.9, 0, 1.5)
    mix = np.clip(0.1 + 0.75 * late + 0.11 * fibre + 0.12 * streak, 0, 1)[..., None]
    pale = np.array([0.74, 0.55, 0.38]) * _batch(rng, 0.065)
    colour = (pale + mix * (np.array([0.45, 0.28, 0.16]) - pale)) * (1 - 0.25 * pore)[..., None]
    return _surface(0.0006 * fibre - 0.001 * pore + 0.0008 * late, colour, 0.05)


def _grid(rng: Random, size: int, damage: Callable[..., tuple[np.ndarray, np.ndarray]] | None = None) -> Surface:
    """Two families of crimped wires woven over a pale board. damage: how a wire is shifted, how much of it is left."""
    y, x = (line - 0.5 for line in grid(size))
    turn, pitch, thick = np.pi / 4 + rng.normal(0, 0.05), 1 / rng.uniform(6.1, 6.7), rng.uniform(0.156, 0.164)
    y, x = (line + 0.004 * noise(rng, (size, size), 0.4 * size) for line in (y, x))
    u = (np.cos(turn) * x + np.sin(turn) * y) / pitch + 20 + rng.uniform()
    v = (np.cos(turn) * y - np.sin(turn) * x) / pitch + 20 + rng.uniform()
    place, skew = 0.03 * rng.standard_normal((2, 2, 40))
    height = np.full((size, size), -0.35)
    for family, (across, along) in enumerate(((u, v), (v, u))):
        for offset in (-1, 0, 1):  # a bent wire may lie in the place of its neighbour
            wire = np.round(across).astype(int) + offset
            shift, left = damage(family, wire, along) if damage else (0, 1)
            away = across - wire - shift - place[family, wire] - 0.3 * skew[family, wire] * (along - 20)
            crimp = 0.11 * np.cos(np.pi * along) * np.where((wire + family) % 2, -1, 1)
            tube = crimp + np.sqrt(np.clip((thick * left) ** 2 - away**2, 0, None))
            height = np.where(np.abs(away) < thick * left, np.maximum(height, tube), height)
    metal = (height > -0.35).astype(np.float32)
    rust, dust = noise(rng, (size, size), 0.05 * size, 3), noise(rng, (size, size), 0.2 * size, 3)
    steel, board = 0.44 + 0.03 * rust, 0.62 + 0.02 * dust
    colour = np.where(metal > 0, steel, board)[..., None] * np.array([1, 0.995, 0.99])
    return _surface(height * pitch, colour, 0.22 * metal, level=0.15 * pitch)


def _bent(rng: Random) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """One wire and its neighbour pushed aside."""
    family, wire = rng.integers(2), rng.integers(19, 23)
    middle, width = rng.uniform(19, 22), rng.uniform(0.8, 1.5)
    push, side = rng.choice([-1, 1]) * rng.uniform(0.5, 0.9), rng.choice([-1, 1])

    def damage(which: int, wires: np.ndarray, along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        share = np.where(wires == wire, 1.0, np.where(wires == wire + side, 0.6, 0.0)) * (which == family)
        return push * share * np.exp(-(((along - middle) / width) ** 2)), np.ones(())

    return damage


def _broken(rng: Random) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """A piece of one wire, or of two, is gone, the ends stick out."""
    family, wire = rng.integers(2), rng.integers(19, 23)
    middle, half = rng.uniform(19, 22), rng.uniform(1.0, 1.8)
    stray, more = rng.normal(0, 0.4, 2), rng.integers(2)

    def damage(which: int, wires: np.ndarray, along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        hit = ((wires == wire) | (wires == wire + more)) & (which == family)
        beyond = np.abs(along - middle) - half
        bend = np.where(along < middle, *stray) * np.exp(-((beyond / 0.6) ** 2))
        return hit * bend, np.where(hit, smooth(beyond, 0.12), 1)

    return damage


_BUILD: dict[str, Callable[..., Surface]] = {"carpet": _carpet, "grid": _grid, "leather": _leather, "wood": _wood}
_WIRES = {"bent": _bent, "broken": _broken}  # done to the wires before they are woven; all others to the surface
DEFECTS: dict[str, tuple[str, ...]] = {
    "carpet": ("cut", "hole", "metal", "stain", "thread"),
    "grid": ("bent", "broken", "glue", "metal", "thread"),
    "leather": ("cut", "fold", "glue", "poke", "stain"),
    "wood": ("hole", "liquid", "scratch", "stain"),
}


def _draw(category: str, rng: Random, size: int, defect: str | None) -> tuple[np.ndarray, np.ndarray]:
    light, piece, flaw = rng.integers(2**63, size=3)  # three generators: the flaw cannot change what it is done to
    lamp = np.random.default_rng(light)
    azimuth, height = lamp.normal(-2.2, 0.3), lamp.uniform(1.1, 1.25)

    def seen(surface: Surface) -> np.ndarray:
        return reduced(lit(surface, azimuth, height, ambient=0.6 if category == "grid" else 0.45), 2)

    surface = _BUILD[category](np.random.default_rng(piece), 2 * size)
    good, draws = seen(surface), np.random.default_rng(flaw)
    while defect is not None:
        if defect in _WIRES:
            damaged = _grid(np.random.default_rng(piece), 2 * size, _WIRES[defect](draws))
        else:
            damaged = deepcopy(surface)
            getattr(flaws, defect)(draws, damaged)
        picture, mask = changed(good, seen(damaged))
        # Drawn anew where chance made it too small, too large, or too faint to be seen.
        if 0.003 <= mask.mean() <= 0.2 and np.abs(picture - good)[mask].max(axis=1).mean() > 0.06:
            return picture, mask
    return good, np.zeros((size, size), bool)


DRAW = {category: partial(_draw, category) for category in _BUILD}
