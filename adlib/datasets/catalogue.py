"""What there is to know about each data set before it is read: where it lies, what it holds, who may use it.

:data:`CATALOGUE` is the one place for these facts. Errors about missing files, the command ``adlib data list`` and the
tables of the pages are made from it.

Taught in :doc:`/book/datasets/real_world`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from adlib import _checks
from adlib.datasets._folders import found, is_folder


@dataclass(frozen=True)
class Entry:
    """One data set. Counts are those of the released files; where sources disagree, ``counts`` says so."""

    title: str
    kind: str  # "pictures" or "video"
    protocol: str  # "one class normal", "corrupted" or "normal and anomalous"
    labels: str  # what has one: "each picture", "each frame" ...
    masks: str  # "yes", "no", or what there is instead
    pixels: str  # height and width, colour
    counts: str
    licence: str
    page: str  # the official one, where there is one
    layout: str  # of the folder named by folders
    folders: tuple[str, ...]  # where it may lie under the data folder, most usual name first; "" is that folder itself
    obtain: str  # how to get it


_BY_HAND = "fetch it by hand from the official page"


def _fetched(name: str) -> str:
    return f"`adlib data download {name}` fetches it"


_IDX = (
    "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, "
    "each as it is or with .gz"
)
_MVTEC = "CATEGORY/train/good/*.png, CATEGORY/test/good/*.png, CATEGORY/test/DEFECT/*.png"
_LAG = "{non_glaucoma,suspicious_glaucoma}/image/*.jpg, beside image perhaps label/*.txt and attention_map/*.jpg"
_CAMPUS = (
    "training/frames/CLIP/*.jpg, testing/frames/CLIP/*.jpg, testing/test_frame_mask/CLIP.npy, "
    "testing/test_pixel_mask/CLIP.npy"
)

CATALOGUE: dict[str, Entry] = {
    "digits": Entry(
        title="digits",
        kind="pictures",
        protocol="one class normal",
        labels="each picture",
        masks="no",
        pixels="8 x 8, grey",
        counts="1,797 in 10 classes",
        licence="CC BY 4.0 (UCI)",
        page="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
        layout="part of scikit-learn, no file",
        folders=("",),
        obtain="nothing to do: scikit-learn brings it",
    ),
    "mnist": Entry(
        title="MNIST",
        kind="pictures",
        protocol="one class normal",
        labels="each picture",
        masks="no",
        pixels="28 x 28, grey",
        counts="60,000 + 10,000 in 10 classes",
        licence="commonly given as CC BY-SA 3.0",
        page="http://yann.lecun.com/exdb/mnist/",
        layout=_IDX,
        folders=("MNIST/raw",),
        obtain=_fetched("mnist"),
    ),
    "fashion_mnist": Entry(
        title="Fashion-MNIST",
        kind="pictures",
        protocol="one class normal",
        labels="each picture",
        masks="no",
        pixels="28 x 28, grey",
        counts="60,000 + 10,000 in 10 classes of equal size",
        licence="MIT",
        page="https://github.com/zalandoresearch/fashion-mnist",
        layout=_IDX,
        folders=("FashionMNIST/raw",),
        obtain=_fetched("fashion_mnist"),
    ),
    "cifar10": Entry(
        title="CIFAR-10",
        kind="pictures",
        protocol="one class normal",
        labels="each picture",
        masks="no",
        pixels="32 x 32, colour",
        counts="50,000 + 10,000 in 10 classes of equal size",
        licence="none stated; cite Krizhevsky, 2009",
        page="https://www.cs.toronto.edu/~kriz/cifar.html",
        layout="data_batch_1 to data_batch_5, test_batch, batches.meta (the Python version)",
        folders=("cifar-10-batches-py",),
        obtain=_fetched("cifar10"),
    ),
    "imagenet": Entry(
        title="ImageNet-30",
        kind="pictures",
        protocol="one class normal",
        labels="each picture",
        masks="no",
        pixels="of any size, colour",
        counts="30 of the 1,000 ImageNet classes; the training pictures are ImageNet's own",
        licence="ImageNet's terms: research and teaching, not commercial",
        page="https://github.com/hendrycks/ss-ood (test pictures), https://image-net.org (training pictures)",
        layout="one_class_train/CLASS/... and one_class_test/CLASS/..., with the same classes, pictures at any depth",
        folders=("",),
        obtain=_BY_HAND,
    ),
    "imagenet_c": Entry(
        title="ImageNet-C",
        kind="pictures",
        protocol="corrupted",
        labels="corruption, severity and class of each picture",
        masks="no",
        pixels="224 x 224, colour, JPEG",
        counts="50,000 for each of 15 + 4 corruptions at 5 severities",
        licence="CC BY 4.0",
        page="https://zenodo.org/records/2235448",
        layout="CORRUPTION/SEVERITY/CLASS/*.JPEG, perhaps inside noise/, blur/, weather/, digital/, extra/",
        folders=("ImageNet-C", "imagenet-c", "imagenet_c"),
        obtain=_BY_HAND,
    ),
    "imagenet_p": Entry(
        title="ImageNet-P",
        kind="video",
        protocol="corrupted",
        labels="perturbation and class of each clip",
        masks="no",
        pixels="224 x 224, colour, MP4",
        counts="a clip of about 31 frames for each picture, 10 + 4 perturbations",
        licence="not verified",
        page="https://zenodo.org/records/3565846",
        layout="PERTURBATION/CLASS/*.mp4",
        folders=("ImageNet-P", "imagenet-p", "imagenet_p"),
        obtain=_BY_HAND,
    ),
    "mnist_c": Entry(
        title="MNIST-C",
        kind="pictures",
        protocol="corrupted",
        labels="corruption and class of each picture",
        masks="no",
        pixels="28 x 28, grey",
        counts="60,000 + 10,000 for each of 15 corruptions, and as they were",
        licence="not verified; code Apache-2.0",
        page="https://zenodo.org/records/3239543",
        layout="CORRUPTION/{train,test}_images.npy and CORRUPTION/{train,test}_labels.npy",
        folders=("mnist_c", "MNIST-C"),
        obtain=_fetched("mnist_c"),
    ),
    "mvtec": Entry(
        title="MVTec AD",
        kind="pictures",
        protocol="normal and anomalous",
        labels="each picture, with the kind of defect",
        masks="yes",
        pixels="700 to 1,024 px, colour; grid, screw and zipper grey",
        counts="3,629 normal to train; 467 normal and 1,258 defective to test; 15 categories, 73 kinds of defect",
        licence="CC BY-NC-SA 4.0: no commercial use",
        page="https://www.mvtec.com/company/research/datasets/mvtec-ad",
        layout=f"{_MVTEC}, CATEGORY/ground_truth/DEFECT/*_mask.png",
        folders=("mvtec_anomaly_detection", "mvtec_ad", "MVTecAD", "mvtec", "mvtec_ad_256", ""),
        obtain=_fetched("mvtec"),
    ),
    "btad": Entry(
        title="BTAD",
        kind="pictures",
        protocol="normal and anomalous",
        labels="each picture",
        masks="yes; 11 of the 290 are empty",
        pixels="800 x 600 to 1,600 x 1,600, colour, .bmp and .png",
        counts=(
            "1,799 normal to train; 741 to test; 290 anomalous in all; 3 products. The paper's 2,830 pictures seem to "
            "be these 2,540 and the 290 masks"
        ),
        licence="disputed: CC BY-SA by the README in the archive, elsewhere CC BY-NC-SA 4.0",
        page="https://github.com/pankajmishra000/VT-ADL",
        layout="PRODUCT/train/ok/*, PRODUCT/test/{ok,ko}/*, PRODUCT/ground_truth/ko/*; products 01, 02, 03",
        folders=("BTech_Dataset_transformed", "btad", "BTAD", ""),
        obtain=_fetched("btad"),
    ),
    "lag": Entry(
        title="LAG",
        kind="pictures",
        protocol="normal and anomalous",
        labels="each picture",
        masks="no; maps of where physicians looked",
        pixels="500 x 500, colour",
        counts=(
            "11,760 (4,878 with suspected glaucoma) in all; 5,824 (2,392) in the paper's set; "
            "about 4,854 (1,711) in the part that is sent out"
        ),
        licence="academic use, on request by e-mail, no passing on",
        page="https://github.com/smilell/AG-CNN",
        layout=_LAG,
        folders=("LAG", "LAG_database_part_1", "LAG_database", "lag", ""),
        obtain="ask its authors by e-mail; the official page says how",
    ),
    "shanghaitech": Entry(
        title="ShanghaiTech Campus",
        kind="video",
        protocol="normal and anomalous",
        labels="each frame",
        masks="yes",
        pixels="856 x 480, colour",
        counts=(
            "330 training videos (274,515 frames), 107 test videos (the release holds 40,791 frames, the papers say "
            "42,883); 13 scenes, the 13th without a test video"
        ),
        licence="not verified; cite Luo et al., 2017",
        page="https://svip-lab.github.io/dataset/campus_dataset.html",
        layout=f"training/videos/*.avi or {_CAMPUS}",
        folders=("shanghaitech", "ShanghaiTech", "SHTech", ""),
        obtain=_BY_HAND,
    ),
    "ped1": Entry(
        title="UCSD Ped1",
        kind="video",
        protocol="normal and anomalous",
        labels="each frame",
        masks="for 10 of the 36 test clips",
        pixels="238 x 158, grey",
        counts="34 training clips, 36 test clips of 200 frames",
        licence="not stated; cite Mahadevan et al., 2010",
        page="http://www.svcl.ucsd.edu/projects/anomaly/dataset.htm",
        layout="Train/Train001/*.tif, Test/Test001/*.tif, Test/Test001_gt/*.bmp, Test/UCSDped1.m, "
        f"or as ShanghaiTech: {_CAMPUS}",
        folders=("UCSD_Anomaly_Dataset.v1p2/UCSDped1", "UCSDped1", "ucsd_ped1", "ped1"),
        obtain=_BY_HAND,
    ),
    "ped2": Entry(
        title="UCSD Ped2",
        kind="video",
        protocol="normal and anomalous",
        labels="each frame",
        masks="yes",
        pixels="360 x 240, grey",
        counts="16 training clips (2,550 frames), 12 test clips (2,010 frames)",
        licence="not stated; cite Mahadevan et al., 2010",
        page="http://www.svcl.ucsd.edu/projects/anomaly/dataset.htm",
        layout="Train/Train001/*.tif, Test/Test001/*.tif, Test/Test001_gt/*.bmp, Test/UCSDped2.m, "
        f"or as ShanghaiTech: {_CAMPUS}",
        folders=("UCSD_Anomaly_Dataset.v1p2/UCSDped2", "UCSDped2", "ucsd_ped2", "ped2"),
        obtain=_BY_HAND,
    ),
    "avenue": Entry(
        title="CUHK Avenue",
        kind="video",
        protocol="normal and anomalous",
        labels="each frame",
        masks="yes",
        pixels="640 x 360, colour",
        counts="16 training videos (15,328 frames), 21 test videos (15,324 frames)",
        licence="not stated; cite Lu et al., 2013",
        page="http://www.cse.cuhk.edu.hk/leojia/projects/detectabnormal/dataset.html",
        layout="training_videos/*.avi, testing_videos/*.avi, ground_truth_demo/testing_label_mask/*_label.mat, "
        f"or as ShanghaiTech: {_CAMPUS}",
        folders=("Avenue_Dataset", "Avenue Dataset", "avenue", "Avenue"),
        obtain=_BY_HAND,
    ),
    "factory": Entry(
        title="factory",
        kind="pictures",
        protocol="normal and anomalous",
        labels="each picture, with the kind of defect",
        masks="yes",
        pixels="128 x 128 or as asked for, colour",
        counts="as asked for; 8 categories",
        licence="CC0 1.0: drawn by adlib",
        page="part of this course",
        layout=f"{_MVTEC}, CATEGORY/ground_truth/DEFECT/*_mask.png",
        folders=("factory",),
        obtain="`adlib data make factory` draws it",
    ),
    "fundus": Entry(
        title="fundus",
        kind="pictures",
        protocol="normal and anomalous",
        labels="each picture",
        masks="outlines of disc and cup",
        pixels="128 x 128 or as asked for, colour",
        counts="as asked for",
        licence="CC0 1.0: drawn by adlib",
        page="part of this course",
        layout=f"{_LAG}; outlines/{{disc,cup}}/*.png, eyes.csv",
        folders=("fundus",),
        obtain="`adlib data make fundus` draws it",
    ),
    "plaza": Entry(
        title="plaza",
        kind="video",
        protocol="normal and anomalous",
        labels="each frame",
        masks="yes",
        pixels="128 x 96 or as asked for, colour",
        counts="as asked for",
        licence="CC0 1.0: drawn by adlib",
        page="part of this course",
        layout=_CAMPUS,
        folders=("plaza",),
        obtain="`adlib data make plaza` draws it",
    ),
}
"""Every set that adlib reads or draws, by the name that functions and commands know it by.

