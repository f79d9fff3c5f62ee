"""Video sets in their true layouts, tiny, and the real Ped1 where it is: labels, masks, what an archive may lack."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from PIL import Image

from adlib.datasets import campus
from adlib.datasets.campus import avenue, shanghaitech, ucsd, video_folder
from adlib.datasets.videos import VideoData

try:
    import av
except ImportError:
    av = None
needs_av = pytest.mark.skipif(av is None, reason="no PyAV")
REAL = Path(os.environ.get("ADLIB_DATA") or Path(__file__).parents[3] / "shared" / "data")

HEIGHT, WIDTH = 12, 16


def frame(number: int) -> np.ndarray:
    """(H, W, 3) with its number in the pixels."""
    return np.full((HEIGHT, WIDTH, 3), number, np.uint8)


def write_frames(folder: Path, count: int, name: str = "{:03d}.png", first: int = 0, grey: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        picture = Image.fromarray(frame(first + i))
        (picture.convert("L") if grey else picture).save(folder / name.format(first + i))
    return folder


def write_movie(path: Path, count: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "bgr0"
        for i in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame(i), format="rgb24")))
        container.mux(stream.encode())


def masks(labels: np.ndarray) -> np.ndarray:
    """(T, H, W) with a rectangle that moves in anomalous frames."""
    result = np.zeros((len(labels), HEIGHT, WIDTH), np.uint8)
    for i in np.flatnonzero(labels):
        result[i, 3:7, i : i + 4] = 1
    return result


def numbers(video) -> list[int]:
    """The numbers in the pixels of all frames."""
    return (video[:].mean((1, 2, 3)) * 255).round().int().tolist()


# ShanghaiTech

LABELS = {"01_002": [0, 0, 1, 1, 0], "01_010": [1, 0, 0, 0], "12_001": [0, 1, 1]}


def write_campus(folder: Path, *, frame_masks: bool = True, pixel_masks: bool = True) -> Path:
    for name, count in (("01_10", 4), ("01_2", 6)):
        write_frames(folder / "training/frames" / name, count, "{}.jpg")
    for kind in ("test_frame_mask", "test_pixel_mask"):
        (folder / "testing" / kind).mkdir(parents=True)
    for name, labels in LABELS.items():
        write_frames(folder / "testing/frames" / name, len(labels), "{:03d}.jpg")
        if frame_masks:
            np.save(folder / f"testing/test_frame_mask/{name}.npy", np.array(labels, np.int8))
        if pixel_masks:
            np.save(folder / f"testing/test_pixel_mask/{name}.npy", masks(np.array(labels)).astype(bool))
    return folder


@pytest.mark.parametrize("place", ["shanghaitech", "ShanghaiTech", ""])
def test_shanghaitech(tmp_path, place):
    write_campus(tmp_path / place)
    data = shanghaitech(root=tmp_path)
    assert isinstance(data, VideoData) and data.name == "shanghaitech" and data.skipped == ()
    assert [video.name for video in data.train] == ["01_2", "01_10"]  # 2 before 10
    assert [len(video) for video in data.train] == [6, 4]
    assert not any(video.labels.any() or video.masks is not None for video in data.train)
    assert {video.name: video.labels.tolist() for video in data.test} == LABELS
    for video in data.test:
        assert video.shape == (len(LABELS[video.name]), 3, HEIGHT, WIDTH)
        np.testing.assert_array_equal(video.masks[:], masks(np.array(LABELS[video.name])))
    assert numbers(data.train[0]) == list(range(6))


def test_frames_are_ordered_by_number(tmp_path):
    """10.jpg comes after 9.jpg, as a sort of characters would not have it."""
    write_campus(tmp_path)
    shutil.rmtree(tmp_path / "training/frames/01_2")
    write_frames(tmp_path / "training/frames/01_2", 12, "{}.png")
    assert numbers(shanghaitech(root=tmp_path).train[0]) == list(range(12))


def test_size_channels_and_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("ADLIB_DATA", str(write_campus(tmp_path)))
    data = shanghaitech(size=(6, 8), channels=1)
    assert data.train[0][0].shape == (1, 6, 8) and data.test[0][1:3].shape == (2, 1, 6, 8)
    assert data.test[0].masks[:].shape == (5, 6, 8)
    assert shanghaitech(size=7).test[1].shape == (4, 3, 7, 7)
    for argument, value in (("size", 0), ("channels", 4), ("on_corrupt", "drop")):
        with pytest.raises(ValueError, match=f"{argument} must be"):
            shanghaitech(**{argument: value})


@needs_av
def test_training_movies_as_released(tmp_path):
    write_campus(tmp_path)
    shutil.rmtree(tmp_path / "training/frames")
    for name, count in (("01_002", 7), ("01_001", 5)):
        write_movie(tmp_path / f"training/videos/{name}.avi", count)
    (tmp_path / "training/videos/readme.txt").touch()
    data = shanghaitech(root=tmp_path)
    assert [(video.name, len(video)) for video in data.train] == [("01_001", 5), ("01_002", 7)]
    assert numbers(data.train[1]) == list(range(7))
    assert not data.train[0].labels.any() and len(data.train[0].labels) == 5
    assert len(data.skipped) == 1 and "readme.txt: not a file .avi or .mp4" in data.skipped[0]
    write_frames(tmp_path / "training/frames/01_001", 5)
    with pytest.raises(
        ValueError, match=r"training/frames lacks 01_002 of .*training/videos: extract all movies, or none"
    ):
        shanghaitech(root=tmp_path)
    write_frames(tmp_path / "training/frames/01_002", 7)
    assert len(shanghaitech(root=tmp_path).train[0].files) == 5  # frames are quicker to read


def test_movies_are_not_opened_before_they_are_asked_for(tmp_path):
    write_campus(tmp_path)
    shutil.rmtree(tmp_path / "training/frames")
    (tmp_path / "training/videos").mkdir()
    (tmp_path / "training/videos/01_001.avi").write_bytes(b"broken")
    assert shanghaitech(root=tmp_path).train[0].name == "01_001"


def test_a_missing_set_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        shanghaitech(root=tmp_path)
    for part in ("shanghaitech is not complete", "training/videos/*.avi", "https://svip-lab.github.io", "ADLIB_DATA"):
        assert part in str(caught.value)


# a folder in this layout


def test_a_folder_of_your_own(tmp_path):
    folder = write_campus(tmp_path / "station")
    data = video_folder(folder)
    assert data.name == "station"
    assert {video.name: video.labels.tolist() for video in data.test} == LABELS
    assert data.sha256() != video_folder(str(folder), size=8).sha256()
    with pytest.raises(ValueError, match="folder must be the path of a folder, got 3"):
        video_folder(3)


def test_labels_from_pixel_masks_alone_and_from_frame_masks_alone(tmp_path):
    pixels = video_folder(write_campus(tmp_path / "a", frame_masks=False))
    frames = video_folder(write_campus(tmp_path / "b", pixel_masks=False))
    for data in (pixels, frames):
        assert {video.name: video.labels.tolist() for video in data.test} == LABELS
    assert all(video.masks is not None for video in pixels.test)
    assert all(video.masks is None for video in frames.test)


def test_frame_masks_win_over_pixel_masks(tmp_path):
    folder = write_campus(tmp_path)
    np.save(folder / "testing/test_frame_mask/12_001.npy", np.array([1.0, 0.0, 0.0]))
    video = video_folder(folder).test[2]
    assert video.labels.tolist() == [1, 0, 0]
    assert video.masks.any_pixel().tolist() == LABELS["12_001"]


def test_every_fifth_frame_makes_a_clip_too(tmp_path):
    folder = write_campus(tmp_path)
    for i in range(0, 40, 5):
        write_frames(folder / "training/frames/03", 1, first=i)
    assert numbers(video_folder(folder).train[2]) == list(range(0, 40, 5))


@needs_av
def test_test_movies_with_frame_masks(tmp_path):
    folder = write_campus(tmp_path, pixel_masks=False)
    shutil.rmtree(folder / "testing/frames")
    for name, labels in LABELS.items():
        write_movie(folder / f"testing/videos/{name}.mp4".replace(".mp4", ".avi"), len(labels))
    assert {video.name: video.labels.tolist() for video in video_folder(folder).test} == LABELS
    np.save(folder / "testing/test_frame_mask/12_001.npy", np.zeros(4))
    with pytest.raises(ValueError, match=r"12_001.npy holds 4 labels, but clip 12_001 3 frames, 12_001.avi"):
        video_folder(folder)


# what may be wrong with a folder


def remove(*parts):
    def damage(folder: Path) -> None:
        for part in parts:
            (shutil.rmtree if (folder / part).is_dir() else os.remove)(folder / part)

    return damage


def save(part, content):
    return lambda folder: np.save(folder / part, content)


def rename(part, name):
    return lambda folder: (folder / part).rename(folder / name)


def empty(part):
    def damage(folder: Path) -> None:
        shutil.rmtree(folder / part)
        (folder / part).mkdir()

    return damage


FRAMES, FRAME_MASK, PIXEL_MASK = "testing/frames/01_002", "testing/test_frame_mask", "testing/test_pixel_mask"


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (
            remove("testing"),
            FileNotFoundError,
            "there is training, but no testing: was the archive unpacked to its end",
        ),
        (remove("training"), FileNotFoundError, "there is testing, but no training"),
        (remove("training", "testing"), FileNotFoundError, "there is neither training nor testing"),
        (
            remove("testing/frames"),
            FileNotFoundError,
            "testing must hold frames/CLIP/.*it holds test_frame_mask, test_pix",
        ),
        (empty("testing/frames"), FileNotFoundError, "testing/frames must hold a folder of frames .* it holds nothing"),
        (remove(FRAME_MASK, PIXEL_MASK), FileNotFoundError, "testing has neither test_frame_mask/CLIP.npy nor"),
        (
            remove(f"{FRAME_MASK}/01_010.npy", f"{PIXEL_MASK}/01_010.npy"),
            ValueError,
            "without labels and masks: 01_010$",
        ),
        (remove(FRAMES), ValueError, "labels or masks of test clips that have no frames: 01_002"),
        (empty(FRAMES), ValueError, "01_002 must hold frames, but there are none; found: nothing"),
        (
            save(f"{FRAME_MASK}/01_002.npy", np.zeros(7)),
            ValueError,
            "holds 7 labels, but clip 01_002 5 frames, 000.jpg to 004",
        ),
        (remove(f"{FRAMES}/004.jpg"), ValueError, "holds 5 labels, but clip 01_002 4 frames, 000.jpg to 003.jpg"),
        (
            save(f"{PIXEL_MASK}/01_002.npy", masks(np.ones(6))),
            ValueError,
            "01_002 has 5 frames, but 6 masks in .*01_002.npy",
        ),
        (
            save(f"{FRAME_MASK}/01_002.npy", np.arange(5)),
            ValueError,
            r"must hold 0 \(normal\) and 1 \(anomalous\), got 2",
        ),
        (
            save(f"{FRAME_MASK}/01_002.npy", np.zeros((5, 2))),
            ValueError,
            r"must have the shape \(frames,\), got \(5, 2\)",
        ),
        (remove(f"{FRAMES}/002.jpg"), ValueError, "01_002: frames are missing between 001.jpg and 003.jpg"),
        (
            rename(f"{FRAMES}/003.jpg", f"{FRAMES}/02.jpg"),
            ValueError,
            r"01_002: (002|02)\.jpg and (002|02)\.jpg have the same number",
        ),
        (
            lambda folder: [rename(f"{FRAMES}/{i:03d}.jpg", f"{FRAMES}/x{i}.jpg")(folder) for i in (0, 4)],
            ValueError,
            "the frames of one clip, but names are of several kinds",
        ),
        (rename("testing/frames", "testing/frame"), FileNotFoundError, "testing must hold frames/CLIP"),
    ],
)
def test_folders_that_do_not_fit_together(tmp_path, damage, error, message):
    folder = write_campus(tmp_path / "set")
    damage(folder)
    with pytest.raises(error, match=message) as caught:
        video_folder(folder)
    if error is FileNotFoundError:
        assert str(folder) in str(caught.value) and "expected: training/videos/*.avi" in str(caught.value)


def test_broken_arrays_are_named(tmp_path):
    folder = write_campus(tmp_path)
    (folder / FRAME_MASK / "01_002.npy").write_bytes(b"")
    with pytest.raises(ValueError, match=r"01_002\.npy cannot be read as a \.npy array"):
        video_folder(folder)


def test_frames_directly_in_frames_or_one_level_lower(tmp_path):
    folder = write_campus(tmp_path / "a")
    shutil.rmtree(folder / "training/frames")
    write_frames(folder / "training/frames", 3)
    with pytest.raises(
        FileNotFoundError, match=r"training/frames must hold a folder of frames for every clip; it holds 000"
    ):
        video_folder(folder)
    folder = write_campus(tmp_path / "b")
    shutil.move(folder / FRAMES, folder / "testing/x")
    shutil.move(folder / "testing/x", folder / FRAMES / "01_002")
    with pytest.raises(ValueError, match=r"frames, but they lie one level lower, in .*01_002/01_002: move them up"):
        video_folder(folder)


def test_wrong_nesting_names_the_right_path(tmp_path):
    folder = write_campus(tmp_path / "zip/SHTech_copy")
    for wrong in (tmp_path, tmp_path / "zip", folder / "training", folder / "training/frames"):
        with pytest.raises(FileNotFoundError, match=f"they lie in {folder}: give that path"):
            video_folder(wrong)
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        video_folder(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=f"its folders lie in {folder}: move them to"):
        shanghaitech(root=tmp_path)


def test_wrong_roots_of_a_named_set(tmp_path):
    folder = write_ucsd(tmp_path / "data/UCSD_Anomaly_Dataset.v1p2/UCSDped2", "ped2")
    assert len(ucsd("ped2", root=tmp_path / "data").test) == 3
    for wrong in (folder, folder / "Train"):
        with pytest.raises(FileNotFoundError, match=f"it lies in {folder}: give root='{tmp_path / 'data'}'"):
            ucsd("ped2", root=wrong)
    with pytest.raises(FileNotFoundError, match="ped1 is not complete") as caught:
        ucsd("ped1", root=tmp_path / "data")
    assert "UCSDped2" not in str(caught.value).split("found:")[0]
    write_campus(tmp_path / "data/plaza")
    with pytest.raises(FileNotFoundError) as caught:
        shanghaitech(root=tmp_path / "data")
    assert "lie in" not in str(caught.value), "the folders of another set are no hint"
    moved = shutil.move(folder, tmp_path / "mine")
    with pytest.raises(FileNotFoundError, match=f"its folders lie in {moved}: move them to {moved}/UCSD_Anomaly"):
        ucsd("ped2", root=moved)
    shutil.copytree(moved, tmp_path / "top/ped2/ped2_unzipped")
    with pytest.raises(FileNotFoundError, match=r"its folders lie in .*ped2/ped2_unzipped: move them to"):
        ucsd("ped2", root=tmp_path / "top")


def test_stray_files_are_passed_over_and_told(tmp_path):
    folder = write_campus(tmp_path)
    strays = [
        *("training/frames/Thumbs.db", "training/frames/01_2/Thumbs.db", "training/frames/01_2/.DS_Store"),
        *(f"{FRAMES}/._001.jpg", f"{FRAMES}/notes.txt", f"{FRAME_MASK}/.DS_Store", f"{PIXEL_MASK}/readme.md"),
    ]
    for part in strays:
        (folder / part).write_bytes(b"x")
    (folder / "training/frames/__MACOSX").mkdir()
    Image.fromarray(frame(0)).save(folder / "training/frames/01_2/cover.jpg")
    Image.fromarray(frame(0)).save(folder / "testing/frames/preview.jpg")
    data = video_folder(folder)
    assert numbers(data.train[0]) == list(range(6)) and len(data.test[0]) == 5
    told = {line.split(": ")[0] for line in data.skipped}
    expected = [*strays, "training/frames/__MACOSX", "training/frames/01_2/cover.jpg", "testing/frames/preview.jpg"]
    assert told == {str(folder / part) for part in expected}
    assert any("cover.jpg: not named #.jpg like the other frames" in line for line in data.skipped)


def test_frames_of_unequal_size_and_corrupt_ones(tmp_path):
    folder = write_campus(tmp_path)
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(folder / FRAMES / "003.jpg")
    with pytest.raises(ValueError, match=r"003\.jpg has 6 x 8 pixels"):
        video_folder(folder).test[0][:]
    path = folder / FRAMES / "003.jpg"
    path.write_bytes(path.read_bytes()[:100])
    data = video_folder(folder)  # nothing is decoded yet
    with pytest.raises(ValueError, match="cannot be read as a picture") as caught:
        data.test[0][:]
    assert str(path) in str(caught.value)
    for read in (video_folder(folder, on_corrupt="previous"), shanghaitech(root=folder, on_corrupt="previous")):
        with pytest.warns(UserWarning, match=r"003\.jpg"):
            assert numbers(read.test[0]) == [0, 1, 2, 2, 4]


# UCSD

PED = {"Test001": "[3:5]", "Test002": "[1:2, 5:6]", "Test003": "[1:4]"}
PED_LABELS = {"Test001": [0, 0, 1, 1, 1, 0], "Test002": [1, 1, 0, 0, 1, 1], "Test003": [1, 1, 1, 1]}


def write_list(path: Path, clips: dict[str, str]) -> None:
    """As MATLAB's own: clips by their order, not by name."""
    lines = [f"TestVideoFile{{end+1}}.gt_frame = {ranges};" for ranges in clips.values()]
    path.write_text("\n".join(["TestVideoFile = {};", *lines]) + "\n", encoding="latin-1")


