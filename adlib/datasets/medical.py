"""Photographs of the eye's ground: the LAG database of glaucoma, and whatever has its layout.

Taught in :doc:`/book/datasets/real_world`.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch

from adlib import _checks
from adlib.datasets._decoding import Size
from adlib.datasets._folders import has, held_out, is_folder, list_pictures, nesting, some, subfolders
from adlib.datasets.catalogue import data_folder, find, missing
from adlib.datasets.files import PictureData, PictureFiles

KINDS = ("non_glaucoma", "suspicious_glaucoma")
"""The two folders of LAG. The first is normal."""


def _is_lag(folder: Path) -> bool:
    return all(is_folder(folder / kind) for kind in KINDS)


def _beside(pictures: list[Path], folder: str, suffix: str) -> list[Path]:
    return [path.parents[1] / folder / f"{path.stem}{suffix}" for path in pictures]


def _check_labels(kind: str, pictures: list[Path]) -> list[str]:
    """Label files must agree with the folder. Returns what to tell of files that are not there."""
    files = _beside(pictures, "label", ".txt")
    told = []
    for file in files:
        content = file.read_text("utf-8-sig", errors="replace").strip() if file.is_file() else str(KINDS.index(kind))
        if content != str(KINDS.index(kind)):
            raise ValueError(f"{file} must hold {KINDS.index(kind)} as all of {kind}, got {content[:20]!r}")
    for folder, beside in (("label", files), ("attention_map", _beside(pictures, "attention_map", ".jpg"))):
        if has(pictures[0].parents[1], folder):
            lacking = [file.name for file in beside if not file.is_file()]
            if lacking:
                told.append(f"{beside[0].parent}: lacks {len(lacking)} of {len(beside)}: {some(lacking)}")
    return told


def lag(
    *,
    root: str | os.PathLike[str] | None = None,
    size: Size = 256,
    channels: int = 3,
    test_share: float = 0.2,
) -> PictureData:
    """The LAG database: healthy eyes are normal, eyes with suspected glaucoma anomalous.

    ``non_glaucoma/image/*.jpg`` and ``suspicious_glaucoma/image/*.jpg``. Beside ``image`` lie ``label/ID.txt`` (0 or 1;
    checked against the folder) and ``attention_map/ID.jpg``, see :func:`attention_maps`; both may be missing. root: the
    data folder, which holds ``LAG`` or another usual name, or the folder of the two classes itself, such as that of the
    drawn ``fundus``; else ``ADLIB_DATA``, else ``data/cache``. size, channels: see
    :class:`adlib.datasets.files.PictureFiles`.

    LAG has no split for one-class learning. Here the healthy eyes are sorted by the numbers in their names, the last
    ``test_share`` of them (rounded, at least one) are tested, the others train; all suspected ones are tested. Which
    pictures are of the same patient is not published, so that the two eyes of one may stand on both sides.

    There are no masks: attention maps show where ophthalmologists looked, in healthy eyes too, not what is anomalous.

    Returns :class:`adlib.datasets.files.PictureData`; files passed over, and missing labels or maps, are listed in
    ``skipped``. Raises FileNotFoundError that says what is missing or where the right folder lies, ValueError for a bad
    argument or a label that contradicts its folder.

    Source: Li et al., 2019, https://github.com/smilell/AG-CNN, which gives the counts: 11,760 pictures, 4,878
    suspected; 5,824, 2,392 with attention maps. The part that is sent out has about 4,854, 1,711. The set is sent on
    request only, so the layout was not seen here: it is what public code that reads it agrees on, and two descriptions
    of it, which also say that pictures have 500 x 500 pixels, attention maps 112 x 112.

    Taught in :doc:`/book/datasets/real_world`.
    """
    share = _checks.number("test_share", test_share, "a number above 0 and below 1", 0, 1 - 1e-9, ends=False)
    folder = find("lag", data_folder(root))
    skipped: list[str] = []
    parts = subfolders(folder, skipped)
    lacking = [kind for kind in KINDS if not is_folder(folder / kind / "image")]
    if lacking:
        meant = nesting(folder, _is_lag)
        hint = f"; give root={str(meant[0])!r}" if meant else ""
        raise missing("lag", folder, " and ".join(f"{kind}/image" for kind in lacking) + f" missing{hint}")
    skipped += [f"{path}: not part of the layout" for name, path in parts.items() if name not in KINDS]
    pictures: dict[str, list[Path]] = {}
    for kind in KINDS:
        pictures[kind], strays = list_pictures(folder / kind / "image")
        skipped += strays
        if len(pictures[kind]) < 2:
            raise missing("lag", folder, f"{kind}/image must hold 2 pictures at least, found {len(pictures[kind])}")
        skipped += _check_labels(kind, pictures[kind])
    train, held = held_out(pictures[KINDS[0]], share)
    suspected = pictures[KINDS[1]]
    return PictureData(
        name="lag",
        train=PictureFiles(train, size=size, channels=channels),
        test=PictureFiles(held + suspected, size=size, channels=channels),
        test_labels=torch.tensor([0] * len(held) + [1] * len(suspected)),
        test_kinds=(KINDS[0],) * len(held) + (KINDS[1],) * len(suspected),
        skipped=tuple(skipped),
    )


def attention_maps(pictures: PictureFiles) -> PictureFiles:
    """Where ophthalmologists looked, for pictures of LAG, such as ``lag().test``: (1, H, W) in [0, 1], in their order.

    Li et al., 2019, had physicians diagnose in a simulated eye-tracking experiment. The maps are soft, and healthy eyes
    have one too: where something was looked at, nothing need be wrong. Raises ValueError for a picture without a map.

    Taught in :doc:`/book/datasets/real_world`.
    """
    if not isinstance(pictures, PictureFiles):
        raise ValueError(f"pictures must be PictureFiles, such as lag().test, got {type(pictures).__name__}")
    files = _beside(list(pictures.files), "attention_map", ".jpg")
    lacking = [str(file) for file in files if not file.is_file()]
    if lacking:
        raise ValueError(
            f"pictures must have attention maps, {len(lacking)} of {len(files)} lack theirs: {some(lacking, 3)}"
        )
    return PictureFiles(files, size=pictures.size, channels=1)
