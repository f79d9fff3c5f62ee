"""LAG: a tiny set in the true layout, every way it comes broken."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from adlib.datasets.files import PictureData, PictureFiles
from adlib.datasets.medical import attention_maps, lag


def write(folder: Path, number: int, label: int, value: int) -> None:
    """A picture of one colour, its attention map (smaller, grey), its label."""
    for part, shape in (("image", (20, 20, 3)), ("attention_map", (5, 5))):
        (folder / part).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full(shape, value, np.uint8)).save(folder / part / f"{number:04}.jpg")
    (folder / "label").mkdir(exist_ok=True)
    (folder / "label" / f"{number:04}.txt").write_text(f"{label}\n" if number % 2 else str(label))


def write_lag(root: Path, healthy: int = 10, suspected: int = 4) -> Path:
    for i in range(healthy):
        write(root / "non_glaucoma", 2 * i, 0, i * 4)
    for i in range(suspected):
        write(root / "suspicious_glaucoma", 2 * i + 1, 1, 200 + i * 4)
    return root


def values(pictures) -> list[int]:
    return [round(float(picture[0, 0, 0]) * 255) for picture in pictures]


def test_healthy_eyes_are_normal(tmp_path):
    write_lag(tmp_path / "LAG")
    data = lag(root=tmp_path, size=8)
    assert isinstance(data, PictureData) and data.name == "lag"
    assert values(data.train) == [0, 4, 8, 12, 16, 20, 24, 28]
    assert values(data.test) == [32, 36, 200, 204, 208, 212]
    assert data.test_labels.tolist() == [0, 0, 1, 1, 1, 1] and data.test_labels.dtype == torch.int64
    assert data.test_kinds == ("non_glaucoma",) * 2 + ("suspicious_glaucoma",) * 4
    assert data.train[0].shape == (3, 8, 8) and data.test_masks is None and data.skipped == ()
    assert lag(root=tmp_path, size=None, channels=1).test[0].shape == (1, 20, 20)


def test_the_share_of_healthy_eyes_to_test(tmp_path, monkeypatch):
    write_lag(tmp_path)
    monkeypatch.setenv("ADLIB_DATA", str(tmp_path))
    assert values(lag(test_share=0.5).test)[:5] == [20, 24, 28, 32, 36]
    assert lag(test_share=0.5).sha256() != lag().sha256() == lag(root=tmp_path).sha256()


def test_attention_maps(tmp_path):
    write_lag(tmp_path)
    data = lag(root=tmp_path, size=8)
    maps = attention_maps(data.test)
    assert isinstance(maps, PictureFiles) and maps[0].shape == (1, 8, 8)
    assert values(maps) == values(data.test)  # they stand in the order of the pictures
    assert attention_maps(lag(root=tmp_path, size=None).train)[0].shape == (1, 5, 5)
    (tmp_path / "non_glaucoma/attention_map/0018.jpg").unlink()
    with pytest.raises(ValueError, match=r"must have attention maps, 1 of 6 lack theirs: .*0018\.jpg"):
        attention_maps(data.test)


def test_labels_and_maps_may_be_missing(tmp_path):
    write_lag(tmp_path)
    before = lag(root=tmp_path).sha256()
    (tmp_path / "non_glaucoma/label/0002.txt").unlink()
    (tmp_path / "suspicious_glaucoma/attention_map/0003.jpg").unlink()
    told = [line.removeprefix(f"{tmp_path}/") for line in lag(root=tmp_path).skipped]
    assert told == [
        "non_glaucoma/label: lacks 1 of 10: 0002.txt",
        "suspicious_glaucoma/attention_map: lacks 1 of 4: 0003.jpg",
    ]
    for kind in ("non_glaucoma", "suspicious_glaucoma"):
        for part in ("label", "attention_map"):
            shutil.rmtree(tmp_path / kind / part)
    data = lag(root=tmp_path)
    assert data.sha256() == before and data.skipped == ()


@pytest.mark.parametrize("content", ["0", "", "2", "glaucoma", b"\xff\xfe1"])
def test_a_label_that_contradicts_its_folder(tmp_path, content):
    write_lag(tmp_path)
    path = tmp_path / "suspicious_glaucoma/label/0005.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=r"label/0005\.txt must hold 1 as all of suspicious_glaucoma, got"):
        lag(root=tmp_path)


def test_strays_are_listed(tmp_path):
    write_lag(tmp_path)
    before = lag(root=tmp_path).sha256()
    for name in ("readme.txt", "non_glaucoma/image/Thumbs.db", "suspicious_glaucoma/image/._0001.jpg"):
        (tmp_path / name).write_bytes(b"\0")
    (tmp_path / "cup_disc").mkdir()
    data = lag(root=tmp_path)
    assert data.sha256() == before
    assert [line.removeprefix(f"{tmp_path}/") for line in data.skipped] == [
        "readme.txt: not part of the layout",
        "cup_disc: not part of the layout",
        "non_glaucoma/image/Thumbs.db: not a picture (.db)",
        "suspicious_glaucoma/image/._0001.jpg: left by macOS beside a file",
    ]


@pytest.mark.parametrize("lacking", ["non_glaucoma", "suspicious_glaucoma", "suspicious_glaucoma/image"])
def test_half_a_set(tmp_path, lacking):
    write_lag(tmp_path)
    shutil.rmtree(tmp_path / lacking)
    with pytest.raises(FileNotFoundError, match=f"{lacking.split('/')[0]}/image missing") as caught:
        lag(root=tmp_path)
    expected = "expected: {non_glaucoma,suspicious_glaucoma}/image"
    for part in (f"lag is not complete in {tmp_path}", expected, "AG-CNN", "on request"):
        assert part in str(caught.value)


@pytest.mark.parametrize("lacking", ["non_glaucoma", "suspicious_glaucoma"])
def test_too_few_pictures(tmp_path, lacking):
    write_lag(tmp_path)
    for path in sorted((tmp_path / lacking / "image").iterdir())[1:]:
        path.unlink()
    with pytest.raises(FileNotFoundError, match=f"{lacking}/image must hold 2 pictures at least, found 1"):
        lag(root=tmp_path)


@pytest.mark.parametrize("above", ["part 1", "downloads/part 1"])
def test_a_root_that_is_too_high(tmp_path, above):
    write_lag(tmp_path / above)
    with pytest.raises(FileNotFoundError, match="non_glaucoma/image and suspicious_glaucoma/image missing") as caught:
        lag(root=tmp_path)
    assert f"give root={str(tmp_path / above)!r}" in str(caught.value)


@pytest.mark.parametrize("inside", ["non_glaucoma", "non_glaucoma/image"])
def test_a_root_that_is_too_low(tmp_path, inside):
    write_lag(tmp_path)
    with pytest.raises(FileNotFoundError, match="missing") as caught:
        lag(root=tmp_path / inside)
    assert f"give root={str(tmp_path)!r}" in str(caught.value)


def test_a_broken_picture_is_named_when_it_is_read(tmp_path):
    write_lag(tmp_path)
    path = tmp_path / "suspicious_glaucoma/image/0001.jpg"
    path.write_bytes(path.read_bytes()[:100])
    data = lag(root=tmp_path)
    with pytest.raises(ValueError, match=r"image/0001\.jpg cannot be read as a picture"):
        data.test[2]


@pytest.mark.parametrize("share", [0, 1, "half", None])
def test_bad_arguments(tmp_path, share):
    write_lag(tmp_path)
    with pytest.raises(ValueError, match="test_share must be a number above 0 and below 1, got"):
        lag(root=tmp_path, test_share=share)
    with pytest.raises(ValueError, match="size must be"):
        lag(root=tmp_path, size=-1)
    with pytest.raises(ValueError, match="channels must be 1 or 3"):
        lag(root=tmp_path, channels=2)
    with pytest.raises(ValueError, match="root must be the path of a folder, got 3"):
        lag(root=3)
    with pytest.raises(FileNotFoundError, match="found: no such folder"):
        lag(root=tmp_path / "none")


def test_attention_maps_are_those_of_picture_files():
    for value in (None, [], "a.jpg"):
        with pytest.raises(ValueError, match=r"pictures must be PictureFiles, such as lag\(\)\.test, got"):
            attention_maps(value)
