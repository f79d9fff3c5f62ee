"""Picture files of every kind, whole and broken, on pictures made here."""

import io
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

from adlib.datasets._folders import list_pictures, natural_key, stray
from adlib.datasets.files import (
    SUFFIXES,
    MaskFiles,
    PictureData,
    PictureFiles,
    read_mask,
    read_picture,
)


def colours(height: int = 20, width: int = 30, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def saved(path: Path, pixels, mode: str | None = None, **options) -> Path:
    """The pixels as a file; mode: converted to it before."""
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(path, **options)
    return path


def mode_of(path: Path) -> str:
    with Image.open(path) as file:
        return file.mode


def same(picture: torch.Tensor, expected, *, atol: float = 0) -> None:
    torch.testing.assert_close(picture, torch.tensor(np.asarray(expected)).float(), rtol=0, atol=atol)


# values


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "TIFF", "ppm", "PNG"])
def test_colours_are_bytes_over_255(tmp_path, suffix):
    pixels = colours()
    picture = read_picture(saved(tmp_path / f"a.{suffix}", pixels))
    assert picture.dtype == torch.float32 and picture.is_contiguous()
    same(picture, pixels.transpose(2, 0, 1) / 255)


def test_jpeg_is_what_pillow_decodes(tmp_path):
    path = saved(tmp_path / "a.JPG", colours(), quality=80)
    same(read_picture(path), np.asarray(Image.open(path)).transpose(2, 0, 1) / 255)


def test_grey_fills_three_channels_and_colours_make_one(tmp_path):
    grey, pixels = colours()[..., 0], colours()
    path = saved(tmp_path / "grey.png", grey)
    same(read_picture(path), np.repeat(grey[None], 3, axis=0) / 255)
    same(read_picture(path, channels=1), grey[None] / 255)
    same(read_picture(path, size=9), read_picture(saved(tmp_path / "rgb.png", grey, "RGB"), size=9))
    path = saved(tmp_path / "colour.png", pixels)
    luma = pixels @ np.array([0.299, 0.587, 0.114]) / 255  # ITU-R 601
    assert read_picture(path, channels=1).shape == (1, 20, 30)
    same(read_picture(path, channels=1), luma[None], atol=1 / 255)