def write_ucsd(folder: Path, name: str) -> Path:
    for clip, count in (("Train001", 5), ("Train002", 4), ("Train010", 3)):
        write_frames(folder / "Train" / clip, count, "{:03d}.tif", first=1, grey=True)
    for clip, labels in PED_LABELS.items():
        write_frames(folder / "Test" / clip, len(labels), "{:03d}.tif", first=1, grey=True)
        if clip != "Test002" or name == "ped2":
            place = folder / "Test" / f"{clip}_gt"
            place.mkdir()
            for i, mask in enumerate(masks(np.array(labels)), 1):
                Image.fromarray(mask * np.uint8(255)).save(place / f"{i:03d}.bmp")
    write_list(folder / f"Test/UCSD{name}.m", PED)
    return folder


@pytest.mark.parametrize("name", ["ped1", "ped2"])
@pytest.mark.parametrize("place", ["UCSD_Anomaly_Dataset.v1p2/UCSD{}", "UCSD{}", "{}"])
def test_ucsd_as_released(tmp_path, name, place):
    folder = write_ucsd(tmp_path / place.format(name), name)
    data = ucsd(name, root=tmp_path)
    assert data.name == name and data.skipped == ()
    assert [(video.name, len(video)) for video in data.train] == [("Train001", 5), ("Train002", 4), ("Train010", 3)]
    assert {video.name: video.labels.tolist() for video in data.test} == PED_LABELS
    for video in data.test:
        if video.masks is None:
            assert (name, video.name) == ("ped1", "Test002")
        else:
            np.testing.assert_array_equal(video.masks[:], masks(np.array(PED_LABELS[video.name])))
    assert numbers(data.test[0]) == [1, 2, 3, 4, 5, 6]
    assert data.test[0].shape[1] == 3 and ucsd(name, root=tmp_path, channels=1).test[0].shape[1] == 1
    (folder / "Test" / f"UCSD{name}.m").rename(folder / "Test" / f"ucsd{name.upper()}.m")
    assert [video.labels.tolist() for video in ucsd(name, root=tmp_path).test] == list(PED_LABELS.values())


