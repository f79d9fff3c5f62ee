"""The one-class protocol, in one place: one class of a labelled set is normal, all others are anomalies.

Training pictures are those of the normal class in the training split; test pictures are the whole test split. With ten
classes of equal size 90 % of the test pictures are therefore anomalies. AUROC does not change with that share; average
precision and F1 do, and look high for it: a score that says nothing already has an average precision of 0.9 and an
oracle F1 of 0.95. Report the mean over all classes, and over several seeds where a method has any.

Taught in :doc:`/book/foundations/what_is_an_anomaly`.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from adlib import _checks
from adlib.datasets import _labelled
from adlib.datasets._content import sha256
from adlib.datasets._folders import hidden, is_folder, stray, subfolders
from adlib.datasets.catalogue import data_folder, missing
from adlib.datasets.download import download as fetch
from adlib.datasets.files import SUFFIXES, PictureFiles


@dataclass(frozen=True, eq=False)  # == on tensors has no single answer
class OneClassData:
    """One class as normal, with what a detector may see and what it is judged on.

    name: of the set. normal: index into class_names. train: (N, C, H, W) float32 in [0, 1], normal pictures only.
    test: (M, C, H, W) likewise, all classes. Both are tensors, or :class:`PictureFiles` for ImageNet.
    test_labels: (M,) int64, 0 = normal, 1 = anomalous. test_classes: (M,) int64, index into class_names.

    Taught in :doc:`/book/foundations/what_is_an_anomaly`.
    """

    name: str
    normal: int
    class_names: tuple[str, ...]
    train: Tensor | PictureFiles = field(repr=False)
    test: Tensor | PictureFiles = field(repr=False)
    test_labels: Tensor = field(repr=False)
    test_classes: Tensor = field(repr=False)

    def sha256(self) -> str:
        """A fingerprint of pictures, labels and classes for the record of a measurement: 64 hexadecimal digits.

        Equal data give equal fingerprints on every machine. Files are hashed as they lie on disk, with the size asked
        for.
        """
        digest = hashlib.sha256()
        for part in (self.train, self.test, self.test_labels, self.test_classes):
            if isinstance(part, PictureFiles):
                digest.update(f"{len(part)} files at {part.size} px".encode())
                for path in part.files:
                    digest.update(sha256(path))
            else:
                digest.update(f"{tuple(part.shape)} {part.dtype}".encode())
                digest.update(part.contiguous().numpy().data)
        return digest.hexdigest()


# ImageNet-30, from files


def _under(folder: Path, above: tuple[Path, ...] = ()) -> list[Path]:
    """All picture files under folder, in any order. above: the folders that led here, where links really lead.

    Links are followed, since the reference layout links to the folders of ImageNet, but none that leads back up.
    """
    here = folder.resolve()
    if here in above:
        return []
    files = []
    for path in folder.iterdir():
        if is_folder(path):
            files += [] if hidden(path.name) else _under(path, (*above, here))
        elif not stray(path):
            files.append(path)
    return files


def _pictures(folder: Path) -> list[Path]:
    """All picture files under folder, in the order of their paths, whatever else lies there."""
    files = _under(folder)
    if not files:
        raise ValueError(f"{folder} holds no picture ({', '.join(SUFFIXES)})")
    return sorted(files, key=lambda path: path.parts)  # of characters: the same on every system


def _class_folders(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(subfolders(folder, []))) if is_folder(folder) else ()


def _imagenet(normal: int | str, root: Path, size: int) -> OneClassData:
    class_names, test_names = (_class_folders(root / f"one_class_{split}") for split in ("train", "test"))
    if not class_names or not test_names:
        raise missing("imagenet", root)
    if class_names != test_names:
        differing = ", ".join(sorted(set(class_names) ^ set(test_names)))
        raise ValueError(
            f"one_class_train and one_class_test in {root} must hold the same classes; in one only: {differing}"
        )
    index = _class_index("imagenet", normal, class_names)
    test = [_pictures(root / "one_class_test" / each) for each in class_names]
    train = _pictures(root / "one_class_train" / class_names[index])
    classes = torch.repeat_interleave(torch.tensor([len(files) for files in test]))
    return OneClassData(
        name="imagenet",
        normal=index,
        class_names=class_names,
        train=PictureFiles(train, size=size, fit="crop"),
        test=PictureFiles([path for files in test for path in files], size=size, fit="crop"),
        test_labels=(classes != index).long(),
        test_classes=classes,
    )


# the protocol


def _class_index(name: str, normal: int | str, class_names: tuple[str, ...]) -> int:
    if isinstance(normal, Integral) and not isinstance(normal, bool) and 0 <= normal < len(class_names):
        return int(normal)
    if isinstance(normal, str) and normal in class_names:
        return class_names.index(normal)
    listed = f"0 to {len(class_names) - 1} or one of {', '.join(class_names)}"
    raise ValueError(f"normal must be a class of {name}, {listed}; got {normal!r}")


def one_class(
    name: str,
    normal: int | str,
    *,
    root: str | os.PathLike[str] | None = None,
    download: bool = False,
    size: int | None = None,
) -> OneClassData:
    """A labelled set under the one-class protocol: training pictures of one class, the whole test split.

    name:

    - ``"digits"``: 8 x 8, grey, 10 classes, part of scikit-learn, no file needed. It is the test set of UCI's *Optical
      Recognition of Handwritten Digits*, written by 13 people, and has no split of its own: the first 1,200 pictures
      train, the other 597 test. The file does not say who wrote what, but its labels start over every 130 pictures or
      so, presumably one writer's form after the other. Cut in that order, the two parts share at most one form
      (pictures 1,157 to 1,286); shuffled, they would share all writers and look easier than they are.
    - ``"mnist"``, ``"fashion_mnist"``: 28 x 28, grey, 10 classes, 60,000 + 10,000, in ``MNIST/raw`` and
      ``FashionMNIST/raw``, idx files packed or not.
    - ``"cifar10"``: 32 x 32, colour, 10 classes, 50,000 + 10,000, in ``cifar-10-batches-py``.
    - ``"imagenet"``: the protocol is ImageNet-30 of Hendrycks, Mazeika, Kadavath and Song, 2019 (*Using Self-Supervised
      Learning Can Improve Model Robustness and Uncertainty*); Deep SVDD has no protocol for ImageNet. 30 classes in
      ``one_class_train/CLASS/...`` and ``one_class_test/CLASS/...``, at any depth. Classes are the folders in
      alphabetical order, pictures stand in the order of their paths, and what is no picture is passed over. ``train``
      and ``test`` are :class:`adlib.datasets.files.PictureFiles` with ``fit="crop"``, decoded when asked for.

    normal: index or name of the normal class. root: the data folder; else the environment variable ``ADLIB_DATA``, else
    ``data/cache``. download: fetch MNIST, Fashion-MNIST or CIFAR-10 where files are missing or broken, see
    :func:`adlib.datasets.download.download`. size: for ``"imagenet"`` only, height and width in pixels, 224 by default.

    Returns :class:`OneClassData` with tensors of its own: changing them changes nothing elsewhere.
    Raises ValueError for a bad argument or a broken file, FileNotFoundError where files are missing (with the layout,
    what was found, the official page and the licence), RuntimeError where a download fails.

    Taught in :doc:`/book/foundations/what_is_an_anomaly`.
    """
    names = (*_labelled.CLASS_NAMES, "imagenet")
    if name not in names:
        raise ValueError(f"name must be one of {', '.join(names)}; got {name!r}")
    _checks.boolean(download=download)
    folder = data_folder(root)
    if name == "imagenet":
        return _imagenet(normal, folder, 224 if size is None else size)
    if size is not None:
        raise ValueError(f'size is for "imagenet" only, got {size!r}: pictures of {name} stay as large as they are')
    class_names = _labelled.CLASS_NAMES[name]
    index = _class_index(name, normal, class_names)
    try:
        labelled = _labelled.decoded(name, folder)
    except (FileNotFoundError, ValueError):
        if not download:
            raise
        fetch(name, folder)
        labelled = _labelled.decoded(name, folder)
    train = labelled.train[labelled.train_classes == index]
    if not len(train):
        raise ValueError(f"{name} in {folder} holds no training picture of class {class_names[index]}")
    top = np.float32(labelled.top)
    return OneClassData(
        name=name,
        normal=index,
        class_names=class_names,
        train=torch.from_numpy(train / top),  # numpy divides exactly alike everywhere: equal fingerprints
        test=torch.from_numpy(labelled.test / top),
        test_labels=torch.from_numpy((labelled.test_classes != index).astype(np.int64)),
        test_classes=torch.tensor(labelled.test_classes),
    )
