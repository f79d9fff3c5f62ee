"""The released corruptions on tiny sets in their layouts, whole, half unpacked and broken."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from adlib.datasets.corruptions._perturbations import IMAGENET_P, IMAGENET_P_EXTRA
from adlib.datasets.corruptions._released import released_imagenet_c, released_imagenet_p, released_mnist_c
from adlib.datasets.corruptions._severities import IMAGENET_C, IMAGENET_C_EXTRA
from adlib.datasets.files import PictureFiles
from adlib.datasets.videos import Video

WNIDS = ("n01440764", "n02097474", "n15075141")

# tiny sets in the true layouts


def digits(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 28, 28, 1)).astype(np.uint8), rng.integers(0, 10, count)


@pytest.fixture
def mnist_c_set(tmp_path):
    for i, name in enumerate(("fog", "identity")):
        folder = tmp_path / "mnist_c" / name
        folder.mkdir(parents=True)
        for j, (split, count) in enumerate((("train", 30), ("test", 20))):
            for part, array in zip(("images", "labels"), digits(count, 2 * i + j), strict=True):
                np.save(folder / f"{split}_{part}.npy", array)
    return tmp_path


def write_picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (224, 224, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path, "JPEG")


@pytest.fixture(params=["ImageNet-C", "ImageNet-C/weather", "imagenet-c", "."])
def imagenet_c_set(tmp_path, request):
    """Two pictures of the first class, one of each other, at severities 2 and 5, under each of the usual folders."""
    for severity in (2, 5):
        for i, wnid in enumerate((*WNIDS, WNIDS[0])):
            write_picture(tmp_path / request.param / "fog" / str(severity) / wnid / f"{9 - i}.JPEG", 10 * severity + i)
    return tmp_path


def write_clip(path: Path, frames: int, seed: int) -> np.ndarray:
    """A small movie; returns its frames as they were encoded."""
    av = pytest.importorskip("av")
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(40, 216, (frames, 1, 1, 3)).astype(np.uint8)
    pixels = np.broadcast_to(pixels, (frames, 32, 48, 3))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 48, 32, "yuv420p", 4_000_000
        for frame in pixels:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode(None))
    return pixels


@pytest.fixture
def imagenet_p_set(tmp_path):
    for i, name in enumerate(("tilt", "shot_noise_2")):
        for j, wnid in enumerate(WNIDS[:2]):
            for k in range(2 - j):
                write_clip(tmp_path / "ImageNet-P" / name / wnid / f"val_{k}.mp4", 7, 10 * i + 3 * j + k)
    return tmp_path


# MNIST-C


@pytest.mark.parametrize(("split", "count", "seed"), [("test", 20, 1), ("train", 30, 0)])
def test_mnist_c(mnist_c_set, split, count, seed):
    data = released_mnist_c("fog", split, root=mnist_c_set)
    images, labels = digits(count, seed)
    assert data.name == "fog" and data.skipped == () and data.class_names == tuple("0123456789")
    assert data.images.dtype == torch.float32 and data.images.shape == (count, 1, 28, 28)
    np.testing.assert_array_equal(data.images[:, 0].numpy() * 255, images[..., 0])
    assert data.classes.dtype == torch.int64 and data.classes.tolist() == labels.tolist()
    assert len(repr(data)) < 100


def test_tensors_of_its_own(mnist_c_set):
    first = released_mnist_c("fog", root=mnist_c_set)
    first.images.zero_()
    first.classes.zero_()
    assert released_mnist_c("fog", root=mnist_c_set).images.any()
    assert released_mnist_c("fog", root=mnist_c_set).classes.any()


def test_other_places_shapes_and_numbers(mnist_c_set, monkeypatch):
    expected = released_mnist_c("fog", root=mnist_c_set).images
    assert torch.equal(released_mnist_c("fog", root=mnist_c_set / "mnist_c").images, expected)
    monkeypatch.setenv("ADLIB_DATA", str(mnist_c_set))
    (mnist_c_set / "mnist_c").rename(mnist_c_set / "MNIST-C")
    assert torch.equal(released_mnist_c("fog").images, expected)
    folder = mnist_c_set / "MNIST-C/fog"
    (folder / ".DS_Store").write_bytes(b"x")
    np.save(folder / "test_images.npy", np.load(folder / "test_images.npy")[..., 0])  # (N, 28, 28)
    np.save(folder / "test_labels.npy", np.load(folder / "test_labels.npy").astype(np.uint8))
    data = released_mnist_c("fog")
    assert torch.equal(data.images, expected) and data.classes.dtype == torch.int64


def test_a_missing_mnist_c(tmp_path, mnist_c_set):
    with pytest.raises(FileNotFoundError, match="mnist_c is not complete") as caught:
        released_mnist_c("fog", root=tmp_path / "elsewhere")
    for part in ("expected: CORRUPTION/{train,test}_images.npy", "found: no such folder", "zenodo", "licence"):
        assert part in str(caught.value)
    with pytest.raises(FileNotFoundError, match=r"no folder zigzag\n.*\n.*found: fog, identity"):
        released_mnist_c("zigzag", root=mnist_c_set)
    (mnist_c_set / "mnist_c/fog/test_labels.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"fog: no test_labels.npy; was the archive unpacked to its end\?"):
        released_mnist_c("fog", root=mnist_c_set)
    assert len(released_mnist_c("fog", "train", root=mnist_c_set).images) == 30  # the other split is not looked at
    (mnist_c_set / "mnist_c/fog/test_images.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"no test_images.npy and no test_labels.npy"):
        released_mnist_c("fog", root=mnist_c_set)


def test_a_folder_too_deep_is_pointed_at(mnist_c_set):
    (mnist_c_set / "mnist_c").rename(mnist_c_set / "inner")
    (mnist_c_set / "mnist_c").mkdir()
    (mnist_c_set / "inner").rename(mnist_c_set / "mnist_c/mnist_c")
    with pytest.raises(FileNotFoundError, match=r"no folder fog; it lies deeper: give root='.*mnist_c/mnist_c'"):
        released_mnist_c("fog", root=mnist_c_set)
    assert len(released_mnist_c("fog", root=mnist_c_set / "mnist_c/mnist_c").images) == 20


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-500])


def _archive(path: Path) -> None:
    packed = io.BytesIO()
    np.savez(packed, images=np.zeros(3))
    path.write_bytes(packed.getvalue())


class Bomb:
    """A pickle that would leave a file if it were read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        ("images", _cut, "cannot be read as a .npy array of numbers"),
        ("images", lambda path: path.write_bytes(b""), r"the file is empty \(0 bytes\)"),
        ("images", lambda path: path.write_bytes(b"<html>not found</html>"), "cannot be read as a .npy array"),
        ("labels", lambda path: path.write_bytes(b"\x93NUMPY\x01"), "cannot be read as a .npy array"),
        ("images", _archive, r"must be one .npy array, got an archive of several \(.npz\)"),
        ("images", lambda path: np.save(path, np.zeros((20, 28, 28, 1), np.float32)), "uint8 .* got float32 of"),
        (
            "images",
            lambda path: np.save(path, np.zeros((20, 32, 32), np.uint8)),
            r"\(N, 28, 28, 1\), got uint8 of \(20, ",
        ),
        ("images", lambda path: np.save(path, np.zeros((20, 784), np.uint8)), r"got uint8 of \(20, 784\)"),
        ("images", lambda path: np.save(path, np.zeros((0, 28, 28), np.uint8)), r"got uint8 of \(0, 28, 28\)"),
        ("labels", lambda path: np.save(path, np.zeros(20)), r"integers of shape \(N,\), got float64 of \(20,\)"),
        ("labels", lambda path: np.save(path, np.zeros((20, 1), int)), r"got int64 of \(20, 1\)"),
        ("labels", lambda path: np.save(path, np.full(20, 10)), "labels from 0 to 9, got 10 to 10"),
        ("labels", lambda path: np.save(path, np.full(20, -1)), "labels from 0 to 9, got -1 to -1"),
        (
            "labels",
            lambda path: np.save(path, np.zeros(19, int)),
            "test_images.npy holds 20 pictures, but .* 19 labels",
        ),
    ],
)
def test_a_broken_file_is_named(mnist_c_set, file, damage, message):
    path = mnist_c_set / "mnist_c/fog" / f"test_{file}.npy"
    damage(path)
    with pytest.raises(ValueError, match=message) as caught:
        released_mnist_c("fog", root=mnist_c_set)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_pickle_is_never_read(mnist_c_set, wrapped):
    path, trace = mnist_c_set / "mnist_c/fog/test_labels.npy", mnist_c_set / "trace"
    if wrapped:
        np.save(path, np.array([Bomb(trace)] * 20, dtype=object), allow_pickle=True)
    else:
        path.write_bytes(pickle.dumps([Bomb(trace)] * 20))
    with pytest.raises(ValueError, match=r"test_labels.npy cannot be read as a .npy array of numbers"):
        released_mnist_c("fog", root=mnist_c_set)
    assert not trace.exists()


