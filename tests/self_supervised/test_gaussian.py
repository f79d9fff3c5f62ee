"""GaussianDensity against scipy and scikit-learn, hand-made cases, its invariances and bad input."""

import tracemalloc
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, ortho_group, rankdata
from sklearn.base import clone
from sklearn.covariance import EmpiricalCovariance, LedoitWolf
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.utils.estimator_checks import check_estimator

from adlib import GaussianDensity, load_detector
from adlib.self_supervised.gaussian import BLOCK, lower_factor, standardise, unit_rows

EXACT = {"covariance": 0, "regularisation": 0}  # maximum likelihood


def stretched(n, d, seed=0):
    """n points with correlated features of unlike scale, far from zero."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) * np.linspace(0.5, 5, d) @ rng.normal(size=(d, d)) + 10


# against independent references


@pytest.mark.parametrize("parameters", [EXACT, {}, {"covariance": 0.3}, {"covariance": 1, "regularisation": 0.5}])
def test_log_density_is_that_of_scipy(parameters):
    X, test = stretched(80, 6), stretched(50, 6, seed=1)
    density = GaussianDensity(**parameters).fit(X)
    expected = multivariate_normal(density.mean_, density.covariance_).logpdf(test)
    np.testing.assert_allclose(density.score_samples(test), expected, rtol=1e-9)


def test_maximum_likelihood_is_that_of_scikit_learn():
    X, test = stretched(80, 6), stretched(50, 6, seed=1)
    density, reference = GaussianDensity(**EXACT).fit(X), EmpiricalCovariance().fit(X)
    np.testing.assert_allclose(density.mean_, reference.location_, rtol=1e-12)
    np.testing.assert_allclose(density.covariance_, reference.covariance_, rtol=1e-9)
    np.testing.assert_allclose(density.anomaly_score(test), reference.mahalanobis(test) / 2, rtol=1e-8)


@pytest.mark.parametrize("shape", [(80, 6), (20, 40), (60, 512), (50, 1)])
def test_shrinkage_is_that_of_scikit_learn(shape):
    X, test = np.random.default_rng(0).normal(size=(2, *shape)) * np.linspace(1, 3, shape[1]) + 4
    density, reference = GaussianDensity(regularisation=0).fit(X), LedoitWolf().fit(X)
    assert density.shrinkage_ == pytest.approx(reference.shrinkage_, rel=1e-9)
    np.testing.assert_allclose(density.covariance_, reference.covariance_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(density.anomaly_score(test), reference.mahalanobis(test) / 2, rtol=1e-8)


@pytest.mark.parametrize(("covariance", "regularisation"), [(0, 1e-3), (0.2, 0.01), (0.7, 0), (1, 0)])
def test_fixed_shrinkage_by_its_formula(covariance, regularisation):
    X = stretched(40, 5)
    S = np.cov(X.T, bias=True)
    sphere = np.trace(S) / 5 * np.eye(5)
    density = GaussianDensity(covariance=covariance, regularisation=regularisation).fit(X)
    expected = (1 - covariance) * S + (covariance + regularisation) * sphere
    np.testing.assert_allclose(density.covariance_, expected, rtol=1e-9, atol=1e-9)
    assert density.shrinkage_ == covariance


def test_the_mixture_of_one_that_the_group_used():
    X, test = unit_rows(stretched(200, 8) - 10), stretched(50, 8, seed=1) - 10
    reg_covar = 1e-6
    mixture = GaussianMixture(n_components=1, reg_covar=reg_covar).fit(X)
    relative = reg_covar / (np.trace(np.cov(X.T, bias=True)) / 8)
    density = GaussianDensity(covariance=0, regularisation=relative, normalise=True).fit(3 * X)
    np.testing.assert_allclose(density.score_samples(test), mixture.score_samples(unit_rows(test)), rtol=1e-7)


def test_two_dimensions_by_hand():
    # mean (1, 2); deviations (±2, 0), (0, ±1): S = diag(8/4, 2/4) = diag(2, 1/2), mean variance 5/4
    X = np.array([[3.0, 2.0], [-1.0, 2.0], [1.0, 3.0], [1.0, 1.0]])
    test = np.array([[1.0, 2.0], [3.0, 2.0], [1.0, 3.0], [3.0, 3.0]])
    density = GaussianDensity(**EXACT).fit(X)
    np.testing.assert_allclose(density.mean_, [1, 2])
    np.testing.assert_allclose(density.covariance_, [[2, 0], [0, 0.5]])
    np.testing.assert_allclose(density.cholesky_, [[2**0.5, 0], [0, 0.5**0.5]])
    # ½ (2²/2) = 1, ½ (1²/½) = 1; |Σ| = 1, so the log density at the mean is −log 2π
    np.testing.assert_allclose(density.anomaly_score(test), [0, 1, 1, 2])
    np.testing.assert_allclose(density.score_samples(test[:1]), -np.log(2 * np.pi))
    # shrunk by 0.4 towards 5/4: 0.6 · 2 + 0.4 · 1.25 = 1.7 and 0.6 · 0.5 + 0.5 = 0.8
    shrunk = GaussianDensity(covariance=0.4, regularisation=0).fit(X)
    np.testing.assert_allclose(shrunk.covariance_, [[1.7, 0], [0, 0.8]])
    np.testing.assert_allclose(shrunk.anomaly_score(test), [0, 2 / 1.7, 0.5 / 0.8, 2 / 1.7 + 0.5 / 0.8])


def test_a_correlated_pair_by_hand():
    # S = [[1, ½], [½, 1]], S⁻¹ = 4/3 [[1, −½], [−½, 1]]: along (1, 1) the score is ½ · 4/3, across it ½ · 4
    a, b = np.sqrt(1.5), np.sqrt(0.5)
    u, v = np.array([1, 1]) / np.sqrt(2), np.array([1, -1]) / np.sqrt(2)
    X = np.sqrt(2) * np.array([a * u, -a * u, b * v, -b * v])
    density = GaussianDensity(**EXACT).fit(X)
    np.testing.assert_allclose(density.covariance_, [[1, 0.5], [0.5, 1]], atol=1e-12)
    np.testing.assert_allclose(density.anomaly_score([[1.0, 1.0], [1.0, -1.0]]), [2 / 3, 2])


# what changes nothing, and what does


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    d=st.integers(2, 8),
    covariance=st.sampled_from(["ledoit_wolf", 0, 0.3, 1]),
    scale=st.sampled_from([1e-100, 1e-3, 1.0, 1e100]),
)
def test_rotation_translation_and_scale_change_nothing(seed, d, covariance, scale):
    rng = np.random.default_rng(seed)
    X, test = rng.normal(size=(30, d)), rng.normal(size=(10, d)) * 3
    turn, shift = ortho_group.rvs(d, random_state=seed), rng.normal(size=d) * 10
    plain = GaussianDensity(covariance=covariance).fit(X)
    moved = GaussianDensity(covariance=covariance).fit((X @ turn + shift) * scale)
    np.testing.assert_allclose(moved.anomaly_score((test @ turn + shift) * scale), plain.anomaly_score(test), rtol=1e-6)
    assert moved.shrinkage_ == pytest.approx(plain.shrinkage_, rel=1e-6, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), d=st.integers(1, 6))
def test_an_affine_map_changes_nothing_for_maximum_likelihood(seed, d):
    rng = np.random.default_rng(seed)
    X, test = rng.normal(size=(40, d)), rng.normal(size=(10, d)) * 3
    # singular values from 0.1 to 10
    A = ortho_group.rvs(d, random_state=seed) if d > 1 else np.ones((1, 1))
    A = A * np.geomspace(0.1, 10, d) @ rng.permutation(np.eye(d)) + 0.0
    plain, moved = (GaussianDensity(**EXACT).fit(rows) for rows in (X, X @ A + 5))
    np.testing.assert_allclose(moved.anomaly_score(test @ A + 5), plain.anomaly_score(test), rtol=1e-7)


def test_an_affine_map_does_change_a_shrunk_covariance():
    X = np.random.default_rng(0).normal(size=(40, 2))
    scores = GaussianDensity(covariance=0.5).fit(X).anomaly_score(X)
    assert not np.allclose(
        GaussianDensity(covariance=0.5).fit(X * [1, 10]).anomaly_score(X * [1, 10]), scores, rtol=0.1
    )


def test_training_rows_have_a_mean_score_of_half_the_dimension():
    """Σ_i (x_i − μ)ᵀ S⁻¹ (x_i − μ) = n tr(S⁻¹ S) = n D."""
    for n, d in ((30, 2), (300, 40)):
        assert GaussianDensity(**EXACT).fit(stretched(n, d)).anomaly_score(stretched(n, d)).mean() == pytest.approx(
            d / 2
        )


def test_ranking_differs_from_that_of_the_euclidean_distance_on_stretched_data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 2)) * [10, 1]
    along, across = [15.0, 0.0], [0.0, 6.0]
    for covariance in ("ledoit_wolf", 0):
        density = GaussianDensity(covariance=covariance).fit(X)
        assert np.diff(density.anomaly_score([along, across])) > 0
        assert list(density.predict([along, across])) == [1, -1]
    sphere = GaussianDensity(covariance=1).fit(X)
    distance = np.linalg.norm(X - X.mean(0), axis=1)
    np.testing.assert_array_equal(rankdata(sphere.anomaly_score(X)), rankdata(distance))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), d=st.integers(2, 6))
def test_normalised_rows_lose_their_length(seed, d):
    rng = np.random.default_rng(seed)
    X, test = rng.normal(size=(30, d)), rng.normal(size=(10, d))
    density = GaussianDensity(normalise=True).fit(X)
    stretch = np.exp(rng.normal(size=(10, 1)) * 100)
    np.testing.assert_allclose(density.anomaly_score(test * stretch), density.anomaly_score(test), rtol=1e-9)
    plain = GaussianDensity().fit(X / np.linalg.norm(X, axis=1, keepdims=True))
    units = test / np.linalg.norm(test, axis=1, keepdims=True)
    np.testing.assert_allclose(density.anomaly_score(test), plain.anomaly_score(units), rtol=1e-7)
    np.testing.assert_allclose(np.linalg.norm(unit_rows(test * stretch), axis=1), 1)


# few rows, constant features


def test_fewer_rows_than_features():
    X, test = np.random.default_rng(0).normal(size=(2, 60, 512)).astype(np.float32)
    density = GaussianDensity().fit(X)
    assert np.linalg.eigvalsh(density.covariance_).min() > 0
    np.testing.assert_allclose(density.cholesky_ @ density.cholesky_.T, density.covariance_, rtol=1e-9, atol=1e-12)
    assert (density.cholesky_ == np.tril(density.cholesky_)).all()
    # the rows in front lie in a subspace, so held-out ones are farther
    assert np.median(density.anomaly_score(test)) > np.median(density.anomaly_score(X)) > 0


def test_without_shrinkage_a_direction_that_never_varied_weighs_one_over_the_regularisation():
    rng = np.random.default_rng(0)
    X = np.zeros((20, 30))
    X[:, :10] = rng.normal(size=(20, 10))
    density = GaussianDensity(covariance=0, regularisation=1e-6).fit(X)
    mean_variance = X.var(0).mean()
    out = density.mean_.copy()
    out[20] += 0.5
    assert density.anomaly_score(out[None])[0] == pytest.approx(0.5 * 0.25 / (1e-6 * mean_variance), rel=1e-9)


@pytest.mark.parametrize(("n", "d"), [(3, 5), (5, 5), (60, 512)])
def test_maximum_likelihood_of_too_few_rows_is_refused(n, d):
    with pytest.raises(ValueError, match=rf"covariance: that of X, {n} rows of {d} features, has no inverse"):
        GaussianDensity(**EXACT).fit(stretched(n, d))


def test_constant_and_repeated_features():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=50), np.full(50, 3.0), rng.normal(size=50)])
    for parameters in ({}, {"covariance": 0}):
        density = GaussianDensity(**parameters).fit(X)
        assert np.isfinite(density.anomaly_score(X)).all()
        odd = X[:1] + [0.0, 0.1, 0.0]  # a constant feature that changes is an anomaly
        assert density.anomaly_score(odd) > density.anomaly_score(X[:1])
    for singular in (X, X[:, [0, 2, 0]], np.column_stack([X[:, 0], 1e8 * X[:, 0]])):
        with pytest.raises(ValueError, match=r"has no inverse without more shrinkage; give covariance='ledoit_wolf'"):
            GaussianDensity(**EXACT).fit(singular)
    # unlike scales alone are no reason to refuse
    wide = X[:, [0, 2]] * [1e-8, 1e8]
    np.testing.assert_allclose(
        GaussianDensity(**EXACT).fit(wide).anomaly_score(wide),
        GaussianDensity(**EXACT).fit(X[:, [0, 2]]).anomaly_score(X[:, [0, 2]]),
        rtol=1e-7,
    )


def test_the_factor_by_hand():
    np.testing.assert_allclose(lower_factor(np.array([[4.0, 2.0], [2.0, 5.0]]), 9), [[2, 0], [1, 2]])
    with pytest.raises(ValueError, match="covariance: that of X, 9 rows of 2 features"):
        lower_factor(np.array([[1.0, 1.0], [1.0, 1.0]]), 9)


def test_standardise_by_hand():
    mean, centred, scale = standardise(np.array([[3.0, 0.0], [-1.0, 0.0]]))
    np.testing.assert_allclose(mean, [1, 0])
    assert scale == pytest.approx(2)  # variances 4 and 0
    np.testing.assert_allclose(centred, np.array([[2, 0], [-2, 0]]) / np.sqrt(2))


# scoring


def test_float32_rows_are_scored_in_float64():
    """Also where the spread is small beside the mean and the eigenvalues lie far apart."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(60, 512)) * np.geomspace(1e-3, 1, 512) + 100).astype(np.float32)
    density = GaussianDensity(covariance=0).fit(X)
    np.testing.assert_array_equal(density.anomaly_score(X), density.anomaly_score(X.astype(np.float64)))
    expected = multivariate_normal(density.mean_, density.covariance_).logpdf(X.astype(np.float64))
    np.testing.assert_allclose(density.score_samples(X), expected, rtol=1e-6)


