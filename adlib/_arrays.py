"""What the pictures are drawn from: arrays that were checked, and errors that name the argument."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor


def finite(values: Any, name: str, dimensions: int | None = None) -> np.ndarray:
    """values as float64, finite and not empty."""
    try:
        array = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name} must be a rectangular array of numbers: {error}") from None
    if dimensions is not None and array.ndim != dimensions:
        raise ValueError(f"{name} must have {dimensions} dimension(s), got shape {array.shape}")
    if array.size == 0 or not np.isfinite(array).all():
        raise ValueError(
            f"{name} must be finite and not empty, got shape {array.shape} with "
            f"{np.count_nonzero(~np.isfinite(array))} NaN or infinite"
        )
    return array


def zero_one(values: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """values as bool, of exactly this shape."""
    array = finite(values, name)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    if not np.isin(array, (0, 1)).all():
        raise ValueError(f"{name} must be 0 or 1, got the value {array[~np.isin(array, (0, 1))][0]:g}")
    return array.astype(bool)


def pictures(values: Any, name: str) -> np.ndarray:
    """(N, H, W) or (N, C, H, W) as matplotlib wants them: (N, H, W) or (N, H, W, 3)."""
    array = finite(values, name)
    if array.ndim == 4 and array.shape[1] in (1, 3):
        array = array[:, 0] if array.shape[1] == 1 else array.transpose(0, 2, 3, 1)
    elif array.ndim != 3:
        raise ValueError(f"{name} must have shape (N, H, W), (N, 1, H, W) or (N, 3, H, W), got {array.shape}")
    if array.min() < 0 or array.max() > 1:
        raise ValueError(f"{name} must lie in [0, 1], got values from {array.min():.3g} to {array.max():.3g}")
    return array