:meta hide-value:
"""

MVTEC_COUNTS: dict[str, tuple[int, int, int, int]] = {
    "bottle": (209, 20, 63, 3),
    "cable": (224, 58, 92, 8),
    "capsule": (219, 23, 109, 5),
    "carpet": (280, 28, 89, 5),
    "grid": (264, 21, 57, 5),
    "hazelnut": (391, 40, 70, 4),
    "leather": (245, 32, 92, 5),
    "metal_nut": (220, 22, 93, 4),
    "pill": (267, 26, 141, 7),
    "screw": (320, 41, 119, 5),
    "tile": (230, 33, 84, 5),
    "toothbrush": (60, 12, 30, 1),
    "transistor": (213, 60, 40, 4),
    "wood": (247, 19, 60, 5),
    "zipper": (240, 32, 119, 7),
}
"""MVTec AD as released, by category: pictures to train, good ones to test, defective ones to test, kinds of defect.

:meta hide-value:
"""


def data_folder(root: str | os.PathLike[str] | None = None) -> Path:
    """The folder that holds the data sets: root, else the environment variable ``ADLIB_DATA``, else ``data/cache``.

    It need not exist. Raises ValueError for a root that is no path, and for a file or a folder that may not be read.

    Taught in :doc:`/book/datasets/real_world`.
    """
    if root is None:
        named = os.environ.get("ADLIB_DATA")
        return _checks.folder("the environment variable ADLIB_DATA", named) if named else Path("data/cache").resolve()
    return _checks.folder("root", root)


def find(name: str, root: Path) -> Path:
    """Where the set ``name`` lies under the data folder ``root``: the first of its usual folders that is there.

    Raises FileNotFoundError where none is.

    Taught in :doc:`/book/datasets/real_world`.
    """
    folders = CATALOGUE[name].folders
    for folder in folders:
        if is_folder(root / folder):
            return root / folder
    raise missing(name, root / folders[0])


def missing(name: str, folder: Path, problem: str = "") -> FileNotFoundError:
    """The error to raise where files of the set ``name`` are not in ``folder``: it tells all one needs to mend it.

    problem: what exactly is missing, where that is known.

    Taught in :doc:`/book/datasets/real_world`.
    """
    entry = CATALOGUE[name]
    return FileNotFoundError(
        f"{name} is not complete in {folder}{f': {problem}' if problem else ''}\n"
        f"  expected: {entry.layout}\n"
        f"  found: {found(folder)}\n"
        f"  official page: {entry.page}\n"
        f"  licence: {entry.licence}\n"
        f"  root, or the environment variable ADLIB_DATA, names the data folder; {entry.obtain}"
    )
