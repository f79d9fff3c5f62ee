"""Files for models and checkpoints: safetensors with a JSON header, never pickle, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file


def save_state(path: str | Path, state: Any) -> None:
    """Write a nest of dicts, lists, tuples, tensors, arrays, numbers, strings and None to one safetensors file.

    The file appears complete or not at all: it is written beside its place and moved there. Raises ``TypeError`` for
    anything that would need pickle.
    """
    tensors: dict[str, torch.Tensor] = {}
    header = {"adlib": json.dumps(_pack(state, tensors))}
    with replacing(path) as partial:
        save_file(tensors, partial, metadata=header)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A place beside path to write to; moved to path when all went well, removed otherwise."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def load_state(path: str | Path) -> Any:
    """Read what :func:`save_state` wrote; tensors come to the CPU. Raises ``ValueError`` for any other file."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"path: no file {str(path)!r}")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            header = (file.metadata() or {}).get("adlib")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no dict
    except SafetensorError as error:
        raise ValueError(f"path: {str(path)!r} is no safetensors file, or a damaged one ({error})") from error
    try:
        return _unpack(json.loads(header or ""), tensors)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ValueError(f"path: {str(path)!r} is a safetensors file, but adlib did not write it") from error


def _pack(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.bool_ | np.integer | np.floating):
        return value.item()
    if isinstance(value, torch.Tensor | np.ndarray):
        kind = "tensor" if isinstance(value, torch.Tensor) else "array"
        if isinstance(value, np.ndarray):
            if value.dtype.kind not in "biuf" or value.dtype.itemsize > 8:
                raise TypeError(f"state: an array of {value.dtype} cannot be stored without pickle")
            value = np.ascontiguousarray(value, value.dtype.newbyteorder("="))
        key = str(len(tensors))
        # a clone, since safetensors refuses two names for one memory
        tensors[key] = torch.as_tensor(value).detach().cpu().clone().contiguous()
        return {kind: key}
    if isinstance(value, dict):  # as pairs, since the keys of an optimiser's state are numbers
        return {"dict": [[_pack(k, tensors), _pack(v, tensors)] for k, v in value.items()]}
    if isinstance(value, list | tuple):
        return {"tuple" if isinstance(value, tuple) else "list": [_pack(v, tensors) for v in value]}
    raise TypeError(f"state: a {type(value).__name__} cannot be stored without pickle")


def _unpack(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind in ("tensor", "array"):
        return tensors[content] if kind == "tensor" else tensors[content].numpy()
    if kind == "dict":
        return {_unpack(k, tensors): _unpack(v, tensors) for k, v in content}
    items = [_unpack(v, tensors) for v in content]
    return tuple(items) if kind == "tuple" else items
