"""Labelled sets of small pictures, decoded whole: how they are read and checked."""

from __future__ import annotations

import gzip
import math
import zlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits

from adlib.datasets.catalogue import CATALOGUE, missing

_DIGITS = tuple("0123456789")
CLASS_NAMES = {
    "digits": _DIGITS,
    "mnist": _DIGITS,
    "fashion_mnist": (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
}


class Labelled(NamedTuple):
    """A set as it was decoded, read-only. Pictures (N, C, H, W) uint8 from 0 to top, classes (N,) int64."""

    train: np.ndarray
    train_classes: np.ndarray
    test: np.ndarray
    test_classes: np.ndarray
    top: int


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """An idx file of unsigned bytes: 0, 0, type 8, number of dimensions, their sizes as big-endian 32 bits, the bytes.

    Packed with gzip if the name ends in .gz. Raises ValueError with the path for anything else.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is truncated or corrupt ({error}); delete it and fetch it again") from error
    magic = bytes([0, 0, 8, dimensions])
    if content[:4] != magic:
        raise ValueError(
            f"{path} must be an idx file of unsigned bytes in {dimensions} dimension(s), starting with {magic.hex()}; "
            f"it starts with {content[:4].hex() or 'nothing'}"
        )
    start = 4 + 4 * dimensions
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4))
    if len(content) != start + math.prod(shape):
        raise ValueError(
            f"{path} is truncated or corrupt: shape {shape} needs {start + math.prod(shape)} bytes, "
            f"got {len(content)}; delete it and fetch it again"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _mnist_split(name: str, root: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    files = []
    for stem in (f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte"):
        plain = root / CATALOGUE[name].folders[0] / stem
        present = [path for path in (plain, plain.with_name(f"{stem}.gz")) if path.is_file()]
        if not present:
            raise missing(name, root / CATALOGUE[name].folders[0])
        files.append(present[0])
    pictures, classes = read_idx(files[0], 3), read_idx(files[1], 1)
    if pictures.shape[1:] != (28, 28):
        raise ValueError(f"{files[0]} must hold pictures of 28 x 28, got shape {pictures.shape}")
    if len(pictures) != len(classes):
        raise ValueError(f"{files[0]} holds {len(pictures)} pictures, but {files[1]} {len(classes)} labels")
    if (classes > 9).any():
        raise ValueError(f"{files[1]} must hold labels from 0 to 9, got {classes.max()}")
    return pictures[:, None], classes.astype(np.int64)


def _cifar10(root: Path) -> Labelled:
    from torchvision.datasets import CIFAR10  # here, since importing torchvision takes longer than reading the digits
    from torchvision.datasets.utils import check_integrity

    # The batches are pickles, which may run code when read: first all MD5 sums, as torchvision does once more itself.
    for file, md5 in (*CIFAR10.train_list, *CIFAR10.test_list, (CIFAR10.meta["filename"], CIFAR10.meta["md5"])):
        path = root / CIFAR10.base_folder / file
        if not path.is_file():
            raise missing("cifar10", root / CIFAR10.base_folder)
        if not check_integrity(str(path), md5):
            raise ValueError(f"{path} is truncated or corrupt, its MD5 sum is not {md5}; delete it and fetch it again")
    splits = [CIFAR10(str(root), train=train) for train in (True, False)]
    pictures = [split.data.transpose(0, 3, 1, 2) for split in splits]
    classes = [np.array(split.targets, dtype=np.int64) for split in splits]
    return Labelled(pictures[0], classes[0], pictures[1], classes[1], top=255)


def _digits() -> Labelled:
    digits = load_digits()
    pictures, classes = digits.images.astype(np.uint8)[:, None], digits.target.astype(np.int64)
    return Labelled(pictures[:1200], classes[:1200], pictures[1200:], classes[1200:], top=16)


@lru_cache(maxsize=2)  # ten calls for ten classes decode the files once; two sets as large as CIFAR-10 take 370 MB
def decoded(name: str, root: Path) -> Labelled:
    """The set `name` from the data folder root. Raises FileNotFoundError, or ValueError for a broken file."""
    if name == "digits":
        labelled = _digits()
    elif name == "cifar10":
        labelled = _cifar10(root)
    else:
        labelled = Labelled(*_mnist_split(name, root, "train"), *_mnist_split(name, root, "t10k"), top=255)
    for array in labelled[:4]:
        array.flags.writeable = False
    return labelled
