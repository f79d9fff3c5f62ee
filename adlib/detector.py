"""The contract of all picture detectors: fit, anomaly_score, anomaly_map, calibrate, predict, save, load.

Scores: the higher, the more anomalous. Pictures: float Tensor (N, C, H, W) in [0, 1], or a Dataset of (C, H, W).
Taught in :doc:`/book/foundations/what_is_an_anomaly`.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from inspect import isabstract
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.exceptions import NotFittedError
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from adlib import _checks
from adlib._arrays import finite
from adlib.storage import load_state, save_state

Pictures = Tensor | Dataset


class DetectorBase(ABC):
    """What detectors of pictures and of videos share: constants, a seed, a device, the threshold and the file.

    ``_get_state`` and ``_set_state`` of a method give and take what was learnt. config, seed, device: as in
    :class:`Detector`. Taught in :doc:`/book/foundations/what_is_an_anomaly`.
    """

    config_class: ClassVar[type]
    shape_: tuple[int, ...]
    threshold_: float | None

    def __init__(self, config: Any = None, *, seed: int = 0, device: str | torch.device | None = None):
        if config is not None and not isinstance(config, self.config_class):
            raise ValueError(f"config must be a {self.config_class.__name__}, got {type(config).__name__}")
        self.config: Any = self.config_class() if config is None else config
        self.seed = _checks.seed(seed)
        self.device = check_device(device)

    @abstractmethod
    def anomaly_score(self, data: Any, /) -> Tensor: ...

    @abstractmethod
    def _get_state(self) -> dict[str, Any]: ...

    @abstractmethod
    def _set_state(self, state: dict[str, Any]) -> None: ...

    def predict(self, data: Any) -> Tensor:
        """True where a score is above the threshold of ``calibrate``. Returns (N,) of bool, for pictures or frames."""
        self._check_fitted()
        if self.threshold_ is None:
            raise NotFittedError(f"this {type(self).__name__} has no threshold yet: call calibrate first")
        return self.anomaly_score(data) > self.threshold_

    def save(self, path: str | Path) -> None:
        """Write the fitted detector to one file, safetensors with a JSON header. Read it by :func:`load_detector`.

        Raises ``TypeError`` for a subclass from outside adlib, which :func:`load_detector` would not make.
        """
        self._check_fitted()
        if not type(self).__module__.startswith("adlib."):
            raise TypeError(f"{type(self).__name__} is no class of adlib, and load_detector makes no other")
        save_state(
            path,
            {
                "class": f"{type(self).__module__}.{type(self).__qualname__}",
                "config": dataclasses.asdict(self.config),
                "seed": self.seed,
                "shape": self.shape_,
                "threshold": self.threshold_,
                "state": self._get_state(),
            },
        )

    @classmethod
    def _from_saved(cls, saved: dict[str, Any], device: str | torch.device | None) -> Any:
        detector = cls(cls.config_class(**saved["config"]), seed=saved["seed"], device=device)
        detector.shape_, detector.threshold_ = tuple(saved["shape"]), saved["threshold"]
        detector._set_state(saved["state"])
        return detector

    def _finite(self, result: Tensor) -> Tensor:
        """result on the CPU."""
        result = result.cpu()
        if not torch.isfinite(result).all():
            raise FloatingPointError(f"{type(self).__name__} gave a score that is not finite; train it anew")
        return result

    def _check_fitted(self) -> None:
        if not hasattr(self, "shape_"):
            raise NotFittedError(f"this {type(self).__name__} is not fitted yet: call fit first")


class Detector(DetectorBase):
    """A detector of anomalous pictures, learnt from normal ones alone.

    A method is a subclass with its constants in a frozen dataclass ``config_class`` and four functions: ``_fit``
    learns, ``_score`` maps a batch (N, C, H, W) to (N,), ``_get_state`` and ``_set_state`` give and take what was
    learnt. A method that localises adds ``_map``: (N, C, H, W) to (N, H, W). The checks are made here, once.

    config: an instance of ``config_class``, its defaults when None. seed: every random draw comes from it.
    device: ``"cpu"``, ``"cuda"``, ...; a GPU if there is one when None. Raises ``ValueError`` that names the argument.

    Learned: ``shape_`` (C, H, W) of the pictures, ``threshold_`` once calibrated.
    Taught in :doc:`/book/foundations/what_is_an_anomaly`.
    """

    batch_size: ClassVar[int] = 256  # pictures scored at once
    _map: Callable[[Tensor], Tensor] | None = None

    @abstractmethod
    def _fit(self, normal: Pictures, *, checkpoint: Path | None, progress: bool) -> None: ...

    @abstractmethod
    def _score(self, images: Tensor) -> Tensor: ...

    def fit(self, normal: Pictures, *, checkpoint: str | Path | None = None, progress: bool = True) -> Detector:
        """Learn from normal pictures alone. Returns self.

        normal: float Tensor (N, C, H, W) in [0, 1], or a Dataset of such pictures. checkpoint: a file in which a
        training that takes long leaves its state, and from which it goes on. progress: show a progress bar.
        """
        normal = check_pictures(normal, name="normal")
        vars(self).pop("shape_", None)  # a fit that fails leaves a detector that is not fitted
        self._fit(normal, checkpoint=Path(checkpoint) if checkpoint else None, progress=progress)
        self.shape_ = shape_of(normal)
        self.threshold_ = None
        return self

    def anomaly_score(self, images: Pictures) -> Tensor:
        """One value a picture, the higher, the more anomalous. images: as in :meth:`fit`. Returns (N,) on the CPU."""
        return self._apply(self._score, images)

    def anomaly_map(self, images: Pictures) -> Tensor:
        """One value a pixel, the higher, the more anomalous. images: as in :meth:`fit`. Returns (N, H, W) on the CPU.

        Raises ``TypeError`` where the method does not localise.
        """
        if self._map is None:
            raise TypeError(f"{type(self).__name__} judges pictures, it gives no anomaly map")
        return self._apply(self._map, images)

    def calibrate(self, held_out_normal: Pictures, false_positive_rate: float = 0.05) -> Detector:
        """Set the threshold by :func:`conformal_threshold` from normal pictures that fit has not seen. Returns self."""
        scores = self._apply(self._score, held_out_normal, name="held_out_normal")
        self.threshold_ = conformal_threshold(scores, false_positive_rate)
        return self

    @torch.no_grad()
    def _apply(self, function: Callable[[Tensor], Tensor], images: Pictures, name: str = "images") -> Tensor:
        self._check_fitted()
        images = check_pictures(images, name=name, shape=self.shape_)
        read = batches(images, self.batch_size, name=name, shape=self.shape_)
        return torch.cat([self._finite(function(batch.to(self.device))) for batch in read])


def load_detector(path: str | Path, *, device: str | torch.device | None = None) -> Any:
    """The detector that ``save`` wrote, with its threshold: same scores on the same machine.

    path: the file. device: as in :class:`Detector`. Only detectors of adlib are made, and nothing in the file is run.
    Taught in :doc:`/book/foundations/what_is_an_anomaly`.
    """
    saved = load_state(path)
    found = None
    module, _, name = str(saved.get("class", "") if isinstance(saved, dict) else "").rpartition(".")
    if module.startswith("adlib.") and module not in ("adlib.__main__", "adlib.cli"):
        with suppress(ImportError):
            found = getattr(import_module(module), name, None)
    if not hasattr(found, "_from_saved") or isabstract(found):
        raise ValueError(f"path: {str(path)!r} holds no detector of adlib")
    return found._from_saved(saved, device)  # type: ignore[union-attr]


def conformal_threshold(scores: Any, false_positive_rate: float) -> float:
    r"""A threshold from normal scores alone, with a guarantee.

    .. math:: \tau = s_{(k)}, \qquad k = \lceil (n + 1)(1 - \varepsilon) \rceil

    the k-th smallest of n held-out normal scores. If a new normal picture is exchangeable with them, its score lies
    above :math:`\tau` with probability at most :math:`\varepsilon`, taken over the draw of the n.

    scores: (n,) of pictures that fit has not seen. false_positive_rate: :math:`\varepsilon` in (0, 1). Raises
    ``ValueError`` where n is too small for the rate: it takes :math:`n \ge 1/\varepsilon - 1`.
    Source: Vovk, Gammerman and Shafer, 2005.
    Taught in :doc:`/book/foundations/what_is_an_anomaly`.
    """
    scores = finite(scores, "scores", 1)
    _checks.number("false_positive_rate", false_positive_rate, "a number in (0, 1)", 0, np.nextafter(1, 0), ends=False)
    n = len(scores)
    # 1e-9: (n + 1)(1 − ε) may be an integer that rounding lifts a little
    k = math.ceil((n + 1) * (1 - false_positive_rate) - 1e-9)
    if k > n:
        least = math.ceil(1 / false_positive_rate - 1 - 1e-9)
        raise ValueError(
            f"false_positive_rate={false_positive_rate} takes at least {least} held-out normal scores, got {n}"
        )
    return float(np.sort(scores)[k - 1])


def check_images(
    images: Any,
    *,
    name: str = "images",
    channels: int | None = None,
    size: tuple[int, ...] | None = None,
    first: str = "N",
) -> Tensor:
    """Return images if it is a float Tensor (N, C, H, W) in [0, 1], finite and not empty; else raise ``ValueError``.

    name: what to call it in the message. channels, size: C and (H, W) that are accepted, any when None. first: letter
    of the first axis, ``"T"`` for frames.
    """
    wanted = f"{name} must be a float Tensor ({first}, C, H, W) in [0, 1]"
    if not isinstance(images, Tensor):
        raise ValueError(f"{wanted}, got {type(images).__name__}")
    if images.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        hint = "; for 8-bit pictures divide by 255" if images.dtype == torch.uint8 else ""
        raise ValueError(f"{wanted}, got dtype {images.dtype}{hint}")
    if images.layout != torch.strided:
        raise ValueError(f"{wanted}, got the layout {images.layout}")
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(f"{wanted}, got shape {tuple(images.shape)}")
    if channels is not None and images.shape[1] != channels:
        raise ValueError(f"{name} must have {channels} channel(s), got shape {tuple(images.shape)}")
    if size is not None and tuple(images.shape[2:]) != tuple(size):
        raise ValueError(f"{name} must be {size[0]} x {size[1]} pixels, got shape {tuple(images.shape)}")
    low, high = torch.aminmax(images.detach())
    if not (torch.isfinite(low) and torch.isfinite(high)):  # a NaN or an infinity reaches the minimum or the maximum
        raise ValueError(f"{wanted}, got NaN or infinity in it")
    if low < 0 or high > 1:
        raise ValueError(f"{wanted}, got values from {low:.4g} to {high:.4g}")
    return images


def check_pictures(images: Any, *, name: str, shape: tuple[int, ...] | None = None) -> Pictures:
    """As :func:`check_images`, or a Dataset that is not empty; its pictures are checked as they are read."""
    channels, size = (shape[0], shape[1:]) if shape else (None, None)
    if isinstance(images, IterableDataset):
        raise ValueError(f"{name} must be a Dataset with a length and an index, got {type(images).__name__}")
    if isinstance(images, Dataset):
        if len(images) == 0:  # type: ignore[arg-type]
            raise ValueError(f"{name} must hold at least one picture, got an empty Dataset")
        check_images(picture_of(images[0], name)[None], name=f"{name}[0]", channels=channels, size=size)
        return images
    return check_images(images, name=name, channels=channels, size=size).detach()


def check_device(device: Any) -> torch.device:
    """A torch device, the GPU if there is one for None. Raises ``ValueError`` for what is none."""
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device must be the name of a device such as 'cpu' or 'cuda', got {device!r}") from error


def picture_of(item: Any, name: str) -> Tensor:
    """The picture of one item of a Dataset: the item, or its first part where it is a pair such as (picture, label)."""
    picture = item[0] if isinstance(item, tuple | list) and item else item
    if not isinstance(picture, Tensor):
        raise ValueError(
            f"{name} must be a Dataset of Tensors (C, H, W), or of tuples that begin with one, "
            f"got {type(picture).__name__}"
        )
    return picture


def shape_of(images: Pictures) -> tuple[int, ...]:
    """(C, H, W) of the pictures, already checked."""
    return tuple(images.shape[1:]) if isinstance(images, Tensor) else tuple(picture_of(images[0], "images").shape)


def batches(images: Pictures, batch_size: int, *, name: str, shape: tuple[int, ...]) -> Iterator[Tensor]:
    """The pictures in order, batch by batch, (B, C, H, W), each checked to be of this shape (C, H, W).

    A Dataset is read as it goes, so memory stays bounded. name: what to call it in an error.
    """

    def collate(items: list[Any]) -> Tensor:
        pictures = [picture_of(item, name) for item in items]
        for picture in pictures:
            check_images(picture[None], name=name, channels=shape[0], size=shape[1:])
        return torch.stack(pictures)

    if isinstance(images, Tensor):
        yield from images.split(batch_size)
    else:
        yield from DataLoader(images, batch_size, collate_fn=collate)
