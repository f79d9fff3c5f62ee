"""MVTec AD, BTAD and folders of one's own: tiny sets in the true layouts, every way they come broken, the real ones."""

import os
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from adlib.datasets._folders import held_out
from adlib.datasets.files import PictureData
from adlib.datasets.inspection import btad, mvtec, picture_folder

REAL = Path(os.environ.get("ADLIB_DATA") or Path(__file__).parents[3] / "shared" / "data")


def write(path: Path, value: int, shape: tuple[int, ...] = (12, 16, 3)) -> Path:
    """A picture of one colour, so that it can be told apart. A mask: value 255 in its corner, value 0 nowhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full(shape, value, np.uint8)
    if "ground_truth" in path.parts:
        pixels = np.zeros(shape[:2], np.uint8)
        pixels[:3, :4] = value
    Image.fromarray(pixels).save(path)
    return path


def write_mvtec(root: Path, category: str = "bottle") -> Path:
    """5 normal pictures to train; 2 normal ones, 3 with a cut, 2 with a hole to test. Returns the category's folder."""
    folder = root / category
    for i in range(5):
        write(folder / f"train/good/{i:03}.png", i)
    for i in range(2):
        write(folder / f"test/good/{i:03}.png", 50 + i)
    for kind, count, value in (("cut", 3, 100), ("hole", 2, 150)):
        for i in range(count):
            write(folder / f"test/{kind}/{i:03}.png", value + i)
            write(folder / f"ground_truth/{kind}/{i:03}_mask.png", 255)
    for name in ("license.txt", "readme.txt"):
        (folder / name).write_text("as in the archive")
    return folder


def write_btad(root: Path, product: str = "01") -> Path:
    """.bmp and .png mixed, masks under the name of the picture with any suffix, one of them empty."""
    folder = root / product
    for i in range(4):
        write(folder / f"train/ok/{i:04}.{'bmp' if i % 2 else 'png'}", i)
    for i in range(2):
        write(folder / f"test/ok/{i:04}.bmp", 50 + i)
    for i in range(3):
        write(folder / f"test/ko/{i:04}.{'png' if i % 2 else 'bmp'}", 100 + i)
        write(folder / f"ground_truth/ko/{i:04}.{'bmp' if i % 2 else 'png'}", 0 if i == 1 else 255)
    return folder


def values(pictures) -> list[int]:
    return [round(float(picture[0, 0, 0]) * 255) for picture in pictures]


# as they should be


def test_mvtec(tmp_path):
    write_mvtec(tmp_path / "mvtec_anomaly_detection")
    data = mvtec("bottle", root=tmp_path, size=8)
    assert isinstance(data, PictureData) and data.name == "bottle"
    assert values(data.train) == [0, 1, 2, 3, 4]
    assert values(data.test) == [100, 101, 102, 50, 51, 150, 151]
    assert data.test_kinds == ("cut",) * 3 + ("good",) * 2 + ("hole",) * 2
    assert data.test_labels.tolist() == [1, 1, 1, 0, 0, 1, 1] and data.test_labels.dtype == torch.int64
    assert data.train[0].shape == (3, 8, 8) and data.test_masks[0].shape == (8, 8)
    corner = torch.zeros(8, 8, dtype=torch.uint8)
    corner[:2, :2] = 1
    for mask, label in zip(data.test_masks, data.test_labels, strict=True):
        assert mask.equal(corner * label.to(torch.uint8))
    assert [line.split("/")[-1] for line in data.skipped] == [
        "license.txt: not part of the layout",
        "readme.txt: not part of the layout",
    ]


def test_mvtec_without_a_size_and_in_grey(tmp_path):
    folder = write_mvtec(tmp_path)
    write(folder / "train/good/001.png", 7, (20, 9, 3))
    data = mvtec("bottle", root=tmp_path, size=None, channels=1)
    assert [tuple(picture.shape) for picture in data.train][:3] == [(1, 12, 16), (1, 20, 9), (1, 12, 16)]
    assert [tuple(mask.shape) for mask in data.test_masks] == [(12, 16)] * 7
    assert data.test_masks[0].sum() == 12 and data.test_masks[3].sum() == 0