# ImageNet-C


def test_imagenet_c(imagenet_c_set):
    data = released_imagenet_c("fog", 2, root=imagenet_c_set)
    assert isinstance(data.images, PictureFiles) and data.name == "fog 2" and data.skipped == ()
    assert data.class_names == WNIDS and data.classes.tolist() == [0, 0, 1, 2]
    assert [path.parent.name for path in data.images.files] == [WNIDS[i] for i in data.classes]
    assert [path.name for path in data.images.files] == ["6.JPEG", "9.JPEG", "8.JPEG", "7.JPEG"]
    assert all(path.parent.parent.name == "2" for path in data.images.files)
    with Image.open(data.images.files[1]) as picture:
        np.testing.assert_array_equal(data.images[1].numpy() * 255, np.asarray(picture).transpose(2, 0, 1))
    assert next(iter(DataLoader(data.images, batch_size=4))).shape == (4, 3, 224, 224)
    assert released_imagenet_c("fog", 2, root=imagenet_c_set, size=32).images[0].shape == (3, 32, 32)


@pytest.mark.parametrize("imagenet_c_set", ["ImageNet-C"], indirect=True)
def test_stray_files_are_listed(imagenet_c_set):
    folder = imagenet_c_set / "ImageNet-C/fog/2"
    strays = {
        "readme.txt": "not part of the layout",
        ".DS_Store": "hidden",
        f"{WNIDS[0]}/notes.txt": "not a picture",
        f"{WNIDS[1]}/._8.JPEG": "macOS",
        "thumbs/8.JPEG": "not a class",
    }
    for stray in strays:
        (folder / stray).parent.mkdir(exist_ok=True)
        (folder / stray).touch()
    data = released_imagenet_c("fog", 2, root=imagenet_c_set)
    assert len(data.images) == 4 and len(data.skipped) == 5
    for stray, reason in strays.items():
        place = folder / stray if "thumbs" not in stray else folder / "thumbs"
        assert any(told.startswith(f"{place}: ") and reason in told for told in data.skipped)


