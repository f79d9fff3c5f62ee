"""The mouth of a dark glass bottle, seen from above on a lit table."""

from __future__ import annotations

from math import cos, pi, sin
from typing import NamedTuple

import numpy as np

from adlib.datasets._factory.objects.shapes import (
    Field,
    around,
    bearing,
    cover,
    facets,
    grid,
    mirror,
    noise,
    normals,
    paint,
    polygon,
    ramp,
    rgb,
    ring,
    tinted,
    turned,
)

DEFECTS = ("broken_large", "broken_small", "contamination")

BODY, SEAM, FINISH, LIP, MOUTH = 0.89, 0.715, 0.555, 0.465, 0.445  # radii from the outside in
CLOTHS = ((0.36, 0.36, 0.37), (0.42, 0.36, 0.31), (0.30, 0.33, 0.37))
CRUMBS = ((0.52, 0.41, 0.32), (0.66, 0.63, 0.56), (0.42, 0.28, 0.20))
GLINT = (0.97, 0.90, 0.74)


class Place(NamedTuple):
    """Where the points lie on the mouth: x, y, radius and angle."""

    x: Field
    y: Field
    r: Field
    theta: Field
    size: int


def scene(rng: np.random.Generator, size: int, defect: str | None, flaw: np.random.Generator) -> Field:
    """Linear light (3, 2 size, 2 size)."""
    grid_x, grid_y = grid(size)
    scale, (cx, cy) = rng.uniform(0.97, 1.02), rng.uniform(-0.024, 0.024, 2).tolist()
    lamp = rng.uniform(0, 2 * pi)
    x, y = (grid_x - cx) / scale, (grid_y - cy) / scale
    theta = np.arctan2(y, x)
    turn = bearing(theta)
    # what lies deeper is nearer to the middle of the picture, and no ring is quite round
    body = np.hypot(x + 0.35 * cx, y + 0.35 * cy) + 0.004 * around(rng, turn, 3)
    r = np.hypot(x, y) + 0.003 * around(rng, turn, 4)
    facing = np.cos(theta - lamp)

    glass = tinted(rng, rgb(0.200, 0.205, 0.245), 0.34)
    picture = _body(rng, body, turn, facing, glass)
    finish = _finish(rng, x, y, r, turn, lamp, glass, size)
    picture = paint(picture, finish, cover(r - SEAM, 0.008))

    # the pressed ring below the lip, thin rings around the mouth
    frost = tinted(rng, rgb(0.215, 0.240, 0.250), 0.36)
    grain = 0.10 * noise(rng, size, 70) + 0.20 * noise(rng, size, 125) + 0.30 * noise(rng, size, 6)
    tone = 0.80 + grain + 1.1 * np.maximum(facing, 0) ** 3 * ramp(LIP, FINISH, r) - 0.35 * ring(r, 0.48, 0.02)
    picture = paint(picture, np.maximum(tone, 0.1) * frost, cover(r - FINISH, 0.02))
    picture = paint(picture, rgb(0.55, 0.55, 0.56), 0.45 * ring(r, SEAM, 0.005) + 0.40 * ring(r, LIP, 0.006))
    picture = paint(picture, rgb(0.33, 0.19, 0.15), 0.9 * ring(r, MOUTH, 0.010))

    # the inside: dark, with a glow from the bottom
    dx, dy = rng.normal(0, 0.05, 2).tolist()
    glow = ring(np.hypot(x + 3 * cx + dx, y + 3 * cy + dy), 0, rng.uniform(0.10, 0.28)) * rng.uniform(0, 1.35) ** 2
    dark = tinted(rng, rgb(0.130, 0.127, 0.168), 0.42)
    inside = dark * np.maximum(1 + 3.5 * glow + 0.25 * noise(rng, size, 5), 0.2)
    picture = paint(picture, inside, cover(r - MOUTH + 0.004, 0.010))

    place = Place(x, y, r, theta, size)
    if defect == "contamination":
        picture = _contaminated(flaw, picture, place)
    elif defect is not None:
        picture = _broken(flaw, picture, place, inside, glass, large=defect == "broken_large")

    slope = rng.uniform(0.02, 0.10) * (grid_x * cos(lamp) + grid_y * sin(lamp) + 0.5)
    table = rng.uniform(1.3, 1.7) * rgb(1, 1, 0.99) * (1 - slope)
    return paint(table, picture, ramp(0.5, -0.5, (body - BODY) / 0.055))