@pytest.mark.parametrize("usual", ["mvtec_anomaly_detection", "mvtec_ad", "mvtec_ad_256", ""])
def test_the_usual_names_are_found(tmp_path, usual, monkeypatch):
    write_mvtec(tmp_path / usual)
    assert len(mvtec("bottle", root=tmp_path).train) == 5
    monkeypatch.setenv("ADLIB_DATA", str(tmp_path))
    assert mvtec("bottle").sha256() == mvtec("bottle", root=str(tmp_path)).sha256()


def test_btad(tmp_path):
    write_btad(tmp_path / "BTech_Dataset_transformed")
    data = btad("01", root=tmp_path, size=(6, 8))
    assert data.name == "01" and values(data.train) == [0, 1, 2, 3]
    assert values(data.test) == [100, 101, 102, 50, 51]
    assert data.test_kinds == ("ko", "ko", "ko", "ok", "ok") and data.test_labels.tolist() == [1, 1, 1, 0, 0]
    assert [int(mask.sum()) for mask in data.test_masks] == [2, 0, 2, 0, 0]
    assert [path.name for path in data.test_masks.empty()] == ["0001.bmp"]  # labelled anomalous all the same
    assert data.skipped == ()


def test_a_folder_in_either_layout(tmp_path):
    bottle, product = write_mvtec(tmp_path), write_btad(tmp_path)
    assert picture_folder(bottle).sha256() == mvtec("bottle", root=tmp_path).sha256()
    assert picture_folder(str(product)).sha256() == btad("01", root=tmp_path).sha256()
    assert picture_folder(bottle).name == "bottle"


def test_a_folder_without_masks(tmp_path):
    folder = write_mvtec(tmp_path)
    shutil.rmtree(folder / "ground_truth")
    data = picture_folder(folder, size=8)
    assert data.test_masks is None and len(data.test) == 7
    assert data.sha256()


def test_masks_of_normal_pictures_are_not_needed(tmp_path):
    folder = write_mvtec(tmp_path)
    write(folder / "ground_truth/good/000_mask.png", 0)
    data = mvtec("bottle", root=tmp_path)
    assert any(line.endswith("ground_truth/good: normal pictures need no mask") for line in data.skipped)
    assert len(data.test_masks.empty()) == 0


def test_kinds_and_pictures_are_sorted_by_their_numbers(tmp_path):
    folder = write_mvtec(tmp_path)
    for name in ("10.png", "9.png", "0100.png"):
        write(folder / "train/good" / name, 10 + int(Path(name).stem))
    shutil.copytree(folder / "test/hole", folder / "test/hole10")
    shutil.copytree(folder / "ground_truth/hole", folder / "ground_truth/hole10")
    (folder / "test/hole").rename(folder / "test/hole9")
    (folder / "ground_truth/hole").rename(folder / "ground_truth/hole9")
    data = mvtec("bottle", root=tmp_path)
    assert values(data.train) == [0, 1, 2, 3, 4, 19, 20, 110]
    assert list(dict.fromkeys(data.test_kinds)) == ["cut", "good", "hole9", "hole10"]


# strays


