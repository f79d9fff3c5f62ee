"""What a folder looks like: the layouts of the data sets, told apart by the names in them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from adlib.datasets import medical
from adlib.datasets.catalogue import CATALOGUE, MVTEC_COUNTS, data_folder
from adlib.datasets.corruptions import IMAGENET_C, IMAGENET_C_EXTRA, IMAGENET_P, IMAGENET_P_EXTRA, MNIST_C


def has(folder: Path, *names: str) -> bool:
    """Whether folder holds a folder of one of these names."""
    return any((folder / name).is_dir() for name in names)


def some_path(folder: Path, *patterns: str) -> bool:
    """Whether something in folder fits one of these patterns."""
    return any(next(folder.glob(pattern), None) is not None for pattern in patterns)


_CATEGORY = ("train/good", "test/good", "train/ok", "test/ok", "normal", "abnormal")
_MNIST_C = ("identity", *MNIST_C)
_P = (*IMAGENET_P, *IMAGENET_P_EXTRA)
_C = (*IMAGENET_C, *IMAGENET_C_EXTRA)

LAYOUTS: dict[str, Callable[[Path], bool]] = {
    "idx": lambda f: some_path(f, "*-idx3-ubyte*", "*-idx1-ubyte*"),
    "cifar10": lambda f: some_path(f, "data_batch_*", "batches.meta"),
    "imagenet": lambda f: has(f, "one_class_train", "one_class_test"),
    "mnist_c": lambda f: any(some_path(f, f"{name}/*_images.npy", f"{name}/*_labels.npy") for name in _MNIST_C),
    "imagenet_p": lambda f: any(some_path(f, f"{name}/*/*.mp4") for name in _P),
    "imagenet_c": lambda f: any(some_path(f, f"{name}/[1-5]", f"*/{name}/[1-5]") for name in _C),
    "pictures": lambda f: has(f, *_CATEGORY),
    "lag": lambda f: has(f, *medical.KINDS),
    "ucsd": lambda f: some_path(f, "Train/Train0*", "Test/Test0*"),
    "avenue": lambda f: has(f, "training_videos", "testing_videos"),
    "campus": lambda f: has(f, "training/frames", "training/videos", "testing/frames", "testing/videos"),
}
"""How the layouts are told apart, the surest first."""

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
_CATEGORIES = {"mvtec": ("good", tuple(MVTEC_COUNTS)), "btad": ("ok", ("01", "02", "03")), "factory": ("good", ())}


def layout(folder: Path) -> str | None:
    """The name of the layout in LAYOUTS that folder has, or None."""
    return next((name for name, looks in LAYOUTS.items() if looks(folder)), None)


def present(name: str, root: str | os.PathLike[str] | None = None) -> Path | None:
    """Where the set ``name`` lies in the data folder, whole or in part, or None."""
    if name not in CATALOGUE:
        raise ValueError(f"name must be one of {', '.join(CATALOGUE)}; got {name!r}")
    for folder in CATALOGUE[name].folders:
        place = data_folder(root) / folder
        if name in _CATEGORIES:
            normal, known = _CATEGORIES[name]
            if any(path.parents[1].name in known or not known for path in place.glob(f"*/train/{normal}")):
                return place
        elif place.is_dir() and layout(place) in _OF_SET.get(name, (name,)):
            return place
    return None
