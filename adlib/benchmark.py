"""Measure a method on a data set and keep the record: the one module that knows methods and data sets.

A record in ``data/results/METHOD-DATASET.json`` is written by a command, ``python -m adlib benchmark METHOD DATASET``,
and by nothing else; the pages read it. Read on :doc:`/book/reference/results`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from adlib import _checks
from adlib.classification.deep_svdd import DeepSVDD, DeepSVDDConfig
from adlib.classification.svdd import SVDD
from adlib.datasets import OneClassData, one_class
from adlib.metrics import auroc, average_precision
from adlib.storage import replacing

Record = dict[str, Any]
DATASETS = ("digits", "mnist", "fashion_mnist", "cifar10")


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
    """The mean of a metric over all categories and seeds of a variant, a fraction. Raises ``ValueError`` for none."""
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
    method: ``"svdd"`` or ``"deep_svdd"``. dataset: ``"digits"``, ``"mnist"``, ``"fashion_mnist"`` or ``"cifar10"``.
    seeds: integers, for variants that draw; the others are measured once. variants, categories: names of those to
    measure, all where there are none. root: folder of the data. out: folder of the records; when None ``data/results``
    of the checkout, or ``results`` of the working directory where adlib is installed. Raises ``ValueError`` that names
    the argument.
    """
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"method must be one of {tuple(METHODS)}, got {method!r}")
    if not isinstance(dataset, str) or dataset not in DATASETS:
        raise ValueError(f"dataset must be one of {DATASETS}, got {dataset!r}")
    seeds = [_checks.seed(seed) for seed in seeds]
    if not seeds:
        raise ValueError("seeds must hold at least one integer, got none")
    options = f" --seeds {len(seeds)}" if seeds == list(range(len(seeds))) and len(seeds) > 1 else ""
    if out is None:
        installed = results_folder().parent == Path(__file__).parent
        out = "results" if installed else results_folder()  # what an installed package brings is the book's, not yours
    path = Path(out) / f"{method}-{dataset}.json"
    names = one_class(dataset, 0, root=root).class_names
    chosen = {
        "variants": _chosen("variants", variants, tuple(METHODS[method])),
        "categories": _chosen("categories", categories, names),
    }
    records: list[Record] = _read(path) if path.is_file() else []
    parts = [(seed, category) for seed in seeds for category in chosen["categories"]]
    for seed, category in tqdm(parts, desc=f"{method} on {dataset}", disable=not progress):
        data = one_class(dataset, category, root=root)
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


# --- SVDD on raw pixels


def _svdd(gamma: float | str, nu: float) -> Callable[[OneClassData, int], Record]:
    def measure(data: OneClassData, seed: int) -> Record:
        train, test = (part.flatten(1).double().numpy() for part in (data.train, data.test))  # type: ignore[union-attr]
        start = time.perf_counter()
        svdd = SVDD(nu=nu, gamma=gamma).fit(train)
        fitted = time.perf_counter()
        scores = svdd.anomaly_score(test)
        scored = time.perf_counter()
        return _record(svdd, data.test_labels.numpy(), scores, fitted - start, scored - fitted)

    return measure