def test_palettes_and_bits_become_colours(tmp_path):
    pixels = (colours() // 128 * 255).astype(np.uint8)  # eight colours
    path = saved(tmp_path / "palette.png", Image.fromarray(pixels).quantize(8))
    assert mode_of(path) == "P"
    same(read_picture(path), pixels.transpose(2, 0, 1) / 255)
    path = saved(tmp_path / "bits.png", pixels[..., 0], "1")
    assert mode_of(path) == "1"
    same(read_picture(path, channels=1), pixels[None, ..., 0] / 255)


def test_alpha_is_blended_over_white(tmp_path):
    alpha = np.linspace(0, 255, 600).reshape(20, 30).astype(np.uint8)
    pixels = colours()
    expected = pixels / 255 * (alpha[..., None] / 255) + 1 - alpha[..., None] / 255
    path = saved(tmp_path / "rgba.png", np.dstack([pixels, alpha]))
    same(read_picture(path), expected.transpose(2, 0, 1), atol=1 / 255)
    grey = Image.merge("LA", [Image.fromarray(pixels[..., 0]), Image.fromarray(alpha)])
    same(read_picture(saved(tmp_path / "la.png", grey), channels=1), expected[None, ..., 0], atol=1.01 / 255)


def test_a_transparent_palette_entry_is_white(tmp_path):
    picture = Image.new("P", (4, 3), 0)
    picture.putpalette([200, 0, 0, 0, 0, 200])
    picture.putpixel((1, 1), 1)
    saved(tmp_path / "p.png", picture, transparency=0)
    expected = np.ones((3, 3, 4))
    expected[:, 1, 1] = 0, 0, 200 / 255
    same(read_picture(tmp_path / "p.png"), expected)


def test_cmyk_becomes_colours(tmp_path):
    cyan, key = np.zeros((2, 16, 16, 4), np.uint8)
    cyan[..., 0], key[..., 3] = 255, 255
    for name, ink, colour in (("cyan", cyan, (0, 1, 1)), ("key", key, (0, 0, 0))):
        path = tmp_path / f"{name}.jpg"
        Image.fromarray(ink, mode="CMYK").save(path, quality=100)
        assert mode_of(path) == "CMYK"
        same(read_picture(path), np.broadcast_to(np.reshape(colour, (3, 1, 1)), (3, 16, 16)), atol=0.02)


def pgm(values: np.ndarray) -> bytes:
    return f"P5 {values.shape[1]} {values.shape[0]} 65535\n".encode() + values.astype(">u2").tobytes()


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    ramp = np.linspace(0, 65535, 64 * 48).astype(np.uint16).reshape(48, 64)
    saved(tmp_path / "a.png", ramp)
    saved(tmp_path / "b.tif", ramp)
    (tmp_path / "c.pgm").write_bytes(pgm(ramp))
    assert mode_of(tmp_path / "c.pgm") == "I"  # as older Pillow reads .png, too
    for path in sorted(tmp_path.iterdir()):
        same(read_picture(path, channels=1), ramp[None] / np.float32(65535), atol=1e-7)
    picture = read_picture(tmp_path / "a.png", size=16)
    same(picture, np.repeat(ramp.reshape(16, 3, 16, 4).mean((1, 3))[None], 3, axis=0) / 65535, atol=0.02)
    assert picture.shape == (3, 16, 16)


def test_dark_sixteen_bits_stay_dark(tmp_path):
    """Not stretched to the largest value: a picture must not depend on what else is in it."""
    assert read_picture(saved(tmp_path / "a.png", np.full((8, 8), 655, np.uint16))).max() < 0.011


@pytest.mark.parametrize("size", [1, 7, 33, (100, 3)])
def test_white_stays_in_range_when_scaled(tmp_path, size):
    for name, top, kind in (("a.png", 65535, np.uint16), ("b.png", 255, np.uint8)):
        picture = read_picture(saved(tmp_path / name, np.full((17, 29), top, kind)), size=size)
        assert picture.max() <= 1 and picture.min() > 0.999999


@pytest.mark.parametrize(("kind", "mode"), [(np.float32, "F"), (np.int32, "I")])
def test_values_of_unknown_range_are_refused(tmp_path, kind, mode):
    path = saved(tmp_path / "a.tif", np.ones((8, 8), kind))
    for read in (read_picture, read_mask):
        with pytest.raises(
            ValueError, match=f"a.tif has pixels of mode {mode}, of unknown range: save it with 8 or 16"
        ):
            read(path)


# upright

TURNS = {  # what the tag asks for, on (height, width, channels)
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
    8: lambda x: np.rot90(x, 1),
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_pictures_stand_upright(tmp_path, orientation, suffix):
    pixels = np.repeat(np.repeat(colours(2, 3), 16, 0), 16, 1)  # 16 x 16 blocks survive the compression
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / f"a.{suffix}", pixels, exif=exif, **({"quality": 100} if suffix == "jpg" else {}))
    expected = TURNS[orientation](pixels)
    picture = read_picture(path)
    assert picture.shape == (3, *expected.shape[:2])
    same(picture[:, 8::16, 8::16], expected[8::16, 8::16].transpose(2, 0, 1) / 255, atol=0.05)
    assert MaskFiles([None], [path])[0].shape == picture.shape[1:]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_data_are_no_reason_to_stop(tmp_path):
    path = saved(tmp_path / "a.jpg", colours(), exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert read_picture(path).shape == (3, 20, 30)


# sizes


def test_sizes(tmp_path):
    path = saved(tmp_path / "a.png", colours())
    assert read_picture(path).shape == (3, 20, 30)
    assert read_picture(path, size=8).shape == (3, 8, 8)
    assert read_picture(path, size=(4, 9)).shape == (3, 4, 9)
    assert read_picture(path, size=np.int64(5)).shape == (3, 5, 5)
    assert read_picture(path, size=(20, 30)).equal(read_picture(path))


def test_stretching_is_antialiased_as_torchvision_does_it(tmp_path):
    pixels = colours(90, 130)
    transforms = torchvision.transforms
    reference = transforms.Compose([transforms.Resize((40, 24)), transforms.ToTensor()])(Image.fromarray(pixels))
    same(read_picture(saved(tmp_path / "a.png", pixels), size=(40, 24)), reference, atol=1e-6)


@pytest.mark.parametrize("turned", [False, True])
def test_the_middle_is_cut_out(tmp_path, turned):
    """Red, green and blue thirds, three times as long as high: only the green third is left."""
    bands = np.zeros((64, 192, 3), np.uint8)
    for channel in range(3):
        bands[:, 64 * channel : 64 * (channel + 1), channel] = 255
    path = saved(tmp_path / "bands.png", bands.transpose(1, 0, 2).copy() if turned else bands)
    same(read_picture(path, size=56, fit="crop"), torch.tensor([0.0, 1, 0])[:, None, None].expand(3, 56, 56))


@pytest.mark.parametrize("shape", [(90, 130), (131, 90), (64, 64), (30, 40)])
def test_pictures_are_cut_as_torchvision_cuts_them(tmp_path, shape):
    pixels = colours(*shape)
    transforms = torchvision.transforms
    reference = transforms.Compose([transforms.Resize(64), transforms.CenterCrop(56), transforms.ToTensor()])
    picture = read_picture(saved(tmp_path / "noise.png", pixels), size=56, fit="crop")
    same(picture, reference(Image.fromarray(pixels)), atol=1e-6)


def before(path: Path, size: int) -> np.ndarray:
    """What ImageNet's pictures were before this module was general, for pictures of 8 bits."""
    picture = Image.open(path).convert("RGB")
    short = round(size * 256 / 224)
    width, height = (max(short, round(side * short / min(picture.size))) for side in picture.size)
    left, top = (width - size) // 2, (height - size) // 2
    picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture.crop((left, top, left + size, top + size))).transpose(2, 0, 1) / np.float32(255)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([8, 28, 57]))