def test_blocks_do_not_show(monkeypatch):
    monkeypatch.setattr("adlib.self_supervised.gaussian.BLOCK", 7 * 1024)
    X = np.random.default_rng(0).normal(size=(2500, 7)).astype(np.float32)
    density = GaussianDensity(normalise=True).fit(X)
    one_by_one = np.concatenate([density.anomaly_score(row[None]) for row in X])
    np.testing.assert_allclose(density.anomaly_score(X), one_by_one, rtol=1e-12)
    np.testing.assert_allclose(density.anomaly_score(np.asfortranarray(X)), one_by_one, rtol=1e-12)
    np.testing.assert_allclose(density.anomaly_score(X[::-1])[::-1], one_by_one, rtol=1e-12)


def test_scoring_leaves_its_input_alone_and_needs_one_block():
    X = np.random.default_rng(0).standard_normal((2_000_000, 16), dtype=np.float32)
    before = X[:2000].copy()
    density = GaussianDensity(normalise=True).fit(X[:500])
    tracemalloc.start()
    density.anomaly_score(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(X[:2000], before)
    assert peak < 8 * len(X) + 6 * 8 * BLOCK  # of the 256 MB that the rows would take in float64


def test_signs_and_the_threshold():
    X, test = stretched(200, 3), stretched(100, 3, seed=4)
    for contamination in (0.05, 0.1, 0.5):
        density = GaussianDensity(contamination=contamination).fit(X)
        assert (density.predict(X) == -1).sum() == round(200 * contamination)
        np.testing.assert_array_equal(density.predict(test) == 1, density.decision_function(test) >= 0)
        np.testing.assert_allclose(density.decision_function(test), density.score_samples(test) - density.offset_)
        # scores and log densities differ by a constant and the sign
        assert np.ptp(density.anomaly_score(test) + density.score_samples(test)) < 1e-9
    assert (density.anomaly_score(test) >= 0).all() and density.anomaly_score(test).dtype == np.float64
    assert density.anomaly_score(density.mean_[None])[0] == 0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), half=st.integers(1, 20))
