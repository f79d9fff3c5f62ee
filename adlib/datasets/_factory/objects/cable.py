"""The cut face of a cable: three insulated cores of copper strands in a sheath."""

from __future__ import annotations

from math import cos, pi, sin, sqrt
from typing import NamedTuple

import numpy as np

from adlib.datasets._factory.objects.shapes import (
    Field,
    around,
    bearing,
    cover,
    grid,
    noise,
    normals,
    paint,
    ramp,
    rgb,
    ring,
    shadow,
    tinted,
    turned,
)

DEFECTS = ("bent_strand", "cut_insulation", "missing_core", "missing_strand")

SHEATH, BORE, CORE, BUNDLE = 0.86, 0.735, 0.332, 0.232  # radii, from the outside in
SPREAD = 0.386  # of the cores' middles
PITCH = 0.058  # from strand to strand
COLOURS = ((0.45, 0.30, 0.22), (0.20, 0.36, 0.62), (0.24, 0.50, 0.27))  # of mains cable; the last has a stripe
YELLOW = (0.80, 0.70, 0.16)


class Part(NamedTuple):
    """The square around a core: coordinates from its middle, texture of the cut, signed distance of a slit, light."""

    u: Field
    v: Field
    rough: Field
    marks: Field
    slit: Field | None
    lamp: float
    size: int


def scene(rng: np.random.Generator, size: int, defect: str | None, flaw: np.random.Generator) -> Field:
    """Linear light (3, 2 size, 2 size)."""
    edge = 1.5 / size
    scale, (cx, cy) = rng.uniform(0.95, 1.035), rng.uniform(-0.035, 0.035, 2).tolist()
    turn, lamp = rng.uniform(-0.2, 0.2), rng.uniform(-2.9, -1.5)
    x, y = ((axis - middle) / scale for axis, middle in zip(grid(size), (cx, cy), strict=True))
    r, place = np.hypot(x, y), bearing(np.arctan2(y, x))
    toward = turned(x, y, lamp)[0]
    sheath = r - SHEATH - 0.008 * around(rng, place, 4)
    bore = r - BORE - 0.010 * around(rng, place, 5)
    slit = _cut(flaw, x, y, size) if defect == "cut_insulation" else None

    tone = rng.uniform(0.32, 0.42)
    brushed = 0.07 * noise(rng, size, 100, 6) + 0.05 * noise(rng, size, 6)
    bench = tinted(rng, rgb(tone, 0.99 * tone, 0.96 * tone), 0.05) * np.exp(brushed)

    # the sheath's cut face, with the marks of the blade, rounded on the outside
    rough, marks = noise(rng, size, 50), noise(rng, size, 90, 8)
    height = 0.05 * np.sqrt(np.clip(-sheath / 0.05, 0, 1)) - 0.03 * cover(bore, 0.02) + 0.0004 * marks + 0.0006 * rough
    light = _lit(height, slit, lamp, size) * (1 + 0.06 * rough + 0.03 * marks + 0.12 * toward)
    picture = tinted(rng, rgb(0.70, 0.70, 0.68), 0.06) * light

    # powdered filler between the cores, darker where the sheath shades it
    filler = tinted(rng, rgb(0.46, 0.44, 0.41), 0.08)
    deep = ramp(0.02, 0.12, 0.068 * toward - bore)
    powder = (0.75 - 0.4 * deep) * (1 + 0.10 * rough + 0.16 * noise(rng, size, 110))
    picture = paint(picture, filler * powder, cover(bore, edge))

    chosen = int(flaw.integers(3))
    middles = [(turn - pi / 2 + k * 2 * pi / 3, *rng.normal(0, 0.008, 2).tolist()) for k in range(3)]
    middles = [(SPREAD * cos(way) + dx, SPREAD * sin(way) + dy) for way, dx, dy in middles]
    for k, (mx, my) in enumerate(middles):
        own = np.random.default_rng(rng.integers(2**63))  # a core that is missing takes no numbers from the others
        half = scale * (CORE + 0.06)  # only the square around a core is drawn
        rows, columns = (
            slice(max(round((middle - half + 1) * size), 0), round((middle + half + 1) * size))
            for middle in (cy + scale * my, cx + scale * mx)
        )
        u, v, plain, sawn = (field[rows, columns] for field in (x - mx, y - my, rough, marks))
        part = Part(u, v, plain, sawn, None if slit is None else slit[rows, columns], lamp, size)
        below = picture[:, rows, columns]
        if defect == "missing_core" and k == chosen:
            picture[:, rows, columns] = _empty(flaw, below, filler, part)
        else:
            picks = flaw if defect == "missing_strand" and k == chosen else None
            picture[:, rows, columns] = _core(own, below, k, part, picks)
    if slit is not None:
        picture = paint(picture, 0.10 * filler, 0.95 * cover(slit + 0.008, 0.02))
    if defect == "bent_strand":
        picture = _bent(flaw, picture, x - middles[chosen][0], y - middles[chosen][1], lamp, size)

    solid = cover(sheath, edge)
    return paint(bench * (1 - 0.65 * shadow(solid, size, lamp, 0.07, 0.04)), picture, solid)