def test_ucsd_with_labels_as_arrays(tmp_path):
    folder = write_ucsd(tmp_path / "ped1", "ped1")
    (folder / "Test/UCSDped1.m").unlink()
    with pytest.raises(FileNotFoundError, match=r"neither Test/UCSDped1\.m nor Test/test_frame_mask/CLIP\.npy"):
        ucsd("ped1", root=tmp_path)
    (folder / "Test/test_frame_mask").mkdir()
    for clip, labels in PED_LABELS.items():
        np.save(folder / f"Test/test_frame_mask/{clip}.npy", labels)
    assert {video.name: video.labels.tolist() for video in ucsd("ped1", root=tmp_path).test} == PED_LABELS


def test_ucsd_in_the_layout_of_shanghaitech(tmp_path):
    write_campus(tmp_path / "ucsd_ped1")
    data = ucsd("ped1", root=tmp_path)
    assert data.name == "ped1" and {video.name: video.labels.tolist() for video in data.test} == LABELS


def test_ucsd_strays(tmp_path):
    folder = write_ucsd(tmp_path / "ped1", "ped1")
    strays = ["Test/UCSDped1.m~", "Test/._UCSDped1.m", "Test/Test001/._002.tif", "Test/Test001/Thumbs.db"]
    for part in (*strays, "Test/Test001_gt/.DS_Store"):
        (folder / part).write_bytes(b"x")
    data = ucsd("ped1", root=tmp_path)
    assert [video.labels.tolist() for video in data.test] == list(PED_LABELS.values())
    assert {line.split(": ")[0] for line in data.skipped} == {
        str(folder / part) for part in (*strays, "Test/Test001_gt/.DS_Store")
    }


