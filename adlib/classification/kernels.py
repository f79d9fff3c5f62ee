"""Kernels: inner products in a feature space, and rules for the width of the RBF kernel that see no label.

Taught in :doc:`/book/classification/svm` and :doc:`/book/classification/svdd`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.neighbors import NearestNeighbors

KernelName = Literal["linear", "poly", "rbf"]
KERNELS = ("linear", "poly", "rbf")
GAMMA_RULES = ("nearest", "scale")


@dataclass(frozen=True)
class Kernel:
    r"""A kernel with its parameters fixed: ``kernel(X, Z)`` is the matrix :math:`K_{ij} = k(x_i, z_j)`.

    .. math::
        k_\text{linear}(x, z) = x^\top z, \qquad
        k_\text{poly}(x, z) = (\gamma\, x^\top z + r)^p, \qquad
        k_\text{rbf}(x, z) = e^{-\gamma \lVert x - z \rVert^2}

    gamma: :math:`\gamma > 0`, in units of one over a squared distance for the RBF kernel. degree: :math:`p`.
    coef0: :math:`r`. X: (n, d), Z: (m, d) float64. Returns (n, m) float64.
    Taught in :doc:`/book/classification/svm`.
    """

    name: KernelName
    gamma: float = 1.0
    degree: int = 3
    coef0: float = 0.0

    def __call__(self, X: np.ndarray, Z: np.ndarray) -> np.ndarray:
        products = X @ Z.T
        if self.name == "linear":
            return products
        if self.name == "poly":
            return (self.gamma * products + self.coef0) ** self.degree
        # ‖x − z‖² = ‖x‖² + ‖z‖² − 2 xᵀz: one matrix product, the rest in place
        products *= 2 * self.gamma
        products -= self.gamma * np.einsum("ij,ij->i", X, X)[:, None]
        products -= self.gamma * np.einsum("ij,ij->i", Z, Z)
        np.minimum(products, 0, out=products)  # rounding may leave a distance of −1e-16
        return np.exp(products, out=products)

    def diagonal(self, X: np.ndarray) -> np.ndarray:
        """k(x, x) for every row. X: (n, d). Returns (n,)."""
        if self.name == "rbf":
            return np.ones(len(X))
        squared = np.einsum("ij,ij->i", X, X)
        return squared if self.name == "linear" else (self.gamma * squared + self.coef0) ** self.degree


def nearest_gamma(X: np.ndarray) -> float:
    r"""One over the median squared distance to the nearest neighbour: a width that needs no label.

    .. math:: \gamma = 1 \big/ \operatorname{median}_i \min_{j:\, x_j \ne x_i} \lVert x_i - x_j \rVert^2

    So the kernel between a typical point and its neighbour is :math:`e^{-1}`: neighbours see each other, strangers do
    not. Copies of a point are no neighbours of it. X: (n, d) with at least two distinct rows, else ``ValueError``.
    Taught in :doc:`/book/classification/svdd`.
    """
    distinct = np.unique(X, axis=0)
    if len(distinct) < 2:
        raise ValueError(
            "gamma='nearest' needs at least two distinct rows in X, "
            f"got n_samples={len(X)} with {len(distinct)} distinct; give gamma as a number"
        )
    # Only distinct rows can be neighbours, but every row, copies too, counts in the median.
    search = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(distinct)
    # n_neighbors=2: the first one found is the row itself
    distances, _ = search.kneighbors(X)
    return float(1.0 / np.median(distances[:, 1] ** 2))


def scale_gamma(X: np.ndarray) -> float:
    """One over (number of features x variance of all values), scikit-learn's ``gamma="scale"``.

    X: (n, d). Constant X has no scale: 1.0, as scikit-learn has it. Taught in :doc:`/book/classification/svm`.
    """
    variance = float(X.var())
    return 1.0 / (X.shape[1] * variance) if variance > 0 else 1.0


def make_kernel(X: np.ndarray, kernel: str, gamma: float | str, degree: int, coef0: float) -> Kernel:
    """A :class:`Kernel` for the training points X (n, d), with gamma a positive number, ``"nearest"`` or ``"scale"``.

    Raises ``ValueError`` that names the argument. Taught in :doc:`/book/classification/svdd`.
    """
    if kernel not in KERNELS:
        raise ValueError(f"kernel must be one of {KERNELS}, got {kernel!r}")
    if isinstance(gamma, str):
        if gamma not in GAMMA_RULES:
            raise ValueError(f"gamma must be a positive number or one of {GAMMA_RULES}, got {gamma!r}")
        if kernel == "linear":  # has no gamma: do not pay for a rule
            gamma = 1.0
        else:
            gamma = nearest_gamma(X) if gamma == "nearest" else scale_gamma(X)
    elif not (np.isfinite(gamma) and gamma > 0):
        raise ValueError(f"gamma must be a positive number or one of {GAMMA_RULES}, got {gamma!r}")
    if not (isinstance(degree, int | np.integer) and degree >= 1):
        raise ValueError(f"degree must be an integer of at least 1, got {degree!r}")
    if not (np.isfinite(coef0) and coef0 >= 0):
        # (γ xᵀz + r)^p with r < 0 is no inner product in any space, and the problem would not be convex
        raise ValueError(f"coef0 must be a number of at least 0, got {coef0!r}")
    return Kernel(kernel, float(gamma), int(degree), float(coef0))  # type: ignore[arg-type]


class KernelRows:
    """Rows of the kernel matrix of X, computed when asked for, a block at a time, and kept up to a memory limit.

    A solver for few support vectors touches few rows; the whole matrix would cost more than the solution. One row is
    bound by reading X from memory, so a block of rows costs little more than one: the caller names further candidates.

    kernel: maps (n, d), (m, d) to (n, m). X: (n, d). cache_mb: memory for rows, in megabytes.
    Taught in :doc:`/book/classification/svdd`.
    """

    block = 32

    def __init__(self, kernel: Callable[[np.ndarray, np.ndarray], np.ndarray], X: np.ndarray, cache_mb: float = 1000):
        self.kernel, self.X = kernel, X
        self.capacity = max(2 * self.block, int(cache_mb * 1e6 / (8 * len(X))))
        self.missing = np.ones(len(X), bool)
        self.computed = 0  # rows computed so far, for whoever wants to know what a solution cost
        self._rows: dict[int, np.ndarray] = {}

    def get(self, i: int, urgency: np.ndarray | None = None) -> np.ndarray:
        """Row i, (n,). urgency: (n,), the smaller, the sooner that row may be wanted; inf for never."""
        if i not in self._rows:
            wanted = np.array([i])
            if urgency is not None:
                urgency = np.where(self.missing, urgency, np.inf)
                urgency[i] = np.inf
                k = min(self.block, len(urgency)) - 1
                near = np.argpartition(urgency, k)[:k] if k else wanted[:0]
                wanted = np.append(wanted, near[np.isfinite(urgency[near])])
            for index, row in zip(wanted.tolist(), self.kernel(self.X[wanted], self.X), strict=True):
                while len(self._rows) >= self.capacity:  # the oldest goes; a dict keeps its order
                    oldest = next(iter(self._rows))
                    del self._rows[oldest]
                    self.missing[oldest] = True
                self._rows[index] = row
                self.missing[index] = False
            self.computed += len(wanted)
        return self._rows[i]

    def dot(self, beta: np.ndarray) -> np.ndarray:
        """The product of the kernel matrix and beta (n,), at the cost of the rows where beta is not zero."""
        total = np.zeros(len(self.X))
        for chunk in np.array_split(np.flatnonzero(beta), np.count_nonzero(beta) // 256 + 1):
            if len(chunk):
                total += beta[chunk] @ self.kernel(self.X[chunk], self.X)
        return total
