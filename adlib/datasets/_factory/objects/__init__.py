"""Objects of the drawn factory: a nut, the mouth of a bottle, a capsule and the cut face of a cable.

``DRAW[name](rng, size, defect)`` gives a scene and the mask of its defect, one of ``DEFECTS[name]`` or None: the
picture (size, size, 3) float32 in [0, 1], with shading and background but without a camera's noise, and the mask
(size, size) bool, empty where defect is None. The mask is exact: with the same state of rng, None draws the clean twin,
equal in every pixel outside the mask.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from adlib.datasets._factory.objects import bottle, cable, capsule, nut
from adlib.datasets._factory.objects.shapes import Field, changed, developed

SMALLEST, LARGEST = 0.003, 0.20  # of the picture, what a defect may change
CLEAR = 0.06  # mean change over the mask, in [0, 1], below which a defect is hardly seen

_SCENES = {"nut": nut, "bottle": bottle, "capsule": capsule, "cable": cable}


def _draw(name: str, rng: np.random.Generator, size: int, defect: str | None) -> tuple[Field, np.ndarray]:
    scene = _SCENES[name].scene
    normal, flaw = rng.integers(2**63, size=2)  # the object must not depend on what goes wrong with it
    draws = np.random.default_rng(flaw)
    clean = developed(scene(np.random.default_rng(normal), size, None, draws))
    if defect is None:
        return clean, np.zeros((size, size), bool)
    while True:  # a defect that is too small, too large or hardly seen is drawn anew
        picture, mask = changed(clean, developed(scene(np.random.default_rng(normal), size, defect, draws)))
        area = mask.mean()
        if SMALLEST <= area <= LARGEST and np.abs(picture - clean).max(2).mean() >= CLEAR * area:
            return picture, mask


Draw = Callable[[np.random.Generator, int, "str | None"], tuple[Field, np.ndarray]]
DRAW: dict[str, Draw] = {name: partial(_draw, name) for name in _SCENES}
DEFECTS: dict[str, tuple[str, ...]] = {name: module.DEFECTS for name, module in _SCENES.items()}