def test_cutting_gives_what_it_gave(tmp_path_factory, height, width, size):
    path = saved(tmp_path_factory.getbasetemp() / "cut.png", colours(height, width))
    same(read_picture(path, size=size, fit="crop"), before(path, size))


# broken files


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def replaced(path: Path) -> None:
    path.write_bytes(b"<html>404 Not Found</html>")


def without_head(path: Path) -> None:
    path.write_bytes(b"\0" * 64 + path.read_bytes()[64:])


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "webp"])
@pytest.mark.parametrize("damage", [truncated, emptied, replaced, without_head])
def test_broken_files_are_named(tmp_path, suffix, damage):
    path = saved(tmp_path / f"a.{suffix}", colours(64, 64))
    damage(path)
    for read, what in ((read_picture, "picture"), (read_mask, "mask"), (lambda p: PictureFiles([p])[0], "picture")):
        with pytest.raises(ValueError, match=f"cannot be read as a {what}: .*; unpack or fetch it again") as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert ("the file is empty (0 bytes)" in str(caught.value)) == (damage is emptied)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        read_mask(tmp_path / "none.png")
    with pytest.raises(ValueError, match="cannot be read as a picture"):
        read_picture(tmp_path)


def test_a_decompression_bomb_is_an_error_with_a_path(tmp_path, monkeypatch):
    path = saved(tmp_path / "bomb.png", np.zeros((100, 100), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError, match=r"bomb\.png cannot be read as a picture"):
        read_picture(path)


def test_no_file_can_have_another_program_started(tmp_path):
    """Pillow would give PostScript to Ghostscript, whatever the name of the file."""
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    assert Image.open(tmp_path / "a.png").format == "EPS"
    with pytest.raises(ValueError, match="cannot be read as a picture: cannot identify"):
        read_picture(tmp_path / "a.png")


def test_of_a_moving_picture_the_first_frame_is_read(tmp_path):
    frames = [Image.new("L", (5, 4), grey) for grey in (50, 100, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    same(read_picture(tmp_path / "a.gif", channels=1), np.full((1, 4, 5), 50 / 255))


FORMATS = {"png": {}, "jpg": {"quality": 90}, "bmp": {}, "tif": {"compression": "tiff_lzw"}, "webp": {}, "ppm": {}}


def whole(suffix: str) -> bytes:
    content = io.BytesIO()
    Image.fromarray(colours(12, 16)).save(content, Image.registered_extensions()[f".{suffix}"], **FORMATS[suffix])
    return content.getvalue()


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(FORMATS)), st.data())
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")  # it then refuses
def test_whatever_is_damaged_is_read_or_refused_with_its_path(tmp_path_factory, suffix, data):
    content = bytearray(whole(suffix))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, min(len(content) - 1, 120)))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / f"fuzz.{suffix}"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    for read in (read_picture, read_mask, lambda each: MaskFiles([None], [each])[0]):
        try:
            result = read(path)
        except ValueError as error:
            assert str(path) in str(error)
        else:
            assert result.min() >= 0 and result.max() <= 1


