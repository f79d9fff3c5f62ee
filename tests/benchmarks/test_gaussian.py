"""Scoring of patch features against the plain way in one run: the inverse of the covariance and one einsum.

10^6 features of 64 numbers in float32, as many as 300 pictures of 57 x 57 patches have. The einsum gets a part of them
and its time is scaled: it goes row by row, so it is proportional to their number.
"""

import time

import numpy as np

from adlib import GaussianDensity

PART = 100_000


def test_a_million_patch_features(capsys):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((10**6, 64), dtype=np.float32) @ rng.standard_normal((64, 64), dtype=np.float32)
    density = GaussianDensity().fit(X[:5000])
    inverse = np.linalg.inv(density.covariance_)
    ratios = []
    for _ in range(3):  # in turn, so that a change of the machine's speed meets both
        start = time.perf_counter()
        ours = density.anomaly_score(X)
        middle = time.perf_counter()
        centred = X[:PART] - density.mean_
        theirs = np.einsum("nd,de,ne->n", centred, inverse, centred) / 2
        seconds = middle - start
        ratios.append(((time.perf_counter() - middle) * len(X) / PART / seconds, seconds))
    ratio, seconds = sorted(ratios)[1]
    with capsys.disabled():
        print(
            f"\n{X.shape} float32: {seconds:.2f} s, the einsum {ratio:.1f} times as long (from {PART} rows); "
            f"scores apart by {np.abs(ours[:PART] / theirs - 1).max():.0e}"
        )
    np.testing.assert_allclose(ours[:PART], theirs, rtol=1e-9)
    assert ratio >= 4.0
