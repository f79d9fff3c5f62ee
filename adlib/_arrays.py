"""Checked arrays for the metrics and the pictures. An error names the argument, what came and what is accepted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

Values = np.ndarray | Tensor | Sequence[Any]


def array(values: Any, name: str) -> np.ndarray:
    """values as a numeric array, not empty, that shares memory where it can."""
    if isinstance(values, Tensor):
        if values.layout != torch.strided or values.is_quantized:
            raise ValueError(f"{name} must be a plain tensor, got layout {values.layout}, dtype {values.dtype}")
        values = values.detach().cpu()
        values = (values.float() if values.dtype == torch.bfloat16 else values).numpy()  # numpy has no bfloat16
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError(f"{name} must be a plain array, got a masked one; fill it or drop what is masked")
    try:
        result = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged lists, lists of tensors on a GPU
        raise ValueError(f"{name} must be a rectangular array of numbers: {error}") from None
    if result.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold real numbers, got dtype {result.dtype}")
    if result.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {result.shape}")
    return result


def finite(values: Any, name: str, dimensions: int | None = None) -> np.ndarray:
    """values as float32 or float64, finite and not empty, with so many dimensions."""
    result = array(values, name)
    if dimensions is not None and result.ndim != dimensions:
        raise ValueError(f"{name} must have {dimensions} dimension(s), got shape {result.shape}")
    if result.dtype.kind != "f":
        if result.dtype.itemsize == 8 and np.abs(result.astype(np.float64)).max() >= 2**53:
            raise ValueError(f"{name} must hold integers below 2**53, since larger ones would be rounded to ties")
        result = result.astype(np.float64)
    elif result.dtype == np.float16:
        result = result.astype(np.float32)
    good = np.isfinite(result)
    if not good.all():
        raise ValueError(f"{name} must be finite, got {result.size - int(good.sum())} NaN or infinite of {result.size}")
    return result


def zero_one(values: Any, name: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """values as bool, of exactly this shape where one is given."""
    result = array(values, name)
    if shape is not None and result.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {result.shape}")
    wrong = (result != 0) & (result != 1)
    if wrong.any():
        raise ValueError(f"{name} must be 0 or 1, got the value {result[wrong][0]}")
    return result.astype(bool, copy=False)


def pictures(values: Any, name: str) -> np.ndarray:
    """(N, H, W) or (N, C, H, W) as matplotlib wants them: (N, H, W) or (N, H, W, 3)."""
    result = finite(values, name)
    if result.ndim == 4 and result.shape[1] in (1, 3):
        result = result[:, 0] if result.shape[1] == 1 else result.transpose(0, 2, 3, 1)
    elif result.ndim != 3:
        raise ValueError(f"{name} must have shape (N, H, W), (N, 1, H, W) or (N, 3, H, W), got {result.shape}")
    if result.min() < 0 or result.max() > 1:
        raise ValueError(f"{name} must lie in [0, 1], got values from {result.min():.3g} to {result.max():.3g}")
    return result