def test_a_row_on_the_boundary_is_inside_whatever_comes_with_it(seed, half):
    X = np.random.default_rng(seed).normal(size=(2 * half + 1, 3))
    density = GaussianDensity(contamination=0.5).fit(X)  # the boundary goes through the middle row
    alone = np.concatenate([density.predict(row[None]) for row in X])
    np.testing.assert_array_equal(density.predict(X), alone)
    assert (alone == 1).sum() >= half + 1


def test_parameters_set_after_fit_change_nothing_until_the_next():
    X = stretched(40, 3)
    density = GaussianDensity().fit(X)
    before = density.score_samples(X)
    density.set_params(covariance=1, normalise=True)
    np.testing.assert_array_equal(density.score_samples(X), before)


def test_copies_and_files(tmp_path):
    X = stretched(40, 3)
    density = GaussianDensity(covariance=0.2, normalise=True, contamination=0.3).fit(X)
    fresh = clone(density)
    assert fresh.get_params() == density.get_params() and not hasattr(fresh, "mean_")
    density.save(tmp_path / "gaussian.adlib")
    for other in (fresh.fit(X), deepcopy(density), load_detector(tmp_path / "gaussian.adlib")):
        np.testing.assert_array_equal(other.score_samples(X), density.score_samples(X))
        np.testing.assert_array_equal(other.predict(X), density.predict(X))
        assert other.get_params() == density.get_params()


