"""Ways over the ground, and the time they are walked in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from adlib.datasets._plaza.places import Scene
from adlib.datasets._plaza.shapes import Array, View

RATE = 15.0  # frames a second
STEP = 0.025  # seconds between the points of a track
MARGIN = 4.0  # seconds that a track goes on before the first and after the last frame


@dataclass(frozen=True)
class Way:
    """A smooth line over the ground. points (M, 2), their distance from the start (M,), their direction (M,)."""

    points: Array
    distance: Array
    heading: Array

    def at(self, distance: Array, beside: float = 0.0) -> tuple[Array, Array]:
        """Place (N, 2) and heading (N,), so many metres to the left of the line."""
        heading = np.interp(distance, self.distance, self.heading)
        place = np.stack([np.interp(distance, self.distance, self.points[:, axis]) for axis in (0, 1)], -1)
        return place + beside * np.stack([-np.sin(heading), np.cos(heading)], -1), heading


def way(waypoints: Array, bend: float = 1.0) -> Way:
    """A way along waypoints (K, 2) whose corners are rounded over bend metres, and straight on beyond its ends."""
    first, last = waypoints[0] - waypoints[1], waypoints[-1] - waypoints[-2]
    reach = 6.0
    ends = waypoints[0] + reach * first / np.linalg.norm(first), waypoints[-1] + reach * last / np.linalg.norm(last)
    corners = np.concatenate([ends[0][None], waypoints, ends[1][None]])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))])
    fine = np.arange(0, length[-1], 0.1)
    points = np.stack(
        [gaussian_filter1d(np.interp(fine, length, corners[:, a]), bend / 0.1, mode="nearest") for a in (0, 1)], -1
    )
    moved = np.diff(points, axis=0)
    heading = np.unwrap(np.arctan2(moved[:, 1], moved[:, 0]))
    distance = np.concatenate([[0], np.cumsum(np.linalg.norm(moved, axis=1))])
    return Way(points, distance, np.concatenate([heading, heading[-1:]]))


def times_of(frames: int) -> tuple[Array, Array]:
    """The seconds of the frames (T,), and the fine times (N,) of tracks about them."""
    return np.arange(frames) / RATE, np.arange(-MARGIN, frames / RATE + MARGIN, STEP)


def stride(speed: float, stature: float) -> float:
    """Metres a cycle. Faster walkers take longer and more steps: both grow as the root of the speed."""
    return 1.27 * speed**0.5 * stature / 1.75


def somewhere(scene: Scene, rng: np.random.Generator) -> Way:
    """One of the routes of a scene, in one direction or the other, a little to the side."""
    spread, waypoints = scene.routes[rng.integers(len(scene.routes))]
    points = np.array(waypoints, float)[:: rng.choice([-1, 1])]
    along = np.gradient(points, axis=0)
    side = np.stack([-along[:, 1], along[:, 0]], -1) / np.linalg.norm(along, axis=1, keepdims=True)
    drift = rng.uniform(-spread, spread) + rng.uniform(-0.25, 0.25, (len(points), 1)) * spread
    return way(points + drift * side)


def seen(line: Way, view: View) -> tuple[float, float]:
    """From what distance to what a way is in the picture."""
    shown = line.distance[view.sees(line.points)]
    return (float(shown[0]), float(shown[-1])) if len(shown) else (0.0, 0.0)
