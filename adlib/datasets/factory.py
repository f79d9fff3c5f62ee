"""A drawn factory: textures and objects, flawless and with defects, with exact masks, in the layout of MVTec AD.

Four textures and four objects. What is normal varies in position, rotation, light, colour and wear, so that comparing
pixels with their mean tells little; a defect is local and plain to see, so that looking at patches tells nearly all.
The pictures are drawings: they stand in for the real set where it is not at hand, and a figure measured on them says
nothing about the real one.

Taught in :doc:`/book/datasets/real_world`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from adlib import _checks
from adlib.datasets._factory import objects, textures
from adlib.datasets._factory.photograph import photograph
from adlib.datasets._generated import generate
from adlib.datasets.catalogue import data_folder

DEFECTS: dict[str, tuple[str, ...]] = {**textures.DEFECTS, **objects.DEFECTS}
"""The kinds of defect of each category."""

TEXTURES: tuple[str, ...] = tuple(textures.DEFECTS)
"""Categories without an outline: any part of them looks like any other."""

OBJECTS: tuple[str, ...] = tuple(objects.DEFECTS)
"""Categories that show one thing on a background."""

CATEGORIES: tuple[str, ...] = TEXTURES + OBJECTS
"""All categories, textures first."""

_Drawn = tuple[NDArray[np.float32], NDArray[np.bool_]]
_DRAW: dict[str, Callable[[np.random.Generator, int, str | None], _Drawn]] = {**textures.DRAW, **objects.DRAW}
_ABOUT = """A category of the factory, drawn by chance by adlib.datasets.factory in the layout of MVTec AD.
train/good and test/good are flawless, test/DEFECT is not; ground_truth/DEFECT holds masks, 255 where the defect is.
Licence: CC0 1.0."""


def _size(size: int) -> int:
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or not 64 <= size <= 512:
        raise ValueError(f"size must be a whole number of pixels from 64 to 512, got {size!r}")
    return int(size)


def _picture(category: str, defect: str | None, size: int, *entropy: int) -> _Drawn:
    """A generator of its own for each picture: asking for more of them changes none."""
    scene, camera = np.random.default_rng(entropy).spawn(2)
    picture, mask = _DRAW[category](scene, size, defect)
    return photograph(camera, picture), mask


def sample(
    category: str, defect: str | None = None, *, size: int = 128, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """One picture as it leaves the camera, and its mask; nothing is written.

    category: one of :data:`CATEGORIES`. defect: one of ``DEFECTS[category]``, or None for a flawless picture. size: H
    and W in pixels, 64 to 512. seed: everything that is random. The same seed without the defect gives the flawless
    twin: the same piece in the same light. The two differ within the mask, and by the blur of the lens just beside it.

    Returns the picture, (H, W, 3) float32 in [0, 1], and the mask, (H, W) uint8, 1 where the defect is.
    Raises ValueError for a bad argument; an unknown category or defect lists those there are.

    Taught in :doc:`/book/datasets/real_world`.
    """
    if category not in CATEGORIES:
        raise ValueError(f"category must be one of {', '.join(CATEGORIES)}; got {category!r}")
    if defect is not None and defect not in DEFECTS[category]:
        raise ValueError(f"defect of {category} must be None or one of {', '.join(DEFECTS[category])}; got {defect!r}")
    picture, mask = _picture(category, defect, _size(size), _checks.seed(seed), crc32(category.encode()))
    return picture, mask.astype(np.uint8)


def _save(values: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((values * np.float32(255)).round().astype(np.uint8)).save(path)


def make_factory(
    root: str | os.PathLike[str] | None = None,
    *,
    categories: Sequence[str] | None = None,
    size: int = 128,
    train: int = 60,
    good: int = 20,
    defective: int = 10,
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Draw categories and write them to ``factory`` in a data folder. Returns the path of ``factory``.

    Layout, that of MVTec AD: ``CATEGORY/train/good/000.png``, ``CATEGORY/test/good/000.png``,
    ``CATEGORY/test/DEFECT/000.png`` and ``CATEGORY/ground_truth/DEFECT/000_mask.png``, 8 bits, masks grey with 0 and
    255. ``adlib.datasets.inspection.mvtec(category, root=make_factory(root))`` reads it.

    root: the data folder; else the environment variable ``ADLIB_DATA``, else ``data/cache``. categories: names from
    :data:`CATEGORIES`, all by default. size: H and W in pixels, 64 to 512; features grow with it. train, good,
    defective: how many flawless pictures to train and to test with, and how many pictures of each kind of defect, at
    least 1. seed: everything that is random; a picture depends on the seed, its folder and its own number, so that
    asking for more of them changes none. progress: show a bar for each category.

    A category with the same settings that is there already is left as it is. An interrupted run leaves whole
    categories only; the same call again draws the others.
    Raises ValueError for a bad argument, and where the folder of a category holds anything else.

    Taught in :doc:`/book/datasets/real_world`.
    """
    names = CATEGORIES if categories is None else categories
    if not isinstance(names, (list, tuple)) or not names or not all(name in CATEGORIES for name in names):
        raise ValueError(f"categories must be a list of names from {', '.join(CATEGORIES)}; got {categories!r}")
    size, seed = _size(size), _checks.seed(seed)
    counts = {"train": train, "good": good, "defective": defective}
    counts = {name: _checks.integer(name, count, 1) for name, count in counts.items()}
    _checks.boolean(progress=progress)

    folder = data_folder(root) / "factory"
    for category in names:
        parts = {"train/good": counts["train"], "test/good": counts["good"]}
        parts |= {f"test/{defect}": counts["defective"] for defect in DEFECTS[category]}
        jobs = [(part, index) for part, count in parts.items() for index in range(count)]

        def build(place: Path, category: str = category, jobs: list[tuple[str, int]] = jobs) -> None:
            for part, index in tqdm(jobs, desc=category, unit="picture", disable=not progress):
                kind = part.split("/")[1]
                defect = None if kind == "good" else kind
                picture, mask = _picture(category, defect, size, seed, crc32(f"{category}/{part}".encode()), index)
                _save(picture, place / part / f"{index:03d}.png")
                if defect:
                    _save(mask, place / "ground_truth" / defect / f"{index:03d}_mask.png")

        generate(folder / category, {"set": "factory", "size": size, "seed": seed, **counts}, build, _ABOUT)
    return folder