def _svdd_leaking(nu: float) -> Callable[[OneClassData, int], Record]:
    """The protocol that looks at labels of test pictures: gamma is the best on a tenth of them, judged on the rest."""

    def measure(data: OneClassData, seed: int) -> Record:
        train, test = (part.flatten(1).double().numpy() for part in (data.train, data.test))  # type: ignore[union-attr]
        labels = data.test_labels.numpy()
        hold_out = np.zeros(len(test), bool)
        hold_out[np.random.default_rng(seed).permutation(len(test))[: len(test) // 10]] = True
        start = time.perf_counter()
        candidates = [SVDD(nu=nu, gamma=2.0**power).fit(train) for power in range(-10, 0)]
        leaked = [auroc(labels[hold_out], svdd.anomaly_score(test[hold_out])) for svdd in candidates]
        best = candidates[int(np.argmax(leaked))]
        fitted = time.perf_counter()
        scores = best.anomaly_score(test[~hold_out])
        return _record(best, labels[~hold_out], scores, fitted - start, time.perf_counter() - fitted)

    return measure


def _record(svdd: SVDD, labels: np.ndarray, scores: np.ndarray, seconds_fit: float, seconds_score: float) -> Record:
    config = svdd.get_params() | {"gamma_": svdd.gamma_, "support_vectors": len(svdd.support_), "test": len(labels)}
    return {
        "metrics": {"auroc": auroc(labels, scores), "average_precision": average_precision(labels, scores)},
        "seconds_fit": round(seconds_fit, 3),
        "seconds_score": round(seconds_score, 3),
        "config": config,
    }


# --- Deep SVDD


class _SharedAutoencoder(DeepSVDD):
    """Trains an autoencoder once for the variants that start from the same one: same data, same seed, same recipe."""

    _last: ClassVar[tuple[Any, dict[str, Tensor], float]] = (None, {}, 0.0)
    seconds_spared = 0.0

    def _pretrain(self, encoder: nn.Module, decoder: nn.Module, images: Tensor, seed: int, *rest: Any) -> None:
        own = dataclasses.replace(self.config, objective="one-class", nu=0.1, radius="batch", warm_up=0)
        key = (own, seed, images.shape, images.double().sum().item())
        if _SharedAutoencoder._last[0] == key:
            _, weights, self.seconds_spared = _SharedAutoencoder._last
            encoder.load_state_dict(weights)
            return
        start = time.perf_counter()
        super()._pretrain(encoder, decoder, images, seed, *rest)
        weights = {name: value.clone() for name, value in encoder.state_dict().items()}
        _SharedAutoencoder._last = (key, weights, time.perf_counter() - start)


def _deep_svdd(config: DeepSVDDConfig) -> Callable[[OneClassData, int], Record]:
    def measure(data: OneClassData, seed: int) -> Record:
        start = time.perf_counter()
        detector = _SharedAutoencoder(config, seed=seed)
        detector.fit(data.train, progress=False)
        fitted = time.perf_counter()
        scores = detector.anomaly_score(data.test).numpy()
        scored = time.perf_counter()
        labels = data.test_labels.numpy()
        learnt = {"feature_spread": detector.feature_spread_, "score_spread": detector.score_spread_}
        return {
            "metrics": {"auroc": auroc(labels, scores), "average_precision": average_precision(labels, scores)},
            "seconds_fit": round(fitted - start + detector.seconds_spared, 3),
            "seconds_score": round(scored - fitted, 3),
            "config": dataclasses.asdict(config) | learnt,
            "device": str(detector.device),
        }

    return measure


LEAKS = "gamma tuned on test labels (leaks), nu=0.1"
DEEP = {
    "paper recipe, one-class": DeepSVDDConfig(),
    "paper recipe, soft-boundary": DeepSVDDConfig(objective="soft-boundary"),
    "quick, one-class": DeepSVDDConfig.quick(),
    "quick, soft-boundary": DeepSVDDConfig.quick(objective="soft-boundary"),
    "quick, ten networks": DeepSVDDConfig.quick(networks=10, epochs=12, drop=9),
}
DRAWING = {LEAKS, *DEEP}  # variants in which chance has a part

METHODS: dict[str, dict[str, Callable[[OneClassData, int], Record]]] = {
    "svdd": {
        "gamma=nearest, nu=0.1": _svdd("nearest", 0.1),
        "gamma=nearest, nu=0.01": _svdd("nearest", 0.01),
        "gamma=scale, nu=0.1": _svdd("scale", 0.1),
        "gamma=scale, nu=0.01": _svdd("scale", 0.01),
        "gamma=2^-8, nu=0.1": _svdd(2.0**-8, 0.1),
        "gamma=2^-10, nu=0.1": _svdd(2.0**-10, 0.1),
        LEAKS: _svdd_leaking(0.1),
    },
    "deep_svdd": {variant: _deep_svdd(config) for variant, config in DEEP.items()},
}
