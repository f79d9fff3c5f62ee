"""What a folder holds, how many pictures each split has, and what is missing: before an hour of training, not after.

Taught in :doc:`/book/datasets/real_world`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from adlib import _checks
from adlib.datasets import _labelled, medical
from adlib.datasets._folders import entries, found, has, is_folder, some
from adlib.datasets._layouts import ALL_C, ALL_MNIST_C, ALL_P, layout
from adlib.datasets.campus import avenue, ucsd, video_folder
from adlib.datasets.catalogue import CATALOGUE, MVTEC_COUNTS
from adlib.datasets.corruptions import Released, released_imagenet_c, released_imagenet_p, released_mnist_c
from adlib.datasets.corruptions._released import GROUPS
from adlib.datasets.files import MaskFiles, PictureData
from adlib.datasets.inspection import picture_folder
from adlib.datasets.one_class import one_class
from adlib.datasets.videos import VideoData

_FEW = 10  # lines of one kind that are told


@dataclass
class Report:
    """What one folder is. counts: pictures, or videos and frames, of each split. problems: what is missing or broken.
    notes: what is worth knowing. skipped: files that were passed over, each with the reason.

    Taught in :doc:`/book/datasets/real_world`.
    """

    path: Path
    what: str
    counts: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        wide = max((len(split) for split in self.counts), default=0)
        lines = [str(self.path), f"  {self.what}"]
        lines += [f"  {split:<{wide}}  {count}" for split, count in self.counts.items()]
        lines += [f"  note: {note}" for note in self.notes]
        for title, told in (("passed over", self.skipped), ("problem", self.problems)):
            lines += [f"  {title}: {line}".replace("\n", "\n  ") for line in told[:_FEW]]
            lines += [f"  ... and {len(told) - _FEW} more"] if len(told) > _FEW else []
        return "\n".join([*lines, f"  {'incomplete' if self.problems else 'complete'}"])


def check(path: str | os.PathLike[str], *, read: bool = False, progress: bool = True) -> list[Report]:
    """Say what a folder holds: one data set, one category of one, or a data folder with several sets.

    path: the folder. read: decode every picture, mask and frame as well, which finds broken files and takes as long as
    reading them does; the released files of ImageNet-C and ImageNet-P are counted only. progress: show a bar then.
    Returns a :class:`Report` for each set or category found, in the order of their paths.

    Raises ValueError for a path that is no folder, or a folder in which no layout is known. Folders further in that may
    not be read are listed in ``skipped`` of the first report.

    Taught in :doc:`/book/datasets/real_world`.
    """
    _checks.boolean(read=read, progress=progress)
    folder = _checks.folder("path", path)
    if not is_folder(folder):
        raise ValueError(f"path must be the path of a folder, got {str(path)!r}, which is not there")
    closed: list[Path] = []
    places = _places(folder, 3, set(), closed)
    if not places:
        unread = f", not to be read: {some([str(each) for each in closed], 3)}" if closed else ""
        holds = found(folder) + unread
        raise ValueError(f"path must hold a data set of a known layout, see `adlib data list`; {folder} holds {holds}")
    reports = [_report(place, name, read, progress) for place, name in places]
    reports[0].skipped += [f"{each}: a folder that may not be read" for each in closed]
    return reports


def _places(folder: Path, depth: int, seen: set[Path], closed: list[Path]) -> list[tuple[Path, str]]:
    """Every set in folder and its layout. A set is not looked into any further, nor is any folder twice.

    seen: folders that were looked into, where links really lead. closed: gets those that may not be.
    """
    here = folder.resolve()
    if here in seen:
        return []
    seen.add(here)
    name = layout(folder)
    if name:
        return [(folder, name)]
    try:
        inner = [path for path in entries(folder) if is_folder(path) and not path.name.startswith(".")] if depth else []
    except OSError:
        closed.append(folder)
        return []
    return [place for path in inner for place in _places(path, depth - 1, seen, closed)]


def _report(folder: Path, name: str, read: bool, progress: bool) -> Report:
    report = Report(folder, name)
    try:
        content = _TELL[name](report)
    except (ValueError, OSError, ImportError) as error:
        report.problems.append(str(error))
        return report
    if read:
        _read(report, content, progress)
    return report


def _read(report: Report, content: Iterable[Sequence[Any]], progress: bool) -> None:
    """Decode everything; what cannot be decoded becomes a problem."""
    content = [part for part in content if part is not None]
    bar = tqdm(total=sum(map(len, content)), desc=report.path.name, unit="file", disable=not progress, leave=False)
    with bar:
        for part in content:
            for i in range(len(part)):
                try:
                    if not (isinstance(part, MaskFiles) and part.files[i] is None):
                        part[i]
                except (ValueError, OSError) as error:
                    report.problems.append(str(error))
                bar.update()


def _pictures(report: Report, data: PictureData) -> list[Any]:
    report.counts["train"] = f"{len(data.train):6,} normal"
    kinds = Counter(data.test_kinds)
    anomalous = {kind for kind, label in zip(data.test_kinds, data.test_labels.tolist(), strict=True) if label}
    masked = data.test_masks
    for kind, count in kinds.items():
        told = "anomalous" if kind in anomalous else "normal"
        report.counts[f"test/{kind}"] = f"{count:6,} {told}" + (", with masks" if masked and told != "normal" else "")
    report.skipped += data.skipped
    return [data.train, data.test, masked]


def _category(report: Report) -> list[Any]:
    report.what = "pictures, normal and anomalous"
    data = picture_folder(report.path, size=None)
    content = _pictures(report, data)
    if has(report.path, "normal"):
        report.what += ", without a split: the last fifth of the normal ones is tested"
    released = MVTEC_COUNTS.get(report.path.name)
    if released and has(report.path, "train/good") and not _drawn(report.path):
        kinds = Counter(data.test_kinds)
        good = kinds.pop("good", 0)
        found = (len(data.train), good, kinds.total(), len(kinds))
        told = "{} to train, {} good and {} defective to test, {} kinds of defect"
        if found == released:
            report.notes.append(f"as many pictures as {report.path.name} of MVTec AD has")
        else:
            report.notes.append(
                f"{report.path.name} of MVTec AD has {told.format(*released)}; here are {told.format(*found)}"
            )
    return content


def _drawn(folder: Path) -> bool:
    readme = folder / "readme.txt"
    return readme.is_file() and '"adlib"' in readme.read_text(encoding="utf-8", errors="replace")


def _lag(report: Report) -> list[Any]:
    report.what = "photographs of the eye's ground, as LAG"
    report.notes.append("LAG has no split: the last fifth of the healthy eyes is tested")
    return _pictures(report, medical.lag(root=report.path, size=None))


def _videos(report: Report, data: VideoData) -> list[Any]:
    for split, videos in (("train", data.train), ("test", data.test)):
        frames = sum(map(len, videos))
        odd = sum(int(video.labels.sum()) for video in videos)
        told = f", {odd:,} of them anomalous" if split == "test" else ""
        report.counts[split] = f"{len(videos):6,} videos, {frames:,} frames{told}"
    masked = sum(video.masks is not None for video in data.test)
    report.notes.append(f"{masked} of {len(data.test)} test videos have pixel masks")
    report.skipped += data.skipped
    return [*data.train, *data.test, *(video.masks for video in data.test)]


def _ucsd(report: Report) -> list[Any]:
    name = "ped2" if "ped2" in report.path.name.lower() else "ped1"
    report.what = f"videos, as UCSD {name.capitalize()}"
    return _videos(report, ucsd(name, root=_root(report.path, name)))


def _avenue(report: Report) -> list[Any]:
    report.what = "videos, as CUHK Avenue"
    return _videos(report, avenue(root=_root(report.path, "avenue")))


def _campus(report: Report) -> list[Any]:
    report.what = "videos, as ShanghaiTech Campus"
    return _videos(report, video_folder(report.path))


def _root(folder: Path, name: str) -> Path:
    """The data folder of which folder is the set ``name``, if it has a usual name, else folder itself."""
    for usual in CATALOGUE[name].folders:
        if usual and folder.as_posix().endswith(f"/{usual}"):
            return folder.parents[usual.count("/")]
    return folder


def _idx(report: Report) -> list[Any]:
    for name in ("mnist", "fashion_mnist"):
        if report.path.as_posix().endswith(CATALOGUE[name].folders[0]):
            return _labelled_set(report, name)
    raise ValueError(f"{report.path} must be named MNIST/raw or FashionMNIST/raw, as torchvision names them")


def _labelled_set(report: Report, name: str) -> list[Any]:
    report.what = CATALOGUE[name].title
    content = _labelled.decoded.__wrapped__(name, _root(report.path, name))  # reads all there is, even if it did before
    for split, classes in (("train", content.train_classes), ("test", content.test_classes)):
        each = ", ".join(f"{count:,}" for count in Counter(sorted(classes.tolist())).values())
        report.counts[split] = f"{len(classes):6,} pictures; by class {each}"
    return []


def _imagenet(report: Report) -> list[Any]:
    report.what = "ImageNet-30"
    first = one_class("imagenet", 0, root=report.path)
    content: list[Any] = [first.test]
    report.counts["test"] = f"{len(first.test):6,} pictures in {len(first.class_names)} classes"
    for i, name in enumerate(first.class_names):
        train = one_class("imagenet", i, root=report.path).train
        report.counts[f"train/{name}"] = f"{len(train):6,}"
        content.append(train)
    return content


def _mnist_c(report: Report) -> list[Any]:
    report.what = "MNIST-C"
    there = [name for name in ALL_MNIST_C if has(report.path, name)]
    parts = [(name, split) for name in there for split in ("train", "test")]
    return _corrupted(
        report,
        ALL_MNIST_C,
        {f"{name}/{split}": partial(released_mnist_c, name, split, root=report.path) for name, split in parts},
    )


def _corrupted(report: Report, names: Sequence[str], read: dict[str, Callable[[], Released]]) -> list[Any]:
    """What was not unpacked at all is a note; what was unpacked in part is a problem."""
    absent = [name for name in names if not any(one.partition("/")[0] == name for one in read)]
    if absent:
        report.notes.append(f"not here: {', '.join(absent)}")
    for one, released_files in read.items():
        try:
            released = released_files()
        except (ValueError, OSError) as error:
            report.problems.append(str(error).splitlines()[0])
        else:
            report.counts[one] = f"{len(released.images):6,} in {len(released.class_names):,} classes"
            report.skipped += released.skipped
    return []


def _imagenet_c(report: Report) -> list[Any]:
    report.what = "ImageNet-C"
    there = [name for name in ALL_C if has(report.path, name, *(f"{group}/{name}" for group in GROUPS))]
    levels = [(name, level) for name in there for level in range(1, 6)]
    return _corrupted(
        report,
        ALL_C,
        {f"{name}/{level}": partial(released_imagenet_c, name, level, root=report.path) for name, level in levels},
    )


def _imagenet_p(report: Report) -> list[Any]:
    report.what = "ImageNet-P"
    there = [name for name in ALL_P if has(report.path, name)]
    return _corrupted(report, ALL_P, {name: partial(released_imagenet_p, name, root=report.path) for name in there})


_TELL: dict[str, Callable[[Report], list[Any]]] = {
    "idx": _idx,
    "cifar10": lambda report: _labelled_set(report, "cifar10"),
    "imagenet": _imagenet,
    "mnist_c": _mnist_c,
    "imagenet_p": _imagenet_p,
    "imagenet_c": _imagenet_c,
    "pictures": _category,
    "lag": _lag,
    "ucsd": _ucsd,
    "avenue": _avenue,
    "campus": _campus,
}
