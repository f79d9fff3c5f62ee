"""The one-class protocol on the embedded digits, on the real MNIST where present, on tiny sets in the true layouts."""

import gzip
import hashlib
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader

from adlib.datasets import OneClassData, PictureFiles, one_class

REAL = Path(os.environ.get("ADLIB_DATA") or Path(__file__).parents[3] / "shared" / "data")
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
FOLDERS = {"mnist": "MNIST/raw", "fashion_mnist": "FashionMNIST/raw"}

# tiny sets in the true layouts


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def some_digits(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """count pictures of 28 x 28 and their classes, every class in turn."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 28, 28)).astype(np.uint8), np.arange(count) % 10


def write_mnist(root: Path, name: str = "mnist", *, packed: bool = True) -> Path:
    """30 training and 20 test pictures. Returns the folder of the four files."""
    folder = root / FOLDERS[name]
    folder.mkdir(parents=True, exist_ok=True)
    for file, array in zip(FILES, (*some_digits(30, 1), *some_digits(20, 2)), strict=True):
        if packed:
            (folder / f"{file}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (folder / file).write_bytes(idx(array))
    return folder


@pytest.fixture
def cifar10(tmp_path, monkeypatch):
    """20 pictures a batch, and torchvision told the MD5 sums of these files in place of the real ones."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rng = np.random.default_rng(3)

    def write(file: str, content: dict) -> str:
        packed = pickle.dumps(content, protocol=2)
        (folder / file).write_bytes(packed)
        return hashlib.md5(packed).hexdigest()

    def batch(file: str) -> list[str]:
        data = rng.integers(0, 256, (20, 3072)).astype(np.uint8)
        return [file, write(file, {"data": data, "labels": [i % 10 for i in range(20)]})]

    train, test = [batch(f"data_batch_{i}") for i in range(1, 6)], [batch("test_batch")]
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    meta = {"filename": "batches.meta", "key": "label_names", "md5": write("batches.meta", {"label_names": names})}
    for attribute, value in (("train_list", train), ("test_list", test), ("meta", meta)):
        monkeypatch.setattr(torchvision.datasets.CIFAR10, attribute, value)
    return tmp_path


@pytest.fixture
def imagenet(tmp_path):
    """Three classes; training folders are links, as the reference code makes them; test pictures lie deeper."""
    rng = np.random.default_rng(4)

    def write(path: Path, shape: tuple[int, ...]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, shape).astype(np.uint8)).save(path)

    for wnid, name in (("n03", "volcano"), ("n01", "acorn"), ("n02", "banjo")):
        for i in range(3):
            write(tmp_path / "ilsvrc" / wnid / f"{wnid}_{i}.JPEG", (40, 50, 3))
        for i in range(2):
            write(tmp_path / "one_class_test" / name / wnid / f"{i}.JPEG", (60, 48) if i else (48, 60, 3))
        folder = tmp_path / "one_class_train" / name
        folder.mkdir(parents=True)
        (folder / "images").symlink_to(tmp_path / "ilsvrc" / wnid)
    return tmp_path


# the protocol, on the digits


@pytest.mark.parametrize("normal", range(10))
def test_digits_follow_the_protocol(normal):
    digits = load_digits()
    data = one_class("digits", normal)
    assert isinstance(data, OneClassData)
    assert (data.name, data.normal, data.class_names) == ("digits", normal, tuple("0123456789"))
    train = digits.images[:1200][digits.target[:1200] == normal]
    np.testing.assert_array_equal(data.train[:, 0].numpy() * 16, train)
    np.testing.assert_array_equal(data.test[:, 0].numpy() * 16, digits.images[1200:])
    np.testing.assert_array_equal(data.test_classes, digits.target[1200:])
    np.testing.assert_array_equal(data.test_labels, digits.target[1200:] != normal)


def test_digits_have_the_promised_shapes_and_ranges():
    data = one_class("digits", "7")
    assert data.normal == 7
    assert data.train.shape == (118, 1, 8, 8) and data.test.shape == (597, 1, 8, 8)
    assert data.train.dtype == data.test.dtype == torch.float32
    assert data.test_labels.dtype == data.test_classes.dtype == torch.int64
    assert data.test.min() == 0 and data.test.max() == 1
    assert 0.88 < data.test_labels.float().mean() < 0.92