def _body(rng: np.random.Generator, r: Field, turn: np.ndarray, facing: Field, glass: Field) -> Field:
    """The bottle below its neck, out of focus: the table's light comes through in bands."""
    band = rng.uniform(0.785, 0.815)
    brown = tinted(rng, rgb(0.48, 0.435, 0.435), 0.18)
    tone = 0.75 + 0.55 * ramp(0.71, 0.80, r) - 0.70 * ring(r, 0.855, 0.030) + 0.35 * facing
    lit = 0.8 * np.clip(0.8 + 0.35 * around(rng, turn, 3), 0.1, 1.2) * ring(r, band, 0.020)
    return paint(np.maximum(tone, 0.1) * glass, brown, lit + 0.3 * ring(r, band - 0.045, 0.015))


def _finish(
    rng: np.random.Generator, x: Field, y: Field, r: Field, turn: np.ndarray, lamp: float, glass: Field, size: int
) -> Field:
    """The neck's clear rings, filaments of light that came through its wall, and reflections of lamps."""
    amber = tinted(rng, rgb(0.86, 0.45, 0.24), 0.20)
    tone = np.exp(0.15 + 0.50 * noise(rng, size, 5)) - 0.6 * ring(r, 0.572, 0.014)
    for radius, width in ((0.612, 0.005), (0.648, 0.007)):
        strength = np.clip(1.0 + 0.8 * around(rng, turn, 5), 0, 3)
        tone += strength * ring(r, radius + 0.002 * around(rng, turn, 3), width)
    threads = 0.12 * ring(r, 0.69, 0.022) * np.clip(0.6 + 0.5 * around(rng, turn, 4), 0, 1.4)
    glare = np.zeros_like(r)
    for _ in range(5):
        track = rng.uniform(0.672, 0.702) + 0.009 * around(rng, turn, 3) + 0.0015 * around(rng, turn, 40, 0.3)
        strength = np.clip(0.15 + 0.45 * around(rng, turn, 14, 0.5), 0, 1.5)
        thread = strength * ring(r, track, rng.uniform(0.003, 0.008))
        threads += 0.5 * thread
        glare += np.clip(thread - 0.6, 0, 1)
    for _ in range(rng.integers(3, 8)):
        way = lamp + rng.normal(0, 1)
        along, across = turned(x, y, way)
        spot = ring(across, 0, rng.uniform(0.015, 0.09)) * ring(r, rng.uniform(0.58, 0.70), rng.uniform(0.004, 0.012))
        glare += rng.uniform(0.3, 1.1) * spot * (along > 0)
    return glass * np.maximum(tone, 0.1) + amber * threads + rgb(1, 0.96, 0.84) * glare


