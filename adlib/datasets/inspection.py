"""Pictures of products, normal and defective, with masks of the defects: MVTec AD, BTAD, and folders of your own.

A detector learns from normal pictures only and is judged on normal and defective ones it has never seen.

Taught in :doc:`/book/datasets/real_world`.
"""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from adlib import _checks
from adlib.datasets._decoding import Size
from adlib.datasets._folders import Fail, found, has, held_out, is_folder, list_pictures, nesting, some, subfolders
from adlib.datasets.catalogue import data_folder, find, missing
from adlib.datasets.files import MaskFiles, PictureData, PictureFiles

_MASKS = "ground_truth"


def _is_category(folder: Path, normal: Sequence[str] = ("good", "ok")) -> bool:
    return has(folder / "train", *normal)


def _is_pair(folder: Path) -> bool:
    return is_folder(folder / "normal") and is_folder(folder / "abnormal")


# masks


def _masks_of(kind: str, pictures: list[Path], folder: Path | None, fail: Fail, skipped: list[str]) -> list[Path]:
    """One mask a picture, from folder/STEM_mask.* or folder/STEM.*, whatever the suffix."""
    if folder is None:
        raise fail(f"test/{kind} is there, but ground_truth/{kind} is missing")
    files, strays = list_pictures(folder)
    skipped += strays
    masks: dict[str, Path] = {}
    for path in files:
        stem = path.stem.removesuffix("_mask")
        if stem in masks:
            raise ValueError(f"{masks[stem]} and {path} are masks of the same picture: take one away")
        masks[stem] = path
    lacking = [path.name for path in pictures if path.stem not in masks]
    if lacking:
        raise fail(f"ground_truth/{kind} has no mask for {len(lacking)} of {len(pictures)} pictures: {some(lacking)}")
    stems = Counter(path.stem for path in pictures)
    extra = [path.name for stem, path in masks.items() if stem not in stems]
    if extra:
        raise fail(f"test/{kind} has no picture for {len(extra)} of {len(masks)} masks: {some(extra)}")
    twins = [path.name for path in pictures if stems[path.stem] > 1]
    if twins:
        raise ValueError(f"{pictures[0].parent} has pictures that would share one mask: {some(twins)}")
    return [masks[path.stem] for path in pictures]


# the layout of MVTec AD and BTAD


def _split_folder(
    folder: Path, name: str, normal: str, fail: Fail, *, need_masks: bool, size: Size, channels: int
) -> PictureData:
    """A category in folders train, test, ground_truth. normal: the name of the folders of normal pictures."""
    skipped: list[str] = []
    needed = ("train", "test", "ground_truth") if need_masks else ("train", "test")
    parts = subfolders(folder, skipped)
    lacking = [part for part in needed if part not in parts]
    if lacking:
        raise fail(f"{' and '.join(lacking)} missing: was the archive unpacked to its end?")
    skipped += [f"{path}: not part of the layout" for part, path in parts.items() if part not in (*needed, _MASKS)]

    kinds = subfolders(parts["train"], skipped)
    train, strays = list_pictures(kinds[normal]) if normal in kinds else ([], [])
    skipped += [f"{path}: only train/{normal} is learnt from" for kind, path in kinds.items() if kind != normal]
    skipped += strays
    if not train:
        raise fail(f"train/{normal} holds no picture")

    kinds = subfolders(parts["test"], skipped)
    if normal not in kinds or len(kinds) < 2:
        raise fail(f"test must hold {normal} and at least one other folder, found {some(list(kinds)) or 'none'}")
    masked = subfolders(parts[_MASKS], skipped) if _MASKS in parts else {}
    test: list[Path] = []
    test_kinds: list[str] = []
    masks: list[Path | None] = []
    for kind, path in kinds.items():
        pictures, strays = list_pictures(path)
        skipped += strays
        if not pictures:
            raise fail(f"test/{kind} holds no picture")
        test += pictures
        test_kinds += [kind] * len(pictures)
        if kind == normal or _MASKS not in parts:
            masks += [None] * len(pictures)
        else:
            masks += _masks_of(kind, pictures, masked.pop(kind, None), fail, skipped)
    if normal in masked:
        skipped.append(f"{masked.pop(normal)}: normal pictures need no mask")
    if masked:
        raise fail(f"ground_truth/{next(iter(masked))} is there, but test/{next(iter(masked))} is missing")
    return PictureData(
        name=name,
        train=PictureFiles(train, size=size, channels=channels),
        test=PictureFiles(test, size=size, channels=channels),
        test_labels=torch.tensor([int(kind != normal) for kind in test_kinds]),
        test_kinds=tuple(test_kinds),
        test_masks=MaskFiles(masks, test, size=size) if _MASKS in parts else None,
        skipped=tuple(skipped),
    )