def test_stray_files_are_passed_over_and_listed(tmp_path):
    folder = write_mvtec(tmp_path)
    before = mvtec("bottle", root=tmp_path).sha256()
    strays = {
        "Thumbs.db": "not part of the layout",
        ".DS_Store": "hidden",
        "train/.DS_Store": "hidden",
        "train/good/Thumbs.db": "not a picture (.db)",
        "test/._cut": "left by macOS beside a file",
        "test/cut/._000.png": "left by macOS beside a file",
        "test/cut/notes.md": "not a picture (.md)",
        "ground_truth/readme.txt": "not part of the layout",
        "ground_truth/cut/._000_mask.png": "left by macOS beside a file",
        "ground_truth/cut/.DS_Store": "hidden",
    }
    for name in strays:
        (folder / name).write_bytes(b"\0\5\x16\7")
    folders = {
        "__MACOSX": "hidden",
        "test/.ipynb_checkpoints": "hidden",
        "train/good/deeper": "a folder among pictures",
        "train/cut": "only train/good is learnt from",
        "masks": "not part of the layout",
    }
    for name in folders:
        (folder / name).mkdir()
    data = mvtec("bottle", root=tmp_path)
    assert data.sha256() == before
    told = dict(line.removeprefix(f"{folder}/").split(": ") for line in data.skipped)
    expected = {**strays, **folders, **dict.fromkeys(("license.txt", "readme.txt"), "not part of the layout")}
    assert told == expected and len(data.skipped) == len(expected)


# broken sets


def without(*names):
    def damage(folder: Path) -> None:
        for name in names:
            shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()

    return damage


def emptied(name):
    def damage(folder: Path) -> None:
        shutil.rmtree(folder / name)
        (folder / name).mkdir()

    return damage


BROKEN = [
    (without("test"), r"bottle: test missing: was the archive unpacked to its end\?"),
    (without("train"), "bottle: train missing"),
    (without("test", "ground_truth"), "test and ground_truth missing"),
    (without("train/good"), "train/good holds no picture"),
    (emptied("train/good"), "train/good holds no picture"),
    (emptied("test/good"), "test/good holds no picture"),
    (emptied("test/cut"), "test/cut holds no picture"),
    (without("test/good"), "test must hold good and at least one other folder, found cut, hole"),
    (without("test/cut", "test/hole"), "at least one other folder, found good"),
    (emptied("test"), "at least one other folder, found none"),
    (without("ground_truth/cut"), "test/cut is there, but ground_truth/cut is missing"),
    (emptied("ground_truth/cut"), "ground_truth/cut has no mask for 3 of 3 pictures: 000.png, 001.png, 002.png"),
    (without("ground_truth/cut/001_mask.png"), "ground_truth/cut has no mask for 1 of 3 pictures: 001.png"),
    (without("test/cut/002.png"), "test/cut has no picture for 1 of 3 masks: 002_mask.png"),
    (without("test/cut"), "ground_truth/cut is there, but test/cut is missing"),
]


@pytest.mark.parametrize(("damage", "message"), BROKEN)
def test_what_is_missing_is_named(tmp_path, damage, message):
    folder = write_mvtec(tmp_path)
    damage(folder)
    with pytest.raises(FileNotFoundError, match=message) as caught:
        mvtec("bottle", root=tmp_path)
    for part in (f"mvtec is not complete in {folder}", "mvtec.com", "CC BY-NC-SA 4.0", "ADLIB_DATA", "found: "):
        assert part in str(caught.value)


@pytest.mark.parametrize(("damage", "message"), [each for each in BROKEN if "train missing" not in each[1]])
def test_what_is_missing_in_a_folder_of_ones_own(tmp_path, damage, message):
    folder = write_mvtec(tmp_path)
    damage(folder)
    if not (folder / "ground_truth").is_dir():
        message = "test missing"
    if not (folder / "train/good").is_dir():
        message = "train/good, train/ok, normal, abnormal missing"
    with pytest.raises(FileNotFoundError, match=message.replace("bottle: ", "pictures: ")) as caught:
        picture_folder(folder)
    assert f"{folder} cannot be read as a folder of pictures" in str(caught.value)
    assert "expected: train/good" in str(caught.value) and "found: " in str(caught.value)


def test_many_missing_masks_are_counted(tmp_path):
    folder = write_mvtec(tmp_path)
    for i in range(3, 20):
        write(folder / f"test/cut/{i:03}.png", i)
    with pytest.raises(FileNotFoundError, match=r"no mask for 17 of 20 pictures: 003\.png, .*, 012\.png and 7 more"):
        mvtec("bottle", root=tmp_path)