# arguments


@pytest.mark.parametrize(
    "size", [0, -1, 2.5, True, "224", (3,), (3, 0), (3, 4, 5), (True, 2), (2.0, 2), 32769, (8, 10**30)]
)
def test_a_bad_size(tmp_path, size):
    path = saved(tmp_path / "a.png", colours())
    for call in (read_picture, read_mask, lambda p, size: PictureFiles([p], size=size)):
        with pytest.raises(ValueError, match=r"size must be a whole number of pixels, 1 to 32768, or .*, got"):
            call(path, size=size)
    with pytest.raises(ValueError, match="size must be"):
        MaskFiles([None], [path], size=size)


@pytest.mark.parametrize("channels", [0, 2, 4, True, 3.0, "3", None])
def test_bad_channels(tmp_path, channels):
    path = saved(tmp_path / "a.png", colours())
    for call in (lambda: read_picture(path, channels=channels), lambda: PictureFiles([path], channels=channels)):
        with pytest.raises(ValueError, match="channels must be 1 or 3, got"):
            call()


@pytest.mark.parametrize("fit", ["cover", "", None, True])
def test_a_bad_fit(tmp_path, fit):
    path = saved(tmp_path / "a.png", colours())
    for call in (lambda: read_picture(path, fit=fit), lambda: PictureFiles([path], fit=fit)):
        with pytest.raises(ValueError, match='fit must be "stretch" or "crop", got'):
            call()


def test_one_path_is_no_sequence_of_paths(tmp_path):
    for path in ("a/b.png", tmp_path):
        with pytest.raises(ValueError, match="files must be a sequence of paths, got the one path"):
            PictureFiles(path)
        with pytest.raises(ValueError, match="files must be a sequence of paths or None, got the one path"):
            MaskFiles(path, [])
        with pytest.raises(ValueError, match="pictures must be a sequence of paths, got the one path"):
            MaskFiles([], path)
    with pytest.raises(ValueError, match="one mask or None a picture, got 1 for 2"):
        MaskFiles([None], ["a.png", "b.png"])


@pytest.mark.parametrize("path", [None, 3, True, b"a.png", [], {}, np.int64(3), ""])
def test_what_is_no_path(path):
    for read, what in ((read_picture, "picture"), (read_mask, "mask")):
        with pytest.raises(ValueError, match=f"path must be the path of a {what}, got"):
            read(path)
    with pytest.raises(ValueError, match="every one of files must be the path of a file, got"):
        PictureFiles(["a.png", path])
    with pytest.raises(ValueError, match="every one of pictures must be the path of a file, got"):
        MaskFiles([None], [path])
    if path is not None:
        with pytest.raises(ValueError, match="every one of files must be the path of a file, got"):
            MaskFiles([path], ["a.png"])