def _category(
    name: str, argument: str, category: str, normal: str, root: str | os.PathLike[str] | None
) -> tuple[Path, Fail]:
    """The folder of a category of the set name, and the error to raise where something is missing in it."""
    if not isinstance(category, str) or not category or category in (".", "..") or Path(category).name != category:
        raise ValueError(f"{argument} must be the name of a folder, such as those of {name}, got {category!r}")
    whole = find(name, data_folder(root))
    folder = whole / category
    if has(folder, "train", "test", _MASKS):
        return folder, lambda problem: missing(name, folder, problem)
    problem = f"no {argument} {category!r}"
    present = sorted(path.name for path in whole.iterdir() if _is_category(path, (normal,)))
    above = [path for path in (whole, *whole.parents[:2]) if _is_category(path, (normal,))]
    places = (whole.glob(f"{above}/{glob.escape(category)}") for above in ("*", "*/*"))
    deeper = [path for paths in places for path in sorted(paths) if _is_category(path, (normal,))]
    if above:
        problem += f"; root is the folder of one {argument}, or in it: give root={str(above[0].parent)!r}"
    elif deeper:
        problem += f"; it lies deeper: give root={str(deeper[0].parent)!r}"
    elif present:
        problem += f"; there are {some(present, 15)}"
    raise missing(name, whole, problem)


def mvtec(
    category: str, *, root: str | os.PathLike[str] | None = None, size: Size = 256, channels: int = 3
) -> PictureData:
    """A category of MVTec AD, such as ``"bottle"``, or any set in its layout, such as the drawn ``factory``.

    ``CATEGORY/train/good``, ``CATEGORY/test/good``, ``CATEGORY/test/DEFECT`` and for each picture of a defect
    ``CATEGORY/ground_truth/DEFECT/ID_mask.png``. root: the data folder, which holds ``mvtec_anomaly_detection`` or
    another usual name, or the folder of the categories itself; else ``ADLIB_DATA``, else ``data/cache``. size,
    channels: see :class:`adlib.datasets.files.PictureFiles`.

    Returns :class:`adlib.datasets.files.PictureData`, kinds and pictures sorted by the numbers in their names. What is
    neither picture nor part of the layout (``Thumbs.db``, ``license.txt``) is passed over and listed in ``skipped``.
    Raises FileNotFoundError that says what is missing: the category, a split, masks (which), or where the category
    lies if root is a level too high or too low. A broken picture, or a mask of another size than its picture, raises
    ValueError when it is read.

    Source: Bergmann et al., 2021: 15 categories, 3,629 pictures to train, 467 normal and 1,258 defective to test.

    Taught in :doc:`/book/datasets/real_world`.
    """
    folder, fail = _category("mvtec", "category", category, "good", root)
    return _split_folder(folder, category, "good", fail, need_masks=True, size=size, channels=channels)


def btad(
    product: str, *, root: str | os.PathLike[str] | None = None, size: Size = 256, channels: int = 3
) -> PictureData:
    """A product of BTAD: ``"01"``, ``"02"`` or ``"03"``.

    ``PRODUCT/train/ok``, ``PRODUCT/test/ok``, ``PRODUCT/test/ko`` and ``PRODUCT/ground_truth/ko``, where the mask has
    the name of the picture, be it .bmp or .png. Some masks hold no anomalous pixel; their pictures are labelled
    anomalous all the same, and ``test_masks.empty()`` tells which they are. All else as in :func:`mvtec`.

    Source: Mishra et al., 2021. The release holds 1,799 + 741 pictures, 290 of them anomalous. Sources disagree on how
    many training pictures 02 and 03 have: 1,000 and 399, or the other way round; ``len(train)`` counts them.

    Taught in :doc:`/book/datasets/real_world`.
    """
    folder, fail = _category("btad", "product", product, "ok", root)
    return _split_folder(folder, product, "ok", fail, need_masks=True, size=size, channels=channels)