def test_btad_needs_its_masks(tmp_path):
    folder = write_btad(tmp_path)
    (folder / "ground_truth/ko/0000.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"btad is not complete .*no mask for 1 of 3 pictures: 0000\.bmp"):
        btad("01", root=tmp_path)
    shutil.rmtree(folder / "ground_truth")
    with pytest.raises(FileNotFoundError, match="ground_truth missing"):
        btad("01", root=tmp_path)


def test_masks_that_could_belong_to_either(tmp_path):
    folder = write_mvtec(tmp_path)
    extra = write(folder / "ground_truth/cut/000.png", 255)
    with pytest.raises(ValueError, match=r"000\.png and .*000_mask\.png are masks of the same picture"):
        mvtec("bottle", root=tmp_path)
    extra.unlink()
    write(folder / "test/cut/000.bmp", 1)
    with pytest.raises(ValueError, match=r"test/cut has pictures that would share one mask: 000\.bmp, 000\.png"):
        mvtec("bottle", root=tmp_path)


def test_a_broken_picture_is_named_when_it_is_read(tmp_path):
    folder = write_mvtec(tmp_path)
    picture, mask = folder / "test/cut/001.png", folder / "ground_truth/cut/002_mask.png"
    picture.write_bytes(picture.read_bytes()[:40])
    mask.write_bytes(b"")
    data = mvtec("bottle", root=tmp_path)
    assert data.test[0].shape == (3, 256, 256)
    with pytest.raises(ValueError, match="cannot be read as a picture") as caught:
        data.test[1]
    assert str(picture) in str(caught.value)
    with pytest.raises(ValueError, match="cannot be read as a mask: the file is empty") as caught:
        data.test_masks[2]
    assert str(mask) in str(caught.value)


def test_a_mask_of_another_size_than_its_picture(tmp_path):
    folder = write_mvtec(tmp_path)
    write(folder / "test/cut/000.png", 1, (16, 12, 3))
    data = mvtec("bottle", root=tmp_path)
    with pytest.raises(ValueError, match=r"000_mask\.png must be as large as its picture .*16 x 12 .*got 12 x 16"):
        data.test_masks[0]


# wrong nesting


def test_an_unknown_category_lists_those_that_are_there(tmp_path):
    write_mvtec(tmp_path)
    write_mvtec(tmp_path, "cable")
    with pytest.raises(FileNotFoundError, match="no category 'botle'; there are bottle, cable\n"):
        mvtec("botle", root=tmp_path)
    with pytest.raises(FileNotFoundError, match="found: no such folder"):
        mvtec("bottle", root=tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no category 'bottle'\n"):
        mvtec("bottle", root=tmp_path / "empty")


@pytest.mark.parametrize("inside", ["", "test", "test/cut"])
def test_a_root_that_is_too_low(tmp_path, inside):
    folder = write_mvtec(tmp_path)
    with pytest.raises(FileNotFoundError, match="root is the folder of one category, or in it") as caught:
        mvtec("bottle", root=folder / inside)
    assert f"give root={str(tmp_path)!r}" in str(caught.value)


@pytest.mark.parametrize("above", ["my sets", "my sets/unpacked", "bottle"])
def test_a_root_that_is_too_high(tmp_path, above):
    write_mvtec(tmp_path / above)
    with pytest.raises(FileNotFoundError, match="no category 'bottle'; it lies deeper") as caught:
        mvtec("bottle", root=tmp_path)
    assert f"give root={str(tmp_path / above)!r}" in str(caught.value)


def test_nothing_is_mistaken_for_the_other_set(tmp_path):
    write_btad(tmp_path, "bottle")
    with pytest.raises(FileNotFoundError, match="train/good holds no picture"):
        mvtec("bottle", root=tmp_path)
    write_mvtec(tmp_path / "mvtec_ad")
    with pytest.raises(FileNotFoundError, match="no product 'cable'; there are bottle\n"):
        btad("cable", root=tmp_path)


@pytest.mark.parametrize("inside", ["train", "test", "test/cut", "train/good", "ground_truth"])
def test_a_folder_that_is_too_low(tmp_path, inside):
    folder = write_mvtec(tmp_path)
    with pytest.raises(FileNotFoundError, match="a level too high or too low") as caught:
        picture_folder(folder / inside)
    assert f"give {folder}\n" in str(caught.value)


def test_a_folder_that_is_too_high(tmp_path):
    bottle, product = write_mvtec(tmp_path / "sets"), write_btad(tmp_path / "sets")
    for folder in (tmp_path, tmp_path / "sets"):
        with pytest.raises(FileNotFoundError, match="a level too high or too low") as caught:
            picture_folder(folder)
        assert f"give {product}, {bottle}\n" in str(caught.value)


# normal and abnormal


def write_pair(folder: Path, normal: int = 10, abnormal: int = 3) -> Path:
    for i in range(normal):
        write(folder / f"normal/IMG_{i}.jpg", i * 5)
    for i in range(abnormal):
        write(folder / f"abnormal/IMG_{i}.png", 200 + i)
    return folder


def test_the_end_of_the_series_is_held_out(tmp_path):
    data = picture_folder(write_pair(tmp_path / "own", normal=12), size=8)
    assert data.name == "own"
    assert values(data.train) == list(range(0, 50, 5))
    assert values(data.test) == [50, 55, 200, 201, 202]  # 12 * 0.2 is 2.4
    assert data.test_labels.tolist() == [0, 0, 1, 1, 1] and data.test_labels.dtype == torch.int64
    assert data.test_kinds == ("normal",) * 2 + ("abnormal",) * 3
    assert data.test_masks is None and data.skipped == ()


def test_share_and_runs(tmp_path):
    folder = write_pair(tmp_path)
    assert values(picture_folder(folder, test_share=0.5).test)[:5] == [25, 30, 35, 40, 45]
    assert values(picture_folder(folder, test_share=0.4, test_runs=2).test)[:4] == [15, 20, 40, 45]
    assert picture_folder(folder).sha256() != picture_folder(folder, test_runs=2).sha256()


@given(st.integers(2, 300), st.floats(1e-6, 1 - 1e-6), st.integers(1, 400))
def test_holding_out(count, share, runs):
    files = [Path(f"{i}.png") for i in range(count)]
    train, test = held_out(files, share, runs)
    assert sorted(train + test, key=lambda path: int(path.stem)) == files  # each once: nothing leaks, nothing is lost
    assert len(test) == min(max(1, round(count * share)), count - 1)
    numbers = [int(path.stem) for path in test]
    assert numbers == sorted(numbers) and numbers[-1] == count - 1
    assert sum(b - a > 1 for a, b in pairwise(numbers)) <= runs - 1


@pytest.mark.parametrize(("normal", "abnormal"), [(1, 3), (0, 3), (5, 0)])
def test_too_few_pictures(tmp_path, normal, abnormal):
    for name in ("normal", "abnormal"):
        (tmp_path / name).mkdir()
    write_pair(tmp_path, normal, abnormal)
    message = f"normal must hold 2 pictures, abnormal 1 at least, found {normal} and {abnormal}"
    with pytest.raises(FileNotFoundError, match=message):
        picture_folder(tmp_path)


def test_strays_beside_normal_and_abnormal(tmp_path):
    write_pair(tmp_path)
    (tmp_path / "masks").mkdir()
    (tmp_path / "README.md").touch()
    (tmp_path / "normal/.DS_Store").touch()
    (tmp_path / "abnormal/desktop.ini").touch()
    told = [line.removeprefix(f"{tmp_path}/") for line in picture_folder(tmp_path).skipped]
    assert told == [
        "README.md: not part of the layout",
        "masks: not part of the layout",
        "normal/.DS_Store: hidden",
        "abnormal/desktop.ini: not a picture (.ini)",
    ]


def test_half_a_pair(tmp_path):
    write_pair(tmp_path)
    shutil.rmtree(tmp_path / "abnormal")
    with pytest.raises(FileNotFoundError, match="train/good, train/ok, abnormal missing"):
        picture_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        picture_folder(tmp_path / "none")


# arguments


@pytest.mark.parametrize("category", ["", ".", "..", "a/b", "/bottle", None, 1, ["bottle"]])
def test_a_bad_category(tmp_path, category):
    write_mvtec(tmp_path)
    for call, argument in ((mvtec, "category"), (btad, "product")):
        with pytest.raises(ValueError, match=f"{argument} must be the name of a folder, such as those of .*, got"):
            call(category, root=tmp_path)


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, "half", True, float("nan")])
def test_a_bad_share(tmp_path, share):
    with pytest.raises(ValueError, match="test_share must be a number above 0 and below 1, got"):
        picture_folder(write_pair(tmp_path), test_share=share)