def test_ucsd_with_a_truncated_frame(tmp_path):
    """As Test017/142.tif of Ped1 is said to be."""
    folder = write_ucsd(tmp_path / "ped1", "ped1")
    path = folder / "Test/Test001/004.tif"
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(ValueError, match=r"Test001/004\.tif cannot be read as a picture"):
        ucsd("ped1", root=tmp_path).test[0][:]
    with pytest.warns(UserWarning, match=r"Test001/004\.tif"):
        assert numbers(ucsd("ped1", root=tmp_path, on_corrupt="previous").test[0]) == [1, 2, 3, 3, 5, 6]


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (remove("Test"), FileNotFoundError, "there is Train, but no Test"),
        (remove("Train"), FileNotFoundError, "there is Test, but no Train"),
        (empty("Train"), FileNotFoundError, "Train must hold a folder of frames for every clip; it holds nothing"),
        (remove("Test/Test002"), ValueError, "UCSDped2.m has labels of 3 clips, but there are 2: Test001, Test003"),
        (remove("Test/Test002_gt/003.bmp"), ValueError, "Test002_gt: frames are missing between 002.bmp and 004.bmp"),
        (remove("Test/Test002_gt/006.bmp"), ValueError, "video Test002 has 6 frames, but 5 masks in .*Test002_gt"),
        (remove("Test/Test001/006.tif"), ValueError, "video Test001 has 5 frames, but 6 masks in .*Test001_gt"),
        (
            remove("Test/Test002/006.tif"),
            ValueError,
            "calls frame 6 of Test002 anomalous, but its folder holds 5 frames",
        ),
        (
            remove("Test/Test001/001.tif"),
            ValueError,
            "Test001 must hold all frames from 1 on, .* got 002.tif to 006.tif, 5",
        ),
        (rename("Test/Test002_gt", "Test/Test007_gt"), ValueError, "masks of test clips that have no frames: Test007"),
    ],
)
def test_ucsd_half_unpacked(tmp_path, damage, error, message):
    damage(write_ucsd(tmp_path / "ped2", "ped2"))
    with pytest.raises(error, match=message):
        ucsd("ped2", root=tmp_path)