@pytest.mark.parametrize("files", [None, 3, True, b"a.png"])
def test_what_is_no_sequence(files):
    for make in (PictureFiles, lambda each: MaskFiles(each, []), lambda each: MaskFiles([], each)):
        with pytest.raises(ValueError, match=r"(files|pictures) must be a sequence of paths( or None)?, got"):
            make(files)


def test_the_home_folder_is_followed(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    path = saved(tmp_path / "a.png", colours())
    assert PictureFiles(["~/a.png"])[0].equal(read_picture(path)) and read_picture("~/a.png").equal(read_picture(path))
    with pytest.raises(ValueError, match="no such home folder"):
        read_picture("~nobody-of-this-name/a.png")
    with pytest.raises(ValueError, match="cannot be read as a picture"):
        read_picture(tmp_path / ("x" * 5000))


def test_an_index_is_a_whole_number(tmp_path):
    data = PictureFiles([saved(tmp_path / "a.png", colours())], size=4)
    assert data[np.int64(0)].equal(data[torch.tensor(0)])
    for index in (slice(1), "0", 0.0):
        with pytest.raises(TypeError):
            data[index]


# masks


@pytest.mark.parametrize("top", [1, 2, 255])
def test_every_value_above_zero_is_anomalous(tmp_path, top):
    pattern = colours(20, 30)[..., 0] > 128
    mask = read_mask(saved(tmp_path / "m.png", (pattern * top).astype(np.uint8)))
    assert mask.dtype == torch.uint8 and mask.shape == (20, 30)
    np.testing.assert_array_equal(mask, pattern)


def test_masks_of_every_mode(tmp_path):
    pattern = colours(20, 30)[..., 0] > 128
    grey = Image.fromarray((pattern * 255).astype(np.uint8))
    blue = np.zeros((20, 30, 3), np.uint8)
    blue[..., 2] = pattern  # faint, in one channel
    palette = Image.fromarray(pattern.astype(np.uint8), mode="P")
    palette.putpalette([0, 0, 0, 128, 0, 0])
    alpha = Image.merge("LA", [Image.new("L", grey.size, 255), grey])  # white, seen where anomalous
    files = [
        saved(tmp_path / "bits.png", grey, "1"),
        saved(tmp_path / "blue.bmp", blue),
        saved(tmp_path / "palette.png", palette),
        saved(tmp_path / "alpha.png", alpha),
        saved(tmp_path / "deep.png", pattern.astype(np.uint16)),
    ]
    for path in files:
        np.testing.assert_array_equal(read_mask(path), pattern, err_msg=path.name)


def test_traces_of_compression_are_not_anomalous(tmp_path):
    squares = np.kron(colours(8, 8)[..., 0] > 128, np.ones((13, 13))).astype(bool)  # edges inside the 8 x 8 blocks
    path = saved(tmp_path / "lossy.jpg", (squares * 255).astype(np.uint8), quality=75)
    assert (np.asarray(Image.open(path)) > 0).mean() > squares.mean() + 0.05
    np.testing.assert_array_equal(read_mask(path), squares)
    both = [Image.fromarray((squares * 255).astype(np.uint8))] * 2
    both[0].save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=both[1:], quality=75)
    np.testing.assert_array_equal(read_mask(tmp_path / "phone.jpg"), squares)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 50), st.integers(1, 50))
def test_masks_are_scaled_by_nearest_neighbour(tmp_path_factory, height, width, to_height, to_width):
    pattern = (np.random.default_rng(height * 41 + width).random((height, width)) > 0.7).astype(np.uint8)
    path = saved(tmp_path_factory.getbasetemp() / "m.png", pattern * 255)
    mask = read_mask(path, size=(to_height, to_width))
    # The pixel whose area holds the middle of the new one; a middle on an edge belongs to either.
    rows, columns = (
        [{int(np.floor((i + 0.5) * a / b - e)) for e in (0, 1e-9)} for i in range(b)]
        for a, b in ((height, to_height), (width, to_width))
    )
    for y in range(to_height):
        for x in range(to_width):
            assert int(mask[y, x]) in {int(pattern[r, c]) for r in rows[y] for c in columns[x]}