@pytest.mark.parametrize("runs", [0, -1, 1.5, True, None])
def test_bad_runs(tmp_path, runs):
    with pytest.raises(ValueError, match="test_runs must be an integer of at least 1, got"):
        picture_folder(write_pair(tmp_path), test_runs=runs)


def test_other_bad_arguments(tmp_path):
    folder = write_mvtec(tmp_path)
    for call in (lambda **a: mvtec("bottle", root=tmp_path, **a), lambda **a: picture_folder(folder, **a)):
        with pytest.raises(ValueError, match="size must be"):
            call(size=0)
        with pytest.raises(ValueError, match="channels must be 1 or 3, got 4"):
            call(channels=4)
    for folder in (None, 3):
        with pytest.raises(ValueError, match="folder must be the path of a folder, got"):
            picture_folder(folder)
    with pytest.raises(ValueError, match="root must be the path of a folder, got 3"):
        mvtec("bottle", root=3)


# the real ones


@pytest.mark.skipif(not (REAL / "mvtec_ad_256/bottle").is_dir(), reason="the real bottle is not in ADLIB_DATA")
def test_the_real_bottle():
    data = mvtec("bottle", root=REAL)
    assert len(data.train) == 209 and len(data.test) == len(data.test_masks) == 83
    assert [data.test_kinds.count(kind) for kind in ("good", "broken_large", "broken_small", "contamination")] == [
        *(20, 20, 22, 21)
    ]
    assert data.test_labels.bincount().tolist() == [20, 63] and data.skipped == ()
    assert len({path.read_bytes() for path in (*data.train.files, *data.test.files)}) == 292  # nothing occurs twice
    picture = data.train[0]
    assert picture.shape == (3, 256, 256) and 0 <= picture.min() < 0.2 and 0.9 < picture.max() <= 1
    assert data.test_masks.empty() == ()
    for mask, label in zip(data.test_masks, data.test_labels, strict=True):
        assert mask.shape == (256, 256) and mask.unique().tolist() == ([0, 1] if label else [0])
    wide = mvtec("bottle", root=REAL, size=(32, 64))
    assert wide.test[0].shape == (3, 32, 64) and wide.test_masks[0].shape == (32, 64)
    assert picture_folder(REAL / "mvtec_ad_256/bottle").sha256() == data.sha256()


@pytest.mark.skipif(not (REAL / "dobot_cubes").is_dir(), reason="the real cubes are not in ADLIB_DATA")
def test_the_real_cubes():
    data = picture_folder(REAL / "dobot_cubes", size=(48, 64))
    assert len(data.train) == 93 and data.test_labels.bincount().tolist() == [23, 72]
    assert data.train[0].shape == (3, 48, 64) and picture_folder(REAL / "dobot_cubes", size=None).test[0].shape == (
        *(3, 480, 640),
    )
    assert not set(data.train.files) & set(data.test.files)
    assert data.test_masks is None and data.skipped == ()