def test_ucsd_lists_count_every_frame(tmp_path):
    """Of a copy that keeps every second frame, frame 3 of the list would not be the third."""
    folder = write_ucsd(tmp_path / "ped1", "ped1")
    shutil.rmtree(folder / "Test/Test002")
    for i in range(1, 12, 2):
        write_frames(folder / "Test/Test002", 1, "{:03d}.tif", first=i)
    with pytest.raises(ValueError, match=r"Test002 must hold all frames from 1 on.*got 001\.tif to 011\.tif, 6 in all"):
        ucsd("ped1", root=tmp_path)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("TestVideoFile{end+1}.gt_frame = [2];", [0, 1, 0, 0]),
        ("TestVideoFile{ end + 1 }.gt_frame=[1 3:4]", [1, 0, 1, 1]),
        ("  TestVideoFile{1}.gt_frame = [ 1:2,4:4 ] ;  % two events", [1, 1, 0, 1]),
        ("% TestVideoFile{end+1}.gt_frame = [1:4];\r\nTestVideoFile{end+1}.gt_frame = [];\r\n", [0, 0, 0, 0]),
    ],
)
def test_lists_as_matlab_would_read_them(tmp_path, text, labels):
    folder = write_ucsd(tmp_path / "ped1", "ped1")
    for clip in ("Test001", "Test002"):
        shutil.rmtree(folder / "Test" / clip)
        shutil.rmtree(folder / "Test" / f"{clip}_gt", ignore_errors=True)
    (folder / "Test/UCSDped1.m").write_text(f"TestVideoFile = {{}};\n{text}")
    assert ucsd("ped1", root=tmp_path).test[0].labels.tolist() == labels


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no line like TestVideoFile"),
        ("gt = [1:2];", "holds no line like TestVideoFile"),
        ("TestVideoFile{end+1}.gt_frame = 1:2;", "line 1, must read like .*got 'TestVideoFile"),
        ("TestVideoFile{end+1}.gt_frame = [1:n];", "line 1, must read like"),
        ("TestVideoFile{2}.gt_frame = [1:2];", "line 1, must read like"),
        ("x.gt_frame = [1:2];", "line 1, must read like"),
        (
            "\nTestVideoFile{end+1}.gt_frame = [4:2];",
            r"line 2: \[4:2\] is no list of ranges first:last, counted from 1",
        ),
        ("TestVideoFile{end+1}.gt_frame = [0:2];", "is no list of ranges"),
        ("TestVideoFile{end+1}.gt_frame = [1:2:9];", "is no list of ranges"),
        (
            "TestVideoFile{end+1}.gt_frame = [1:2];\n" * 2,
            "has labels of 2 clips, but there are 3: Test001, Test002, Test003",
        ),
    ],
)
def test_lists_that_cannot_be_read(tmp_path, text, message):
    folder = write_ucsd(tmp_path / "ped1", "ped1")
    (folder / "Test/UCSDped1.m").write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        ucsd("ped1", root=tmp_path)
    assert str(folder / "Test/UCSDped1.m") in str(caught.value)


