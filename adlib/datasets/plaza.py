"""A campus plaza seen by surveillance cameras: videos drawn by chance, in the layout of ShanghaiTech Campus.

People walk, stop and talk; five kinds of thing do not belong there. A pinhole camera looks down on a ground plane, so
that size and height in the picture follow from where somebody stands. A foot that stands does not slide; trees, posts
and benches hide what is behind them; the sun throws a shadow that clouds come over. The pictures are drawings: they
stand in for the real set where it is not at hand, and a figure measured on them says nothing about the real one.

Taught in :doc:`/book/datasets/real_world`.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from adlib import _checks
from adlib.datasets._generated import generate
from adlib.datasets._plaza.film import VISIBLE, Film, film
from adlib.datasets._plaza.places import SCENES
from adlib.datasets.catalogue import data_folder

KINDS = ("bicycle", "runner", "cart", "lawn", "fight")
"""The kinds of anomaly: a rider, somebody who runs, a golf cart, somebody on the lawn, two people who fight."""

_ABOUT = """A campus plaza, drawn by chance by adlib.datasets.plaza in the layout of ShanghaiTech Campus.
Licence: CC0 1.0. Fifteen frames a second, three scenes, training videos normal only. A test frame is anomalous where
{visible} pixels or more of an anomalous actor are in sight; masks show these pixels, without the shadow.
Test videos: {kinds}."""


def _size(size: int | tuple[int, int]) -> tuple[int, int]:
    sides = (size, size) if isinstance(size, (int, np.integer)) else size
    if not isinstance(sides, (tuple, list)) or len(sides) != 2:
        raise ValueError(f"size must be one side in pixels or (height, width), got {size!r}")
    height, width = (_checks.integer("size", side, 48) for side in sides)
    if not height <= width <= 2.5 * height:
        raise ValueError(f"size must be as wide as high or up to 2.5 times as wide, got {size!r}")
    return height, width


def _name(index: int, digits: int) -> str:
    """As in ShanghaiTech: the scene from 01, the number of the video in it."""
    return f"{index % len(SCENES) + 1:02d}_{index // len(SCENES) + 1:0{digits}d}"


def _film(kind: str | None, frames: int, size: tuple[int, int], *draw: int) -> Film:
    return film(draw[-1] % len(SCENES), kind, frames, size, np.random.default_rng(draw))


def video_kinds(test: int = 15) -> dict[str, str]:
    """The kind of anomaly in each test video of :func:`make_plaza`, by the name of the video, for so many of them.

    Scenes and kinds take turns, so that 15 videos hold every kind in every scene once.

    Taught in :doc:`/book/datasets/real_world`.
    """
    count = _checks.integer("test", test, 1)
    return dict(sorted((_name(index, 4), KINDS[index % len(KINDS)]) for index in range(count)))


def sample(
    kind: str | None, *, frames: int = 60, size: int | tuple[int, int] = (96, 128), seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.uint8]]:
    """One video, as it leaves the camera: nothing is written, and no JPEG comes between.

    kind: one of :data:`KINDS`, or None for a normal video. frames: T, at 15 a second, at least 20. size: (height,
    width) in pixels or one side of a square, at least 48. seed: seeds 0, 1, 2, 3, ... show scene 1, 2, 3, 1, ...

    Returns the frames, (T, H, W, 3) float32 in [0, 1]; the labels, (T,) int64, 1 where at least 8 pixels of an
    anomalous actor are in sight; the masks, (T, H, W) uint8, 1 on these pixels, and 0 throughout frames with label 0.
    The shadow is not part of the mask. A pixel counts as the actor's where more than half of it is. Who walks over the
    lawn is anomalous while on it; who fights, from the first grip to the last.
    Raises ValueError for bad arguments.

    Taught in :doc:`/book/datasets/real_world`.
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind must be None or one of {', '.join(KINDS)}; got {kind!r}")
    number = 0 if kind is None else KINDS.index(kind) + 1
    pictures, labels, masks = _film(
        kind, _checks.integer("frames", frames, 20), _size(size), 2, number, _checks.seed(seed)
    )
    return pictures.astype(np.float32) / np.float32(255), labels.astype(np.int64), masks


def make_plaza(
    root: str | os.PathLike[str] | None = None,
    *,
    train: int = 15,
    test: int = 15,
    frames: int = 60,
    size: int | tuple[int, int] = (96, 128),
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Draw a set of videos and write it to ``plaza`` in a data folder. Returns the path of the set.

    Layout, with SCENE_VIDEO such as 01_001: ``training/frames/SCENE_VIDEO/000.jpg``,
    ``testing/frames/SCENE_VIDEO/000.jpg``, ``testing/test_frame_mask/SCENE_VIDEO.npy`` (T,) of 0 and 1 and
    ``testing/test_pixel_mask/SCENE_VIDEO.npy`` (T, H, W) of 0 and 1, both uint8. ShanghaiTech itself ships its training
    videos as ``training/videos/*.avi``, from which users extract frames: here they are extracted already.
    :func:`adlib.datasets.campus.video_folder` reads the set.

    root: the data folder; else the environment variable ``ADLIB_DATA``, else ``data/cache``. train, test: how many
    videos, at least 1; scenes take turns, and in test videos kinds of anomaly do, too (:func:`video_kinds`). frames: T
    of each video, at 15 a second, at least 20. size: (height, width) in pixels or one side of a square, at least 48, as
    wide as high or up to 2.5 times as wide. seed: everything that is random; a video depends on the seed and its own
    number, so that asking for more of them changes none. progress: show a bar. Labels and masks: as in :func:`sample`.

    A set with the same settings that is there already is left as it is. An interrupted run leaves nothing behind.
    Raises ValueError for bad arguments, and where ``plaza`` holds anything else.

    Taught in :doc:`/book/datasets/real_world`.
    """
    train, test = _checks.integer("train", train, 1), _checks.integer("test", test, 1)
    frames, sides, seed = _checks.integer("frames", frames, 20), _size(size), _checks.seed(seed)
    _checks.boolean(progress=progress)
    jobs = [("training", 0, index) for index in range(train)] + [("testing", 1, index) for index in range(test)]

    def build(folder: Path) -> None:
        for name in ("test_frame_mask", "test_pixel_mask"):
            (folder / "testing" / name).mkdir(parents=True)
        for part, split, index in tqdm(jobs, desc="plaza", unit="video", disable=not progress):
            name = _name(index, 3 + split)
            kind = KINDS[index % len(KINDS)] if split else None
            pictures, labels, masks = _film(kind, frames, sides, seed, split, index)
            place = folder / part / "frames" / name
            place.mkdir(parents=True)
            for number, picture in enumerate(pictures):
                Image.fromarray(picture).save(place / f"{number:03d}.jpg", quality=92)
            if split:
                np.save(folder / part / "test_frame_mask" / f"{name}.npy", labels)
                np.save(folder / part / "test_pixel_mask" / f"{name}.npy", masks)

    settings = {
        "set": "plaza", "train": train, "test": test, "frames": frames, "size": list(sides), "seed": seed
    }  # fmt: skip
    kinds = ", ".join(f"{name} {kind}" for name, kind in video_kinds(test).items())
    return generate(data_folder(root) / "plaza", settings, build, _ABOUT.format(visible=VISIBLE, kinds=kinds))
