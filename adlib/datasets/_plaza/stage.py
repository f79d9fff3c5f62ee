"""The set that a video plays on: ground, lawns, trees, posts, benches and buildings, painted.

Everything fixed is painted once for a scene and a size, in full sunlight and without shadows; the shadows of fixed
things follow the sun of a video.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import map_coordinates

from adlib.datasets._plaza.places import SCENES, Point, Scene, inside, on_lawn
from adlib.datasets._plaza.shapes import Array, Colour, Shapes, View, picture, shadow

FINE = 3  # the painter works with so many times the pixels of the picture along each side
NOON = np.array([0.6, -0.5])  # a sun to shade fixed things by


def _noise(places: Array, scale: float, seed: int) -> Array:
    """Smooth noise in [-1, 1] over the ground, with grains of scale metres."""
    grid = np.random.default_rng(seed).uniform(-1, 1, (97, 97))
    return map_coordinates(grid, [places[..., 0] / scale, places[..., 1] / scale], order=1, mode="grid-wrap")


def _ground(scene: Scene, view: View) -> Array:
    """The colours of the ground (H, W, 3) in [0, 1]: tiles with joints, paths, lawns."""
    rows, columns = view.size
    pixels = np.stack(np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5), -1)
    places = view.ground(pixels)
    cosine, sine = np.cos(scene.tile_turn), np.sin(scene.tile_turn)
    across = np.stack([places @ [cosine, sine], places @ [-sine, cosine]], -1) / scene.tile
    footprint = np.abs(np.gradient(across[..., 1], axis=0)) + np.abs(np.gradient(across[..., 0], axis=1))
    number = np.floor(across).astype(int)
    tone = np.random.default_rng(1).uniform(-1, 1, (61, 61))[number[..., 0] % 61, number[..., 1] % 61]
    gap = np.abs(across - np.round(across)).min(-1)
    width = 0.035 / scene.tile
    joint = np.clip((width + footprint / 2 - gap) / footprint, 0, 1) * np.minimum(1, 2 * width / footprint)
    worn = 0.045 * _noise(places, 3.1, 2) + 0.03 * _noise(places, 0.7, 3)
    colours = np.array(scene.paving) * (1 + 0.045 * tone + worn - 0.22 * joint)[..., None]
    for path in scene.paths:
        asphalt = np.array([0.42, 0.42, 0.43]) * (1 + worn + 0.05 * _noise(places, 0.15, 4))[..., None]
        colours = np.where(inside(path, places)[..., None], asphalt, colours)
    blades = 0.16 * _noise(places, 0.12, 5) + 0.13 * _noise(places, 0.4, 6) + 0.14 * _noise(places, 2.3, 7)
    dry = np.clip(_noise(places, 4.1, 8), 0, 1)[..., None] * [0.13, 0.05, 0.01]
    grass = np.array([0.25, 0.36, 0.15]) * (1 + blades)[..., None] + dry
    return np.clip(np.where(on_lawn(scene, places)[..., None], grass, colours), 0, 1)


def _kerb(lawn: Sequence[Point]) -> Shapes:
    shapes = Shapes()
    for start, end in zip(lawn, (*lawn[1:], lawn[0]), strict=True):
        steps = np.linspace(start, end, 13)
        along = (steps[-1] - steps[0]) / max(float(np.linalg.norm(steps[-1] - steps[0])), 1e-9)
        side = 0.07 * np.array([-along[1], along[0]])
        for first, second in pairwise(steps):
            if min(first[1], second[1]) > 2.5:  # what lies under the camera cannot be projected
                flat = np.array([first - side, second - side, second + side, first + side])
                shapes.sheet(np.concatenate([flat, np.full((4, 1), 0.04)], 1)[None], (0.72, 0.71, 0.68))
    return shapes


def _wall(start: Point, end: Point, height: float) -> Shapes:
    """A front with a plinth and windows."""
    shapes = Shapes()
    first, last = np.array(start), np.array(end)
    length = float(np.linalg.norm(last - first))
    along = (last - first) / length
    out = np.array([along[1], -along[0]])
    out = out * (1 if out @ -(first + last) > 0 else -1)  # towards the camera

    def panel(left: float, right: float, low: float, high: float, colour: Colour, off: float) -> None:
        for begin in np.arange(left, right, 1.5):
            stop = min(begin + 1.5, right)
            a, b = first + along * begin + out * off, first + along * stop + out * off
            if min(a[1], b[1]) > 2.0:
                corners = np.array([[*a, low], [*b, low], [*b, high], [*a, high]])
                shapes.sheet(corners[None], colour, 60 * off)

    panel(0, length, 0, height, (0.62, 0.52, 0.44), 0)
    panel(0, length, 0, 0.5, (0.42, 0.4, 0.38), 0.02)
    for begin in np.arange(0.8, length - 1.4, 2.6):
        panel(begin - 0.08, begin + 1.48, 0.92, 2.78, (0.74, 0.72, 0.68), 0.02)
        panel(begin, begin + 1.4, 1.0, 2.7, (0.2, 0.25, 0.3), 0.03)
        panel(begin + 0.67, begin + 0.73, 1.0, 2.7, (0.7, 0.68, 0.64), 0.04)
        panel(begin, begin + 1.4, 3.7, 5.4, (0.22, 0.27, 0.33), 0.03)
    return shapes


def _leaves(rng: np.random.Generator, middles: Array, radii: Array, top: float, shapes: Shapes) -> None:
    low = middles[:, 2].min()
    for middle, radius in zip(middles, radii, strict=True):
        light = 0.55 + 0.5 * (middle[2] - low) / max(top - low, 0.1) + rng.uniform(-0.18, 0.18)
        green = np.clip(np.array([0.2, 0.29, 0.12]) * light * rng.uniform(0.85, 1.15, 3), 0, 1)
        shapes.limb(middle[None], middle[None], float(radius), tuple(green))


def thing(kind: str, place: Point, size: float, height: float) -> Shapes:
    """A fixed thing as shapes with T = 1."""
    rng = np.random.default_rng(int(1000 + 97 * abs(place[0]) + 13 * place[1]))
    shapes, (x, y) = Shapes(), place
    at, level = np.array([[x, y]]), np.zeros(1)
    if kind == "tree":
        trunk = np.array([[x, y, 0.0], [x + 0.08, y, 0.55 * height]])
        shapes.limb(trunk[None, 0], trunk[None, 1], (0.17, 0.1), (0.27, 0.21, 0.16))
        ball = rng.normal(size=(520, 3))
        ball *= (size * rng.uniform(0.2, 1, (520, 1)) ** 0.5) / np.linalg.norm(ball, axis=1, keepdims=True)
        middles = ball * [1, 1, 0.62] + [x, y, height - 0.62 * size]
        _leaves(rng, middles, rng.uniform(0.07, 0.2, 520) * size / 2, height, shapes)
    elif kind in ("hedge", "row"):
        sides = (0.8, size) if kind == "hedge" else (size, 0.8)
        shapes.box((0, 0, 0.42 * height), (*sides, 0.84 * height), at, level, (0.13, 0.19, 0.09))
        reach = np.array([*sides, 0]) / 2 + [0.03, 0.03, 0]
        count = int(90 * size * height)
        middles = rng.uniform(-reach + [0, 0, 0.1], reach + [0, 0, height], (count, 3)) + [x, y, 0]
        _leaves(rng, middles, rng.uniform(0.06, 0.15, count), height, shapes)
    elif kind == "post":
        shapes.limb(np.array([[x, y, 0]]), np.array([[x, y, height]]), size, (0.16, 0.17, 0.17))
        shapes.limb(np.array([[x, y, 0]]), np.array([[x, y, 0.5]]), 0.11, (0.16, 0.17, 0.17), 0.1)
        shapes.limb(np.array([[x, y, height]]), np.array([[x, y, height + 0.3]]), 0.19, (0.85, 0.84, 0.78), 0.2)
    elif kind == "bench":
        wood: Colour = (0.46, 0.31, 0.19)
        for off in (-0.42 * size, 0.42 * size):
            shapes.box((off, 0, 0.2), (0.08, 0.4, 0.4), at, level, (0.2, 0.2, 0.2))
        shapes.box((0, 0, 0.44), (size, 0.46, 0.07), at, level, wood)
        shapes.box((0, 0.24, 0.72), (size, 0.05, 0.4), at, level, wood)
    else:
        shapes.limb(np.array([[x, y, size]]), np.array([[x, y, height - size]]), size, (0.2, 0.26, 0.22))
        shapes.limb(np.array([[x, y, height - size]]), np.array([[x, y, height - size]]), size, (0.12, 0.13, 0.13), 0.3)
    return shapes


class Occluder(NamedTuple):
    """A fixed thing: how far away it stands, the box of the fine picture it lies in, and its pixels there (mode L)."""

    away: float
    box: tuple[int, int, int, int]
    mask: Image.Image


@dataclass(frozen=True)
class Stage:
    """A painted scene. solids: what throws shadows. lit: the fine picture in full light (RGB).

    open_ground: where shadows can fall (L).
    """

    solids: tuple[Shapes, ...]
    view: View
    lit: Image.Image
    open_ground: Image.Image
    occluders: tuple[Occluder, ...]


def paint(canvas: Image.Image, shapes: Shapes, view: View, light: float = 1.0, whole: bool = False) -> None:
    """Draw a fixed thing. whole: as a plain white patch, for its mask."""
    drawn = picture(shapes, view, NOON)
    pencil = ImageDraw.Draw(canvas)
    for part in np.argsort(-drawn.depth[0], kind="stable"):
        colour = tuple(int(255 * light * each) for each in drawn.colours[part])
        pencil.polygon(drawn.corners[part][0].tolist(), fill=255 if whole else colour)


@lru_cache(maxsize=6)
def stage(index: int, size: tuple[int, int]) -> Stage:
    """Scene number index painted for pictures of size (H, W)."""
    scene = SCENES[index]
    view = scene.view((FINE * size[0], FINE * size[1]))
    lit = Image.fromarray((255 * _ground(scene, view)).astype(np.uint8))
    open_ground = Image.new("L", lit.size, 255)
    for lawn in scene.lawns:
        paint(lit, _kerb(lawn), view)
    for wall in scene.walls:
        front = _wall(*wall)
        paint(lit, front, view)
        blank = Image.new("L", lit.size, 0)
        paint(blank, front, view, whole=True)
        open_ground.paste(0, mask=blank)
    occluders: list[Occluder] = []
    solids = []
    for each in sorted(scene.things, key=lambda each: -each[1][1]):
        shapes = thing(*each)
        solids.append(shapes)
        paint(lit, shapes, view)
        mask = Image.new("L", lit.size, 0)
        paint(mask, shapes, view, whole=True)
        open_ground.paste(0, mask=mask)
        box = mask.getbbox()
        if box is not None:
            occluders.append(Occluder(each[1][1], box, mask.crop(box)))
    for first, second, height in scene.walls:
        corners = [[*first, 0], [*second, 0], [*second, height], [*first, height]]
        solids.append(Shapes(sheets=[(np.array(corners, float)[None], (0, 0, 0), 0)]))
    return Stage(tuple(solids), view, lit, open_ground, tuple(occluders))


def fixed_shadows(stage: Stage, sun: Array) -> tuple[Image.Image, Image.Image]:
    """The shadows of everything fixed under a sun, 255 in the shadow (L, fine): as seen, and on the ground below all.

    The second is softer: it tells how dark a body that stands somewhere is.
    """
    mask = Image.new("L", stage.lit.size, 0)
    pencil = ImageDraw.Draw(mask)
    for each in stage.solids:
        for corners_of in shadow(each, stage.view, sun):
            pencil.polygon(corners_of[0].tolist(), fill=255)
    soft = mask.filter(ImageFilter.GaussianBlur(1.2 * stage.view.size[0] / 288))
    seen = Image.composite(soft, Image.new("L", soft.size, 0), stage.open_ground)
    return seen, mask.filter(ImageFilter.BoxBlur(4 * stage.view.size[0] / 288))