def test_ucsd_has_two_sets():
    for name in ("ped3", "Ped1", 1, None):
        with pytest.raises(ValueError, match='name must be "ped1" or "ped2"'):
            ucsd(name)


def test_the_real_ped1():
    """The JPEG copy in the layout of ShanghaiTech: test clips 1 to 17, normal stretches of the others to train."""
    if not (REAL / "ucsd_ped1").is_dir():
        pytest.skip("no real Ped1")
    data = ucsd("ped1", root=REAL)
    assert (len(data.train), sum(map(len, data.train))) == (26, 1667)
    assert [video.name for video in data.test] == [f"{i:02d}" for i in range(1, 18)]
    assert {video.shape for video in data.test} == {(200, 3, 158, 238)}
    assert sum(int(video.labels.sum()) for video in data.test) == 1973
    assert data.skipped == () and all(video.masks is None for video in data.test)
    assert min(map(len, data.train)) >= 16
    # the first lines of the official list: [60:152], [50:175], [91:200], [31:168], [5:90, 140:200]
    events = {0: [(60, 152)], 1: [(50, 175)], 2: [(91, 200)], 3: [(31, 168)], 4: [(5, 90), (140, 200)]}
    for i, ranges in events.items():
        expected = torch.zeros(200, dtype=torch.int64)
        for first, last in ranges:
            expected[first - 1 : last] = 1
        assert torch.equal(data.test[i].labels, expected)
    clip = ucsd("ped1", root=REAL, size=64, channels=1).test[3][100:104]
    assert clip.shape == (4, 1, 64, 64) and 0 <= clip.min() < 0.4 < clip.max() <= 1
    assert 0 < (clip[1:] - clip[:-1]).abs().mean() < 0.1  # neighbours, and not the same