def test_the_digits_file_is_ordered_by_form():
    """What the docstring says: labels start over about every 130 pictures, and the cut lies inside one such form."""
    target = load_digits().target
    forms = [0, 130, 256, 386, 516, 646, 776, 1029, 1157, 1287, 1415, 1667]
    assert [i for i in range(1797 - 29) if (target[i : i + 30] == np.tile(np.arange(10), 3)).all()] == forms
    assert 1157 < 1200 < 1287


def test_every_call_gives_tensors_of_its_own():
    first = one_class("digits", 3)
    before = first.sha256()
    for tensor in (first.train, first.test, first.test_labels, first.test_classes):
        tensor.zero_()
    assert first.sha256() != before
    assert one_class("digits", 3).sha256() == before


def test_the_fingerprint_tells_data_apart():
    data = one_class("digits", 3)
    assert data.sha256() == one_class("digits", "3").sha256()
    assert len(data.sha256()) == 64
    assert len({one_class("digits", normal).sha256() for normal in range(10)}) == 10
    before = data.sha256()
    data.test[5, 0, 2, 2] += 1 / 16
    assert data.sha256() != before
    # Pinned: a change of the bytes behind a published figure must not pass unseen.
    assert before == "5b4c211deeacab45752433bf93007f12fadf81f5e0326d344baa1d4e405da076"


def test_the_summary_is_short():
    assert len(repr(one_class("digits", 0))) < 120


# MNIST and Fashion-MNIST


@pytest.mark.skipif(not (REAL / "MNIST/raw").is_dir(), reason="the real MNIST is not in ADLIB_DATA")
def test_the_real_mnist():
    train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    for normal in range(10):
        data = one_class("mnist", normal, root=REAL)
        assert data.train.shape == (train[normal], 1, 28, 28)
        assert int((data.test_labels == 0).sum()) == test[normal]
    assert data.test.shape == (10000, 1, 28, 28) and data.test.max() == 1 and data.test.min() == 0
    assert data.test_classes.bincount().tolist() == test
    assert data.test_classes[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert 0.12 < data.train.mean() < 0.13  # bytes over 255: the mean of all digits is 0.1307, nines lie below


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_are_read_packed_or_not(tmp_path, name, packed):
    folder = write_mnist(tmp_path, name, packed=packed)
    folder.chmod(0o555)
    data = one_class(name, 3, root=tmp_path)
    (train, train_classes), (test, test_classes) = some_digits(30, 1), some_digits(20, 2)
    expected = torch.tensor(train[train_classes == 3]).float()[:, None] / 255
    torch.testing.assert_close(data.train, expected, rtol=0, atol=0)
    torch.testing.assert_close(data.test, torch.tensor(test).float()[:, None] / 255, rtol=0, atol=0)
    assert data.test_classes.tolist() == test_classes.tolist()
    assert data.test_labels.tolist() == (test_classes != 3).tolist()
    assert sorted(path.suffix for path in folder.iterdir()) == [".gz" if packed else ""] * 4  # nothing was written


def test_packed_and_plain_files_may_stand_side_by_side(tmp_path):
    folder = write_mnist(tmp_path)
    before = one_class("mnist", 1, root=tmp_path).sha256()
    packed = folder / f"{FILES[0]}.gz"
    (folder / FILES[0]).write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    (tmp_path / "elsewhere").mkdir()  # a new place, so that the files are read again
    folder.parent.rename(tmp_path / "elsewhere" / "MNIST")
    assert one_class("mnist", 1, root=tmp_path / "elsewhere").sha256() == before


def test_files_are_read_once(tmp_path):
    folder = write_mnist(tmp_path)
    one_class("mnist", 0, root=tmp_path)
    for path in folder.iterdir():
        path.unlink()
    assert len(one_class("mnist", 9, root=tmp_path).train) == 3


def test_fashion_mnist_classes_by_name(tmp_path):
    write_mnist(tmp_path, "fashion_mnist")
    data = one_class("fashion_mnist", "Ankle boot", root=tmp_path)
    assert data.normal == 9 and data.class_names[8] == "Bag"
    assert data.class_names == tuple(torchvision.datasets.FashionMNIST.classes)


def _truncate_packed(folder):
    path = folder / f"{FILES[0]}.gz"
    path.write_bytes(path.read_bytes()[:-100])


def _damage_packed(folder):
    path = folder / f"{FILES[0]}.gz"
    content = bytearray(path.read_bytes())
    content[2000] ^= 255
    path.write_bytes(bytes(content))


def _put(file, content):
    return lambda folder: (folder / f"{file}.gz").write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "file", "message"),
    [
        (_truncate_packed, FILES[0], "truncated or corrupt"),
        (_damage_packed, FILES[0], "truncated or corrupt"),
        (_put(FILES[0], b"<html>not found</html>"), FILES[0], "truncated or corrupt"),
        (_put(FILES[0], b""), FILES[0], "starts with nothing"),
        (_put(FILES[0], gzip.compress(b"<html>")), FILES[0], "it starts with 3c68746d"),
        (_put(FILES[0], gzip.compress(idx(np.zeros(30)))), FILES[0], "must be an idx file .* in 3 dim.* 00000801"),
        (_put(FILES[1], gzip.compress(b"\0\0\x0d\1\0\0\0\0")), FILES[1], "idx file of unsigned bytes .* 00000d01"),
        (_put(FILES[2], gzip.compress(idx(np.zeros((20, 28, 28)))[:-1])), FILES[2], "needs 15696 bytes, got 15695"),
        (_put(FILES[3], gzip.compress(idx(np.zeros(20)) + b"x")), FILES[3], "needs 28 bytes, got 29"),
        (_put(FILES[3], gzip.compress(b"\0\0\x08\1\0\0")), FILES[3], "truncated or corrupt"),
        (_put(FILES[2], gzip.compress(idx(np.zeros((20, 32, 32))))), FILES[2], r"28 x 28, got shape \(20, 32, 32\)"),
        (_put(FILES[3], gzip.compress(idx(np.zeros(19)))), FILES[2], "holds 20 pictures, but .* 19 labels"),
        (_put(FILES[1], gzip.compress(idx(np.full(30, 10)))), FILES[1], "labels from 0 to 9, got 10"),
    ],
)
def test_a_broken_file_is_named(tmp_path, damage, file, message):
    damage(write_mnist(tmp_path))
    with pytest.raises(ValueError, match=message) as caught:
        one_class("mnist", 0, root=tmp_path)
    assert str(tmp_path / "MNIST/raw" / file) in str(caught.value)


