"""A two-coloured gelatine capsule with print, lying on a grey tray."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from math import cos, pi, sin

import numpy as np
from scipy import ndimage

from adlib.datasets._factory.objects.shapes import (
    Field,
    cover,
    grid,
    noise,
    normals,
    paint,
    ramp,
    rgb,
    ring,
    shadow,
    stroke,
    tinted,
    turned,
)

DEFECTS = ("crack", "misprint", "scratch", "squeeze")

HALF, RADIUS, JOINT = 0.49, 0.335, 0.06  # half the straight part, radius, where the cap ends

# the print: strokes in boxes 1 wide and 2 high
GLYPHS = {
    "2": [(0.05, 0.45), (0.2, 0.1), (0.5, 0), (0.8, 0.1), (0.95, 0.5), (0.8, 0.95), (0.05, 2), (1, 2)],
    "5": [(0.95, 0), (0.15, 0), (0.1, 0.85), (0.5, 0.75), (0.85, 0.95), (1, 1.4), (0.8, 1.85), (0.45, 2), (0, 1.8)],
    "0": [(0.5 + 0.5 * sin(k * pi / 8), 1 - cos(k * pi / 8)) for k in range(17)],
    "A": [(0, 2), (0.5, 0), (1, 2), (0.82, 1.3), (0.18, 1.3)],
    "D": [(0, 0), (0, 2), (0.5, 1.95), (0.9, 1.6), (1, 1), (0.9, 0.4), (0.5, 0.05), (0, 0)],
}
PRINTS = (("AD", -0.24, (0.88, 0.88, 0.86)), ("250", 0.30, (0.20, 0.13, 0.12)))  # text, place along the axis, ink
HEIGHT, FINENESS = 0.135, 400  # of a letter; cells of the text's table a unit of length
TALL, LONG = 0.13, 0.35  # half the table's sides


@lru_cache(maxsize=4)
def _letters(text: str) -> Field:
    """Distance from the strokes of a text, the text in the middle."""
    y, x = np.mgrid[-TALL : TALL : 1 / FINENESS, -LONG : LONG : 1 / FINENESS].astype(np.float32)
    distance = np.full_like(x, np.inf)
    for k, letter in enumerate(text):
        left = 1.55 * (k - (len(text) - 1) / 2) - 0.5
        points = [((px + left) * HEIGHT / 2, (py - 1) * HEIGHT / 2) for px, py in GLYPHS[letter]]
        for (ax, ay), (bx, by) in pairwise(points):
            dx, dy = bx - ax, by - ay
            t = np.clip(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy), 0, 1)
            distance = np.minimum(distance, np.hypot(x - ax - t * dx, y - ay - t * dy))
    distance.setflags(write=False)
    return distance


def _ink(text: str, u: Field, v: Field, bold: float) -> Field:
    """Coverage of a print at coordinates along and around the capsule."""
    ink = np.zeros_like(u)
    near = (np.abs(u) < LONG) & (np.abs(v) < TALL)
    at = np.stack([v[near] + TALL, u[near] + LONG]) * FINENESS
    distance = ndimage.map_coordinates(_letters(text), at, order=1, mode="nearest")
    ink[near] = cover(distance - bold, 0.012)
    return ink


def scene(rng: np.random.Generator, size: int, defect: str | None, flaw: np.random.Generator) -> Field:
    """Linear light (3, 2 size, 2 size)."""
    grid_x, grid_y = grid(size)
    edge = 1.5 / size
    scale, (cx, cy) = rng.uniform(0.98, 1.03), rng.uniform(-0.025, 0.025, 2).tolist()
    tilt, lamp = rng.uniform(-0.045, 0.045), rng.uniform(-0.25, 0.25) - pi / 2
    x, y = turned((grid_x - cx) / scale, (grid_y - cy) / scale, tilt)

    tone = rng.uniform(0.485, 0.515)
    fall = 0.12 * turned(grid_x, grid_y, lamp)[0] + 0.06 * noise(rng, size, 90) + 0.05 * noise(rng, size, 5)
    tray = tinted(rng, rgb(0.95 * tone, tone, 1.05 * tone), 0.02) * np.exp(fall)

    dent, cracks, scratches = np.zeros_like(x), None, None
    if defect == "squeeze":
        dent, y = _squeezed(flaw, x, y, size)

    # a tube with round ends; the cap sits over the body
    radius = RADIUS * (0.955 + 0.045 * ramp(JOINT + edge, JOINT - edge, x))
    past = np.maximum(np.abs(x) - HALF, 0)
    far = np.hypot(past, y)
    round_ = np.maximum(radius, far)
    nx, ny = np.sign(x) * past / round_, y / round_
    nz = np.sqrt(np.maximum(1 - nx * nx - ny * ny, 4e-4))
    roll = RADIUS * np.arcsin(np.clip(y / radius, -1, 1))  # length around the tube
    relief = 0.0016 * noise(rng, size, 12) + 0.0005 * noise(rng, size, 40) - dent
    relief = relief - 0.006 * ring(x, JOINT - 0.075, 0.014) + 0.010 * ramp(JOINT + 0.012, JOINT - 0.012, x)
    if defect == "crack":
        cracks = _cracked(flaw, x, roll, size)
        relief = relief - 0.003 * cover(cracks, 0.03)
    elif defect == "scratch":
        scratches = _scratched(flaw, x, roll)
        relief = relief - 0.004 * cover(scratches, 0.02)
    rx, ry, _ = normals(relief, size)
    nx, ny = nx + rx, ny + ry
    length = np.sqrt(nx * nx + ny * ny + nz * nz)
    nx, ny, nz = nx / length, ny / length, nz / length

    # gelatine: matt colour, and light that has passed through and collects on the far side
    cap, body = tinted(rng, rgb(0.27, 0.25, 0.27), 0.05), tinted(rng, rgb(0.93, 0.50, 0.12), 0.03)
    on_cap = cover(x - JOINT, edge)
    facing = nx * cos(lamp) + ny * sin(lamp)
    matt = np.clip(0.6 * facing + 0.8 * nz, 0, 1)
    through = np.maximum(-0.6 * facing, 0) * (1 - nz)
    powder = 1 + 0.06 * noise(rng, size, 60) + 0.04 * noise(rng, size, 100)
    colour = paint(body * powder, cap, on_cap)
    picture = colour * (0.22 + 0.85 * matt) + through * (1.1 - 0.9 * on_cap) * body * rgb(1, 0.9, 0.5)
    picture = picture * (1 - 0.45 * (1 - on_cap) * np.exp(-np.abs(x - JOINT) / 0.018))  # under the cap's lip

    # print, rolled a little to one side
    turn, slip, bold = rng.normal(0, 0.025), rng.normal(0, 0.012), rng.uniform(0.0105, 0.0130)
    worn = np.clip(0.86 + 0.10 * noise(rng, size, 40), 0, 1)
    wrong = int(flaw.integers(2)) if defect == "misprint" else -1
    for k, (text, place, ink_colour) in enumerate(PRINTS):
        u, v = x - place - slip, roll - turn
        ink = _misprinted(flaw, text, u, v, bold, size) if k == wrong else _ink(text, u, v, bold)
        picture = paint(picture, rgb(*ink_colour) * (0.35 + 0.75 * matt), worn * ink)
    if scratches is not None:
        raw = paint(np.broadcast_to(0.4 * body + 0.50, picture.shape), rgb(0.70, 0.68, 0.68), on_cap)
        picture = paint(picture, raw * (0.4 + 0.7 * matt), 0.85 * cover(scratches, 0.014))

    # gloss: a long lamp along the axis, a window, and the room at grazing angles
    mirror_x, mirror_y, mirror_z = 2 * nz * nx, 2 * nz * ny, 2 * nz * nz - 1
    toward, along = turned(mirror_x, mirror_y, lamp)
    bar = np.abs(toward - rng.uniform(0.45, 0.55))
    tube = (0.75 * ramp(0.15, 0.03, bar) + 0.22 * ramp(0.34, 0.05, bar)) * ramp(0.66, 0.36, np.abs(along))
    window = ramp(0.12, 0.06, np.abs(toward + 0.55)) * ramp(0.35, 0.25, np.abs(along - rng.uniform(-0.4, 0.4)))
    grazing = (0.04 + 0.96 * (1 - nz) ** 5) * ramp(-0.4, 0.6, toward)
    gloss = rng.uniform(0.65, 0.8) * tube * (mirror_z > -0.2) + 0.14 * window + 0.45 * grazing
    gloss = (gloss + 0.05 * ramp(-0.3, 0.9, toward)) * (1 + 0.1 * noise(rng, size, 30))
    if cracks is not None:
        gap = cover(cracks, 0.012)
        lit = ring(cracks, 0.010, 0.008) * np.clip(0.3 + 0.5 * noise(flaw, size, 12), 0, 1)
        picture = picture * (1 - 0.93 * gap) + lit * (0.05 + 0.25 * colour)
        gloss = gloss * (1 - gap)

    # the shadow has a little of the body's colour in it
    solid = cover(far - radius, edge)
    cast, touch = shadow(solid, size, lamp, 0.11, 0.05), shadow(solid, size, lamp, 0, 0.025)
    ground = tray * (1 - 0.68 * cast) * (1 - 0.45 * touch) + 0.16 * cast * (1 - on_cap) * body
    return paint(ground, picture + gloss, solid)


def _squeezed(rng: np.random.Generator, x: Field, y: Field, size: int) -> tuple[Field, Field]:
    """Depth of a dent, and y before the wall beside it gave way."""
    at = rng.uniform(0.15, 0.5) * (1 if rng.integers(2) else -1)
    side = 1 if rng.integers(2) else -1
    y = y + side * rng.uniform(0.11, 0.17) * ring(x, at, rng.uniform(0.09, 0.15)) * ramp(-0.15, 0.25, side * y)
    pit = ring(np.hypot(x - at, 1.2 * (y - side * 0.12)), 0, 0.11)
    return rng.uniform(0.05, 0.08) * pit * (1 + 0.1 * noise(rng, size, 14)), y


def _cracked(rng: np.random.Generator, u: Field, v: Field, size: int) -> Field:
    """Signed distance of a crack that forks."""
    wobble = 0.010 * noise(rng, size, 20) + 0.004 * noise(rng, size, 60)
    u, v = turned(u - rng.uniform(-0.5, 0.5), v - rng.normal(0, 0.08), rng.uniform(0, 2 * pi))
    branches = []
    for way, shortest, longest in ((0.0, 0.34, 0.52), (2.6, 0.14, 0.30), (3.6, 0.14, 0.30)):
        p, q = turned(u, v, way + rng.normal(0, 0.25))
        length, width = rng.uniform(shortest, longest), rng.uniform(0.036, 0.056)
        branches.append(stroke(rng, p + 0.02, q + wobble, length, width, 0.02))
    return np.minimum.reduce(branches)


def _scratched(rng: np.random.Generator, u: Field, v: Field) -> Field:
    """Signed distance of a few scratches beside each other."""
    at, way = rng.uniform(-0.45, 0.45), rng.uniform(-0.9, 0.9)
    scratches = []
    for _ in range(rng.integers(3, 6)):
        length = rng.uniform(0.3, 0.6)
        p, q = turned(u - at - rng.normal(0, 0.05), v - rng.normal(0, 0.09), way + rng.normal(0, 0.12))
        scratches.append(stroke(rng, p + length / 2, q, length, rng.uniform(0.020, 0.038), 0.02))
    return np.minimum.reduce(scratches)


def _misprinted(rng: np.random.Generator, text: str, u: Field, v: Field, bold: float, size: int) -> Field:
    """Coverage of a print that was struck twice, or smeared."""
    ink = _ink(text, u, v, bold)
    if rng.integers(2):
        du, dv = (rng.uniform(0.06, 0.10) * (1 if rng.integers(2) else -1) for _ in range(2))
        return np.maximum(ink, _ink(text, *turned(u - du, v - dv, rng.normal(0, 0.15)), bold))
    way, far = rng.uniform(0, 2 * pi), rng.uniform(0.16, 0.25)
    for share in np.linspace(0, 1, 14)[1:].tolist():
        du, dv = share * far * cos(way), share * far * sin(way)
        ink = np.maximum(ink, (1 - 0.4 * share) * _ink(text, u - du, v - dv, bold))
    return ink * np.clip(0.9 + 0.2 * noise(rng, size, 30), 0, 1)
