"""How each method is measured: its variants, with their configurations, and what a record keeps of a run.

:mod:`adlib.benchmark` runs them and keeps the records.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from adlib._video_measures import VIDEO_METHODS
from adlib.classification.deep_svdd import DeepSVDD, DeepSVDDConfig
from adlib.classification.svdd import SVDD
from adlib.datasets import OneClassData
from adlib.datasets.factory import OBJECTS
from adlib.datasets.files import PictureData
from adlib.metrics import aupro, auroc, average_precision
from adlib.reconstruction.anogan import AnoGAN, AnoGANConfig
from adlib.reconstruction.gan import GANConfig
from adlib.self_supervised.cutpaste import CutPaste, CutPasteConfig

Data = OneClassData | PictureData
Measured = dict[str, Any]  # metrics, seconds_fit, seconds_score, config, and the device where it may be a GPU

# --- SVDD on raw pixels


def _svdd(gamma: float | str, nu: float) -> Callable[[OneClassData, int], Measured]:
    def measure(data: OneClassData, seed: int) -> Measured:
        train, test = (part.flatten(1).double().numpy() for part in (data.train, data.test))  # type: ignore[union-attr]
        start = time.perf_counter()
        svdd = SVDD(nu=nu, gamma=gamma).fit(train)
        fitted = time.perf_counter()
        scores = svdd.anomaly_score(test)
        scored = time.perf_counter()
        return _record(svdd, data.test_labels.numpy(), scores, fitted - start, scored - fitted)

    return measure


def _svdd_leaking(nu: float) -> Callable[[OneClassData, int], Measured]:
    """The protocol that looks at labels of test pictures: gamma is the best on a tenth of them, judged on the rest."""

    def measure(data: OneClassData, seed: int) -> Measured:
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


def _record(svdd: SVDD, labels: np.ndarray, scores: np.ndarray, seconds_fit: float, seconds_score: float) -> Measured:
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


def _deep_svdd(config: DeepSVDDConfig) -> Callable[[OneClassData, int], Measured]:
    def measure(data: OneClassData, seed: int) -> Measured:
        start = time.perf_counter()
        detector = _SharedAutoencoder(config, seed=seed)
        detector.fit(data.train, progress=False)
        fitted = time.perf_counter()
        scores = detector.anomaly_score(data.test)
        scored = time.perf_counter()
        learnt = {"feature_spread": detector.feature_spread_, "score_spread": detector.score_spread_}
        return {
            "metrics": _of_pictures(data, scores),
            "seconds_fit": round(fitted - start + detector.seconds_spared, 3),
            "seconds_score": round(scored - fitted, 3),
            "config": dataclasses.asdict(config) | learnt,
            "device": str(detector.device),
        }

    return measure


# --- AnoGAN

GAN_STEPS, ENCODER_STEPS = 1000, 340  # at least; a class of MNIST has more in the epochs of the recipe


class _SharedGAN:
    """Checkpoints of GANs, trained once for the variants that search in the same one: same data, seed and recipe."""

    folder: ClassVar[tempfile.TemporaryDirectory[str] | None] = None
    seconds: ClassVar[dict[Path, float]] = {}

    @classmethod
    def file(cls, data: Data, config: AnoGANConfig, seed: int) -> Path:
        cls.folder = cls.folder or tempfile.TemporaryDirectory()
        recipe = [getattr(config, field.name) for field in dataclasses.fields(GANConfig)]
        return Path(cls.folder.name) / hashlib.sha256(repr((data.sha256(), recipe, seed)).encode()).hexdigest()


def _anogan(recipe: AnoGANConfig) -> Callable[[Data, int], Measured]:
    def measure(data: Data, seed: int) -> Measured:
        batches = math.ceil(len(data.train) / recipe.batch_size)
        config = dataclasses.replace(  # small sets get the steps of a class of MNIST
            recipe,
            epochs=max(recipe.epochs, math.ceil(GAN_STEPS / batches)),
            encoder_epochs=max(recipe.encoder_epochs, math.ceil(ENCODER_STEPS / batches)),
        )
        shared, file = _SharedGAN, _SharedGAN.file(data, config, seed)
        if file not in shared.seconds:
            start = time.perf_counter()
            AnoGAN(dataclasses.replace(config, search="gradient"), seed=seed).fit(
                data.train, checkpoint=file, progress=False
            )
            shared.seconds[file] = time.perf_counter() - start
        detector = AnoGAN(config, seed=seed)
        start = time.perf_counter()
        detector.fit(data.train, checkpoint=file, progress=False)
        fitted = time.perf_counter()
        found = detector.reconstruct(data.test)
        scored = time.perf_counter()
        labels = data.test_labels.numpy()
        terms = {
            "auroc_residual": auroc(labels, found.residual.numpy()),
            "auroc_discrimination": auroc(labels, found.discrimination.numpy()),
        }
        return {
            "metrics": _of_pictures(data, found.score) | terms | _of_pixels(data, found.map),
            "seconds_fit": round(fitted - start + shared.seconds[file], 3),
            "seconds_score": round(scored - fitted, 3),
            "config": dataclasses.asdict(config),
            "device": str(detector.device),
        }

    return measure


# --- CutPaste


class _Untrained(CutPaste):
    """The honest baseline: the same density on the same network as it was drawn, which has seen nothing pasted."""

    def _train(self, *arguments: Any) -> list[dict[str, float]]:
        return []


ALIGNED = ("bottle", *OBJECTS)  # always in the same place, give or take: a density for each, as in the paper


def _cutpaste(recipe: CutPasteConfig, kind: type[CutPaste] = CutPaste) -> Callable[[PictureData, int], Measured]:
    def measure(data: PictureData, seed: int) -> Measured:
        config = dataclasses.replace(recipe, by_place=recipe.level == "patch" and data.name in ALIGNED)
        start = time.perf_counter()
        detector = kind(config, seed=seed)
        detector.fit(data.train, progress=False)
        fitted = time.perf_counter()
        scores = detector.anomaly_score(data.test)
        scored = time.perf_counter()
        maps = None if data.test_masks is None else detector.anomaly_map(data.test)
        return {
            "metrics": _of_pictures(data, scores) | _of_pixels(data, maps),
            "seconds_fit": round(fitted - start, 3),
            "seconds_score": round(scored - fitted, 3),
            "config": dataclasses.asdict(config),
            "device": str(detector.device),
        }

    return measure


def _of_pictures(data: Data, scores: Tensor) -> dict[str, float]:
    labels = data.test_labels.numpy()
    return {"auroc": auroc(labels, scores.numpy()), "average_precision": average_precision(labels, scores.numpy())}


def _of_pixels(data: Data, maps: Tensor | None) -> dict[str, float]:
    """Nothing where the set has no masks."""
    if maps is None or not isinstance(data, PictureData) or data.test_masks is None:
        return {}
    masks = torch.stack([data.test_masks[i] for i in range(len(data.test))]).numpy()
    return {"pixel_auroc": auroc(masks.ravel(), maps.numpy().ravel()), "aupro": aupro(masks, maps.numpy())}


LEAKS = "gamma tuned on test labels (leaks), nu=0.1"
DEEP = {
    "paper recipe, one-class": DeepSVDDConfig(),
    "paper recipe, soft-boundary": DeepSVDDConfig(objective="soft-boundary"),
    "quick, one-class": DeepSVDDConfig.quick(),
    "quick, soft-boundary": DeepSVDDConfig.quick(objective="soft-boundary"),
    "quick, ten networks": DeepSVDDConfig.quick(networks=10, epochs=12, drop=9),
}
GAN = dataclasses.replace(AnoGANConfig.quick(), epochs=12)  # trials on scikit-learn's digits: longer is better
ANOGAN = {"search": GAN, "encoder": dataclasses.replace(GAN, search="encoder")}
CUTPASTE = {
    "three-way": CutPasteConfig.quick(),
    "CutPaste": CutPasteConfig.quick(augmentation="cut_paste"),
    "scar": CutPasteConfig.quick(augmentation="scar"),
    "three-way, whole pictures": CutPasteConfig.quick(level="image"),  # its map is GradCAM's
}
UNTRAINED = "untrained network"
DRAWING = {LEAKS, *DEEP, *ANOGAN, *CUTPASTE, UNTRAINED, *(v for method in VIDEO_METHODS.values() for v in method)}
"""Variants in which chance has a part."""

METHODS: dict[str, dict[str, Callable[[Any, int], Measured]]] = {
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
    "anogan": {variant: _anogan(config) for variant, config in ANOGAN.items()},
    "cutpaste": {
        **{variant: _cutpaste(config) for variant, config in CUTPASTE.items()},
        UNTRAINED: _cutpaste(CutPasteConfig.quick(), _Untrained),
    },
    **VIDEO_METHODS,
}
