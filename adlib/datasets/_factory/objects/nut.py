"""A hexagon nut with a flange, seen from above on a rubber mat."""

from __future__ import annotations

from math import cos, hypot, pi, sin

import numpy as np

from adlib.datasets._factory.objects.shapes import (
    Field,
    around,
    bearing,
    cover,
    grid,
    mirror,
    noise,
    normals,
    paint,
    polygon,
    rgb,
    ring,
    shadow,
    stroke,
    tinted,
    turned,
)

DEFECTS = ("bent", "chipped", "scratch", "stain")

RIM, FLAT, CHAMFER, HOLE = 0.76, 0.46, 0.415, 0.245  # radii; FLAT is half the width across flats
PAINTS = ((0.80, 0.20, 0.14), (0.16, 0.28, 0.72), (0.12, 0.52, 0.27), (0.62, 0.36, 0.10))


def scene(rng: np.random.Generator, size: int, defect: str | None, flaw: np.random.Generator) -> Field:
    """Linear light (3, 2 size, 2 size)."""
    edge = 1.5 / size
    scale, (cx, cy) = rng.uniform(0.955, 1.04), rng.uniform(-0.032, 0.032, 2).tolist()
    turn, lamp = rng.uniform(0, 2 * pi), rng.uniform(-2.6, -1.8)
    x, y = ((axis - middle) / scale for axis, middle in zip(grid(size), (cx, cy), strict=True))
    r, theta = np.hypot(x, y), np.arctan2(y, x)

    tone = rng.uniform(0.245, 0.285)
    fibres = 0.10 * noise(rng, size, 110) + 0.05 * noise(rng, size, 40) + 0.07 * noise(rng, size, 4)
    mat = tinted(rng, rgb(tone, 1.01 * tone, 1.04 * tone), 0.03) * np.exp(fibres)

    outline, lift = r - RIM, np.zeros_like(r)
    broken = groove = None
    if defect == "bent":
        outline, lift = _bent(flaw, x, y, size)
    elif defect == "chipped":
        broken = _chipped(flaw, x, y, size)
        outline = np.maximum(outline, -broken)
    elif defect == "scratch":
        groove = _scratched(flaw, x, y)
    flange = cover(outline, edge)

    # relief: a conical flange with a rounded rim, a hexagon with tapering sides and a conical chamfer
    hexagon = np.maximum(_across(x, y, turn) - FLAT, r - 0.517)
    inside = np.clip(-outline / 0.04, 0, 1)
    height = (0.05 + 0.30 * (RIM - r)) * np.sqrt(inside * (2 - inside)) + lift
    top = 0.42 - 0.55 * np.maximum(r - CHAMFER, 0) - 0.95 * np.clip(HOLE + 0.04 - r, 0, 0.07)
    height = np.maximum(height, np.minimum(top, 0.05 - 7.0 * hexagon))
    height = height + 0.0005 * noise(rng, size, 80) + 0.0006 * noise(rng, size, 22)
    if groove is not None:
        height = height - 0.010 * cover(groove, 0.022)
    normal = normals(height, size)

    lamps = [
        (lamp, rng.uniform(0.75, 0.95), 2.2, 9.0),
        (lamp + rng.uniform(2.0, 2.5), 0.75, 0.9, 12.0),
        (lamp - rng.uniform(1.6, 2.1), 0.40, 0.8, 14.0),
    ]
    light = mirror(normal, lamps, 0.05, 0.34)
    # a turned face scatters across its grooves: bright fans towards and away from each lamp
    fan = 0.10 * around(rng, bearing(30 * r), 60, 0.1) - 0.35
    for azimuth, _, strength, _ in lamps:
        fan += 0.6 * strength * np.exp(-11 * np.sin(theta - azimuth) ** 2)
    light = light * (1 + cover(np.maximum(r - CHAMFER, HOLE + 0.03 - r), 0.02) * fan)
    light = light * np.exp(0.06 * noise(rng, size, 60) + 0.10 * noise(rng, size, 6))
    # less light beside the hexagon's wall, and its shadow on the flange
    low = cover(-hexagon, edge)
    cast = _across(x + 0.10 * cos(lamp), y + 0.10 * sin(lamp), turn) - FLAT
    light = light * (1 - 0.6 * low * np.exp(-np.maximum(hexagon, 0) / 0.04)) * (1 - 0.55 * low * cover(cast, 0.09))

    metal = tinted(rng, rgb(0.88, 0.87, 0.85), 0.04)
    side = normal[0] * cos(lamp + 1) + normal[1] * sin(lamp + 1)  # the room is warmer on one side
    picture = light * metal * (1 + side * np.array([0.10, 0.02, -0.10], np.float32).reshape(3, 1, 1))
    if groove is not None:
        picture = picture * (1 - 0.6 * cover(groove, 0.014))
    if broken is not None:  # raw, grainy metal along the break
        grain = np.clip(0.30 + 0.16 * noise(flaw, size, 60), 0.03, 0.9)
        picture = paint(picture, grain * rgb(0.9, 0.88, 0.86), cover(broken - 0.03, 0.012))
    if defect == "stain":
        picture = _stained(flaw, picture, x, y, size)

    # the thread: a helix going down into the dark
    tooth, facing = np.sin(2 * pi * r / 0.018 + theta), np.cos(theta - lamp)
    sink = np.clip((r - HOLE + 0.065) / 0.065, 0, 1)
    thread = sink * (0.16 + 0.22 * np.maximum(-tooth * facing, 0) + 0.10 * tooth - 0.10 * facing)
    picture = paint(picture, np.maximum(thread, 0.01) * metal, cover(r - HOLE, edge))
    picture = paint(picture, 0.30 * mat, cover(r - HOLE + 0.06, edge))
    return paint(mat * (1 - 0.75 * shadow(flange, size, lamp, 0.06, 0.035)), picture, flange)


