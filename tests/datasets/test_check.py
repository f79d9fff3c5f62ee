"""What a folder is: every layout in small, whole, in part, and broken."""

import gzip
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adlib.datasets import one_class
from adlib.datasets._layouts import LAYOUTS, layout, layouts, present
from adlib.datasets.catalogue import CATALOGUE
from adlib.datasets.check import check

REAL = Path(os.environ.get("ADLIB_DATA") or Path(__file__).parents[3] / "shared" / "data")


def picture(path: Path, size=(8, 6)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(len(path.as_posix())).integers(0, 256, (size[1], size[0], 3))
    Image.fromarray(values.astype(np.uint8)).save(path)


def pictures(folder: Path, names: str, count: int) -> None:
    """names: such as "{:03}.png"."""
    for i in range(count):
        picture(folder / names.format(i))


def array(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, values)


def idx(values: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return gzip.compress(bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes())


# the layouts in small, each written under a data folder


def write_mnist(root: Path) -> Path:
    folder = root / "MNIST/raw"
    folder.mkdir(parents=True)
    for split, count in (("train", 30), ("t10k", 20)):
        (folder / f"{split}-images-idx3-ubyte.gz").write_bytes(idx(np.zeros((count, 28, 28))))
        (folder / f"{split}-labels-idx1-ubyte.gz").write_bytes(idx(np.arange(count) % 10))
    return folder


def write_imagenet(root: Path) -> Path:
    for name in ("acorn", "banjo"):
        pictures(root / "one_class_train" / name, "{}.JPEG", 3)
        pictures(root / "one_class_test" / name, "{}.JPEG", 2)
    return root


def write_imagenet_c(root: Path) -> Path:
    for severity in range(1, 6):
        pictures(root / f"ImageNet-C/weather/fog/{severity}/n01440764", "{:03}.JPEG", 2)
    return root / "ImageNet-C"


def write_imagenet_p(root: Path) -> Path:
    folder = root / "ImageNet-P/tilt/n01440764"
    folder.mkdir(parents=True)
    (folder / "1.mp4").write_bytes(b"not decoded when counted")
    return root / "ImageNet-P"


def write_mnist_c(root: Path) -> Path:
    for split, count in (("train", 6), ("test", 4)):
        array(root / f"mnist_c/fog/{split}_images.npy", np.zeros((count, 28, 28, 1), np.uint8))
        array(root / f"mnist_c/fog/{split}_labels.npy", np.arange(count))
    return root / "mnist_c"


def write_mvtec(root: Path) -> Path:
    folder = root / "mvtec_anomaly_detection/bottle"
    pictures(folder / "train/good", "{:03}.png", 4)
    pictures(folder / "test/good", "{:03}.png", 3)
    pictures(folder / "test/broken", "{:03}.png", 2)
    pictures(folder / "ground_truth/broken", "{:03}_mask.png", 2)
    return folder


def write_btad(root: Path) -> Path:
    folder = root / "BTech_Dataset_transformed/01"
    pictures(folder / "train/ok", "{:04}.bmp", 4)
    pictures(folder / "test/ok", "{:04}.bmp", 2)
    pictures(folder / "test/ko", "{:04}.bmp", 2)
    pictures(folder / "ground_truth/ko", "{:04}.png", 2)
    return folder


def write_lag(root: Path) -> Path:
    pictures(root / "LAG/non_glaucoma/image", "{:04}.jpg", 5)
    pictures(root / "LAG/suspicious_glaucoma/image", "{:04}.jpg", 2)
    return root / "LAG"


def write_ucsd(root: Path) -> Path:
    folder = root / "UCSD_Anomaly_Dataset.v1p2/UCSDped1"
    for clip in ("Train/Train001", "Test/Test001"):
        for i in range(1, 5):
            picture(folder / clip / f"{i:03}.tif")
    (folder / "Test/UCSDped1.m").write_text("TestVideoFile = {};\nTestVideoFile{end+1}.gt_frame = [2:3];\n")
    return folder


def write_campus(root: Path) -> Path:
    folder = root / "shanghaitech"
    pictures(folder / "training/frames/01_001", "{:03}.jpg", 4)
    pictures(folder / "testing/frames/01_0014", "{:03}.jpg", 3)
    array(folder / "testing/test_frame_mask/01_0014.npy", np.array([0, 1, 1]))
    return folder


WRITERS = {
    "mnist": (write_mnist, {"train": "30 pictures; by class 3, 3", "test": "20 pictures"}),
    "imagenet": (write_imagenet, {"train/acorn": "3", "train/banjo": "3", "test": "4 pictures in 2 classes"}),
    "imagenet_c": (write_imagenet_c, {f"fog/{severity}": "2 in 1 classes" for severity in range(1, 6)}),
    "imagenet_p": (write_imagenet_p, {"tilt": "1 in 1 classes"}),
    "mnist_c": (write_mnist_c, {"fog/train": "6 in 10 classes", "fog/test": "4 in 10 classes"}),
    "mvtec": (write_mvtec, {"train": "4 normal", "test/good": "3 normal", "test/broken": "2 anomalous, with masks"}),
    "btad": (write_btad, {"train": "4 normal", "test/ok": "2 normal", "test/ko": "2 anomalous, with masks"}),
    "lag": (write_lag, {"train": "4 normal", "test/non_glaucoma": "1 normal", "test/suspicious_glaucoma": "2 anomal"}),
    "ped1": (write_ucsd, {"train": "1 videos, 4 frames", "test": "1 videos, 4 frames, 2 of them anomalous"}),
    "shanghaitech": (write_campus, {"train": "1 videos, 4 frames", "test": "1 videos, 3 frames, 2 of them anomalous"}),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_whole_set_is_counted(tmp_path, name):
    write, counts = WRITERS[name]
    place = write(tmp_path)
    (report,) = check(place, progress=False)
    assert report.path == place and report.problems == []
    assert set(report.counts) == set(counts)
    for split, told in counts.items():
        assert report.counts[split].strip().startswith(told), (split, report.counts[split])
    assert str(report).startswith(f"{place}\n") and str(report).endswith("  complete")


@pytest.mark.parametrize("name", WRITERS)
def test_a_set_in_the_data_folder_is_found(tmp_path, name):
    assert present(name, tmp_path) is None
    place = WRITERS[name][0](tmp_path)
    found = present(name, tmp_path)
    assert found in (place, place.parent)
    others = {other for other in CATALOGUE if present(other, tmp_path)} - {"digits"}
    assert others == {name}, "no other set may be taken for this one"


def test_a_data_folder_with_everything_gives_a_report_each(tmp_path):
    places = {WRITERS[name][0](tmp_path) for name in WRITERS if name != "imagenet"}
    assert {report.path for report in check(tmp_path, progress=False)} == places


def test_every_layout_is_recognised_by_one_name_only(tmp_path):
    for name, (write, _) in WRITERS.items():
        place = write(tmp_path / name)
        assert list(layouts(place)) == [layout(place)], name
        assert layout(place) in LAYOUTS


# what is missing or broken


def test_half_an_archive_is_told(tmp_path):
    folder = write_mvtec(tmp_path)
    for path in (folder / "ground_truth/broken").iterdir():
        path.unlink()
    (report,) = check(folder, progress=False)
    assert "no mask for 2 of 2 pictures" in report.problems[0]
    assert str(report).endswith("  incomplete")


def test_broken_files_are_found_only_where_they_are_read(tmp_path):
    folder = write_mvtec(tmp_path)
    broken = folder / "test/good/001.png"
    broken.write_bytes(broken.read_bytes()[:50])
    assert check(folder, progress=False)[0].problems == []
    (problem,) = check(folder, read=True, progress=False)[0].problems
    assert str(broken) in problem


def test_a_broken_frame_of_a_video_is_found(tmp_path):
    folder = write_campus(tmp_path)
    (folder / "testing/frames/01_0014/001.jpg").write_bytes(b"")
    (problem,) = check(folder, read=True, progress=False)[0].problems
    assert "001.jpg cannot be read" in problem


def test_labels_of_another_length_are_told(tmp_path):
    folder = write_campus(tmp_path)
    array(folder / "testing/test_frame_mask/01_0014.npy", np.array([0, 1]))
    assert "holds 2 labels, but clip 01_0014 3 frames" in check(folder, progress=False)[0].problems[0]


def test_a_severity_that_is_missing_is_a_problem_and_a_corruption_that_is_missing_a_note(tmp_path):
    place = write_imagenet_c(tmp_path)
    for path in (place / "weather/fog/3/n01440764").iterdir():
        path.unlink()
    (report,) = check(place, progress=False)
    assert len(report.problems) == 1 and "n01440764" in report.problems[0]
    assert "snow" in report.notes[0] and "fog" not in report.notes[0]


def test_stray_files_are_listed_with_their_reason(tmp_path):
    folder = write_mvtec(tmp_path)
    (folder / "train/good/Thumbs.db").write_bytes(b"x")
    (folder / "license.txt").write_text("x")
    (report,) = check(folder, progress=False)
    assert report.problems == []
    assert any("Thumbs.db" in line for line in report.skipped)
    assert "passed over" in str(report)


def test_another_number_of_pictures_than_mvtec_has_is_noted_but_not_for_drawn_sets(tmp_path):
    folder = write_mvtec(tmp_path)
    (report,) = check(folder, progress=False)
    assert "bottle of MVTec AD has 209 to train, 20 good and 63 defective" in report.notes[0]
    (folder / "readme.txt").write_text('Drawn.\n\n{"adlib": "0"}\n')
    assert check(folder, progress=False)[0].notes == []


def test_files_of_mnist_in_another_folder_are_told(tmp_path):
    folder = write_mnist(tmp_path).rename(tmp_path / "digits")
    assert "must be named MNIST/raw" in check(folder, progress=False)[0].problems[0]


# links and closed folders


def test_a_set_is_told_once_however_many_links_lead_to_it(tmp_path):
    place = write_mvtec(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "bottle").symlink_to(place)
    assert len(check(tmp_path, progress=False)) == 1


def test_a_closed_folder_beside_a_set_is_told_and_no_reason_to_stop(closed):
    for name in ("normal", "abnormal"):
        pictures(closed.parent / "set" / name, "{}.png", 2)
    (report,) = check(closed.parent, progress=False)
    assert report.problems == [] and report.skipped == [f"{closed}: a folder that may not be read"]
    shutil.rmtree(closed.parent / "set")
    with pytest.raises(ValueError, match=r"known layout.*holds closed, not to be read: .*closed"):
        check(closed.parent)


def test_what_broke_since_it_was_loaded_is_found(tmp_path):
    folder = write_mnist(tmp_path)
    one_class("mnist", 0, root=tmp_path)
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    assert "t10k" in check(folder, progress=False)[0].problems[0]


# arguments


def test_what_is_no_data_set_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="which is not there"):
        check(tmp_path / "absent")
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(ValueError, match=r"path must be the path of a folder, got .*: Not a directory"):
        check(tmp_path / "file.txt")
    with pytest.raises(ValueError, match=r"known layout.*holds file\.txt"):
        check(tmp_path)
    with pytest.raises(ValueError, match="path must be the path of a folder, got 3"):
        check(3)
    for argument in ("read", "progress"):
        with pytest.raises(ValueError, match=f"{argument} must be True or False, got 'no'"):
            check(tmp_path, **{argument: "no"})
    with pytest.raises(ValueError, match="name must be one of digits"):
        present("mnistt")


# the real ones


@pytest.mark.skipif(not (REAL / "mvtec_ad_256/bottle").is_dir(), reason="the real bottle is not here")
def test_the_real_bottle_is_whole():
    (report,) = check(REAL / "mvtec_ad_256/bottle", progress=False)
    assert report.problems == [] and report.skipped == []
    assert report.notes == ["as many pictures as bottle of MVTec AD has"]


@pytest.mark.skipif(not (REAL / "ucsd_ped1").is_dir(), reason="the real Ped1 is not here")
def test_the_real_ped1_is_counted():
    (report,) = check(REAL / "ucsd_ped1", progress=False)
    assert report.problems == []
    assert report.counts["test"].split() == ["17", "videos,", "3,400", "frames,", "1,973", "of", "them", "anomalous"]
