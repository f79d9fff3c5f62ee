"""What files hold: their fingerprints, and arrays that are not read before they are used."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from tokenize import TokenError

import numpy as np

# NumPy raises each of them on files that are truncated, corrupt, or no arrays.
_BROKEN = (OSError, ValueError, EOFError, OverflowError, SyntaxError, TokenError, zipfile.BadZipFile)


def sha256(path: Path) -> bytes:
    """The SHA-256 sum of a file, 32 bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:  # in parts: a movie or an archive may be larger than memory
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.digest()


def open_npy(path: Path) -> np.ndarray:
    """The array of numbers in a .npy file, not read before it is used. Never a pickle, which may run code.

    Raises FileNotFoundError, or ValueError for anything else.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise
    except _BROKEN as error:
        reason = "the file is empty (0 bytes)" if path.is_file() and not path.stat().st_size else error
        raise ValueError(f"{path} cannot be read as a .npy array of numbers: {reason}; fetch it again") from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise ValueError(f"{path} must be one .npy array, got an archive of several (.npz)")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{path} must hold an array of numbers, got dtype {array.dtype}")
    return array