# Avenue

EVENTS = {"01": [0, 1, 1, 0, 0], "02": [1, 1, 1], "10": [0, 0, 0, 1]}


def write_cells(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, labels in EVENTS.items():
        cells = np.empty((1, len(labels)), object)
        cells[0] = list(masks(np.array(labels)))
        scipy.io.savemat(folder / f"{int(name)}_label.mat", {"volLabel": cells}, do_compression=True)


def write_avenue(root: Path, movies: str, cells: str) -> None:
    for name, count in (("01", 6), ("02", 4)):
        write_movie(root / movies / f"training_videos/{name}.avi", count)
    for name, labels in EVENTS.items():
        write_movie(root / movies / f"testing_videos/{name}.avi", len(labels))
    write_cells(root / cells / "testing_label_mask")


@needs_av
@pytest.mark.parametrize(
    ("movies", "cells"),
    [
        ("Avenue Dataset", "ground_truth_demo"),
        ("avenue/Avenue Dataset", "avenue/ground_truth_demo"),
        ("Avenue_Dataset", "Avenue_Dataset/ground_truth_demo"),
        ("avenue", "avenue"),
    ],
)
def test_avenue_as_released(tmp_path, movies, cells):
    write_avenue(tmp_path, movies, cells)
    data = avenue(root=tmp_path)
    assert data.name == "avenue" and data.skipped == ()
    assert [(video.name, len(video)) for video in data.train] == [("01", 6), ("02", 4)]
    assert {video.name: video.labels.tolist() for video in data.test} == EVENTS
    for video in data.test:
        np.testing.assert_array_equal(video.masks[:], masks(np.array(EVENTS[video.name])))
        assert numbers(video) == list(range(len(EVENTS[video.name])))
    assert avenue(root=tmp_path, size=(6, 8)).test[0].masks[:].shape == (5, 6, 8)


@pytest.mark.parametrize("labels", ["cells", "arrays", "both"])
def test_avenue_as_frames(tmp_path, labels):
    folder = tmp_path / "avenue"
    write_frames(folder / "training/frames/01", 4)
    for name, event in EVENTS.items():
        write_frames(folder / "testing/frames" / name, len(event))
        if labels != "cells":
            (folder / "testing/test_frame_mask").mkdir(exist_ok=True)
            np.save(folder / f"testing/test_frame_mask/{name}.npy", event)
    if labels != "arrays":
        write_cells(folder / "ground_truth_demo/testing_label_mask")
    data = avenue(root=tmp_path)
    assert {video.name: video.labels.tolist() for video in data.test} == EVENTS
    assert all((video.masks is None) == (labels == "arrays") for video in data.test)


@needs_av
@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (remove("testing_videos"), FileNotFoundError, "there is training_videos, but no testing_videos"),
        (remove("ground_truth_demo"), FileNotFoundError, "there is no ground_truth_demo/testing_label_mask"),
        (
            empty("training_videos"),
            FileNotFoundError,
            r"training_videos must hold movies \(.avi, .mp4\); it holds nothing",
        ),
        (remove("ground_truth_demo/testing_label_mask/2_label.mat"), ValueError, "without labels and masks: 02"),
        (remove("testing_videos/02.avi"), ValueError, "masks of test clips that have no frames: 2$"),
        (
            lambda folder: write_movie(folder / "testing_videos/02.avi", 5),
            ValueError,
            "02 has 5 frames, but 3 masks in .*2_lab",
        ),
        (
            lambda folder: (folder / "testing_videos/02.mp4").touch(),
            ValueError,
            r"02\.avi and 02\.mp4 have the same name: take one away",
        ),
    ],
)
def test_avenue_half_unpacked(tmp_path, damage, error, message):
    write_avenue(tmp_path, "avenue", "avenue/ground_truth_demo")
    damage(tmp_path / "avenue")
    with pytest.raises(error, match=message):
        avenue(root=tmp_path)


