"""The three places of the plaza: where the camera hangs, what stands where, and where people walk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adlib.datasets._plaza.shapes import Array, Colour, View

Point = tuple[float, float]


@dataclass(frozen=True)
class Scene:
    """A camera and what it looks at. Places are (X, Y) in metres on the ground.

    things: (kind, place, size, height) of trees, posts, benches, bins, hedges, and rows, which are hedges that lie
    across. walls: (from, to, height). routes: ways people take, as waypoints, walked either way; the first number of
    each is how far to either side they keep. shortcuts: ways over a lawn, as far as they can be seen. arenas: where a
    fight has room. spots: where people stand.
    """

    height: float
    tilt: float
    focal: float
    tile: float
    tile_turn: float
    paving: Colour
    lawns: tuple[tuple[Point, ...], ...]
    paths: tuple[tuple[Point, ...], ...]
    things: tuple[tuple[str, Point, float, float], ...]
    walls: tuple[tuple[Point, Point, float], ...]
    routes: tuple[tuple[float, tuple[Point, ...]], ...]
    shortcuts: tuple[tuple[Point, ...], ...]
    arenas: tuple[Point, ...]
    spots: tuple[Point, ...]

    def view(self, size: tuple[int, int]) -> View:
        return View(self.height, self.tilt, self.focal, size)


SCENES = (
    # a walkway that leads away from the camera, between a hedge and a lawn
    Scene(
        height=6.5,
        tilt=24,
        focal=2.05,
        tile=1.4,
        tile_turn=-0.2,
        paving=(0.66, 0.64, 0.6),
        lawns=(
            ((1.6, 9.4), (15, 11), (20, 21), (4.6, 21)),
            ((-4.6, 6), (-3.4, 6), (-0.9, 21), (-18, 21), (-18, 6)),
        ),
        paths=(((-20, 21.2), (24, 21.2), (24, 23.6), (5.4, 23.6), (7.2, 38), (3.9, 38), (2.0, 23.6), (-20, 23.6)),),
        things=(
            ("hedge", (-3.9, 10.6), 3.4, 0.9),
            ("tree", (-3.3, 14.4), 1.4, 4.0),
            ("tree", (-4.6, 18.8), 1.5, 4.2),
            ("tree", (6.6, 18.4), 1.5, 4.0),
            ("post", (1.5, 15.6), 0.07, 4.2),
            ("bench", (-1.9, 12.9), 1.4, 0.0),
            ("bin", (3.6, 19.0), 0.28, 0.95),
            ("row", (-8.0, 24.7), 19.6, 2.5),
            ("row", (12.6, 24.7), 14.0, 2.5),
        ),
        walls=(((-26, 38), (26, 38), 7.0),),
        routes=(
            (1.3, ((-1.0, 4.5), (-0.7, 9), (0.6, 15), (2.2, 21.5), (3.6, 28), (4.6, 37))),
            (1.0, ((-14, 22.4), (-1, 21.6), (0.8, 18), (2.0, 20.5), (3.6, 28), (4.6, 37))),
            (0.8, ((-14, 22.4), (2, 22.4), (16, 22.4))),
            (0.4, ((7.5, 8.2), (1.2, 8.5), (0.2, 12), (1.0, 17), (2.4, 21.5), (14, 22.4))),
            (0.6, ((-12, 22.4), (0, 21.8), (0.3, 17), (-0.9, 11), (-1.6, 5))),
        ),
        shortcuts=(((9.5, 11.3), (4.4, 11.0), (2.9, 12.3), (3.8, 14.6), (7, 16.6), (14, 17.4)),),
        arenas=((-0.8, 10.6), (-0.2, 12.2)),
        spots=((-1.3, 10.2), (0.6, 18.0), (2.2, 19.5), (-0.8, 14.8), (2.0, 13.4)),
    ),
    # an open plaza in front of a building
    Scene(
        height=7.5,
        tilt=28,
        focal=2.0,
        tile=1.1,
        tile_turn=0.12,
        paving=(0.6, 0.55, 0.5),
        lawns=(((0.6, 6), (12, 6), (12, 13.2), (2.6, 12.6)),),
        paths=(((-20, 18.8), (20, 20.4), (20, 22.8), (-20, 20.8)),),
        things=(
            ("tree", (-4.7, 14.0), 1.3, 4.0),
            ("post", (-1.9, 17.6), 0.07, 4.4),
            ("post", (4.3, 17.8), 0.07, 4.4),
            ("bench", (1.4, 18.3), 1.6, 0.0),
            ("bench", (-4.8, 18.0), 1.6, 0.0),
            ("bin", (3.0, 18.2), 0.28, 0.95),
        ),
        walls=(((-20, 20.6), (20, 22.6), 8.0),),
        routes=(
            (1.2, ((-12, 15.2), (0, 15.4), (13, 15.7))),
            (0.8, ((-11, 11.6), (-2, 13.0), (3, 14.6), (13, 14.8))),
            (0.7, ((-9, 8.6), (-2.6, 10.6), (0.6, 14.4), (9, 16.4), (14, 16.6))),
            (0.7, ((-1.6, 5), (-1.4, 9), (-0.2, 13.6), (3, 16), (13, 16.4))),
            (0.7, ((-1.6, 5), (-1.8, 9), (-4, 12), (-12, 12.6))),
            (0.3, ((-14, 19.4), (0, 19.6), (14, 20.2))),
        ),
        shortcuts=(
            ((10, 12.3), (4.2, 11.8), (2.9, 10.6), (2.3, 8.5), (2.4, 4.5)),
            ((10, 9.4), (3.9, 9.5), (2.5, 10.6), (3.4, 11.9), (10, 12.2)),
        ),
        arenas=((-1.0, 11.4), (0.2, 13.8)),
        spots=((-2.6, 10.8), (-0.2, 17.0), (2.2, 16.6), (-2.8, 15.8), (4.2, 15.4)),
    ),
    # a path that crosses a corner between two lawns, beside a building
    Scene(
        height=8.5,
        tilt=33,
        focal=2.0,
        tile=0.9,
        tile_turn=0.7,
        paving=(0.58, 0.58, 0.58),
        lawns=(
            ((-14, 13.2), (-2.0, 14.8), (-0.4, 19.5), (-0.8, 29), (-14, 29)),
            ((1.0, 6), (2.4, 10.6), (5.2, 11.2), (9, 10.8), (9, 6)),
        ),
        paths=(((-6.8, 5), (-4.4, 5), (3.9, 20.5), (4.6, 30), (2.0, 30), (1.4, 21)),),
        things=(
            ("tree", (-3.4, 19.0), 1.4, 4.4),
            ("tree", (-5.8, 23.0), 1.8, 4.8),
            ("post", (0.3, 17.6), 0.07, 4.2),
            ("bench", (-2.6, 13.5), 1.5, 0.0),
            ("bin", (3.7, 12.5), 0.28, 0.95),
        ),
        walls=(((5.4, 11.6), (8.4, 30), 8.0),),
        routes=(
            (0.8, ((-6.2, 4.6), (-3.6, 8.6), (0.6, 15.0), (2.6, 20.5), (3.2, 30))),
            (0.8, ((-6.2, 4.6), (-3.6, 8.6), (0.6, 15.0), (2.6, 20.5), (3.2, 30))),
            (0.7, ((-10, 11.2), (-2.6, 12.0), (1.8, 15.4), (3.2, 20.5), (3.8, 30))),
            (0.7, ((-0.8, 4.6), (-0.2, 10.4), (2.0, 14.6), (3.4, 20.5), (4.0, 30))),
            (0.6, ((-0.8, 4.6), (-0.9, 8.5), (-3, 10.8), (-10, 11.2))),
        ),
        shortcuts=(
            ((8.5, 8.6), (3.5, 8.5), (2.2, 9.4), (3.4, 10.4), (4.6, 10.8), (8, 10.6)),
            ((8.5, 10.3), (3.9, 10.0), (2.5, 9.0), (2.2, 7.4), (2.4, 4)),
        ),
        arenas=((-0.6, 11.6), (1.2, 13.4)),
        spots=((-2.2, 9.8), (2.8, 15.0), (0.4, 10.8), (3.8, 18.4), (-4.0, 11.8)),
    ),
)


def inside(corners: Sequence[Point], places: Array) -> NDArray[np.bool_]:
    """Whether each of places (..., 2) lies in a polygon: it does if a ray from it crosses the edge an odd number of
    times."""
    x, y = places[..., 0], places[..., 1]
    result = np.zeros(x.shape, bool)
    for (x0, y0), (x1, y1) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if y0 != y1:
            result ^= ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return result


def on_lawn(scene: Scene, places: Array) -> NDArray[np.bool_]:
    """Whether places (..., 2) lie on one of the lawns."""
    return np.logical_or.reduce([inside(lawn, places) for lawn in scene.lawns])
