"""One eye by chance, and where it lies in the picture.

Lengths in mm on the retina. The centre of the optic disc is the origin, x points to the temporal side, y down. Angles
start on the temporal side and turn to the inferior one. Right eyes are mirrored on the way to pixels.
:mod:`adlib.datasets.fundus` says where the figures are from.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

ANGLES = np.linspace(-np.pi, np.pi, 181)[:-1]  # of the outlines


class Eye(NamedTuple):
    """What is decided before a pixel is drawn."""

    right: bool
    age: float  # 0 young, 1 old
    pigment: float  # 0 pale, 1 dark
    disc: np.ndarray  # radius of the disc's outline at ANGLES
    cup: np.ndarray  # likewise, inside the disc
    cup_to_disc: float  # ratio of the heights in the picture
    notch: float | None  # angle of a notch in the rim
    haemorrhage: float | None  # angle of a haemorrhage at the rim
    defect: tuple[float, float, float] | None  # of the nerve fibre layer: angle, half width, depth
    atrophy: float  # width of the pale crescent beside the disc
    nasal: float  # how far the trunk of the vessels lies on the nasal side, in radii of the disc
    bayonet: bool  # whether vessels bend at the edge of the cup
    fovea: tuple[float, float]
    centre: tuple[float, float]  # of the field of view
    field: float  # radius of the field of view
    tilt: float  # of the camera


def around(temporal: float, inferior: float, nasal: float, superior: float) -> np.ndarray:
    """The smoothest curve at ANGLES through four values: harmonics up to the second."""
    mean = (temporal + inferior + nasal + superior) / 4
    first = (temporal - nasal) / 2 * np.cos(ANGLES) + (inferior - superior) / 2 * np.sin(ANGLES)
    return mean + first + (temporal + nasal - inferior - superior) / 4 * np.cos(2 * ANGLES)


def height(radius: np.ndarray, tilt: float) -> float:
    """Vertical extent of an outline in the tilted picture."""
    return float(np.ptp(radius * np.sin(ANGLES + tilt)))


def _disc(rng: np.random.Generator) -> np.ndarray:
    area = float(np.clip(rng.normal(2.65, 0.5), 1.6, 4.2))
    aspect = float(np.clip(rng.normal(1.09, 0.05), 0.97, 1.25))
    radius = math.sqrt(area * aspect / math.pi) / np.hypot(np.sin(ANGLES), aspect * np.cos(ANGLES))
    for k in (2, 3, 4):
        radius = radius * (1 + rng.normal(0, 0.012) * np.cos(k * ANGLES + rng.uniform(0, 2 * np.pi)))
    return radius


def _cup(rng: np.random.Generator, glaucoma: bool, disc: np.ndarray, tilt: float) -> tuple[np.ndarray, float | None]:
    """The cup, and the angle of its notch. First the vertical ratio, then a shape that is scaled to have it."""
    disc_height = height(disc, tilt)
    # Large discs have large cups.
    ratio = rng.normal(0.7 if glaucoma else 0.4, 0.1) + 0.3 * (disc_height - 1.92)
    ratio = float(np.clip(ratio, 0.12, 0.92))
    # Radius of the cup in that of the disc, over the ratio: temporal, inferior, nasal, superior. In healthy eyes the
    # rim is widest below, then above, nasal, temporal (ISNT). Glaucoma takes it from the poles, or all around.
    healthy, poles = np.array([1.36, 0.95, 1.12, 1.05]), np.array([1.0, 1.09, 0.8, 1.0])
    loss = rng.uniform(0, 1) if glaucoma else 0.0
    shape = around(*((1 - loss) * healthy + loss * poles + rng.normal(0, 0.06, 4)))
    notch = None
    if glaucoma and rng.uniform() < 0.35:
        notch = float(rng.uniform(0.95, 1.3) * (1 if rng.uniform() < 0.7 else -1))
        shape = shape + 0.22 * np.exp(-0.5 * ((ANGLES - notch) / 0.27) ** 2)
    cup = shape * disc
    for _ in range(4):  # the rim keeps 5 % of the radius, so one scaling may fall short
        cup = np.minimum(cup * ratio * disc_height / height(cup, tilt), 0.95 * disc)
    return cup, notch


def eye(rng: np.random.Generator, glaucoma: bool) -> Eye:
    """One eye by chance, as seen by one camera."""
    normal, uniform = rng.normal, rng.uniform
    tilt = float(normal(0, 0.05))
    disc = _disc(rng)
    cup, notch = _cup(rng, glaucoma, disc, tilt)
    ratio = height(cup, tilt) / height(disc, tilt)
    distance, angle = float(np.clip(normal(4.76, 0.34), 3.9, 5.8)), float(normal(np.radians(5.6), np.radians(3.3)))
    # The camera looks at the macula, between macula and disc, or at the disc.
    x, y, field = ((4.0, 0.3, 6.6), (2.5, 0.1, 6.2), (0.9, 0.0, 5.3))[rng.choice(3, p=[0.45, 0.35, 0.2])]
    field *= float(np.clip(normal(1, 0.05), 0.88, 1.12))
    x, y = x + float(normal(0, 0.45)), y + float(normal(0, 0.4))
    nearer = min(1.0, (field - float(disc.max()) - 0.35) / math.hypot(x, y))  # the disc lies within the field
    defect = None
    if uniform() < (0.5 if glaucoma else 0.0):
        pole = notch if notch is not None else float(uniform(0.95, 1.35) * (1 if uniform() < 0.65 else -1))
        defect = pole, float(uniform(0.08, 0.3)), float(uniform(0.4, 1))
    bleeds = uniform() < (0.1 if glaucoma else 0.01)
    return Eye(
        right=bool(uniform() < 0.5),
        age=float(np.clip(normal(0.65 if glaucoma else 0.41, 0.17), 0, 1)),
        pigment=float(np.clip(normal(0.48, 0.12), 0, 1)),
        disc=disc,
        cup=cup,
        cup_to_disc=ratio,
        notch=notch,
        haemorrhage=float(uniform(0.7, 1.4) * (1 if uniform() < 0.7 else -1)) if bleeds else None,
        defect=defect,
        atrophy=float(abs(normal(0, 0.28))) if uniform() < (0.55 if glaucoma else 0.25) else 0.0,
        nasal=float(np.clip(normal(0.12, 0.08) + 0.45 * max(0.0, ratio - 0.4), 0, 0.5)),
        bayonet=bool(glaucoma and ratio > 0.6 and uniform() < 0.8),
        fovea=(distance * math.cos(angle), distance * math.sin(angle)),
        centre=(x * nearer, y * nearer),
        field=field,
        tilt=tilt,
    )


class View:
    """An eye on a grid of side x side pixels. Arrays (side, side) float32.

    u, v: in radii of the field of view, right and down in the picture. x, y: in mm. radius, angle: from the centre of
    the disc. disc, cup: radius of these outlines at the pixel's angle. to_fovea: in mm. scale: pixels a millimetre.
    """

    def __init__(self, eye: Eye, side: int, fill: float) -> None:
        """fill: radius of the field of view, in halves of the side."""
        self.eye, self.side, self.fill = eye, side, fill
        self.scale = fill * side / 2 / eye.field
        steps = (((np.arange(side) + 0.5) / side * 2 - 1) / fill).astype(np.float32)
        self.u, self.v = np.meshgrid(steps, steps)
        cos, sin, temporal = math.cos(eye.tilt), math.sin(eye.tilt), -self.u if eye.right else self.u
        self.x = eye.centre[0] + eye.field * (cos * temporal + sin * self.v)
        self.y = eye.centre[1] + eye.field * (cos * self.v - sin * temporal)
        self.radius, self.angle = np.hypot(self.x, self.y), np.arctan2(self.y, self.x)
        self.disc, self.cup = (
            np.interp(self.angle, ANGLES, outline, period=2 * np.pi).astype(np.float32)
            for outline in (eye.disc, eye.cup)
        )
        self.to_fovea = np.hypot(self.x - eye.fovea[0], self.y - eye.fovea[1])

    def place(self, points: np.ndarray) -> np.ndarray:
        """Millimetres (N, 2) to pixels (N, 2)."""
        cos, sin = math.cos(self.eye.tilt), math.sin(self.eye.tilt)
        x, y = (points - np.array(self.eye.centre)).T / self.eye.field
        u, v = cos * x - sin * y, sin * x + cos * y
        return (np.stack([-u if self.eye.right else u, v], 1) * self.fill + 1) / 2 * self.side