@pytest.mark.parametrize("imagenet_c_set", ["ImageNet-C"], indirect=True)
def test_a_half_unpacked_imagenet_c(imagenet_c_set):
    folder = imagenet_c_set / "ImageNet-C/fog"
    with pytest.raises(FileNotFoundError, match=r"no folder 3 in fog; was the archive .*\n.*\n.*found: 2, 5\n"):
        released_imagenet_c("fog", 3, root=imagenet_c_set)
    with pytest.raises(FileNotFoundError, match=r"ImageNet-C: no folder snow\n(.*\n)*.*zenodo"):
        released_imagenet_c("snow", 2, root=imagenet_c_set)
    with pytest.raises(FileNotFoundError, match=r"imagenet_c is not complete in .*elsewhere"):
        released_imagenet_c("fog", 2, root=imagenet_c_set / "elsewhere")
    (folder / "5" / WNIDS[1]).rename(folder / "away")  # its index would be taken by the next class
    with pytest.raises(FileNotFoundError, match=rf"1 classes that .*fog.2 has are not there \({WNIDS[1]}\)"):
        released_imagenet_c("fog", 5, root=imagenet_c_set)
    assert len(released_imagenet_c("fog", 2, root=imagenet_c_set).images) == 4
    (folder / "away").rename(folder / "5" / WNIDS[1])
    (folder / "5" / WNIDS[1] / "8.JPEG").unlink()
    with pytest.raises(ValueError, match=rf"5 has 1 classes without a picture \({WNIDS[1]}\)"):
        released_imagenet_c("fog", 5, root=imagenet_c_set)


@pytest.mark.parametrize("imagenet_c_set", ["ImageNet-C"], indirect=True)
def test_wrong_nesting_of_imagenet_c(imagenet_c_set):
    folder = imagenet_c_set / "ImageNet-C"
    (folder / "1").mkdir()
    for wnid in WNIDS:
        (folder / "fog/2" / wnid).rename(folder / "1" / wnid)
    (folder / "fog/2").rmdir()
    (folder / "1").rename(folder / "fog/2")  # whole again, in another order of the directory
    assert released_imagenet_c("fog", 2, root=imagenet_c_set).class_names == WNIDS
    (folder / "JPEG/all").mkdir(parents=True)
    (folder / "fog").rename(folder / "JPEG/all/fog")
    with pytest.raises(FileNotFoundError, match=r"no folder fog; it lies deeper: give root='.*JPEG.all'"):
        released_imagenet_c("fog", 2, root=imagenet_c_set)
    (folder / "JPEG/all/fog/2").rename(folder / "fog")  # classes directly in the corruption
    with pytest.raises(FileNotFoundError, match=rf"no folder 2 in fog; .*\n.*\n.*found: {WNIDS[0]}, "):
        released_imagenet_c("fog", 2, root=imagenet_c_set)
    (folder / "fog").rename(folder / "deep")
    (folder / "fog/2").mkdir(parents=True)
    (folder / "deep").rename(folder / "fog/2/val")  # one level too many
    with pytest.raises(FileNotFoundError, match=r"no folder of a class, such as n01440764\n.*\n.*found: val\n"):
        released_imagenet_c("fog", 2, root=imagenet_c_set)