def _broken(
    rng: np.random.Generator, picture: Field, place: Place, inside: Field, glass: Field, *, large: bool
) -> Field:
    """Glass broken out of the rim: faces that mirror the room each in its own way, the mouth wider than it was."""
    size, r = place.size, place.r
    half = rng.uniform(0.42, 0.78) if large else rng.uniform(0.18, 0.32)
    outer = rng.uniform(0.66, 0.82) if large else rng.uniform(0.60, 0.69)
    away = (place.theta - rng.uniform(0, 2 * pi)) % (2 * pi) - pi
    jag = 0.020 * noise(rng, size, 14) + 0.008 * noise(rng, size, 40)
    side = (np.abs(away) - half) * r * 0.8 + 0.5 * np.maximum(r - 0.55, 0)  # the break narrows outwards
    hole = np.maximum(np.maximum(r - outer, side), 0.40 - r) + jag

    # faces run along the break: long in angle, short in radius
    u, v = 0.57 * away, 1.6 * (r - 0.57)
    fx, fy, which = facets(rng, u + 1.2 * jag, v - 1.2 * jag, (1.1 * half, 0.25), 30 if large else 12)
    streak = noise(rng, size, 36, 6)
    ripple = np.sin((u * fy - v * fx) * 45 + which.astype(np.float32)) + 0.8 * streak + 0.6 * noise(rng, size, 40)
    nx, ny = 0.40 * fx + 0.16 * ripple, 0.40 * fy - 0.16 * ripple
    nz = 1 / np.sqrt(nx * nx + ny * ny + 1)
    lamps = [(rng.uniform(0, 2 * pi), 0.8, 2.6, 40.0), (rng.uniform(0, 2 * pi), 0.5, 1.0, 20.0)]
    light = mirror((nx * nz, ny * nz, nz), lamps, 0.0, 0.05)
    face = glass * np.clip(0.9 + 0.35 * fx + 0.25 * streak, 0.15, 2.5) + light * rgb(*GLINT)

    # the largest faces catch a lamp, and crumbs glitter on them
    largest = np.bincount(which[hole < -0.01], minlength=2).argsort()[-3:]
    spark = np.isin(which, largest).astype(np.float32)
    face = face * (1 + rng.uniform(0.5, 1.5) * spark * np.clip(1 + ripple, 0.2, 2))
    glitter = np.clip(noise(rng, size, 90) + 0.8 * noise(rng, size, 40) - 0.6, 0, 2)
    face = face + rng.uniform(0.10, 0.30) * spark * glitter * rgb(*GLINT)

    grown = r - rng.uniform(0.485, 0.52) + 2 * jag
    face = paint(face, inside, cover(grown, 0.02))
    rim = ring(hole, -0.006, 0.006) * cover(-grown, 0.02) + ring(grown, 0.006, 0.006)
    rim = np.clip(0.35 + 0.4 * noise(rng, size, 12), 0, 0.9) * np.minimum(rim, 1)
    face = paint(face, rgb(0.72, 0.68, 0.60), rim)
    return paint(picture, face, cover(hole, 0.012))


def _contaminated(rng: np.random.Generator, picture: Field, place: Place) -> Field:
    """A scrap of cloth in the mouth, a crumb in the mouth, or a crumb on the rim."""
    size, kind = place.size, ("cloth", "crumb", "rim")[rng.integers(3)]
    way, far = rng.uniform(0, 2 * pi), rng.uniform(0.46, 0.60) if kind == "rim" else rng.uniform(0, 0.18)
    u, v = turned(place.x - far * cos(way), place.y - far * sin(way), rng.uniform(0, pi))
    folds, fray = noise(rng, size, 9), noise(rng, size, 28)
    if kind == "cloth":
        shape = polygon(rng, u, v, 6, rng.uniform(0.19, 0.29)) + 0.025 * folds + 0.008 * fray
        weave = 0.22 * noise(rng, size, 110) + 0.10 * fray
        relief = 0.030 * folds + 0.004 * fray
    else:
        shape = polygon(rng, u, v, 8, rng.uniform(0.09, 0.14) if kind == "rim" else rng.uniform(0.12, 0.20))
        shape = shape + 0.030 * folds + 0.018 * fray + 0.007 * noise(rng, size, 70)
        weave = 0.16 * noise(rng, size, 80) + 0.14 * noise(rng, size, 30)
        relief = 0.05 * np.sqrt(np.clip(-shape, 0, 0.06)) + 0.010 * fray + 0.016 * folds
    colours = CLOTHS if kind == "cloth" else CRUMBS
    colour, lamp = rgb(*colours[rng.integers(3)]), rng.uniform(0, 2 * pi)
    nx, ny, _ = normals(relief, size)
    light = (0.75 + 0.8 * (nx * cos(lamp) + ny * sin(lamp)) + weave) * (1 + 0.5 * ring(shape, -0.012, 0.012) * folds)
    below = picture * (1 - 0.5 * cover(shape - 0.02, 0.06))
    body = paint(below, colour * np.maximum(light, 0.05), cover(shape, 0.03 if kind == "cloth" else 0.02))
    # the lip hides what reaches under it
    return body if kind == "rim" else paint(picture, body, cover(place.r - MOUTH + 0.012, 0.01))