def _lit(height: Field, slit: Field | None, lamp: float, size: int) -> Field:
    """Light on matt plastic, whose edges stand up along a slit."""
    if slit is not None:
        height = height - 0.05 * cover(slit, 0.03) + 0.012 * ring(slit, 0.02, 0.02)
    nx, ny, nz = normals(height, size)
    return 1.25 * np.maximum(0.62 * nz + 0.58 * (nx * cos(lamp) + ny * sin(lamp)), 0.04)


def _core(rng: np.random.Generator, below: Field, number: int, part: Part, flaw: np.random.Generator | None) -> Field:
    """One core over what lies below: insulation around strands. flaw: some strands are missing, drawn from this."""
    u, v, edge = part.u, part.v, 1.5 / part.size
    r, theta = np.hypot(u, v), np.arctan2(v, u)
    place = bearing(theta)
    outer = r - CORE - 0.006 * around(rng, place, 4)
    inner = r - BUNDLE - 0.010 * around(rng, place, 6)

    colour, stripe = tinted(rng, rgb(*COLOURS[number]), 0.09), rng.uniform(0, 2 * pi)
    if number == 2:
        colour = paint(np.broadcast_to(colour, (3, *u.shape)), rgb(*YELLOW), ramp(0.25, 0.35, np.cos(theta - stripe)))
    height = 0.035 * np.sqrt(np.clip(-outer / 0.035, 0, 1)) - 0.02 * cover(inner, 0.03)
    light = _lit(height + 0.0006 * (part.marks + part.rough), part.slit, part.lamp, part.size)
    face = colour * (light * (1 + 0.06 * part.rough + 0.05 * part.marks))

    strands = _strands(rng, part, flaw)
    shade = np.exp(-np.maximum(0.01 - inner + 0.13 * turned(u, v, part.lamp)[0], 0) / 0.02)  # of the insulation's edge
    face = paint(face, strands * (1 - 0.6 * shade), cover(inner, edge))
    return paint(below * (1 - 0.55 * cover(outer - 0.01, 0.04)), face, cover(outer, edge))


def _strands(rng: np.random.Generator, part: Part, flaw: np.random.Generator | None) -> Field:
    """Copper in a hexagonal packing that a slow warp has disturbed; each cut face leans its own way."""
    height, width = part.u.shape
    warp = [0.014 * noise(rng, part.size, 7)[:height, :width] for _ in range(2)]
    p, q = turned(part.u + warp[0], part.v + warp[1], rng.uniform(0, 2 * pi))
    step = PITCH * sqrt(3) / 2  # between rows; every other row is half a pitch aside
    middle = np.rint(q / step)
    nearest = np.full_like(p, np.inf)
    i, j, dx, dy = (np.zeros_like(p) for _ in range(4))
    for row in (middle - 1, middle, middle + 1):
        aside = (row % 2) / 2
        column = np.rint(p / PITCH - aside)
        away_x, away_y = p - (column + aside) * PITCH, q - row * step
        far = away_x * away_x + away_y * away_y
        near = far < nearest
        for best, new in ((nearest, far), (i, column), (j, row), (dx, away_x), (dy, away_y)):
            np.copyto(best, new, where=near)
    cell = (i.astype(np.int64) % 16, j.astype(np.int64) % 16)

    bright = np.exp(rng.uniform(-0.4, 0.4, (16, 16))).astype(np.float32)[cell]
    lean = rng.normal(0, 0.25, (16, 16)).astype(np.float32)[cell]
    outside = np.sqrt(nearest) - PITCH * rng.uniform(0.43, 0.52, (16, 16)).astype(np.float32)[cell]
    dome = 0.5 + 0.5 * np.clip(-outside / (0.4 * PITCH), 0, 1)
    light = np.maximum(0.5 + 0.45 * (turned(dx, dy, part.lamp)[0] / PITCH + lean) + 0.10 * part.marks, 0.05)
    shine = np.clip(bright * light - 0.8, 0, 1) * cover(outside + 0.012, 0.012)
    copper = tinted(rng, rgb(0.88, 0.58, 0.40), 0.08) * (1.5 * bright * dome * light) + rgb(1, 0.86, 0.70) * (
        0.9 * shine
    )
    present = cover(outside, 0.010)
    if flaw is not None:
        way, far_off = flaw.uniform(0, 2 * pi), flaw.uniform(0.03, 0.12)
        away = np.hypot(p - dx - far_off * cos(way), q - dy - far_off * sin(way))
        present = present * (away > flaw.uniform(0.085, 0.115))
    return paint(rgb(0.10, 0.06, 0.04) * (1 + 0.3 * part.marks), copper, present)


