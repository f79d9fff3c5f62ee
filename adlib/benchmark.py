"""Measure a method on a data set and keep the record: the one module that knows methods and data sets.

A record in ``data/results/METHOD-DATASET.json`` is written by a command, ``python -m adlib benchmark METHOD DATASET``,
and by nothing else; the pages read it. How a method is measured stands in ``_measures.py``.
Read on :doc:`/book/reference/results`.
"""

from __future__ import annotations

import atexit
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from adlib import _checks
from adlib._measures import DRAWING, METHODS, Data
from adlib._video_measures import VIDEO_METHODS
from adlib.datasets import one_class
from adlib.datasets.campus import ucsd, video_folder
from adlib.datasets.catalogue import data_folder
from adlib.datasets.factory import CATEGORIES, make_factory
from adlib.datasets.inspection import mvtec, picture_folder
from adlib.datasets.plaza import make_plaza
from adlib.datasets.videos import VideoData
from adlib.storage import replacing

Record = dict[str, Any]
ONE_CLASS = ("digits", "mnist", "fashion_mnist", "cifar10")
SIZES: dict[tuple[str, str], tuple[int, int]] = {  # (H, W) in pixels at which a method sees a set of pictures or videos
    ("anogan", "bottle"): (64, 64),
    ("cutpaste", "bottle"): (128, 128),
    ("cutpaste", "dobot_cubes"): (96, 128),
    ("cutpaste", "factory"): (64, 64),
    ("conv_autoencoder", "plaza"): (64, 64),
    ("conv_autoencoder", "ped1"): (64, 96),
    ("future_frame", "plaza"): (64, 64),
    ("future_frame", "ped1"): (64, 96),
}
DATASETS = (*ONE_CLASS, "bottle", "dobot_cubes", "factory", "plaza", "ped1")


def results_folder() -> Path:
    """Where the records of the book lie: ``data/results`` of the checkout, or inside the installed package."""
    installed = Path(__file__).parent / "results"
    return installed if installed.is_dir() else Path(__file__).parents[1] / "data" / "results"


def load_results(method: str, dataset: str, folder: str | Path | None = None) -> list[Record]:
    """The records of a method on a data set, in the order of variant, category and seed.

    Raises ``FileNotFoundError`` with the command that would measure them.
    """
    path = Path(folder or results_folder()) / f"{method}-{dataset}.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"nothing measured for {method} on {dataset}: python -m adlib benchmark {method} {dataset}"
        )
    return _read(path)


def mean_metric(records: Iterable[Record], variant: str, metric: str = "auroc") -> float:
    """The mean of a metric over all categories and seeds of a variant, a fraction. Raises ``ValueError`` for none.

    metric: a name in the records' ``metrics``: ``"auroc"`` of pictures, ``"micro_auroc"`` of the frames of videos, ...
    """
    chosen = [record["metrics"] for record in records if record["variant"] == variant]
    if not chosen:
        raise ValueError(f"variant: no record is named {variant!r}")
    if not all(metric in metrics for metrics in chosen):
        raise ValueError(f"metric must be one of {tuple(chosen[0])}, got {metric!r}")
    values = [metrics[metric] for metrics in chosen]
    return float(np.mean(values))


