"""The released files of MNIST-C, ImageNet-C and ImageNet-P, as their authors made them.

Figures that are to be compared with published ones need these: draws differ from those of adlib's own corruptions.

Taught in :doc:`/book/datasets/corruptions`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from adlib.datasets._content import open_npy
from adlib.datasets._decoding import Size
from adlib.datasets._folders import is_folder, list_pictures, some, subfolders
from adlib.datasets.catalogue import data_folder, find, missing
from adlib.datasets.corruptions._mnist_c import MNIST_C
from adlib.datasets.corruptions._perturbations import IMAGENET_P, IMAGENET_P_EXTRA
from adlib.datasets.corruptions._pictures import check_name, check_severity
from adlib.datasets.corruptions._severities import IMAGENET_C, IMAGENET_C_EXTRA
from adlib.datasets.files import PictureFiles
from adlib.datasets.videos import Video

GROUPS = ("noise", "blur", "weather", "digital", "extra")  # the archives of ImageNet-C
_WNID = re.compile(r"n\d{8}")  # an ImageNet class


@dataclass(frozen=True, eq=False)  # == on tensors has no single answer
class Released:
    """Corrupted pictures or clips, and what they show. Whether they count as anomalous is for the protocol to say.

    name: of the corruption. images: N pictures in a tensor (MNIST-C), N picture files (ImageNet-C), or N videos
    (ImageNet-P). classes: (N,) int64, index into class_names. class_names: digits, or the names of ImageNet's class
    folders in alphabetical order. skipped: files that were passed over, each with the reason.

    Taught in :doc:`/book/datasets/corruptions`.
    """

    name: str
    images: Tensor | PictureFiles | tuple[Video, ...] = field(repr=False)
    classes: Tensor = field(repr=False)
    class_names: tuple[str, ...] = field(repr=False)
    skipped: tuple[str, ...] = field(repr=False, default=())


def _corruption_folder(name: str, corruption: str, root: str | os.PathLike[str] | None, groups: Sequence[str]) -> Path:
    """Where a corruption lies: in the folder of the set ``name``, or in one of the groups in it."""
    data = data_folder(root)
    inside = [corruption, *(f"{group}/{corruption}" for group in groups)]
    for path in inside:
        if is_folder(data / path):  # root is the folder of the set
            return data / path
    whole = find(name, data)
    for path in inside:
        if is_folder(whole / path):
            return whole / path
    problem = f"no folder {corruption}"
    deeper = sorted(
        path for pattern in ("*", "*/*") for path in whole.glob(f"{pattern}/{corruption}") if is_folder(path)
    )
    if deeper:
        problem += f"; it lies deeper: give root={str(deeper[0].parent)!r}"
    raise missing(name, whole, problem)


# MNIST-C


def released_mnist_c(name: str, split: str = "test", *, root: str | os.PathLike[str] | None = None) -> Released:
    """MNIST-C as released: every picture of MNIST, in MNIST's order, with one corruption.

    ``CORRUPTION/{train,test}_{images,labels}.npy`` in the folder ``mnist_c``. A protocol with corrupted digits as
    anomalies: learn from clean training digits, judge on ``released_mnist_c("identity")``, which is normal, and
    ``released_mnist_c("fog")``, which is not. One class as normal: choose by ``classes``.

    name: one of ``MNIST_C``, or ``"identity"`` for the clean digits. split: ``"test"`` (10,000) or ``"train"``
    (60,000). root: the data folder, or the folder of the corruptions itself; else ``ADLIB_DATA``, else ``data/cache``.

    Returns :class:`Released` with images (N, 1, 28, 28) float32 in [0, 1].
    Raises FileNotFoundError where a folder or a file is missing, ValueError for a bad argument and for a file that is
    truncated, a pickle, or holds anything but bytes of 28 x 28 and labels from 0 to 9, one a picture.
    Source: Mu and Gilmer, 2019.

    Taught in :doc:`/book/datasets/corruptions`.
    """
    check_name(name, (*MNIST_C, "identity"))
    if split not in ("train", "test"):
        raise ValueError(f'split must be "train" or "test", got {split!r}')
    folder = _corruption_folder("mnist_c", name, root, ())
    files = [folder / f"{split}_{part}.npy" for part in ("images", "labels")]
    lacking = [path.name for path in files if not path.is_file()]
    if lacking:
        raise missing("mnist_c", folder, f"no {' and no '.join(lacking)}; was the archive unpacked to its end?")
    pixels, labels = (open_npy(path) for path in files)
    if pixels.dtype != np.uint8 or pixels.shape[1:] not in ((28, 28), (28, 28, 1)) or not len(pixels):
        raise ValueError(f"{files[0]} must hold uint8 of shape (N, 28, 28, 1), got {pixels.dtype} of {pixels.shape}")
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise ValueError(f"{files[1]} must hold integers of shape (N,), got {labels.dtype} of {labels.shape}")
    if len(pixels) != len(labels):
        raise ValueError(f"{files[0]} holds {len(pixels)} pictures, but {files[1]} {len(labels)} labels")
    classes = np.array(labels, dtype=np.int64)
    if classes.min() < 0 or classes.max() > 9:
        raise ValueError(f"{files[1]} must hold labels from 0 to 9, got {classes.min()} to {classes.max()}")
    images = np.divide(pixels.reshape(-1, 1, 28, 28), np.float32(255), dtype=np.float32)
    return Released(name, torch.from_numpy(images), torch.from_numpy(classes), tuple("0123456789"))


# ImageNet-C and ImageNet-P


def _class_folders(folder: Path, skipped: list[str]) -> dict[str, Path]:
    classes = {}
    for name, path in subfolders(folder, skipped).items():
        if _WNID.fullmatch(name):
            classes[name] = path
        else:
            skipped.append(f"{path}: not a class, whose name is n and eight digits")
    return dict(sorted(classes.items()))


def _classes(name: str, folder: Path, siblings: Sequence[Path], skipped: list[str]) -> dict[str, Path]:
    """The class folders in folder. siblings: folders that should hold the same classes, where they are there.

    A class that is missing would shift the index of all later ones, so it is looked for in the siblings.
    """
    classes = _class_folders(folder, skipped)
    if not classes:
        raise missing(name, folder, "no folder of a class, such as n01440764")
    for sibling in siblings:
        lacking = sorted(set(_class_folders(sibling, [])) - set(classes)) if is_folder(sibling) else []
        if lacking:
            raise missing(
                name,
                folder,
                f"{len(lacking)} classes that {sibling} has are not there ({some(lacking)}); unpack it again",
            )
    return classes


def _labelled(files: dict[str, list[Path]], what: str, folder: Path) -> tuple[list[Path], Tensor]:
    empty = [wnid for wnid, paths in files.items() if not paths]
    if empty:
        raise ValueError(f"{folder} has {len(empty)} classes without a {what} ({some(empty)}); unpack it again")
    counts = torch.tensor([len(paths) for paths in files.values()])
    return [path for paths in files.values() for path in paths], torch.repeat_interleave(counts)


def released_imagenet_c(
    name: str, severity: int, *, root: str | os.PathLike[str] | None = None, size: Size = 224
) -> Released:
    """ImageNet-C as released: the validation pictures of ImageNet with one corruption, 224 x 224.

    ``CORRUPTION/SEVERITY/CLASS/*.JPEG`` in the folder ``ImageNet-C``, perhaps with ``noise``, ``blur``, ``weather``,
    ``digital`` or ``extra`` above it. Only what is asked for needs to be there.

    name: one of ``IMAGENET_C`` or ``IMAGENET_C_EXTRA``. severity: 1 to 5. root: the data folder, or the folder
    of the corruptions itself; else ``ADLIB_DATA``, else ``data/cache``. size: as in
    :class:`adlib.datasets.files.PictureFiles`.

    Returns :class:`Released`, whose images are :class:`adlib.datasets.files.PictureFiles`, class after class.
    Raises ValueError for a bad argument or a class without pictures, FileNotFoundError where the corruption, the
    severity or classes that another severity has are missing. Source: Hendrycks and Dietterich, 2019.

    Taught in :doc:`/book/datasets/corruptions`.
    """
    check_name(name, (*IMAGENET_C, *IMAGENET_C_EXTRA))
    level = check_severity(severity)
    above = _corruption_folder("imagenet_c", name, root, GROUPS)
    folder = above / str(level)
    if not is_folder(folder):
        raise missing("imagenet_c", above, f"no folder {level} in {name}; was the archive unpacked to its end?")
    skipped: list[str] = []
    siblings = [above / str(other) for other in range(1, 6) if other != level]
    files = {}
    for wnid, path in _classes("imagenet_c", folder, siblings, skipped).items():
        files[wnid], strays = list_pictures(path)
        skipped += strays
    paths, classes = _labelled(files, "picture", folder)
    return Released(f"{name} {level}", PictureFiles(paths, size=size), classes, tuple(files), tuple(skipped))


def released_imagenet_p(name: str, *, root: str | os.PathLike[str] | None = None, size: Size = None) -> Released:
    """ImageNet-P as released: a clip for each validation picture of ImageNet, in which a perturbation grows or varies.

    ``PERTURBATION/CLASS/*.mp4`` in the folder ``ImageNet-P``. Clips are decoded when frames are asked for, by PyAV
    (``pip install av``). They have about 31 frames; number 0 of a noise is the clean picture.

    name: one of ``IMAGENET_P`` or ``IMAGENET_P_EXTRA``, for noise also with ``_2`` or ``_3``, the stronger
    ones. root: the data folder, or the folder of the perturbations itself; else ``ADLIB_DATA``, else ``data/cache``.
    size: None for frames as they are, 224 x 224, else as in :class:`adlib.datasets.videos.Video`.

    Returns :class:`Released`, whose images are :class:`adlib.datasets.videos.Video`, class after class. See
    :func:`flip_probability` for what to measure on them.
    Raises ValueError for a bad argument or a class without clips, FileNotFoundError where the perturbation, or classes
    that another perturbation has, are missing. Source: Hendrycks and Dietterich, 2019.

    Taught in :doc:`/book/datasets/corruptions`.
    """
    plain = (*IMAGENET_P, *IMAGENET_P_EXTRA)
    stronger = tuple(f"{each}_{level}" for each in plain if each.endswith("_noise") for level in (2, 3))
    check_name(name, plain + stronger)
    folder = _corruption_folder("imagenet_p", name, root, ())
    skipped: list[str] = []
    siblings = [folder.parent / other for other in plain + stronger if other != name]
    files: dict[str, list[Path]] = {}
    for wnid, path in _classes("imagenet_p", folder, siblings, skipped).items():
        files[wnid] = []
        for entry in sorted(path.iterdir()):
            if entry.suffix.lower() == ".mp4" and entry.is_file() and not entry.name.startswith("."):
                files[wnid].append(entry)
            else:
                skipped.append(f"{entry}: {'hidden' if entry.name.startswith('.') else 'not a clip (.mp4)'}")
    paths, classes = _labelled(files, "clip", folder)
    clips = tuple(Video(f"{path.parent.name}/{path.stem}", path, size=size) for path in paths)
    return Released(name, clips, classes, tuple(files), tuple(skipped))