def test_a_missing_set_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        one_class("mnist", 0, root=tmp_path)
    message = str(caught.value)
    assert f"mnist is not complete in {tmp_path / 'MNIST/raw'}" in message
    assert all(file in message for file in FILES)
    for part in (
        "found: no such folder",
        "http://yann.lecun.com",
        "CC BY-SA 3.0",
        "adlib data download mnist",
        "ADLIB_DATA",
    ):
        assert part in message


def test_a_half_unpacked_set_says_what_was_found(tmp_path):
    folder = write_mnist(tmp_path)
    for file in FILES[1:]:
        (folder / f"{file}.gz").unlink()
    with pytest.raises(FileNotFoundError, match=f"found: {FILES[0]}.gz\n"):
        one_class("mnist", 0, root=tmp_path)
    (folder / f"{FILES[0]}.gz").unlink()
    with pytest.raises(FileNotFoundError, match="found: nothing\n"):
        one_class("mnist", 0, root=tmp_path)
    for i in range(14):
        (folder / f"{i:02}.txt").touch()
    with pytest.raises(FileNotFoundError, match=r"found: 00\.txt, .*, 11\.txt and 2 more\n"):
        one_class("mnist", 0, root=tmp_path)


def test_a_class_without_training_pictures_is_refused(tmp_path):
    folder = write_mnist(tmp_path)
    (folder / f"{FILES[1]}.gz").write_bytes(gzip.compress(idx(np.zeros(30))))
    with pytest.raises(ValueError, match="no training picture of class 4"):
        one_class("mnist", 4, root=tmp_path)


# CIFAR-10


def test_cifar10_keeps_the_channels_apart(cifar10):
    data = one_class("cifar10", "cat", root=cifar10)
    assert data.normal == 3 and data.train.shape == (10, 3, 32, 32) and data.test.shape == (20, 3, 32, 32)
    batch, last = (
        pickle.loads((cifar10 / "cifar-10-batches-py" / file).read_bytes()) for file in ("test_batch", "data_batch_5")
    )
    # Rows of a batch: red plane, green plane, blue plane. Cats are numbers 3 and 13 of every batch.
    torch.testing.assert_close(data.test.flatten(1), torch.tensor(batch["data"]).float() / 255, rtol=0, atol=0)
    cats = torch.tensor(last["data"][[3, 13]]).float() / 255
    torch.testing.assert_close(data.train[-2:].flatten(1), cats, rtol=0, atol=0)
    assert data.test_classes.tolist() == batch["labels"]
    assert int(data.test_labels.sum()) == 18


