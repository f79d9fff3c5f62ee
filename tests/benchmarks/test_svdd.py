"""SVDD against libsvm in one run, on 6000 points of 784 dimensions: real digits where they are, else like them."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import OneClassSVM

from adlib import SVDD
from adlib.classification.kernels import nearest_gamma, scale_gamma
from adlib.datasets import one_class

ROOTS = [os.environ.get("ADLIB_DATA", "data/cache"), str(Path(__file__).parents[2].parent / "shared" / "data")]


@pytest.fixture(scope="module")
def pictures():
    for root in ROOTS:
        if (Path(root) / "MNIST").is_dir():
            return one_class("mnist", 7, root=root).train[:6000].flatten(1).double().numpy(), "MNIST, digit 7"
    # Without MNIST: the 8 x 8 digits blown up to 28 x 28, blurred by the interpolation, shifted and with grain
    rng = np.random.default_rng(0)
    small = one_class("digits", 7).train.numpy()[:, 0]
    large = np.kron(small, np.ones((1, 3, 3)))[rng.integers(0, len(small), 6000)]
    padded = np.pad(large, ((0, 0), (2, 2), (2, 2)))
    shifted = np.stack([np.roll(p, rng.integers(-2, 3, 2), (0, 1)) for p in padded]).reshape(6000, -1)
    return np.clip(shifted + 0.05 * rng.normal(size=shifted.shape), 0, 1), "digits, enlarged"


def objective(alpha, support, gamma):
    K = rbf_kernel(support, gamma=gamma)
    return alpha @ np.diag(K) - alpha @ K @ alpha


@pytest.mark.parametrize("rule", [nearest_gamma, scale_gamma])
@pytest.mark.parametrize(("nu", "at_least"), [(0.1, 2.0), (0.01, 1.0)])
def test_svdd_against_libsvm(pictures, rule, nu, at_least, capsys):
    X, name = pictures
    gamma = rule(X)
    ratios = []
    for _ in range(3):  # in turn, so that a change of the machine's speed meets both
        start = time.perf_counter()
        ours = SVDD(nu=nu, gamma=gamma).fit(X)
        middle = time.perf_counter()
        theirs = OneClassSVM(nu=nu, gamma=gamma).fit(X)
        ratios.append(((time.perf_counter() - middle) / (middle - start), middle - start))
    ratio, seconds = sorted(ratios)[1]
    expected = objective(theirs.dual_coef_[0] / (nu * len(X)), theirs.support_vectors_, gamma)
    with capsys.disabled():
        print(
            f"\n{X.shape} ({name}), nu = {nu}, gamma = {gamma:.3g} ({rule.__name__}): {seconds:.2f} s, "
            f"libsvm {ratio:.1f} times as long; objectives apart by {abs(ours.dual_objective_ / expected - 1):.0e}"
        )
    assert ours.dual_objective_ == pytest.approx(expected, rel=1e-6)
    assert ratio >= at_least