@needs_av
def test_avenue_with_a_mask_file_of_a_newer_matlab(tmp_path):
    write_avenue(tmp_path, "avenue", "avenue/ground_truth_demo")
    path = tmp_path / "avenue/ground_truth_demo/testing_label_mask/10_label.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM" + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(ValueError, match=r"10_label\.mat is a MATLAB 7\.3 file.* save it with -v7"):
        avenue(root=tmp_path)


def test_avenue_without_pyav(tmp_path, monkeypatch):
    folder = tmp_path / "avenue"
    for part in ("training_videos/01.avi", "testing_videos/01.avi"):
        (folder / part).parent.mkdir(parents=True)
        (folder / part).write_bytes(b"RIFF")
    write_cells(folder / "testing_label_mask")
    for number in (2, 10):
        (folder / f"testing_label_mask/{number}_label.mat").unlink()
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(ImportError, match=r"pip install av\. Or extract its frames: ffmpeg"):
        avenue(root=tmp_path)


def test_the_docstrings_name_the_page_that_teaches_them():
    for function in (shanghaitech, ucsd, avenue, video_folder, VideoData):
        assert "Taught in :doc:`/book/datasets/real_world`." in function.__doc__
    assert campus.__doc__.rstrip().endswith("Taught in :doc:`/book/datasets/real_world`.")
