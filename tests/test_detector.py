"""The contract, shown on its smallest detector, and the threshold's guarantee."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from torch.utils.data import Dataset, TensorDataset

from adlib import SVDD, load_detector
from adlib.baselines import MeanPicture, MeanPictureConfig
from adlib.detector import check_images, conformal_threshold
from adlib.storage import save_state


def pictures(n, seed=0, shape=(1, 6, 5)):
    return torch.rand((n, *shape), generator=torch.Generator().manual_seed(seed))


class Lazy(Dataset):
    """Pictures one by one, with a label, as a folder gives them."""

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i], 0


# --- the smallest detector


def test_mean_picture_by_hand():
    normal = torch.tensor([0.2, 0.4]).reshape(2, 1, 1, 1)  # mean 0.3, standard deviation 0.1
    detector = MeanPicture().fit(normal)
    torch.testing.assert_close(
        detector.anomaly_score(torch.tensor([0.3, 0.5, 1.0]).reshape(3, 1, 1, 1)), torch.tensor([0.0, 4.0, 49.0])
    )


def test_mean_picture_equals_a_slow_loop():
    normal, test = pictures(30, 0, (3, 4, 5)), pictures(7, 1, (3, 4, 5))
    detector = MeanPicture(MeanPictureConfig(floor=0.25)).fit(normal)
    expected = torch.zeros(7, 4, 5)
    for i in range(7):
        for u in range(4):
            for v in range(5):
                for c in range(3):
                    values = normal[:, c, u, v]
                    std = max(values.std(correction=0).item(), 0.25)
                    expected[i, u, v] += ((test[i, c, u, v] - values.mean()) / std) ** 2 / 3
    torch.testing.assert_close(detector.anomaly_map(test), expected)
    torch.testing.assert_close(detector.anomaly_score(test), expected.flatten(1).mean(1))


def test_identical_normal_pictures_divide_by_the_floor_not_by_zero():
    detector = MeanPicture().fit(torch.full((5, 1, 2, 2), 0.5))
    torch.testing.assert_close(
        detector.anomaly_score(torch.full((1, 1, 2, 2), 0.52)), torch.tensor([1.0]), rtol=1e-4, atol=0
    )


# --- the contract


def test_a_dataset_gives_what_its_tensor_gives():
    normal, test = pictures(600), pictures(300, 1)  # more than one batch
    from_tensor, from_dataset = MeanPicture().fit(normal), MeanPicture().fit(Lazy(normal))
    expected = from_tensor.anomaly_map(test)
    torch.testing.assert_close(from_dataset.anomaly_map(Lazy(test)), expected)
    torch.testing.assert_close(from_dataset.anomaly_map(TensorDataset(test)), expected)


def test_scores_do_not_depend_on_the_batch():
    detector, test = MeanPicture().fit(pictures(20)), pictures(300, 1)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(0))
    whole = detector.anomaly_score(test)
    torch.testing.assert_close(detector.anomaly_score(test[order]), whole[order])
    torch.testing.assert_close(torch.cat([detector.anomaly_score(x[None]) for x in test]), whole)


def test_save_and_load(tmp_path):
    detector = MeanPicture(MeanPictureConfig(floor=0.1), seed=3).fit(pictures(20)).calibrate(pictures(40, 1))
    detector.save(tmp_path / "model.adlib")
    loaded = load_detector(tmp_path / "model.adlib")
    assert isinstance(loaded, MeanPicture)
    assert (loaded.config, loaded.seed, loaded.threshold_, loaded.shape_) == (
        detector.config,
        3,
        detector.threshold_,
        (1, 6, 5),
    )
    test = pictures(9, 2)
    torch.testing.assert_close(loaded.anomaly_score(test), detector.anomaly_score(test), rtol=0, atol=0)
    assert torch.equal(loaded.predict(test), detector.predict(test))


def test_svdd_is_saved_the_same_way(tmp_path):
    X = np.random.default_rng(0).normal(size=(50, 3))
    svdd = SVDD(nu=0.2, kernel="poly", coef0=1.0).fit(X)
    svdd.save(tmp_path / "svdd.adlib")
    loaded = load_detector(tmp_path / "svdd.adlib")
    assert loaded.get_params() == svdd.get_params()
    np.testing.assert_array_equal(loaded.anomaly_score(X), svdd.anomaly_score(X))
    with pytest.raises(NotFittedError):
        SVDD().save(tmp_path / "unfitted")


def test_fit_again_forgets_the_threshold():
    detector = MeanPicture().fit(pictures(20)).calibrate(pictures(40, 1))
    with pytest.raises(NotFittedError, match="call calibrate first"):
        detector.fit(pictures(20, 2)).predict(pictures(3))


def test_a_file_may_not_name_a_foreign_class(tmp_path):
    foreigners = ["os.system", "adlibx.Thing", "adlib.__main__.app", "adlib.nope.X", "adlib.detector.Detector", 5]
    foreigners += ["adlib.baselines.MeanPictureConfig"]
    for foreign in (*({"class": name} for name in foreigners), {"no": "class"}, [1, 2]):
        save_state(tmp_path / "foreign", foreign)
        with pytest.raises(ValueError, match="holds no detector of adlib"):
            load_detector(tmp_path / "foreign")


def test_a_class_from_outside_is_not_saved(tmp_path):
    class Mine(MeanPicture):
        pass

    with pytest.raises(TypeError, match="Mine is no class of adlib"):
        Mine().fit(pictures(3)).save(tmp_path / "mine")


def test_a_fit_that_fails_leaves_nothing_fitted(tmp_path):
    detector = MeanPicture().fit(pictures(3))
    late = pictures(300, shape=(1, 4, 4))
    late[299] = 7.0
    with pytest.raises(ValueError, match="normal must be"):
        detector.fit(Lazy(late))
    with pytest.raises(NotFittedError):
        detector.anomaly_score(pictures(3))
    with pytest.raises(NotFittedError):
        detector.save(tmp_path / "half")


def test_pictures_that_carry_gradients_leave_none():
    detector = MeanPicture().fit(pictures(3).requires_grad_())
    assert not detector.mean_.requires_grad


def test_a_detector_without_a_map_says_so():
    class Flat(MeanPicture):
        _map = None

        def _score(self, images):
            return images.flatten(1).mean(1)

    with pytest.raises(TypeError, match="Flat judges pictures, it gives no anomaly map"):
        Flat().fit(pictures(3)).anomaly_map(pictures(3))


def test_scores_that_are_not_finite_are_an_error():
    detector = MeanPicture().fit(pictures(3))
    detector.mean_ = detector.mean_ * float("nan")
    with pytest.raises(FloatingPointError, match="not finite"):
        detector.anomaly_score(pictures(3))


# --- bad input


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([[0.0]], "got list"),
        (np.zeros((2, 1, 6, 5)), "got ndarray"),
        (torch.zeros(2, 1, 6, 5, dtype=torch.uint8), "got dtype torch.uint8; for 8-bit pictures divide by 255"),
        (torch.zeros(2, 1, 6, 5, dtype=torch.bool), "got dtype torch.bool$"),
        (torch.zeros(2, 1, 6, 5, dtype=torch.complex64), "got dtype torch.complex64$"),
        (torch.zeros(2, 1, 6, 5).to_sparse(), "got the layout torch.sparse_coo"),
        (torch.zeros(1, 6, 5), r"got shape \(1, 6, 5\)"),
        (torch.zeros(0, 1, 6, 5), r"got shape \(0, 1, 6, 5\)"),
        (torch.full((2, 1, 6, 5), float("nan")), "got NaN or infinity"),
        (torch.full((2, 1, 6, 5), float("inf")), "got NaN or infinity"),
        (torch.full((2, 1, 6, 5), 255.0), "got values from 255 to 255"),
        (torch.full((2, 1, 6, 5), -0.5), "got values from -0.5 to -0.5"),
    ],
)
def test_bad_pictures_are_named(bad, message):
    with pytest.raises(ValueError, match=rf"normal must be a float Tensor \(N, C, H, W\) in \[0, 1\], {message}"):
        MeanPicture().fit(bad)
    fitted = MeanPicture().fit(pictures(3))
    with pytest.raises(ValueError, match=rf"images must be .*{message}"):
        fitted.anomaly_score(bad)
    with pytest.raises(ValueError, match=rf"held_out_normal must be .*{message}"):
        fitted.calibrate(bad)


def test_one_nan_among_many_is_found():
    images = pictures(50)
    images[31, 0, 2, 2] = float("nan")
    with pytest.raises(ValueError, match="NaN"):
        check_images(images)


def test_another_size_or_channel_count_is_named():
    detector = MeanPicture().fit(pictures(3))
    with pytest.raises(ValueError, match=r"images must be 6 x 5 pixels, got shape \(1, 1, 5, 6\)"):
        detector.anomaly_score(torch.zeros(1, 1, 5, 6))
    with pytest.raises(ValueError, match=r"images must have 1 channel\(s\), got shape \(1, 3, 6, 5\)"):
        detector.anomaly_score(torch.zeros(1, 3, 6, 5))
    with pytest.raises(ValueError, match=r"images\[0\] must be 6 x 5 pixels"):
        detector.anomaly_score(Lazy(torch.zeros(2, 1, 5, 6)))


def test_bad_datasets_are_named():
    with pytest.raises(ValueError, match="normal must hold at least one picture, got an empty Dataset"):
        MeanPicture().fit(Lazy(pictures(3)[:0]))
    with pytest.raises(ValueError, match=r"normal must be a Dataset of Tensors .*got int"):
        MeanPicture().fit(Lazy([1, 2]))
    unequal = Lazy([torch.zeros(1, 6, 5), torch.zeros(1, 5, 5)])
    with pytest.raises(ValueError, match=r"normal must be 6 x 5 pixels, got shape \(1, 1, 5, 5\)"):
        MeanPicture().fit(unequal)

    class Endless(torch.utils.data.IterableDataset):
        def __iter__(self):
            yield torch.zeros(1, 6, 5)

    with pytest.raises(ValueError, match="normal must be a Dataset with a length and an index, got Endless"):
        MeanPicture().fit(Endless())
    late = pictures(300)
    late[299] = 7.0  # the first picture is fine
    with pytest.raises(ValueError, match=r"normal must be .*to 7"):
        MeanPicture().fit(Lazy(late))


def test_other_bad_arguments_are_named():
    with pytest.raises(ValueError, match="config must be a MeanPictureConfig, got dict"):
        MeanPicture({"floor": 0.1})
    with pytest.raises(ValueError, match=r"floor must be a number in \(0, 1\], got 0"):
        MeanPictureConfig(floor=0)
    for device in ("abc", 1.5):
        with pytest.raises(ValueError, match=f"device must be the name of a device .*, got {device!r}"):
            MeanPicture(device=device)
    for seed in (-1, 1.5, True, "a"):
        with pytest.raises(ValueError, match=f"seed must be an integer of at least 0, got {seed!r}"):
            MeanPicture(seed=seed)


@pytest.mark.parametrize("use", ["anomaly_score", "anomaly_map", "predict", "calibrate", "save"])
def test_an_unfitted_detector_says_so(use):
    with pytest.raises(NotFittedError, match="call fit first"):
        getattr(MeanPicture(), use)("anything")


# --- the threshold


def test_threshold_by_hand():
    scores = np.arange(1.0, 20.0)[::-1]  # n = 19, k = ceil(20 x 0.95) = 19: the largest
    assert conformal_threshold(scores, 0.05) == 19
    assert conformal_threshold(scores, 0.10) == 18
    assert conformal_threshold(torch.tensor([3.0, 1.0, 2.0]), 0.5) == 2


@given(n=st.integers(1, 200), rate=st.floats(0.005, 0.995))
def test_threshold_is_the_smallest_that_keeps_the_promise(n, rate):
    """A new score is as likely to fall in each of the n + 1 gaps; above the k-th smallest lie n + 1 - k of them."""
    scores = np.random.default_rng(n).permutation(n).astype(float)
    if (n + 1) * rate < 1 - 1e-9:
        with pytest.raises(ValueError, match=f"at least .* held-out normal scores, got {n}"):
            conformal_threshold(scores, rate)
        return
    k = conformal_threshold(scores, rate) + 1  # the score at rank k is k - 1
    assert (n + 1 - k) / (n + 1) <= rate + 1e-6
    assert (n + 2 - k) / (n + 1) > rate - 1e-6


def test_the_promise_holds_on_average():
    rng = np.random.default_rng(0)
    rates = [(rng.normal(size=200) > conformal_threshold(rng.normal(size=39), 0.1)).mean() for _ in range(2000)]
    # k = 36 of 40: exactly 0.1 on average; the standard error of the mean is about 0.001
    assert abs(np.mean(rates) - 0.1) < 0.004


def test_more_pictures_than_the_rate_needs_are_asked_for():
    with pytest.raises(ValueError, match=r"false_positive_rate=0.05 takes at least 19 held-out normal scores, got 18"):
        conformal_threshold(np.arange(18.0), 0.05)
    assert conformal_threshold(np.arange(19.0), 0.05) == 18


@pytest.mark.parametrize("rate", [0, 1, -0.1, float("nan"), "0.05", None, True])
def test_a_bad_rate_is_named(rate):
    with pytest.raises(ValueError, match=r"false_positive_rate must be a number in \(0, 1\), got"):
        conformal_threshold(np.arange(100.0), rate)


def test_bad_scores_are_named():
    for bad in (np.zeros((3, 3)), [1.0, np.nan], np.inf, ["a"], [1j], [[1], [1, 2]], []):
        with pytest.raises(ValueError, match="scores must"):
            conformal_threshold(bad, 0.5)


def test_calibrated_detector_predicts_by_its_threshold():
    detector = MeanPicture().fit(pictures(200)).calibrate(pictures(99, 1), false_positive_rate=0.1)
    held_out = detector.anomaly_score(pictures(99, 1))
    assert (held_out > detector.threshold_).sum() == 9  # 100 - 90 - 1
    assert detector.predict(torch.ones(1, 1, 6, 5)).tolist() == [True]