def test_masks_of_pictures(tmp_path):
    pictures = [saved(tmp_path / f"{i}.png", colours(10 + i, 12)) for i in range(3)]
    masks = [None, saved(tmp_path / "m1.png", np.eye(11, 12, dtype=np.uint8)), None]
    masks[2] = saved(tmp_path / "m2.png", np.zeros((12, 12), np.uint8))
    data = MaskFiles(masks, pictures)
    assert [tuple(mask.shape) for mask in data] == [(10, 12), (11, 12), (12, 12)]
    assert [int(mask.sum()) for mask in data] == [0, 11, 0]
    assert data.empty() == (tmp_path / "m2.png",)
    assert all(mask.shape == (6, 5) and mask.dtype == torch.uint8 for mask in MaskFiles(masks, pictures, size=(6, 5)))
    batch = next(iter(DataLoader(MaskFiles(masks, pictures, size=8), batch_size=3)))
    assert batch.shape == (3, 8, 8)


def test_a_mask_of_another_size_is_refused(tmp_path):
    picture = saved(tmp_path / "p.png", colours(20, 30))
    mask = saved(tmp_path / "m.png", np.zeros((30, 20), np.uint8))
    for size in (None, 8):
        with pytest.raises(ValueError, match=r"m\.png must be as large as its picture .*p\.png, 20 x 30 .*got 30 x 20"):
            MaskFiles([mask], [picture], size=size)[0]


# folders


@given(st.lists(st.from_regex(r"[a-c0-9_.-]{1,6}", fullmatch=True), max_size=8))
def test_natural_order(names):
    ordered = sorted(names, key=natural_key)
    assert sorted(ordered[::-1], key=natural_key) == ordered  # it does not depend on where one starts
    numbers = [f"frame{i}.jpg" for i in range(0, 200, 7)]
    assert sorted(sorted(numbers), key=natural_key) == numbers


def test_natural_order_by_example():
    names = ["10.jpg", "2.jpg", "B1.jpg", "a1.jpg", "a01.jpg", "a10.jpg", "a9b2.jpg"]
    expected = ["2.jpg", "10.jpg", "B1.jpg", "a01.jpg", "a1.jpg", "a9b2.jpg", "a10.jpg"]
    assert sorted(names, key=natural_key) == expected
    assert sorted(map(Path, names), key=natural_key) == list(map(Path, expected))


def test_strays_are_listed_with_the_reason(tmp_path):
    for name in (
        "10.png",
        "2.PNG",
        "3.bmp",
        "Thumbs.db",
        ".DS_Store",
        "._2.PNG",
        "license.txt",
        "README",
        "4.png.part",
    ):
        (tmp_path / name).touch()
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "deeper.png").mkdir()
    files, skipped = list_pictures(tmp_path)
    assert [path.name for path in files] == ["2.PNG", "3.bmp", "10.png"]
    told = dict(line.removeprefix(f"{tmp_path}/").split(": ") for line in skipped)
    assert told == {
        "Thumbs.db": "not a picture (.db)",
        ".DS_Store": "hidden",
        "._2.PNG": "left by macOS beside a file",
        "license.txt": "not a picture (.txt)",
        "README": "not a picture (no suffix)",
        "4.png.part": "not a picture (.part)",
        "__MACOSX": "hidden",
        "deeper.png": "a folder among pictures",
    }
    assert all(not stray(path) for path in files)


def test_every_suffix_can_be_decoded():
    assert set(SUFFIXES) <= set(Image.registered_extensions())


# many files


def test_pictures_are_decoded_when_asked_for(tmp_path):
    files = [saved(tmp_path / f"{i}.png", colours(seed=i)) for i in range(3)]
    data = PictureFiles([str(file) for file in files], size=8)
    assert len(data) == 3 and data.files == tuple(files) and data.size == 8
    batch = next(iter(DataLoader(data, batch_size=3, num_workers=1)))
    assert batch.shape == (3, 3, 8, 8)
    assert batch[1].equal(read_picture(files[1], size=8)) and data[-1].equal(batch[2])
    truncated(files[1])
    assert data[0].equal(batch[0])
    with pytest.raises(ValueError, match=r"1\.png cannot be read"):
        data[1]
    with pytest.raises(IndexError):
        data[3]
    assert len(pickle.dumps(data)) < 2000  # paths, no pixels: what a worker process gets