# any folder


def picture_folder(
    folder: str | os.PathLike[str],
    *,
    size: Size = 256,
    channels: int = 3,
    test_share: float = 0.2,
    test_runs: int = 1,
) -> PictureData:
    """A folder of your own, in one of two layouts.

    - ``train/good``, ``test/good``, ``test/DEFECT`` as MVTec AD, or with ``ok`` for ``good`` as BTAD. Masks in
      ``ground_truth/DEFECT/ID_mask.png`` or ``ID.png``; without a folder ``ground_truth`` there are none. With it,
      every defective picture needs one.
    - ``normal/`` and ``abnormal/``. Then there is no split, and one is made: normal pictures are sorted by the numbers
      in their names, the last ``test_share`` of them (rounded, at least one) are tested, the others train. All abnormal
      ones are tested.

    The normal pictures are cut once because neighbours in a series of photographs look alike: drawn at random, nearly
    the same picture would train and test, and every detector would look good. The price is that light or camera may
    have changed by the end of the series; then normal test pictures look odd. ``test_runs=5`` parts the series into
    five stretches and tests the last ones of each: more like the training pictures, in both senses.

    size, channels: see :class:`adlib.datasets.files.PictureFiles`. test_share (above 0, below 1) and test_runs (1 or
    more) mean nothing in the first layout.

    Returns :class:`adlib.datasets.files.PictureData`, named as the folder. Raises FileNotFoundError that says what is
    missing, or where the right folder lies if this one is a level too high or too low; ValueError for a bad argument.

    Taught in :doc:`/book/datasets/real_world`.
    """
    path = _checks.folder("folder", folder)
    share = _checks.number("test_share", test_share, "a number above 0 and below 1", 0, 1 - 1e-9, ends=False)
    runs = _checks.integer("test_runs", test_runs, 1)

    def fail(problem: str) -> FileNotFoundError:
        return FileNotFoundError(
            f"{path} cannot be read as a folder of pictures: {problem}\n"
            "  expected: train/good/*, test/good/*, test/DEFECT/*, perhaps ground_truth/DEFECT/*_mask.png; "
            "or the same with ok for good; or normal/* and abnormal/*\n"
            f"  found: {found(path)}"
        )

    if not is_folder(path):
        raise fail("there is no such folder")
    if _is_category(path):
        normal = "good" if _is_category(path, ("good",)) else "ok"
        return _split_folder(path, path.name, normal, fail, need_masks=False, size=size, channels=channels)
    if _is_pair(path):
        train, held, abnormal, skipped = _pair(path, share, runs, fail)
        return PictureData(
            name=path.name,
            train=PictureFiles(train, size=size, channels=channels),
            test=PictureFiles(held + abnormal, size=size, channels=channels),
            test_labels=torch.tensor([0] * len(held) + [1] * len(abnormal)),
            test_kinds=("normal",) * len(held) + ("abnormal",) * len(abnormal),
            skipped=tuple(skipped),
        )
    meant = nesting(path, lambda each: _is_category(each) or _is_pair(each))
    if meant:
        raise fail(f"it is a level too high or too low; give {some([str(each) for each in meant], 4)}")
    lacking = [name for name in ("train/good", "train/ok", "normal", "abnormal") if not is_folder(path / name)]
    raise fail(f"{', '.join(lacking)} missing")


def _pair(path: Path, share: float, runs: int, fail: Fail) -> tuple[list[Path], list[Path], list[Path], list[str]]:
    """Normal pictures to train and to test, abnormal ones, and what was passed over."""
    skipped: list[str] = []
    others = subfolders(path, skipped)
    skipped += [
        f"{each}: not part of the layout" for name, each in others.items() if name not in ("normal", "abnormal")
    ]
    normal, strays = list_pictures(path / "normal")
    abnormal, more = list_pictures(path / "abnormal")
    if len(normal) < 2 or not abnormal:
        raise fail(f"normal must hold 2 pictures, abnormal 1 at least, found {len(normal)} and {len(abnormal)}")
    return *held_out(normal, share, runs), abnormal, skipped + strays + more