def _across(x: Field, y: Field, turn: float) -> Field:
    """Distance from the middle along the normal of the nearest of the hexagon's flats."""
    flats = (turn + k * pi / 3 for k in range(3))
    return np.maximum.reduce([np.abs(x * cos(way) + y * sin(way)) for way in flats])


def _bent(rng: np.random.Generator, x: Field, y: Field, size: int) -> tuple[Field, Field]:
    """Signed distance of the rim, and how far the flange is lifted beyond a crease: seen from above it is shorter."""
    way, slope = rng.uniform(0, 2 * pi), rng.uniform(0.8, 1.3) * (1 if rng.integers(2) else -1)
    u, v = turned(x, y, way)
    crease = rng.uniform(0.50, 0.56) + rng.normal(0, 0.12) * v + 0.01 * noise(rng, size, 8)
    beyond = np.maximum(u - crease, 0)
    bend = beyond * beyond / (beyond + 0.02)
    lift = slope * bend * (1 + 0.15 * noise(rng, size, 10))
    return np.hypot(u + (hypot(1, slope) - 1) * bend, v) - RIM, lift


def _chipped(rng: np.random.Generator, x: Field, y: Field, size: int) -> Field:
    """Signed distance of what has broken off the flange."""
    u, v = turned(x, y, rng.uniform(0, 2 * pi))
    bite = polygon(rng, u - rng.uniform(0.74, 0.84), v, 7, rng.uniform(0.21, 0.30))
    return bite + 0.012 * noise(rng, size, 24) + 0.006 * noise(rng, size, 60)


def _scratched(rng: np.random.Generator, x: Field, y: Field) -> Field:
    """Signed distance of a few scratches beside each other."""
    way, place, far = rng.uniform(0, 2 * pi), rng.uniform(0, 2 * pi), rng.uniform(0.40, 0.54)
    u, v = turned(x - far * cos(place), y - far * sin(place), way)
    scratches = []
    for _ in range(rng.integers(2, 5)):
        length = rng.uniform(0.25, 0.60)
        p, q = turned(u - rng.normal(0, 0.08), v - rng.normal(0, 0.06), rng.normal(0, 0.12))
        scratches.append(stroke(rng, p + length / 2, q, length, rng.uniform(0.024, 0.042), 0.02))
    return np.minimum.reduce(scratches)


def _stained(rng: np.random.Generator, picture: Field, x: Field, y: Field, size: int) -> Field:
    """Paint on the metal: it colours what the metal reflects, thicker along its rim, thin where it was wiped."""
    place, far = rng.uniform(0, 2 * pi), rng.uniform(0.36, 0.60)
    u, v = turned(x - far * cos(place), y - far * sin(place), rng.uniform(0, pi))
    blob = np.hypot(u, rng.uniform(1.2, 2.2) * v) - rng.uniform(0.15, 0.22)
    blob = blob + 0.05 * noise(rng, size, 9) + 0.015 * noise(rng, size, 35)
    ink = rgb(*PAINTS[rng.integers(len(PAINTS))])
    thick = cover(blob, 0.02) * (0.72 + 0.25 * ring(blob, -0.015, 0.02) + 0.14 * noise(rng, size, 14))
    return paint(picture, 1.6 * ink * picture + 0.03 * ink, np.clip(thick, 0, 0.97))