def test_cifar10_names_are_those_of_the_set(cifar10):
    assert one_class("cifar10", 0, root=cifar10).class_names == tuple(
        torchvision.datasets.CIFAR10(cifar10, train=False).classes
    )


class Trap:
    """Unpickling it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("file", ["data_batch_3", "test_batch", "batches.meta"])
def test_no_pickle_with_a_wrong_checksum_is_opened(cifar10, file):
    (cifar10 / "cifar-10-batches-py" / file).write_bytes(pickle.dumps(Trap(cifar10 / "sprung")))
    with pytest.raises(ValueError, match=f"{file} is truncated or corrupt, its MD5 sum is not"):
        one_class("cifar10", 0, root=cifar10)
    assert not (cifar10 / "sprung").exists()


def test_a_missing_cifar10_batch_is_reported(cifar10):
    (cifar10 / "cifar-10-batches-py/data_batch_2").unlink()
    with pytest.raises(FileNotFoundError, match="cifar10 is not complete") as caught:
        one_class("cifar10", 0, root=cifar10)
    assert "found: batches.meta, data_batch_1, data_batch_3" in str(caught.value)
    assert "https://www.cs.toronto.edu" in str(caught.value)


# ImageNet-30


def test_imagenet_follows_the_protocol(imagenet):
    data = one_class("imagenet", "banjo", root=imagenet, size=28)
    assert data.class_names == ("acorn", "banjo", "volcano") and data.normal == 1
    assert isinstance(data.train, PictureFiles) and isinstance(data.test, PictureFiles)
    assert [path.name for path in data.train.files] == ["n02_0.JPEG", "n02_1.JPEG", "n02_2.JPEG"]
    assert len(data.test) == 6
    assert data.test_classes.tolist() == [0, 0, 1, 1, 2, 2]
    assert data.test_labels.tolist() == [1, 1, 0, 0, 1, 1]
    assert data.test_labels.dtype == data.test_classes.dtype == torch.int64
    assert all(name in str(path) for path, name in zip(data.test.files, ["acorn"] * 2 + ["banjo"] * 2, strict=False))


def test_imagenet_pictures_are_decoded_when_asked_for(imagenet):
    data = one_class("imagenet", 0, root=imagenet, size=28)
    path = data.test.files[3]
    path.write_bytes(path.read_bytes()[:200])
    batch = next(iter(DataLoader(data.train, batch_size=3)))
    assert batch.shape == (3, 3, 28, 28) and batch.dtype == torch.float32
    assert 0 <= batch.min() < 0.3 and 0.7 < batch.max() <= 1
    with pytest.raises(ValueError, match="cannot be read as a picture") as caught:
        data.test[3]
    assert str(path) in str(caught.value)
    with pytest.raises(IndexError):
        data.test[6]


def test_imagenet_pictures_are_sorted_and_strays_passed_over(imagenet):
    before = one_class("imagenet", "acorn", root=imagenet, size=28)
    assert [path.name for path in before.train.files] == ["n01_0.JPEG", "n01_1.JPEG", "n01_2.JPEG"]
    assert before.train.fit == before.test.fit == "crop"
    for place in (imagenet / "ilsvrc/n01", imagenet / "one_class_test/acorn/n01"):
        for name in ("Thumbs.db", ".DS_Store", "._n01_0.JPEG", "n01.tar", "__MACOSX/n01_9.JPEG", ".cache/n01_8.JPEG"):
            (place / name).parent.mkdir(exist_ok=True)
            (place / name).write_bytes(b"\0")
    assert one_class("imagenet", "acorn", root=imagenet, size=28).sha256() == before.sha256()
    for name in ("n01_10.JPEG", "N01_0.png"):
        Image.new("RGB", (40, 40)).save(imagenet / "ilsvrc/n01" / name)
    names = [path.name for path in one_class("imagenet", "acorn", root=imagenet).train.files]
    assert names == [
        "N01_0.png",
        "n01_0.JPEG",
        "n01_1.JPEG",
        "n01_10.JPEG",
        "n01_2.JPEG",
    ]  # by characters, capitals first


def test_links_that_lead_back_up_are_followed_once(imagenet):
    before = one_class("imagenet", "acorn", root=imagenet).test.files
    for name in ("again", "and_again"):
        (imagenet / "one_class_test/acorn" / name).symlink_to(imagenet / "one_class_test", target_is_directory=True)
    after = one_class("imagenet", "acorn", root=imagenet)
    inside = [path for path in after.test.files if not {"again", "and_again"} & set(path.parts)]
    assert tuple(inside) == before
    assert len(after.test) < 100  # each of two links to a folder above would give 2^40 paths


def test_imagenet_size_is_224_unless_given(imagenet):
    assert one_class("imagenet", 0, root=imagenet).train[0].shape == (3, 224, 224)


def test_the_fingerprint_of_files_sees_content_and_size(imagenet):
    before = one_class("imagenet", 0, root=imagenet, size=28).sha256()
    assert one_class("imagenet", "acorn", root=imagenet, size=28).sha256() == before
    assert one_class("imagenet", 0, root=imagenet, size=32).sha256() != before
    assert one_class("imagenet", 1, root=imagenet, size=28).sha256() != before
    path = one_class("imagenet", 0, root=imagenet).test.files[-1]
    path.write_bytes(path.read_bytes() + b"\0")
    assert one_class("imagenet", 0, root=imagenet, size=28).sha256() != before


def test_imagenet_errors(imagenet):
    with pytest.raises(ValueError, match="normal must be a class of imagenet, 0 to 2 or one of acorn, banjo, volcano"):
        one_class("imagenet", "cat", root=imagenet)
    for size in (0, -1, 2.5, True, "224"):
        with pytest.raises(ValueError, match="size must be a whole number of pixels, 1 to 32768, or"):
            one_class("imagenet", 0, root=imagenet, size=size)
    (imagenet / "one_class_train/banjo/images").unlink()
    assert len(one_class("imagenet", 0, root=imagenet).train) == 3  # another class is not looked at
    with pytest.raises(ValueError, match=r"banjo holds no picture \(\.png, \.jpg, "):
        one_class("imagenet", "banjo", root=imagenet)
    (imagenet / "one_class_train/banjo").rmdir()
    with pytest.raises(ValueError, match="must hold the same classes; in one only: banjo"):
        one_class("imagenet", 0, root=imagenet)


def test_a_missing_imagenet_cannot_be_downloaded(tmp_path):
    with pytest.raises(FileNotFoundError, match="fetch it by hand") as caught:
        one_class("imagenet", 0, root=tmp_path, download=True)
    for part in ("one_class_train/CLASS", "found: nothing", "hendrycks/ss-ood", "not commercial"):
        assert part in str(caught.value)
    assert "adlib data download" not in str(caught.value)


# arguments


def test_the_data_folder_is_argument_then_environment_then_cache(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ADLIB_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=f"complete in {tmp_path}/data/cache/MNIST/raw"):
        one_class("mnist", 0)
    monkeypatch.setenv("ADLIB_DATA", "elsewhere")
    with pytest.raises(FileNotFoundError, match=f"complete in {tmp_path}/elsewhere/MNIST/raw"):
        one_class("mnist", 0)
    with pytest.raises(FileNotFoundError, match=f"complete in {tmp_path}/here/MNIST/raw"):
        one_class("mnist", 0, root=tmp_path / "here")


@pytest.mark.parametrize("name", ["MNIST", "digit", "", None, ["digits"]])
def test_an_unknown_set(name):
    with pytest.raises(ValueError, match="name must be one of digits, mnist, fashion_mnist, cifar10, imagenet; got"):
        one_class(name, 0)


@pytest.mark.parametrize("normal", [-1, 10, 1.0, True, None, "ten", "", "03"])
def test_an_unknown_class_lists_the_classes(normal):
    with pytest.raises(ValueError, match=r"normal must be a class of digits, 0 to 9 or one of 0, 1, .*, 9; got"):
        one_class("digits", normal)


def test_numpy_integers_are_indices():
    assert one_class("digits", np.int64(4)).normal == 4


def test_size_and_root_where_they_make_no_sense():
    with pytest.raises(ValueError, match='size is for "imagenet" only, got 28'):
        one_class("digits", 0, size=28)
    with pytest.raises(ValueError, match="root must be the path of a folder, got 3"):
        one_class("mnist", 0, root=3)


def test_download_is_a_yes_or_no():
    with pytest.raises(ValueError, match="download must be True or False, got 'no'"):
        one_class("digits", 3, download="no")