def test_unequal_sizes_stay_unequal_without_a_size(tmp_path):
    data = PictureFiles([saved(tmp_path / f"{i}.png", colours(4 + i, 9 - i)) for i in range(3)], channels=1)
    assert [tuple(picture.shape) for picture in data] == [(1, 4, 9), (1, 5, 8), (1, 6, 7)]


@pytest.fixture
def data(tmp_path):
    def files(place: Path) -> PictureData:
        place.mkdir()
        paths = [saved(place / f"{i}.png", colours(seed=i)) for i in range(4)]
        masks = [None, saved(place / "m.png", np.eye(20, 30, dtype=np.uint8))]
        return PictureData(
            name=place.name,
            train=PictureFiles(paths[:2], size=8),
            test=PictureFiles(paths[2:], size=8),
            test_labels=torch.tensor([0, 1]),
            test_kinds=("good", "cut"),
            test_masks=MaskFiles(masks, paths[2:], size=8),
        )

    return files(tmp_path / "here"), files(tmp_path / "there")


def test_the_fingerprint_is_that_of_the_content(data):
    here, there = data
    assert here.sha256() == there.sha256() and len(here.sha256()) == 64
    files = PictureFiles(here.train.files, size=(8, 8))
    assert changed(here, train=files).sha256() == here.sha256()


def changed(data: PictureData, **changes) -> PictureData:
    return PictureData(**{**{name: getattr(data, name) for name in data.__dataclass_fields__}, **changes})


def test_the_fingerprint_sees_every_change(data):
    here, there = data
    files, masks = here.test.files, here.test_masks.files
    others = [
        changed(here, train=PictureFiles(here.train.files, size=9)),
        changed(here, train=PictureFiles(here.train.files, size=8, channels=1)),
        changed(here, train=PictureFiles(here.train.files, size=8, fit="crop")),
        changed(here, train=PictureFiles(here.train.files[::-1], size=8)),
        changed(here, train=PictureFiles((*here.train.files, files[0]), size=8)),
        changed(here, test_labels=torch.tensor([1, 0])),
        changed(here, test_kinds=("good", "hole")),
        changed(here, test_masks=None),
        changed(here, test_masks=MaskFiles(masks, files, size=9)),
        changed(here, test_masks=MaskFiles(masks[::-1], files, size=8)),
    ]
    assert len({each.sha256() for each in (here, *others)}) == len(others) + 1
    assert changed(here, name="else", skipped=("x: y",)).sha256() == here.sha256()
    for path in (there.train.files[0], there.test.files[1], there.test_masks.files[1]):
        content = path.read_bytes()
        path.write_bytes(content + b"\0")
        assert there.sha256() != here.sha256()
        path.write_bytes(content)
    assert there.sha256() == here.sha256()


def test_the_fingerprint_does_not_depend_on_the_machine(tmp_path):
    """A picture written byte by byte, so that no library has a part in it."""
    path = tmp_path / "a.bmp"
    path.write_bytes(
        b"BM"
        + struct.pack("<IHHI", 70, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 2, 2, 1, 24, 0, 16, 0, 0, 0, 0)
        + bytes(range(16))
    )
    assert read_picture(path).shape == (3, 2, 2)
    data = PictureData(
        name="a",
        train=PictureFiles([path], size=(4, 5)),
        test=PictureFiles([path, path], size=256, channels=1),
        test_labels=torch.tensor([0, 1]),
        test_kinds=("good", "hole"),
        test_masks=MaskFiles([None, path], [path, path]),
    )
    assert data.sha256() == "462535a0ded0760b26a3f7f25d32bb4986cd8c1b4f48d651cbd58e791005d2b6"


def test_the_summary_is_short(data):
    assert len(repr(data[0])) < 60
