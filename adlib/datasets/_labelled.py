"""Labelled sets of small pictures, decoded whole: where they lie, how they are read, checked and fetched."""

from __future__ import annotations

import gzip
import math
import tempfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits


class Source(NamedTuple):
    """What an error about missing files tells."""

    folder: str  # under the data folder
    layout: str
    page: str
    licence: str
    remedy: str


_IDX = (
    "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, "
    "each as it is or with .gz"
)
_FETCH = "download=True fetches the files"
SOURCES = {
    "mnist": Source("MNIST/raw", _IDX, "http://yann.lecun.com/exdb/mnist/", "commonly given as CC BY-SA 3.0", _FETCH),
    "fashion_mnist": Source(
        "FashionMNIST/raw", _IDX, "https://github.com/zalandoresearch/fashion-mnist", "MIT", _FETCH
    ),
    "cifar10": Source(
        "cifar-10-batches-py",
        "data_batch_1 to data_batch_5, test_batch, batches.meta (the Python version)",
        "https://www.cs.toronto.edu/~kriz/cifar.html",
        "none stated; cite Krizhevsky, 2009",
        _FETCH,
    ),
    "imagenet": Source(
        "",
        "one_class_train/CLASS/... and one_class_test/CLASS/..., the same classes in both, pictures at any depth",
        "https://github.com/hendrycks/ss-ood (test pictures), https://image-net.org (training pictures)",
        "ImageNet's terms: research and teaching, not commercial",
        "it must be fetched by hand",
    ),
}

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


def missing(name: str, root: Path) -> FileNotFoundError:
    """The error to raise where files of a set are not there."""
    source = SOURCES[name]
    folder = root / source.folder
    found = "no such folder"
    if folder.is_dir():
        entries = sorted(path.name for path in folder.iterdir())
        found = ", ".join(entries[:12]) + (f" and {len(entries) - 12} more" if len(entries) > 12 else "") or "nothing"
    return FileNotFoundError(
        f"{name} is not complete in {folder}\n"
        f"  expected: {source.layout}\n"
        f"  found: {found}\n"
        f"  official page: {source.page}\n"
        f"  licence: {source.licence}\n"
        f"  root, or the environment variable ADLIB_DATA, names the data folder; {source.remedy}"
    )


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
        plain = root / SOURCES[name].folder / stem
        present = [path for path in (plain, plain.with_name(f"{stem}.gz")) if path.is_file()]
        if not present:
            raise missing(name, root)
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
            raise missing("cifar10", root)
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


def download(name: str, root: Path) -> None:
    """Fetch into a folder beside the place, then move file by file, so that no half file ever stands in the place."""
    from torchvision import datasets

    fetch = {"mnist": datasets.MNIST, "fashion_mnist": datasets.FashionMNIST, "cifar10": datasets.CIFAR10}[name]
    source = SOURCES[name]
    try:
        (root / source.folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix="download-") as parts:
            fetch(parts, download=True)  # checks the MD5 sums of what arrived
            for path in (Path(parts) / source.folder).iterdir():
                path.replace(root / source.folder / path.name)
    except (OSError, RuntimeError) as error:
        raise RuntimeError(f"download of {name} to {root} failed: {error}. Official page: {source.page}") from error
