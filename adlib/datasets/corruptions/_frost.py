"""Sheets of ice, drawn: ferns of frost crystals on a window pane.

The reference lays photographs of ice over the pictures (one of five: its ``randint(5)`` never picks the sixth). Those
are not ours to hand on, so that six sheets are drawn here instead, with about their brightness and contrast.

Taught in :doc:`/book/datasets/corruptions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from adlib.datasets.corruptions import _filters
from adlib.datasets.corruptions._pictures import SIDE

DRAWN = 2 * SIDE  # pixels; a sheet is twice as large as a picture, so that few parts are alike
LAYERS = 4  # of ferns, each covering those below


@dataclass(frozen=True)
class Ice:
    """How one sheet looks. fern: length in pixels. many: 1 covers most of the pane. film: the mist between the ferns.

    dark, light: the colours (RGB) of the bare pane and of thick ice.
    """

    fern: float
    many: float
    film: float
    dark: tuple[float, float, float] = (0.16, 0.24, 0.30)
    light: tuple[float, float, float] = (0.90, 0.95, 1.0)


SHEETS = (
    Ice(fern=70, many=1.3, film=0.35),
    Ice(fern=45, many=1.3, film=0.35),
    Ice(fern=120, many=1.6, film=0.35),
    Ice(fern=70, many=1.5, film=0.7, dark=(0.33, 0.40, 0.45)),
    Ice(fern=90, many=1.3, film=0.2, dark=(0.08, 0.16, 0.20), light=(0.78, 0.90, 0.94)),
    Ice(fern=28, many=1.0, film=0.45),
)


@dataclass
class Arcs:
    """Circular arcs: where they start, the angle they start at, length in pixels, how far they turn, how bright."""

    row: np.ndarray
    column: np.ndarray
    angle: np.ndarray
    length: np.ndarray
    turn: np.ndarray
    light: np.ndarray

    def __getitem__(self, chosen: np.ndarray) -> Arcs:
        return Arcs(*(values[chosen] for values in vars(self).values()))

    def at(self, share: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row, column and angle after a share of the length."""
        turned = self.turn * share
        chord = self.length * share * np.sinc(turned / (2 * np.pi))  # of an arc that turned so far
        return (
            self.row + chord * np.sin(self.angle + turned / 2),
            self.column + chord * np.cos(self.angle + turned / 2),
            self.angle + turned,
        )

    def every(self, spacing: float) -> tuple[Arcs, np.ndarray, np.ndarray]:
        """Each arc once for every spacing pixels of its length, which of these it is, and out of how many."""
        counts = np.maximum(self.length / spacing, 1).astype(int)
        which = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return self[np.repeat(np.arange(len(counts)), counts)], which, np.repeat(counts, counts)


def _grown(rng: np.random.Generator, parents: Arcs, spacing: float, tilt: float, reach: float, longest: float) -> Arcs:
    """Branches on both sides of their parents, shorter towards the tip. tilt: radians between the two.

    reach: length, as a share of the parent's; longest: in pixels.
    """
    parents, which, counts = parents.every(spacing)
    share = (which + rng.uniform(0.2, 0.8, len(which))) / counts
    row, column, angle = parents.at(share)
    # narrow at the foot, widest soon after
    length = np.minimum(reach * parents.length, longest) * (1 - share) ** 0.8 * np.minimum(1, 0.3 + 5 * share)
    sides = []
    for side in (-1, 1):
        own = angle + side * (tilt + 0.08 * rng.standard_normal(len(which)))
        lit = 1 + 0.55 * np.cos(angle - 0.8 - 1.2 * side)  # one half of a fern faces the light
        sides.append(
            Arcs(
                row,
                column,
                own,
                length * rng.uniform(0.6, 1.1, len(which)),
                np.full(len(which), -0.3 * side),
                parents.light * lit * (1 - 0.3 * share),
            )
        )
    left, right = (vars(each).values() for each in sides)
    return Arcs(*(np.concatenate(pair) for pair in zip(left, right, strict=True)))


def _traced(arcs: Arcs) -> np.ndarray:
    """(DRAWN, DRAWN): the light that arcs leave, fading towards their tips."""
    arcs, which, counts = arcs.every(0.8)
    share = (which + 0.5) / counts
    row, column, _ = (np.rint(at).astype(int) for at in arcs.at(share))
    inside = (row >= 0) & (row < DRAWN) & (column >= 0) & (column < DRAWN)
    place = (row * DRAWN + column)[inside]
    return np.bincount(place, (arcs.light * (1 - 0.6 * share))[inside], DRAWN * DRAWN).reshape(DRAWN, DRAWN)