def test_names_of_the_features_go_into_the_file(tmp_path):
    density = GaussianDensity().fit(stretched(40, 2))
    density.feature_names_in_ = np.array(["a", "b"], dtype=object)  # what scikit-learn sets for a table
    density.save(tmp_path / "gaussian.adlib")
    loaded = load_detector(tmp_path / "gaussian.adlib")
    assert loaded.feature_names_in_.dtype == object and list(loaded.feature_names_in_) == ["a", "b"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize("parameters", [{}, {"covariance": 0.5}])
def test_scikit_learn_checks(parameters):
    results = check_estimator(GaussianDensity(**parameters))
    assert sum(result["status"] == "passed" for result in results) > 40


# bad input


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"covariance": "full"}, r"covariance must be 'ledoit_wolf' or a number in \[0, 1\], got 'full'"),
        ({"covariance": -0.1}, r"covariance must be .* in \[0, 1\], got -0.1"),
        ({"covariance": 1.1}, r"covariance must be .* in \[0, 1\], got 1.1"),
        ({"covariance": True}, r"covariance must be .* in \[0, 1\], got True"),
        ({"covariance": None}, r"covariance must be .* in \[0, 1\], got None"),
        ({"covariance": np.eye(2)}, r"covariance must be .* in \[0, 1\], got array"),
        ({"regularisation": -1e-6}, "regularisation must be a number of at least 0, got -1e-06"),
        ({"regularisation": float("nan")}, "regularisation must be a number of at least 0, got nan"),
        ({"normalise": 1}, "normalise must be True or False, got 1"),
        ({"contamination": 0}, r"contamination must be a number in \(0, 0.5\], got 0"),
        ({"contamination": 0.6}, r"contamination must be a number in \(0, 0.5\], got 0.6"),
        ({"contamination": "auto"}, r"contamination must be a number in \(0, 0.5\], got 'auto'"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        GaussianDensity(**parameters).fit([[0.0], [1.0], [3.0]])


def test_bad_data_is_named():
    X = stretched(20, 2)
    density = GaussianDensity().fit(X)
    for bad, message in ((np.nan, "Input X contains NaN"), (np.inf, "Input X contains infinity")):
        with pytest.raises(ValueError, match=message):
            GaussianDensity().fit(np.vstack([X, [bad, 0]]))
        with pytest.raises(ValueError, match=message):
            density.anomaly_score([[bad, 0.0]])
    with pytest.raises(ValueError, match="minimum of 2 is required by GaussianDensity"):
        GaussianDensity().fit(X[:1])
    with pytest.raises(
        ValueError, match="X must have at least two distinct rows, got 5 that differ by rounding at most"
    ):
        GaussianDensity().fit(np.full((5, 3), 0.1))
    with pytest.raises(ValueError, match="X must have at least two distinct rows"):
        GaussianDensity(normalise=True).fit(np.outer(np.arange(1, 6), [1.0, 2.0, 3.0]))
    with pytest.raises(ValueError, match="X has values too large: their squares"):
        GaussianDensity().fit(X * 1e200)
    with pytest.raises(ValueError, match="X has values too large: their distance"):
        density.anomaly_score([[1e200, -1e200]])
    with pytest.raises(ValueError, match="X has 3 features, but GaussianDensity is expecting 2"):
        density.predict([[1.0, 2.0, 3.0]])
    with pytest.raises(NotFittedError):
        GaussianDensity().anomaly_score(X)


def test_rows_of_zeros_have_no_direction(monkeypatch):
    monkeypatch.setattr("adlib.self_supervised.gaussian.BLOCK", 2048)
    X = stretched(3000, 2)
    density = GaussianDensity(normalise=True).fit(X)
    X[2070] = 0
    with pytest.raises(ValueError, match="X must have no row of zeros where normalise is True, got one at row 2070"):
        density.anomaly_score(X)
    with pytest.raises(ValueError, match="X must have no row of zeros where normalise is True, got one at row 2070"):
        GaussianDensity(normalise=True).fit(X)
    assert np.isfinite(GaussianDensity().fit(X).anomaly_score(X)).all()
    np.testing.assert_allclose(
        unit_rows(np.array([[3e-320, 4e-320], [-3e300, 4e300]])), [[0.6, 0.8], [-0.6, 0.8]], rtol=1e-2
    )
