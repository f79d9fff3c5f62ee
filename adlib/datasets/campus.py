"""Videos of walkways: ShanghaiTech Campus, UCSD Ped1 and Ped2, CUHK Avenue, and any folder laid out like them.

All is normal in the training videos. Test videos have a label for every frame; most have a mask for every frame, too.
Nothing is decoded before it is asked for, so that loading a set takes seconds, and next to no memory.

Taught in :doc:`/book/datasets/real_world`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from adlib import _checks
from adlib.datasets import _clips, _video_labels
from adlib.datasets._clips import Clip
from adlib.datasets._decoding import PathLike, Size
from adlib.datasets._folders import Fail, entries, found, has, is_folder, nesting, some
from adlib.datasets.catalogue import CATALOGUE, missing
from adlib.datasets.videos import Video, VideoData

Labels = Mapping[str, tuple[np.ndarray, Path]]  # of each clip, and where they stand
Masks = Mapping[str, Path | tuple[Path, ...]]  # of each clip: what VideoMasks takes

_CAMPUS, _UCSD, _AVENUE = ("training", "testing"), ("Train", "Test"), ("training_videos", "testing_videos")


def shanghaitech(
    *, root: PathLike | None = None, size: Size = None, channels: int = 3, on_corrupt: str = "raise"
) -> VideoData:
    """ShanghaiTech Campus: 13 scenes, 330 training and 107 test videos, frame labels and pixel masks.

    The release has 274,515 training frames, as .avi files at 24 or 25 frames a second, and 40,791 test frames of
    856 x 480; the papers print 42,883 test frames. No test video shows the 13th scene.

    Layout: ``training/videos/*.avi`` or ``training/frames/CLIP/*.jpg`` (extracted with FFmpeg; quicker, and needed to
    draw clips at random), ``testing/frames/CLIP/*.jpg``, ``testing/test_frame_mask/CLIP.npy``,
    ``testing/test_pixel_mask/CLIP.npy``. CLIP is SCENE_VIDEO.

    root: the data folder; else the environment variable ``ADLIB_DATA``, else ``data/cache``. size, channels,
    on_corrupt: as in :class:`adlib.datasets.videos.Video`.

    Returns :class:`adlib.datasets.videos.VideoData`. Raises ValueError for bad arguments and for clips, labels and
    masks that do not fit together, FileNotFoundError for a set that is missing or unpacked in part.
    Source: Liu, Luo, Lian and Gao, 2018; counts of frames as users extracted and published them.

    Taught in :doc:`/book/datasets/real_world`.
    """
    folder = _clips.located("shanghaitech", root, _CAMPUS)
    how = {"size": size, "channels": channels, "on_corrupt": on_corrupt}
    return _campus("shanghaitech", folder, partial(missing, "shanghaitech", folder), how)


def ucsd(
    name: str, *, root: PathLike | None = None, size: Size = None, channels: int = 3, on_corrupt: str = "raise"
) -> VideoData:
    """UCSD Ped1 or Ped2: one walkway each, grey; what is not a pedestrian walking is anomalous.

    name: ``"ped1"``, 34 training clips and 36 test clips of 200 frames, 238 x 158, pixel masks for 10 test clips; or
    ``"ped2"``, 16 training clips (2,550 frames) and 12 test clips (2,010 frames), 360 x 240, pixel masks for all 12.

    Layout: ``Train/Train001/001.tif``, ``Test/Test001/001.tif``, ``Test/Test001_gt/*.bmp`` (masks), and the labels
    in ``Test/UCSDped1.m`` as ranges of frames, a line a clip, or in ``Test/test_frame_mask/Test001.npy``. Copies in
    the layout of :func:`shanghaitech` are read as well. One frame of Ped1, ``Test017/142.tif``, is reported to be
    truncated in the official archive: decoding it raises ValueError with its path, and ``on_corrupt="previous"`` shows
    frame 141 in its place. Labels come from the list, not from the masks.

    root, size, channels, on_corrupt, what is returned and raised: as in :func:`shanghaitech`.
    Source: Mahadevan, Li, Bhalodia and Vasconcelos, 2010; the truncated frame from the comments of users' code.

    Taught in :doc:`/book/datasets/real_world`.
    """
    if name not in ("ped1", "ped2"):
        raise ValueError(f'name must be "ped1" or "ped2", got {name!r}')
    folder = _clips.located(name, root, _UCSD + _CAMPUS)
    fail = partial(missing, name, folder)
    how = {"size": size, "channels": channels, "on_corrupt": on_corrupt}
    if not has(folder, *_UCSD):
        return _campus(name, folder, fail, how)
    _clips.both(folder, _UCSD, fail)
    place = folder / "Test"
    train, skipped = _clips.folders_of_frames(folder / "Train", fail)
    test, passed = _clips.folders_of_frames(place, fail, but=("_gt", "test_frame_mask"))
    masks = {}
    for path in entries(place):
        if is_folder(path) and path.name.endswith("_gt"):
            masks[path.name[:-3]], more = _clips.frames(path)
            passed += more
    list_of_labels = next((path for path in place.iterdir() if path.name.lower() == f"ucsd{name}.m"), None)
    if list_of_labels:
        labels: Labels = _listed(list_of_labels, test)
        passed = [line for line in passed if not line.startswith(f"{list_of_labels}:")]
    else:
        labels, more = _frame_masks(place / "test_frame_mask")
        passed += more
        if not labels:
            raise fail(f"there is neither Test/UCSD{name}.m nor Test/test_frame_mask/CLIP.npy with the labels")
    return _built(name, train, test, labels, masks, skipped + passed, how)


def avenue(
    *, root: PathLike | None = None, size: Size = None, channels: int = 3, on_corrupt: str = "raise"
) -> VideoData:
    """CUHK Avenue: one walkway, 16 training videos (15,328 frames) and 21 test videos (15,324 frames), with masks.

    Layout: ``training_videos/01.avi``, ``testing_videos/01.avi``, and the masks of the test videos in
    ``ground_truth_demo/testing_label_mask/1_label.mat``, there or one folder higher: a MATLAB file whose variable
    ``volLabel`` has a cell of height x width for every frame. A frame is anomalous where its mask has an anomalous
    pixel; these labels are read from the masks when they are first asked for, a few seconds a video. Extracted frames
    in the layout of :func:`shanghaitech` are read as well, with the masks of either kind.
    Some papers use other labels, in which test video 18 is not anomalous throughout: say which you used.

    root, size, channels, on_corrupt, what is returned and raised: as in :func:`shanghaitech`; ImportError where .avi
    files are to be read without PyAV. Source: Lu, Shi and Jia, 2013; counts from Reiss and Hoshen, 2022.

    Taught in :doc:`/book/datasets/real_world`.
    """
    folder = _clips.located("avenue", root, _AVENUE + _CAMPUS, inner="Avenue Dataset")
    fail = partial(missing, "avenue", folder)
    how = {"size": size, "channels": channels, "on_corrupt": on_corrupt}
    places = [place / part for place in (folder, folder.parent) for part in ("ground_truth_demo", "")]
    cells = next((p / "testing_label_mask" for p in places if is_folder(p / "testing_label_mask")), None)
    if not has(folder, *_AVENUE):
        return _campus("avenue", folder, fail, how, cells)
    _clips.both(folder, _AVENUE, fail)
    train, skipped = _clips.movies(folder / "training_videos", fail)
    test, passed = _clips.movies(folder / "testing_videos", fail)
    if cells is None:
        raise fail("there is no ground_truth_demo/testing_label_mask with the masks of the test videos")
    masks, more = _cells(cells, test)
    return _built("avenue", train, test, {}, masks, skipped + passed + more, how)


def video_folder(folder: PathLike, *, size: Size = None, channels: int = 3, on_corrupt: str = "raise") -> VideoData:
    """Your own videos, or the generated plaza: any folder in the layout of ShanghaiTech.

    folder holds ``training/frames/CLIP/*.jpg`` or ``training/videos/*.avi`` (or .mp4), all normal, and ``testing/...``
    likewise, with ``testing/test_frame_mask/CLIP.npy``, (T,) of 0 and 1, for every test clip, or
    ``testing/test_pixel_mask/CLIP.npy``, (T, H, W), or both. Without a frame mask, a frame is anomalous where its pixel
    mask has an anomalous pixel. Frames are ordered by the last number in their names; clips by their names, 2 before
    10. Pictures may have any suffix of ``adlib.datasets.files.SUFFIXES``.

    size, channels, on_corrupt, what is returned and raised: as in :func:`shanghaitech`.

    Taught in :doc:`/book/datasets/real_world`.
    """
    place = _checks.folder("folder", folder)

    def fail(problem: str) -> FileNotFoundError:
        layout = CATALOGUE["shanghaitech"].layout
        return FileNotFoundError(
            f"{place} holds no complete set: {problem}\n  expected: {layout}\n  found: {found(place)}"
        )

    if not is_folder(place):
        raise fail("there is no such folder")
    if not has(place, *_CAMPUS):
        right = nesting(place, lambda path: has(path, *_CAMPUS))
        hint = f"they lie in {right[0]}: give that path" if right else "nor do they lie nearby"
        raise fail(f"there is neither training nor testing; {hint}")
    return _campus(place.name, place, fail, {"size": size, "channels": channels, "on_corrupt": on_corrupt})


# the layout of ShanghaiTech


def _campus(name: str, folder: Path, fail: Fail, how: dict[str, Any], cells: Path | None = None) -> VideoData:
    """The videos of ``training`` and ``testing`` in folder. cells: the folder of Avenue's masks, if there is one."""
    _clips.both(folder, _CAMPUS, fail)
    train, skipped = _split(folder / "training", fail)
    test, passed = _split(folder / "testing", fail)
    labels, more = _frame_masks(folder / "testing" / "test_frame_mask")
    pixels, rest = _clips.files_by_stem(folder / "testing" / "test_pixel_mask", ".npy")
    masks: Masks = pixels
    skipped += passed + more + rest
    if not masks and cells is not None:
        masks, more = _cells(cells, test)
        skipped += more
    if not labels and not masks:
        raise fail("testing has neither test_frame_mask/CLIP.npy nor test_pixel_mask/CLIP.npy: the labels are missing")
    return _built(name, train, test, labels, masks, skipped, how)


def _split(folder: Path, fail: Fail) -> tuple[list[Clip], list[str]]:
    """The clips of one split: of its folder ``frames`` if it is there, else of ``videos``."""
    frames, videos = folder / "frames", folder / "videos"
    if not is_folder(frames):
        if not is_folder(videos):
            raise fail(f"{folder} must hold frames/CLIP/*.jpg or videos/*.avi; it holds {found(folder)}")
        return _clips.movies(videos, fail)
    clips, skipped = _clips.folders_of_frames(frames, fail)
    if is_folder(videos):
        lacking = {clip.name for clip in _clips.movies(videos, fail)[0]} - {clip.name for clip in clips}
        if lacking:
            raise ValueError(f"{frames} lacks {some(sorted(lacking))} of {videos}: extract all movies, or none")
    return clips, skipped


# labels and masks


def _frame_masks(folder: Path) -> tuple[Labels, list[str]]:
    paths, skipped = _clips.files_by_stem(folder, ".npy")
    return {name: (_video_labels.read_frame_labels(path), path) for name, path in paths.items()}, skipped


def _listed(path: Path, test: list[Clip]) -> Labels:
    """The labels of UCSD's list, whose lines have no names: the first line is for the first clip, and so on."""
    lines = _video_labels.read_ranges(path)
    if len(lines) != len(test):
        names = some([clip.name for clip in test])
        raise ValueError(f"{path} has labels of {len(lines)} clips, but there are {len(test)}: {names}")
    labels = {}
    for clip, ranges in zip(test, lines, strict=True):
        if (_clips.number(clip.files[0]), _clips.number(clip.files[-1])) != (1, len(clip.files)):
            names = f"{clip.files[0].name} to {clip.files[-1].name}, {len(clip.files)} in all"
            raise ValueError(
                f"{clip.files[0].parent} must hold all frames from 1 on, as {path.name} counts; got {names}"
            )
        labels[clip.name] = (_video_labels.ranges_to_labels(ranges, len(clip.files), clip.name, path), path)
    return labels


def _cells(folder: Path, test: list[Clip]) -> tuple[Masks, list[str]]:
    """Avenue's masks: ``1_label.mat`` belongs to clip 01."""
    paths, skipped = _clips.files_by_stem(folder, ".mat")
    names = {clip.name.lstrip("0"): clip.name for clip in test}
    numbers = {stem.removesuffix("_label").lstrip("0"): path for stem, path in paths.items()}
    return {names.get(number, number): path for number, path in numbers.items()}, skipped


def _built(
    name: str,
    train: list[Clip],
    test: list[Clip],
    labels: Labels,
    masks: Masks,
    skipped: list[str],
    how: dict[str, Any],
) -> VideoData:
    known = [clip.name for clip in test]
    bare = [each for each in known if each not in labels and each not in masks]
    lost = [each for each in (*labels, *masks) if each not in known]
    if bare:
        raise ValueError(f"{name}: test clips without labels and masks: {some(bare)}")
    if lost:
        raise ValueError(f"{name}: labels or masks of test clips that have no frames: {some(lost)}")
    videos = []
    for clip in test:
        values, path = labels.get(clip.name, (None, None))
        count = len(clip.files) if values is None else len(Video(clip.name, clip.files))  # movies are counted
        if values is not None and len(values) != count:
            first, last = clip.files[0].name, clip.files[-1].name
            raise ValueError(
                f"{path} holds {len(values)} labels, but clip {clip.name} {count} frames, {first} to {last}"
            )
        videos.append(Video(clip.name, clip.files, labels=values, masks=masks.get(clip.name), **how))
    normal = tuple(Video(clip.name, clip.files, **how) for clip in train)
    return VideoData(name, normal, tuple(videos), tuple(skipped))