def _blurred(values: np.ndarray, sigma: float) -> np.ndarray:
    return _filters.gaussian_blur(torch.from_numpy(values).float(), sigma, border="reflect").numpy()


def _uneven(rng: np.random.Generator, *sigmas: float) -> np.ndarray:
    """Smooth noise of some wavelengths, with mean 0 and deviation 1."""
    noise = sum(sigma**1.3 * _blurred(rng.standard_normal((DRAWN, DRAWN)), sigma) for sigma in sigmas)
    return (noise - np.mean(noise)) / np.std(noise)


@lru_cache(maxsize=len(SHEETS))
def _drawn(number: int) -> Tensor:
    """One sheet, (3, DRAWN, DRAWN) in [0, 1]: the same in every process, as photographs would be."""
    ice, rng = SHEETS[number], np.random.default_rng([3, number])
    thick, flow = _uneven(rng, 12, 24, 48), _uneven(rng, 60)
    count = round(6 * ice.many * (DRAWN / ice.fern) ** 2 / LAYERS)
    total = np.zeros((DRAWN, DRAWN))
    for _ in range(LAYERS):
        row, column = rng.uniform(-ice.fern / 2, DRAWN + ice.fern / 2, (2, count))
        at = row.clip(0, DRAWN - 1).astype(int), column.clip(0, DRAWN - 1).astype(int)
        # neighbours grow alike; ice has directions 120 degrees apart
        angle = 1.2 * flow[at] + rng.normal(0, 0.6, count) + rng.integers(-1, 2, count) * 2 * np.pi / 3
        length = ice.fern * np.exp(0.4 * rng.standard_normal(count))
        light = np.exp(0.4 * rng.standard_normal(count) + 0.5 * thick[at])
        stems = Arcs(row, column, angle, length, rng.normal(0, 0.5, count), light)
        branches = _grown(rng, stems, 3.4, 0.91, 0.42, np.inf)
        twigs = _grown(rng, branches[branches.length > 6], 2.8, 0.87, 0.3, 5.5)
        layer = 1.5 * _traced(stems) + _traced(branches) + 0.6 * _traced(twigs)
        total = total * (0.25 + 0.75 * np.exp(-_blurred(layer, 2))) + layer
    ridges = 1 - np.exp(-0.5 * _blurred(total, 0.55))
    soft = _blurred(ridges, 0.8)
    shade = np.zeros_like(soft)  # light from the upper left
    shade[1:-1, 1:-1] = soft[:-2, :-2] - soft[2:, 2:]
    grain = _blurred(rng.standard_normal(ridges.shape), 0.6) * (0.4 + ridges)
    bright = ice.film * (0.6 + 0.3 * thick) + 0.8 * ridges + 0.25 * _blurred(ridges, 6) - 0.5 * shade + 0.06 * grain
    share = 1 - np.exp(-1.1 * np.maximum(bright, 0))
    dark, light = (np.reshape(rgb, (3, 1, 1)) for rgb in (ice.dark, ice.light))
    return torch.from_numpy(dark + (light - dark) * share).float()


def size(height: int, width: int) -> tuple[int, int]:
    """Height and width of the sheets for pictures of this size: twice the short side, longer where a picture is."""
    short = min(height, width)
    return max(2 * short, height + short // 2), max(2 * short, width + short // 2)


@lru_cache(maxsize=2 * len(SHEETS))
def sheet(number: int, height: int, width: int) -> Tensor:
    """One of the six sheets for pictures of height x width: (3, \\*size(height, width)) in [0, 1], on the CPU.

    number: 0 to 5. A sheet is drawn when first asked for, and kept.
    """
    side = 2 * min(height, width)
    scaled = _drawn(number)[None]
    if side != DRAWN:
        scaled = F.interpolate(scaled, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    # mirrored as often as it takes
    rows, columns = (torch.arange(extent) % (2 * side) for extent in size(height, width))
    rows, columns = (torch.minimum(at, 2 * side - 1 - at) for at in (rows, columns))
    return scaled[0][:, rows][:, :, columns].clamp(0, 1)
