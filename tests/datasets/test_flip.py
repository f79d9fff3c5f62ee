"""The flip probability against a slow loop and what its definition implies."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from adlib.datasets.corruptions._flip import flip_probability

CLASSES = nps.arrays(np.int64, st.tuples(st.integers(1, 6), st.integers(2, 9)), elements=st.integers(-3, 3))


def slow(predictions, noise: bool) -> float:
    """The mean over pictures of the mean over pairs, as the reference code forms it."""
    means = []
    for sequence in predictions:
        before, changes = sequence[0], []
        for current in sequence[1:]:
            changes.append(current != before)
            if not noise:
                before = current
        means.append(sum(changes) / len(changes))
    return sum(means) / len(means)


@given(CLASSES, st.booleans())
def test_a_slow_loop(predictions, noise):
    result = flip_probability(predictions, noise=noise)
    assert isinstance(result, float) and 0 <= result <= 1
    assert result == pytest.approx(slow(predictions.tolist(), noise), abs=1e-12)


@given(CLASSES, st.booleans(), st.permutations(range(7)))
def test_names_of_classes_and_order_of_pictures_do_not_matter(predictions, noise, names):
    result = flip_probability(predictions, noise=noise)
    assert flip_probability(np.array(names)[predictions + 3], noise=noise) == result
    assert flip_probability(predictions[::-1].copy(), noise=noise) == pytest.approx(result)


@given(CLASSES)
def test_time_matters_only_backwards(predictions):
    """Read backwards, neighbours stay neighbours. For noise the order of all frames but the first is free."""
    forwards, backwards = (flip_probability(each, noise=False) for each in (predictions, predictions[:, ::-1]))
    assert forwards == pytest.approx(backwards)
    swapped = np.concatenate([predictions[:, :1], predictions[:, :0:-1]], axis=1)
    noisy = [flip_probability(each, noise=True) for each in (predictions, swapped)]
    assert noisy[0] == pytest.approx(noisy[1])


def test_extremes():
    constant = np.full((4, 31), 7)
    alternating = np.tile([1, 2], (4, 16))
    assert flip_probability(constant, noise=True) == flip_probability(constant, noise=False) == 0
    assert flip_probability(alternating, noise=False) == 1
    assert flip_probability(alternating, noise=True) == pytest.approx(16 / 31)
    once = [[0, 0, 1, 1, 1]]  # one step: one flip between neighbours, but three frames unlike the first
    assert flip_probability(once, noise=False) == 1 / 4
    assert flip_probability(once, noise=True) == 3 / 4
    assert flip_probability([[5, 5]], noise=False) == 0


def test_what_detectors_predict():
    flags = torch.tensor([[False, True, True], [False, False, False]])
    assert flip_probability(flags, noise=False) == 1 / 4
    assert flip_probability(flags, noise=True) == 2 / 4
    assert flip_probability(flags.to(torch.uint8).numpy(), noise=True) == 2 / 4  # no underflow


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ([[1.0, 2.0]], "classes, integers or booleans, got dtype float64"),
        ([1, 2, 3], r"shape \(N, T\) with at least 2 frames, got \(3,\)"),
        ([[1], [2]], r"shape \(N, T\) with at least 2 frames, got \(2, 1\)"),
        (np.zeros((2, 3, 4), int), r"shape \(N, T\) with at least 2 frames, got \(2, 3, 4\)"),
        (np.zeros((0, 3), int), r"not be empty, got shape \(0, 3\)"),
        ([[1, 2], [3]], "rectangular array"),
        ([["cat", "dog"]], "real numbers"),
    ],
)
def test_bad_predictions(predictions, message):
    with pytest.raises(ValueError, match=f"predictions must .*{message}"):
        flip_probability(predictions, noise=False)


@pytest.mark.parametrize("noise", ["gaussian_noise", 1, None])
def test_noise_is_a_yes_or_no(noise):
    with pytest.raises(ValueError, match="noise must be True or False, got"):
        flip_probability([[1, 2]], noise=noise)