@pytest.mark.parametrize("imagenet_c_set", ["ImageNet-C"], indirect=True)
def test_a_broken_picture_is_named_when_it_is_read(imagenet_c_set):
    data = released_imagenet_c("fog", 2, root=imagenet_c_set)
    data.images.files[2].write_bytes(data.images.files[2].read_bytes()[:800])
    assert data.images[1].shape == (3, 224, 224)
    with pytest.raises(ValueError, match=rf"{WNIDS[1]}.8.JPEG cannot be read as a picture"):
        data.images[2]


# ImageNet-P


def test_imagenet_p(imagenet_p_set):
    pixels = write_clip(imagenet_p_set / "ImageNet-P/tilt" / WNIDS[1] / "val_0.mp4", 7, 99)
    data = released_imagenet_p("tilt", root=imagenet_p_set)
    assert data.class_names == WNIDS[:2] and data.classes.tolist() == [0, 0, 1] and data.skipped == ()
    assert all(isinstance(clip, Video) for clip in data.images)
    assert [clip.name for clip in data.images] == [f"{WNIDS[0]}/val_0", f"{WNIDS[0]}/val_1", f"{WNIDS[1]}/val_0"]
    clip = data.images[2]
    assert len(clip) == 7 and clip[0:7].shape == (7, 3, 32, 48)
    expected = torch.tensor(pixels / 255).float().permute(0, 3, 1, 2)
    torch.testing.assert_close(clip[0:7], expected, rtol=0, atol=0.04)  # a lossy codec
    assert released_imagenet_p("tilt", root=imagenet_p_set, size=16).images[0][0].shape == (3, 16, 16)
    assert len(released_imagenet_p("shot_noise_2", root=imagenet_p_set / "ImageNet-P").images) == 3


def test_clips_are_not_looked_at_before_they_are_asked_for(tmp_path):
    path = tmp_path / "imagenet-p/snow" / WNIDS[0] / "0.mp4"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a movie")
    data = released_imagenet_p("snow", root=tmp_path)
    pytest.importorskip("av")
    with pytest.raises(ValueError, match=r"0.mp4 cannot be read as a movie"):
        data.images[0][0]


def test_strays_and_gaps_in_imagenet_p(imagenet_p_set):
    folder = imagenet_p_set / "ImageNet-P"
    for name in ("a.txt", "._val_0.mp4", "0.JPEG"):
        (folder / "tilt" / WNIDS[0] / name).touch()
    data = released_imagenet_p("tilt", root=imagenet_p_set)
    assert len(data.images) == 3
    assert [told.split(": ")[-1] for told in data.skipped] == ["hidden", "not a clip (.mp4)", "not a clip (.mp4)"]
    with pytest.raises(FileNotFoundError, match="no folder rotate\n"):
        released_imagenet_p("rotate", root=imagenet_p_set)
    (folder / "tilt" / WNIDS[1] / "val_0.mp4").unlink()
    with pytest.raises(ValueError, match=rf"tilt has 1 classes without a clip \({WNIDS[1]}\)"):
        released_imagenet_p("tilt", root=imagenet_p_set)
    (folder / "tilt" / WNIDS[1]).rmdir()
    with pytest.raises(FileNotFoundError, match=r"1 classes that .*shot_noise_2 has are not there"):
        released_imagenet_p("tilt", root=imagenet_p_set)
    assert len(released_imagenet_p("shot_noise_2", root=imagenet_p_set).images) == 3


# arguments


@pytest.mark.parametrize("name", ["mist", "", None, ["fog"], "gaussian_noise_4", "tilt_2"])
def test_an_unknown_corruption_lists_them(tmp_path, name):
    listed = ", ".join((*IMAGENET_C, *IMAGENET_C_EXTRA))
    with pytest.raises(ValueError, match=f"name must be one of {listed}; got"):
        released_imagenet_c(name, 1, root=tmp_path)
    listed = ", ".join((*IMAGENET_P, *IMAGENET_P_EXTRA))
    with pytest.raises(ValueError, match=f"name must be one of {listed}, gaussian_noise_2, .*, speckle_noise_3; got"):
        released_imagenet_p(name, root=tmp_path)
    with pytest.raises(ValueError, match=r"name must be one of shot_noise, .*, canny_edges, identity; got"):
        released_mnist_c(name, root=tmp_path)


def test_bad_arguments(tmp_path):
    for severity in (0, 6, 2.0, True, "2"):
        with pytest.raises(ValueError, match="severity must be an integer from 1 to 5, got"):
            released_imagenet_c("fog", severity, root=tmp_path)
    for split in ("val", None):
        with pytest.raises(ValueError, match='split must be "train" or "test", got'):
            released_mnist_c("fog", split, root=tmp_path)
    with pytest.raises(ValueError, match="root must be the path of a folder, got 3"):
        released_mnist_c("fog", root=3)
