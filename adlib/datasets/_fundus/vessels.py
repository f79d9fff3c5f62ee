"""The vessels of a drawn eye: grown in millimetres from the disc outwards, painted as tapered curves.

Coordinates: the centre of the optic disc is the origin, x points to the temporal side, y down (inferior).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

STEP = 0.12  # mm between two points of a vessel
THINNEST = 0.026  # mm; what is thinner is not seen in a photograph
CELL = 0.16  # mm; two vessels of one kind do not meet in such a square
# How fast a vessel turns into its course, in radians a millimetre and radian.
PULL = {"arcade": 1.6, "nasal": 0.7, "macular": 0.5, "outer": 0.35}


class Vessel(NamedTuple):
    """One unbranched vessel: points (N, 2) and width (N,) in mm, vein or artery, main vessel or twig."""

    points: np.ndarray
    width: np.ndarray
    vein: bool
    main: bool


class Shoot(NamedTuple):
    """A vessel that is still to grow. depth: number of branchings behind it. reach: height of its arcade, signed."""

    start: tuple[float, float]
    heading: float
    width: float
    length: float
    course: str
    vein: bool
    depth: int = 0
    reach: float = 0.0
    parent: int = -1


def _turn(heading: float, x: float, y: float) -> float:
    """The angle in [-pi, pi) from heading to the direction (x, y)."""
    return (math.atan2(y, x) - heading + math.pi) % (2 * math.pi) - math.pi


class Tree:
    """Grows all vessels of one eye, main ones first.

    seen: x, y and radius of the circle they grow in. tortuosity: of the curvature, per step. edge: signed distance from
    the edge of the cup, below 0 inside, for vessels that bend there (bayoneting); None where they do not.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        fovea: tuple[float, float],
        seen: tuple[float, float, float],
        tortuosity: float,
        edge: Callable[[float, float], float] | None,
    ) -> None:
        self.rng, self.fovea, self.seen, self.tortuosity, self.edge = rng, fovea, seen, tortuosity, edge
        self.vessels: list[Vessel] = []
        self._shoots: deque[Shoot] = deque()
        self._taken: dict[tuple[bool, int, int], int] = {}
        self._drawn: Iterator[float] = iter(())

    def _normal(self) -> float:
        """One normal number. Drawn in blocks: a call of the generator for each would take most of the time."""
        value = next(self._drawn, None)
        if value is None:
            self._drawn = iter(self.rng.normal(size=512).tolist())
            value = next(self._drawn)
        return value

    def _flow(self, shoot: Shoot, x: float, y: float) -> tuple[float, float]:
        """The direction that a vessel of this course has at (x, y)."""
        foveal_x, foveal_y = self.fovea
        if shoot.course == "nasal":  # straight, as if from a point beyond the temporal rim
            return x - 0.9, y
        if shoot.course == "outer":
            return 0.7 + 0.6 * x, 1.2 * y
        if shoot.course == "macular":
            return foveal_x - x, foveal_y - y
        # Arcades: y ~ sqrt(p) exp((1 - p^2) / 4) with p = x / foveal x: up from the disc, highest above the fovea,
        # back towards the line from disc to fovea.
        part = max(x + 0.45, 0.02) / (foveal_x + 0.45)
        above = y - x * foveal_y / foveal_x
        wanted = shoot.reach * math.sqrt(part) * math.exp((1 - part**2) / 4)
        return 1.0, wanted / 2 * (1 / part - part) / (foveal_x + 0.45) + 0.7 * (wanted - above)

    def _branch(self, shoot: Shoot, x: float, y: float, heading: float, width: float, side: int, left: float) -> Shoot:
        foveal_x, foveal_y = self.fovea
        inwards = _turn(heading, foveal_x - x, foveal_y - y) * side > 0 and 0.8 < x < 1.8 * foveal_x
        if shoot.depth == 0 and shoot.course == "arcade" and inwards:
            course, child = "macular", min(0.055, 0.5 * width) * (1 + 0.15 * self._normal())
            length, angle = 3.2 + 0.5 * self._normal(), 0.9 + 0.2 * self._normal()
        else:
            ratio = min(max(0.55 + 0.15 * self._normal(), 0.3), 0.9)
            course, child = "outer" if shoot.course == "arcade" else shoot.course, width * ratio
            length = min(60 * child, 0.9 * left) * (0.7 + 0.3 * abs(self._normal()))
            angle = (0.62 + 0.16 * self._normal()) * (1.25 - 0.5 * ratio)
        return Shoot((x, y), heading + side * angle, child, length, course, shoot.vein, shoot.depth + 1)

    def _grow(self, shoot: Shoot) -> None:
        (x, y), heading, length, depth = shoot.start, shoot.heading, shoot.length, shoot.depth
        number, wiggle = len(self.vessels), self.tortuosity * (1.4 if depth else 1.0)
        points, widths, width = [(x, y)], [shoot.width], shoot.width
        branches: list[tuple[int, Shoot]] = []
        curvature, gone, hit = 0.0, 0.0, False
        side = 1 if self._normal() > 0 else -1
        next_branch = (0.35 * length if depth else 0.8) * (0.6 + 0.5 * abs(self._normal()))
        fork = 1.4 + 0.7 * abs(self._normal()) if shoot.course == "arcade" else math.inf
        edge = self.edge if depth == 0 else None
        inside = edge is not None and edge(x, y) < 0
        seen_x, seen_y, seen = self.seen
        while gone < length and math.hypot(x - seen_x, y - seen_y) < seen:
            curvature = 0.88 * curvature + wiggle * self._normal()
            heading += STEP * (PULL[shoot.course] * _turn(heading, *self._flow(shoot, x, y)) + curvature)
            if inside and edge is not None and edge(x, y) > 0:
                aside, inside = heading + math.copysign(1.35, _turn(heading, -1, 0)), False
                for _ in range(2):
                    x, y = x + 0.6 * STEP * math.cos(aside), y + 0.6 * STEP * math.sin(aside)
                    points.append((x, y))
                    widths.append(width)
            x, y = x + STEP * math.cos(heading), y + STEP * math.sin(heading)
            gone += STEP
            other = self._taken.get((shoot.vein, round(x / CELL), round(y / CELL)), number)
            if other != number and gone > (0.8 if other == shoot.parent else 0.5) and math.hypot(x, y) > 1.3:
                hit = True
                break
            points.append((x, y))
            widths.append(width)
            if shoot.course == "macular":
                to_fovea = math.hypot(x - self.fovea[0], y - self.fovea[1])
                if to_fovea < 0.4 + 0.3 * abs(self._normal()):  # the zone without vessels
                    break
            if gone > fork:
                fork, ratio = math.inf, 0.72 + 0.08 * self._normal()
                away = heading + math.copysign(0.35 + 0.08 * abs(self._normal()), shoot.reach)
                twin = Shoot((x, y), away, width * ratio, 12 - gone, "outer", shoot.vein, 0, 0.0, number)
                branches.append((len(points), twin))
                width *= 0.9
            elif gone >= next_branch and depth < 3:
                side = -side if self._normal() > -0.8 else side
                child = self._branch(shoot, x, y, heading, width, side, length - gone)
                if child.width > THINNEST and child.length > 4 * STEP:
                    branches.append((len(points), child._replace(parent=number)))
                # Murray's law, the cubes of the widths add up: https://doi.org/10.1073/pnas.12.3.207
                width *= (1 - min(0.5, 0.6 * (child.width / width) ** 3)) ** (1 / 3)
                next_branch = gone + (1.0 if depth else 1.5) * (0.5 + 0.6 * abs(self._normal()))
        kept = len(points) - (2 if hit else 0)
        if kept < 5:
            return
        part = np.linspace(0, 1, kept)  # main vessels taper little, twigs run out
        taper = 1 - 0.65 * part**1.5 if depth else 1 - 0.3 * part
        if depth and shoot.parent < 0:  # a twig out of the disc comes up from the depth
            taper = taper * np.clip(0.4 + 0.1 * np.arange(kept), 0, 1)
        self.vessels.append(Vessel(np.array(points[:kept]), np.array(widths[:kept]) * taper, shoot.vein, depth == 0))
        for x, y in points[:kept]:
            self._taken.setdefault((shoot.vein, round(x / CELL), round(y / CELL)), number)
        self._shoots.extend(branch for at, branch in branches if at <= kept)

    def grow(self, origin: tuple[float, float], radius: float, artery: float, vein: float) -> list[Vessel]:
        """All vessels out of a disc of this radius. artery, vein: width of the main ones, in mm."""
        uniform = self.rng.uniform
        for up in (-1, 1):
            height = uniform(2.5, 3.6)
            apart = uniform(0.15, 0.4) * (1 if uniform() < 0.5 else -1)
            for is_vein, sign, width in ((True, 1, vein), (False, -1, artery)):
                x, y = origin[0] + sign * uniform(0.03, 0.1), origin[1] - up * abs(0.06 * self._normal())
                path, heading = [(x, y)], up * (math.pi / 2 + 0.3 * self._normal())
                for _ in range(round(radius * uniform(0.3, 1.0) / 0.06) + 1):
                    heading += 0.05 * self._normal()
                    x, y = x + 0.06 * math.cos(heading), y + 0.06 * math.sin(heading)
                    path.append((x, y))
                wider = np.clip(0.45 + 0.08 * np.arange(len(path)), 0, 1.08)  # it comes up from the depth
                self.vessels.append(Vessel(np.array(path), width * wider, is_vein, False))
                reach, thinner = up * (height + sign * apart), width * uniform(0.6, 0.85)
                self._shoots.append(Shoot((x, y), heading - up * 0.15, width, 13.0, "arcade", is_vein, 0, reach))
                self._shoots.append(Shoot((x, y), heading + up * uniform(0.3, 0.9), thinner, 9.0, "nasal", is_vein))
        for is_vein in (True, False):  # twigs straight from the disc
            for _ in range(int(self.rng.integers(0, 3))):
                up = 1 if uniform() < 0.5 else -1
                start = origin[0], origin[1] + up * uniform(0, 0.5) * radius
                thin, length = uniform(0.04, 0.055), uniform(2.8, 4.2)
                self._shoots.append(Shoot(start, up * uniform(0.4, 1.3), thin, length, "macular", is_vein, 1))
            start = origin[0], origin[1] + uniform(-0.5, 0.5) * radius
            heading, thin, length = math.pi + uniform(-0.8, 0.8), uniform(0.05, 0.075), uniform(3, 5)
            self._shoots.append(Shoot(start, heading, thin, length, "nasal", is_vein, 1))
        while self._shoots:
            self._grow(self._shoots.popleft())
        return self.vessels


def paint(
    vessels: list[Vessel], place: Callable[[np.ndarray], np.ndarray], side: int, scale: float, width: float = 1.0
) -> np.ndarray:
    """How much of each pixel the vessels cover, (side, side) float32 in [0, 1].

    place: millimetres (N, 2) to pixels (N, 2). scale: pixels a millimetre. width: drawn so many times as wide.
    """
    over = 2 if side >= 384 else 4
    image = Image.new("L", (side * over, side * over))
    draw = ImageDraw.Draw(image)
    placed = place(np.concatenate([vessel.points for vessel in vessels])) * over
    ends = np.cumsum([len(vessel.points) for vessel in vessels])[:-1]
    for vessel, points in zip(vessels, np.split(placed, ends), strict=True):
        along = np.gradient(points, axis=0)
        along /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
        # Pillow fills every pixel that the outline touches: a quarter less on either side keeps the width true.
        half = np.maximum(0.5 * over * scale * width * vessel.width - 0.25, 0)[:, None]
        across = np.stack([-along[:, 1], along[:, 0]], 1) * half
        draw.polygon(np.concatenate([points + across, (points - across)[::-1]]).ravel().tolist(), fill=255)
    return np.asarray(image.reduce(over), np.float32) / 255
