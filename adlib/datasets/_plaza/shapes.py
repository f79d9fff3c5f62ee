"""The camera of the plaza, and bodies in space as polygons in its picture and as shadows on its ground.

World: X to the right of the camera, Y along the ground away from it, Z up, in metres; the camera stands at (0, 0,
height) and looks along Y, tilted downwards. Everything is made of three shapes that need no mesh: limbs, sheets and
tubes. Each becomes one polygon a frame; the painter draws far ones first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Colour = tuple[float, float, float]  # part of the light that comes back, in [0, 1]


@dataclass(frozen=True)
class View:
    """A pinhole camera and its picture of size (H, W). tilt: degrees below the horizon. focal: in picture heights.

    Pixel (i, j) covers [j, j + 1) x [i, i + 1). The vertical field of view does not depend on the size.
    """

    height: float
    tilt: float
    focal: float
    size: tuple[int, int]

    def project(self, points: Array) -> tuple[Array, Array]:
        """Points (..., 3) in metres as pixels (..., 2), and their depth (...) along the axis of the camera.

        u = W / 2 + f X / d,  v = H / 2 + f (-Y sin t - (Z - h) cos t) / d,  d = Y cos t - (Z - h) sin t
        """
        sine, cosine = np.sin(np.radians(self.tilt)), np.cos(np.radians(self.tilt))
        along, up = points[..., 1], points[..., 2] - self.height
        depth = np.maximum(along * cosine - up * sine, 0.5)  # behind the camera nothing is drawn that could be seen
        scale = self.focal * self.size[0] / depth
        across, down = points[..., 0] * scale, -(along * sine + up * cosine) * scale
        return np.stack([across + self.size[1] / 2, down + self.size[0] / 2], -1), depth

    def ground(self, pixels: Array) -> Array:
        """Where the ray through each pixel (..., 2) meets the ground, (..., 2) in metres: the inverse homography."""
        sine, cosine = np.sin(np.radians(self.tilt)), np.cos(np.radians(self.tilt))
        right = (pixels[..., 0] - self.size[1] / 2) / (self.focal * self.size[0])
        down = (pixels[..., 1] - self.size[0] / 2) / (self.focal * self.size[0])
        reach = self.height / np.maximum(sine + down * cosine, 1e-3)
        return np.stack([reach * right, reach * (cosine - down * sine)], -1)

    def sees(self, places: Array, tall: float = 1.7) -> NDArray[np.bool_]:
        """Whether the foot or the head of something tall that stands at places (..., 2) is in the picture."""
        foot = np.concatenate([places, np.zeros_like(places[..., :1])], -1)
        shown = np.zeros(places.shape[:-1], bool)
        for point in (foot, foot + [0, 0, tall]):
            pixel, depth = self.project(point)
            shown |= ((pixel >= 0) & (pixel < [self.size[1], self.size[0]])).all(-1) & (depth > 0.5)
        return shown


@dataclass
class Shapes:
    """What one body is made of over T frames; a thing that does not move has T = 1.

    limbs: (ends (T, 2, 3), two radii, colour, bias): a cone with round ends, such as a thigh, a post or, with both
    ends in one place, a ball. sheets: (corners (T, n, 3), colour, bias): a flat polygon. tubes: (axis (T, K, 3), half
    axes (K, 2) of its elliptic sections, turn (T,) of the first half axis in radians, colour, bias): a trunk or a
    skirt, wider from the front than from the side. bias: metres by which a part counts as nearer than it is, against
    parts of the same body.
    """

    limbs: list[tuple[Array, tuple[float, float], Colour, float]] = field(default_factory=list)
    sheets: list[tuple[Array, Colour, float]] = field(default_factory=list)
    tubes: list[tuple[Array, Array, Array, Colour, float]] = field(default_factory=list)

    def limb(
        self, start: Array, end: Array, radii: tuple[float, float] | float, colour: Colour, bias: float = 0
    ) -> None:
        both = (radii, radii) if isinstance(radii, int | float) else radii
        self.limbs.append((np.stack(np.broadcast_arrays(start, end), -2), both, colour, bias))

    def sheet(self, corners: Array, colour: Colour, bias: float = 0) -> None:
        self.sheets.append((corners, colour, bias))

    def tube(self, axis: Array, half: Array, turn: Array, colour: Colour, bias: float = 0) -> None:
        self.tubes.append((axis, half, turn, colour, bias))

    def box(
        self,
        middle: Sequence[float],
        sides: Sequence[float],
        place: Array,
        turn: Array,
        colour: Colour,
        bias: float = 0,
    ) -> None:
        """Five sheets, the lower side left out: middle and sides (along, across, up) in the turned frame of place."""
        corner = np.array(middle) + np.array(sides) / 2 * np.array(np.meshgrid(*[[-1, 1]] * 3)).T.reshape(-1, 3)
        low, high = corner.min(0), corner.max(0)
        for axis in range(3):
            for value, light in ((low[axis], 0.8), (high[axis], 1.0 if axis == 2 else 0.9)):
                if axis == 2 and value == low[2]:
                    continue
                first, second = [each for each in range(3) if each != axis]
                square = np.empty((4, 3))
                square[:, axis] = value
                square[:, first] = np.array([low, high, high, low])[:, first]
                square[:, second] = np.array([low, low, high, high])[:, second]
                # the top counts as nearest: seen from above it hides the sides, and no side hides it
                self.sheet(turned(square, place, turn), dimmed(colour, light), bias + (0.02 if axis == 2 else 0))


def dimmed(colour: Colour, light: float) -> Colour:
    return colour[0] * light, colour[1] * light, colour[2] * light


def turned(points: Array, place: Array, turn: Array) -> Array:
    """Points (n, 3) of a body at places (T, 2) with headings turn (T,): (T, n, 3)."""
    cosine, sine = np.cos(turn)[:, None], np.sin(turn)[:, None]
    x = points[:, 0] * cosine - points[:, 1] * sine + place[:, :1]
    y = points[:, 0] * sine + points[:, 1] * cosine + place[:, 1:]
    return np.stack([x, y, np.broadcast_to(points[:, 2], x.shape)], -1)


def outline(ends: Array, radii: Array, corners: int) -> Array:
    """The outline (..., 2 corners, 2) of discs of the given radii (..., 2) about ends (..., 2, 2), joined."""
    along = ends[..., 1, :] - ends[..., 0, :]
    turn = np.arctan2(along[..., 1], along[..., 0])[..., None, None]
    angle = turn + np.linspace(np.pi / 2, 3 * np.pi / 2, corners) + np.array([[0], [np.pi]])
    points = ends[..., None, :] + radii[..., None, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    return points.reshape(*points.shape[:-3], 2 * corners, 2)


def _sides(axis: Array, half: Array, turn: Array, sight: Array) -> tuple[Array, Array]:
    """How far a tube reaches to either side of its axis for lines of sight (T, 2): unit vector (T, 2), reach (T, K).

    An ellipse with half axes a (along the turn) and b, seen along the sight, reaches sqrt((a l.r)^2 + (b g.r)^2).
    """
    length = np.maximum(np.hypot(sight[:, 0], sight[:, 1]), 1e-9)
    right = np.stack([sight[:, 1], -sight[:, 0]], -1) / length[:, None]
    first = np.stack([np.cos(turn), np.sin(turn)], -1)
    second = np.stack([-first[:, 1], first[:, 0]], -1)
    a, b = (right * first).sum(-1)[:, None], (right * second).sum(-1)[:, None]
    return right, np.hypot(half[:, 0] * a, half[:, 1] * b)


@dataclass(frozen=True)
class Polygons:
    """The picture of a body: for each part its corners over time, (T, 2 n) of x, y, x, y, ... in pixels."""

    corners: list[Array]
    depth: Array  # (T, parts)
    colours: Array  # (parts, 3)


def _flat(points: Array) -> Array:
    return (points + 0.5).reshape(len(points), -1)  # Pillow cuts the fraction off


def picture(shapes: Shapes, view: View, sun: Array) -> Polygons:
    """The polygons of a body as the camera sees them. sun: (2,), see :func:`shadow`; it lights one side of tubes."""
    corners: list[Array] = []
    depths: list[Array] = []
    colours: list[Sequence[float]] = []
    if shapes.limbs:
        pixels, depth = view.project(np.stack([ends for ends, *_ in shapes.limbs], 1))  # (T, P, 2, 2), (T, P, 2)
        radii = np.array([radii for _, radii, *_ in shapes.limbs]) * view.focal * view.size[0] / depth
        drawn = outline(pixels, radii, 5)
        for index, (_, _, colour, bias) in enumerate(shapes.limbs):
            corners.append(_flat(drawn[:, index]))
            depths.append(depth[:, index].mean(-1) - bias)
            colours.append(colour)
    for points, colour, bias in shapes.sheets:
        pixels, depth = view.project(points)
        corners.append(_flat(pixels))
        depths.append(depth.mean(-1) - bias)
        colours.append(colour)
    for axis, half, turn, colour, bias in shapes.tubes:
        right, reach = _sides(axis, half, turn, axis[:, 0, :2])
        bright = np.sign((right * -sun).sum(-1))[:, None]
        for low, high, light, nearer in ((-1.0, 1.0, 0.82, 0.0), (-0.25, 0.92, 1.0, 1e-3)):
            edges = []
            for side in (low, high):
                across = (side * bright * reach)[..., None] * right[:, None]
                edges.append(axis + np.concatenate([across, np.zeros_like(across[..., :1])], -1))
            pixels, depth = view.project(np.concatenate([edges[0], edges[1][:, ::-1]], 1))
            corners.append(_flat(pixels))
            depths.append(depth.mean(-1) - bias - nearer)
            colours.append([light * each for each in colour])
    return Polygons(corners, np.stack(depths, -1), np.array(colours))


def shadow(shapes: Shapes, view: View, sun: Array) -> list[Array]:
    """The polygons of the shadow on the ground. sun: (2,), metres by which the shadow of a point one metre up lies off.

    A point (X, Y, Z) throws its shadow on (X, Y) + Z sun.
    """

    def cast(points: Array) -> Array:
        return points[..., :2] + points[..., 2:] * sun

    def seen(ground: Array) -> Array:
        return _flat(view.project(np.concatenate([ground, np.zeros_like(ground[..., :1])], -1))[0])

    corners: list[Array] = []
    if shapes.limbs:
        ends = cast(np.stack([ends for ends, *_ in shapes.limbs], 1))
        radii = np.broadcast_to(np.array([radii for _, radii, *_ in shapes.limbs]), ends.shape[:-1])
        drawn = outline(ends, radii, 4)
        corners += [seen(drawn[:, index]) for index in range(len(shapes.limbs))]
    corners += [seen(cast(points)) for points, *_ in shapes.sheets]
    for axis, half, turn, *_ in shapes.tubes:
        right, reach = _sides(axis, half, turn, np.broadcast_to(sun, (len(axis), 2)))
        ground, across = cast(axis), reach[..., None] * right[:, None]
        corners.append(seen(np.concatenate([ground - across, (ground + across)[:, ::-1]], 1)))
    return corners
