"""What a folder looks like: the layouts of the data sets, told apart by the names in them."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator
from pathlib import Path

from adlib.datasets import medical
from adlib.datasets._folders import has, is_folder
from adlib.datasets.catalogue import CATALOGUE, MVTEC_COUNTS, data_folder
from adlib.datasets.corruptions import IMAGENET_C, IMAGENET_C_EXTRA, IMAGENET_P, IMAGENET_P_EXTRA, MNIST_C
from adlib.datasets.corruptions._released import GROUPS

ALL_C = (*IMAGENET_C, *IMAGENET_C_EXTRA)
ALL_P = (*IMAGENET_P, *IMAGENET_P_EXTRA)
ALL_MNIST_C = ("identity", *MNIST_C)

LAYOUTS: dict[str, tuple[str, ...]] = {
    "idx": ("*-idx3-ubyte*", "*-idx1-ubyte*"),
    "cifar10": ("data_batch_*", "batches.meta"),
    "imagenet": ("one_class_train/", "one_class_test/"),
    "mnist_c": tuple(f"{name}/*_{part}.npy" for name in ALL_MNIST_C for part in ("images", "labels")),
    "imagenet_p": tuple(f"{name}/*/*.mp4" for name in ALL_P),
    "imagenet_c": tuple(f"{group}{name}/[1-5]/" for name in ALL_C for group in ("", *(f"{each}/" for each in GROUPS))),
    "pictures": ("train/good/", "test/good/", "train/ok/", "test/ok/", "normal/", "abnormal/"),
    "lag": tuple(f"{kind}/" for kind in medical.KINDS),
    "ucsd": ("Train/Train0*", "Test/Test0*"),
    "avenue": ("training_videos/", "testing_videos/"),
    "campus": ("training/frames/", "training/videos/", "testing/frames/", "testing/videos/"),
}
"""How layouts are told apart, the surest first: something in the folder fits one of the patterns. / ends a folder."""

_OF_SET = {  # the layouts a set may have; those not named have one of their own name
    "mnist": ("idx",),
    "fashion_mnist": ("idx",),
    "shanghaitech": ("campus",),
    "ped1": ("ucsd", "campus"),
    "ped2": ("ucsd", "campus"),
    "avenue": ("avenue", "campus"),
    "fundus": ("lag",),
    "plaza": ("campus",),
}


def _fits(folder: Path, names: set[str], pattern: str) -> bool:
    """names: what folder holds, listed once for all patterns: folders may hold many thousand."""
    first, _, rest = pattern.partition("/")
    places = [folder / name for name in (fnmatch.filter(names, first) if "*" in first else names & {first})]
    if not rest:
        return any(is_folder(place) for place in places) if pattern.endswith("/") else bool(places)
    return any(
        is_folder(path) or not pattern.endswith("/") for place in places for path in place.glob(rest.rstrip("/"))
    )


def layouts(folder: Path) -> Iterator[str]:
    """The names of the layouts in LAYOUTS that folder has, the surest first. None where it may not be looked into."""
    try:
        names = set(os.listdir(folder))
    except OSError:
        return
    yield from (name for name, patterns in LAYOUTS.items() if any(_fits(folder, names, each) for each in patterns))


def layout(folder: Path) -> str | None:
    """The surest layout, or None."""
    return next(layouts(folder), None)


def present(name: str, root: str | os.PathLike[str] | None = None) -> Path | None:
    """Where the set ``name`` lies in the data folder, whole or in part, or None."""
    if name not in CATALOGUE:
        raise ValueError(f"name must be one of {', '.join(CATALOGUE)}; got {name!r}")
    for folder in CATALOGUE[name].folders:
        place = data_folder(root) / folder
        if name == "mvtec":
            here = has(place, *(f"{category}/train/good" for category in MVTEC_COUNTS))
        elif name == "btad":
            here = has(place, *(f"{product}/train/ok" for product in ("01", "02", "03")))
        elif name == "factory":
            here = any(True for _ in place.glob("*/train/good"))
        else:
            here = layout(place) in _OF_SET.get(name, (name,))
        if here:
            return place
    return None