def benchmark(
    method: str,
    dataset: str,
    *,
    seeds: Iterable[int] = (0,),
    variants: Iterable[str] = (),
    categories: Iterable[str] = (),
    root: str | Path | None = None,
    out: str | Path | None = None,
    progress: bool = True,
) -> list[Record]:
    """Measure the variants of a method on the categories of a one-class set; returns all records of the file.

    What the file holds already, measured on the same data, is not measured again. The file is read and written anew
    after each measurement, whole or not at all, so that two processes may measure different parts.
    method: ``"svdd"``, ``"deep_svdd"``, ``"anogan"`` or ``"cutpaste"``. dataset: ``"digits"``, ``"mnist"``,
    ``"fashion_mnist"``, ``"cifar10"``; for AnoGAN and CutPaste ``"bottle"`` of MVTec AD; for CutPaste
    ``"dobot_cubes"``, a folder with ``normal`` and ``abnormal``, and ``"factory"``, which is drawn for the purpose.
    Of videos ``"conv_autoencoder"`` and ``"future_frame"`` on ``"plaza"``, drawn too, and ``"ped1"`` of UCSD.
    seeds: integers, for variants that draw; the others are measured once. variants, categories: names of those to
    measure, all where there are none. root: folder of the data. out: folder of the records; when None ``data/results``
    of the checkout, or ``results`` of the working directory where adlib is installed. Raises ``ValueError`` that names
    the argument.
    """
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"method must be one of {tuple(METHODS)}, got {method!r}")
    if not isinstance(dataset, str) or dataset not in DATASETS:
        raise ValueError(f"dataset must be one of {DATASETS}, got {dataset!r}")
    if (method, dataset) not in SIZES and (dataset not in ONE_CLASS or method in VIDEO_METHODS):
        able = tuple(able for able, known in SIZES if known == dataset)
        able = able or tuple(name for name in METHODS if name not in VIDEO_METHODS)
        raise ValueError(f"method must be one of {able} for {dataset}, got {method!r}")
    seeds = [_checks.seed(seed) for seed in seeds]
    if not seeds:
        raise ValueError("seeds must hold at least one integer, got none")
    options = f" --seeds {len(seeds)}" if seeds == list(range(len(seeds))) and len(seeds) > 1 else ""
    if out is None:
        installed = results_folder().parent == Path(__file__).parent
        out = "results" if installed else results_folder()  # what an installed package brings is the book's, not yours
    path = Path(out) / f"{method}-{dataset}.json"
    names = _categories(dataset, root)
    chosen = {
        "variants": _chosen("variants", variants, tuple(METHODS[method])),
        "categories": _chosen("categories", categories, names),
    }
    records: list[Record] = _read(path) if path.is_file() else []
    parts = [(seed, category) for seed in seeds for category in chosen["categories"]]
    for seed, category in tqdm(parts, desc=f"{method} on {dataset}", disable=not progress):
        data = _load(method, dataset, category, root)
        fingerprint = data.sha256()
        for variant in chosen["variants"]:
            key = (variant, category, seed)
            if seed != seeds[0] and variant not in DRAWING:
                continue
            if any(_key(r) == key and r["data_sha256"] == fingerprint for r in records):
                continue
            measured = METHODS[method][variant](data, seed)
            device = measured.pop("device", "cpu")
            record = {
                "method": method,
                "variant": variant,
                "dataset": dataset,
                "category": category,
                "seed": seed,
                **measured,
                "command": f"python -m adlib benchmark {method} {dataset}{options}",
                "data_sha256": fingerprint,
                **environment(device),
            }
            records = _read(path) if path.is_file() else []
            records = [r for r in records if _key(r) != key] + [record]
            records.sort(key=lambda r: (r["variant"], names.index(r["category"]), r["seed"]))
            with replacing(path) as partial:
                partial.write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return records


def _categories(dataset: str, root: str | Path | None) -> tuple[str, ...]:
    if dataset == "factory":
        return CATEGORIES
    return one_class(dataset, 0, root=root).class_names if dataset in ONE_CLASS else (dataset,)


def _load(method: str, dataset: str, category: str, root: str | Path | None) -> Data | VideoData:
    if dataset in ONE_CLASS:
        return one_class(dataset, category, root=root)
    size = SIZES[method, dataset]
    if dataset == "plaza":
        return video_folder(make_plaza(_drawn(), progress=False), size=size, channels=1)
    if dataset == "ped1":
        return ucsd("ped1", root=root, size=size, channels=1)
    if dataset == "bottle":
        return mvtec("bottle", root=root, size=size)
    if dataset == "dobot_cubes":
        return picture_folder(data_folder(root) / dataset, size=size)
    return mvtec(category, root=make_factory(_drawn(), categories=[category], size=size[0], progress=False), size=size)


@cache
def _drawn() -> Path:
    """A folder for sets that are drawn, until the process ends: they come out the same, so nobody need keep them."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _key(record: Record) -> tuple[str, str, int]:
    return record["variant"], record["category"], record["seed"]


def _chosen(name: str, wanted: Iterable[str], known: tuple[str, ...]) -> tuple[str, ...]:
    wanted = tuple(wanted) or known
    for one in wanted:
        if one not in known:
            raise ValueError(f"{name} must be among {known}, got {one!r}")
    return wanted


def _read(path: Path) -> list[Record]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no record of measurements: {error}") from error


def environment(device: str = "cpu") -> Record:
    """What a figure depends on beside the code: versions, machine and commit. Names no host and no path.

    device: the one that was used. The commit ends in ``-dirty`` where the package differed from it, and is the release
    where there is no checkout.
    """
    package = Path(__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=package, capture_output=True, text=True, check=True).stdout

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)  # else some other repository encloses the installation
        commit = git("rev-parse", "HEAD").strip() + (
            "-dirty" if git("status", "--porcelain", "--", ".").strip() else ""
        )
    except (OSError, subprocess.CalledProcessError):
        commit = f"release {version('adlib')}"
    gpu = "no GPU used" if device == "cpu" else torch.cuda.get_device_name(device)
    packages = ("adlib", "numpy", "scikit-learn", "torch", "torchvision")
    return {
        "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"{torch.get_num_threads()} used by PyTorch, {gpu}",
        "commit": commit,
    }