def _empty(rng: np.random.Generator, below: Field, filler: Field, part: Part) -> Field:
    """Where a core has slipped out: a tube in the filler, lit on the far wall."""
    height, width = part.u.shape
    fray = (noise(rng, part.size, 14) + 0.5 * noise(rng, part.size, 40))[:height, :width]
    tube = np.hypot(part.u, part.v) - CORE + 0.02 + 0.007 * fray
    lit = np.clip(0.35 - turned(part.u, part.v, part.lamp)[0] / CORE, 0, 1.4)
    wall = 0.9 * ramp(-0.14, -0.01, tube) ** 2 * (1 + 0.35 * np.sin(130 * tube + fray)) + ring(tube, -0.010, 0.012)
    return paint(below, filler * (0.03 + wall * lit), cover(tube, 1.5 / part.size))


def _cut(rng: np.random.Generator, x: Field, y: Field, size: int) -> Field:
    """Signed distance of a slit from the outside through the sheath, into a core where one lies behind."""
    u, v = turned(x, y, rng.uniform(0, 2 * pi))
    tip, width, slope = rng.uniform(0.48, 0.60), rng.uniform(0.055, 0.085), rng.normal(0, 0.25)
    line = v - slope * (u - SHEATH) + 0.010 * noise(rng, size, 9)
    open_ = 0.25 + 0.75 * np.clip((u - tip) / (SHEATH - tip), 0, 1.3)
    return np.maximum(np.abs(line) - width * open_, tip - u)


def _bent(rng: np.random.Generator, picture: Field, x: Field, y: Field, lamp: float, size: int) -> Field:
    """Strands that splay out of a core over its insulation and what lies beside it."""
    way = rng.uniform(0, 2 * pi)
    for _ in range(rng.integers(3, 6)):
        angle, start, length = way + rng.normal(0, 0.25), rng.uniform(0.02, 0.15), rng.uniform(0.30, 0.50)
        width, bow = PITCH * rng.uniform(0.8, 0.95), rng.uniform(-0.9, 0.9)
        u, v = turned(x, y, angle)
        along = u - start
        ahead = np.maximum(along, 0)
        across = (v - bow * ahead * ahead) / np.sqrt(1 + (2 * bow * ahead) ** 2)
        past = np.maximum(np.maximum(-along, along - length), 0)
        strand = np.hypot(across, past) - width / 2
        picture = picture * (1 - 0.5 * shadow(cover(strand, 0.02), size, lamp, 0.04, 0.015))
        height = np.clip(across / (width / 2), -1, 1)
        side = sin(lamp - angle)  # how far the lamp stands to one side of the strand
        light = 0.35 + 0.45 * np.sqrt(1 - height * height) + 0.35 * side * height
        shine = 0.5 * ring(height, 0.35 * side, 0.25) * (0.7 + 0.3 * noise(rng, size, 20))
        picture = paint(picture, rgb(0.85, 0.51, 0.32) * light + rgb(1, 0.85, 0.7) * shine, cover(strand, 0.012))
    return picture
