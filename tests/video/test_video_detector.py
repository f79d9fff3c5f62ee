"""The contract of video detectors, shown on a detector small enough to check by hand."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from torch.utils.data import IterableDataset
from toy_videos import Recorded

from adlib import load_detector
from adlib.datasets.videos import Video
from adlib.detector import conformal_threshold
from adlib.video import detector as video_detector
from adlib.video.detector import VideoDetector, check_video, frame_blocks


def video(frames, seed=0, shape=(1, 6, 5)):
    return torch.rand((frames, *shape), generator=torch.Generator().manual_seed(seed))


@dataclass(frozen=True)
class ChangeConfig:
    clip: int = 3


class Change(VideoDetector):
    """The squared difference from the mean normal frame."""

    config_class = ChangeConfig
    batch_size = 4

    @property
    def clip_length(self):
        return self.config.clip

    def _fit(self, videos, *, checkpoint, progress):
        frames = [b for i, v in enumerate(videos) for b in frame_blocks(v, 4, name=f"videos[{i}]")]
        self.mean_ = torch.cat(frames).mean(0)

    def _score(self, blocks):
        return (m.mean((1, 2)) for m in self._map(blocks))

    def _map(self, blocks):
        return ((block - self.mean_).square().mean(1) for block in blocks)

    def _get_state(self):
        return {"mean": self.mean_}

    def _set_state(self, state):
        self.mean_ = state["mean"]


def fitted(**kwargs):
    return Change(device="cpu", **kwargs).fit([video(9), video(5, 1)])


# --- the verbs


def test_one_value_a_frame_from_tensors_and_datasets():
    detector, test = fitted(), video(11, 2, (1, 6, 5))
    expected = (test - torch.cat([video(9), video(5, 1)]).mean(0)).square().mean(1)
    for seen in (test, Recorded(test), test.double(), test.requires_grad_()):
        torch.testing.assert_close(detector.anomaly_map(seen), expected.detach())
        torch.testing.assert_close(detector.anomaly_score(seen), expected.detach().mean((1, 2)))
        assert not detector.anomaly_score(seen).requires_grad


@pytest.mark.parametrize("verb", ["anomaly_score", "anomaly_map"])
def test_each_frame_is_read_once_in_order_and_few_at_a_time(verb):
    recorded = Recorded(video(30))
    assert len(getattr(fitted(), verb)(recorded)) == 30
    assert recorded.asked == list(range(30)) and recorded.largest == 4


def test_a_video_of_files(tmp_path):
    from PIL import Image

    frames = (np.random.default_rng(0).random((7, 6, 5)) * 255).astype(np.uint8)
    for i, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / f"{i}.png")
    read = Video("street", sorted(tmp_path.iterdir()), channels=1)
    torch.testing.assert_close(fitted().anomaly_score(read), fitted().anomaly_score(read[:]))


def test_the_threshold_comes_from_the_frames_of_all_held_out_videos():
    detector, held_out = fitted(), (video(30, 3), Recorded(video(25, 4)))
    assert detector.calibrate(held_out, 0.1) is detector
    scores = torch.cat([detector.anomaly_score(v) for v in held_out])
    assert detector.threshold_ == conformal_threshold(scores, 0.1)
    assert (scores > detector.threshold_).sum() == 4  # 55 - ceil(56 x 0.9)
    test = video(8, 5)
    assert detector.predict(test).tolist() == (detector.anomaly_score(test) > detector.threshold_).tolist()
    with pytest.raises(NotFittedError, match="call calibrate first"):
        detector.fit([video(9)]).predict(test)


def test_save_and_load(tmp_path, monkeypatch):
    monkeypatch.setattr(Change, "__module__", "adlib.video.detector")
    monkeypatch.setattr(video_detector, "Change", Change, raising=False)
    detector = fitted(config=ChangeConfig(clip=2), seed=4).calibrate([video(30, 3)])
    detector.save(tmp_path / "model.adlib")
    loaded = load_detector(tmp_path / "model.adlib", device="cpu")
    assert isinstance(loaded, Change)
    assert (loaded.config, loaded.seed, loaded.threshold_, loaded.shape_) == (
        ChangeConfig(clip=2),
        4,
        detector.threshold_,
        (1, 6, 5),
    )
    assert torch.equal(loaded.anomaly_score(video(8, 5)), detector.anomaly_score(video(8, 5)))


def test_a_class_from_outside_is_not_saved(tmp_path):
    with pytest.raises(TypeError, match="Change is no class of adlib"):
        fitted().save(tmp_path / "mine")


def test_a_fit_that_fails_leaves_nothing_fitted():
    detector, late = fitted(), video(9)
    late[8] = 7
    with pytest.raises(ValueError, match=r"videos\[0\]\[8:9\] must be .* got values from 7 to 7"):
        detector.fit([Recorded(late)])
    with pytest.raises(NotFittedError):
        detector.anomaly_score(video(9))


@pytest.mark.parametrize("use", ["anomaly_score", "anomaly_map", "predict", "calibrate", "save"])
def test_an_unfitted_detector_says_so(use):
    with pytest.raises(NotFittedError, match="call fit first"):
        getattr(Change(), use)("anything")


def test_scores_that_are_not_finite_and_a_wrong_number_of_them_are_errors():
    detector = fitted()
    detector._score = lambda blocks: (block.mean((1, 2, 3))[1:] for block in blocks)
    with pytest.raises(AssertionError, match="Change gave 6 values for 8 frames"):
        detector.anomaly_score(video(8))
    detector = fitted()
    detector.mean_ = detector.mean_ * float("nan")
    with pytest.raises(FloatingPointError, match="not finite"):
        detector.anomaly_score(video(8))


# --- bad input


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([[0.0]], "got list"),
        (np.zeros((9, 1, 6, 5)), "got ndarray"),
        (torch.zeros(9, 1, 6, 5, dtype=torch.uint8), "got dtype torch.uint8; for 8-bit pictures divide by 255"),
        (torch.zeros(9, 6, 5), r"got shape \(9, 6, 5\)"),
        (torch.zeros(0, 1, 6, 5), r"got shape \(0, 1, 6, 5\)"),
        (torch.full((9, 1, 6, 5), float("nan")), "got NaN or infinity"),
        (torch.full((9, 1, 6, 5), 255.0), "got values from 255 to 255"),
    ],
)
def test_bad_videos_are_named(bad, message):
    wanted = rf" must be a float Tensor \(T, C, H, W\) in \[0, 1\], {message}"
    with pytest.raises(ValueError, match=r"videos\[1\]" + wanted):
        Change().fit([video(9), bad])
    with pytest.raises(ValueError, match="^video" + wanted):
        fitted().anomaly_score(bad)
    with pytest.raises(ValueError, match=r"held_out_normal\[0\]" + wanted):
        fitted().calibrate([bad])


def test_a_video_shorter_than_a_clip_is_named():
    for short in (video(2), Recorded(video(2))):
        with pytest.raises(ValueError, match=r"^video must have at least 3 frames, the length of a clip, got 2"):
            fitted().anomaly_score(short)
        with pytest.raises(ValueError, match=r"videos\[1\] must have at least 3 frames"):
            Change().fit([video(9), short])
    with pytest.raises(ValueError, match="must have at least 1 frames"):
        check_video(Recorded(video(2)[:0]))


def test_what_is_no_sequence_of_videos_is_named():
    for one in (video(9), Recorded(video(9))):
        with pytest.raises(ValueError, match=r"videos must be a sequence of videos, got .*; put one video into a list"):
            Change().fit(one)
    for other in (None, "abc", (v for v in [video(9)])):
        with pytest.raises(ValueError, match="held_out_normal must be a sequence of videos, got"):
            fitted().calibrate(other)
    with pytest.raises(ValueError, match="videos must hold at least one video, got none"):
        Change().fit([])

    class Endless(IterableDataset):
        def __iter__(self):
            yield torch.zeros(1, 6, 5)

    with pytest.raises(ValueError, match="video must be a Dataset with a length and slices, got Endless"):
        fitted().anomaly_score(Endless())


@pytest.mark.parametrize("wrap", [lambda v: v, Recorded])
def test_another_shape_than_trained_on_is_named(wrap):
    with pytest.raises(ValueError, match=r"video\[0:4\] must be 6 x 5 pixels, got shape \(4, 1, 5, 6\)"):
        fitted().anomaly_score(wrap(torch.zeros(9, 1, 5, 6)))
    with pytest.raises(ValueError, match=r"video\[0:4\] must have 1 channel\(s\), got shape \(4, 3, 6, 5\)"):
        fitted().anomaly_map(wrap(torch.zeros(9, 3, 6, 5)))


def test_frames_of_unequal_size_are_named():
    class Unequal(Recorded):
        def __getitem__(self, index):
            return torch.stack([torch.zeros(1, 6, 5 + (i > 5)) for i in range(9)[index]])

    with pytest.raises(ValueError, match=r"\[4:8\] raised RuntimeError: stack expects each tensor to be equal size"):
        fitted().anomaly_score(Unequal(video(9)))

    class Growing(Recorded):
        def __getitem__(self, index):
            return torch.zeros(len(range(9)[index]), 1, 6, 5 + index.start)

    with pytest.raises(ValueError, match=r"video\[4:8\] must be 6 x 5 pixels, got shape \(4, 1, 6, 9\)"):
        fitted().anomaly_score(Growing(video(9)))
    with pytest.raises(ValueError, match=r"video\[4:8\] must be 6 x 5 pixels"):
        list(frame_blocks(Growing(video(9)), 4))


@pytest.mark.parametrize(
    ("give", "message"),
    [
        (lambda s: [0] * 4, "got list"),
        (lambda s: video(9)[s][:2], r"video\[0:4\] must hold 4 frames, got 2"),
        (lambda s: {}[s], "raised KeyError|raised TypeError"),
        (lambda s: int(s), "raised TypeError"),
    ],
)
def test_datasets_without_slices_are_named(give, message):
    class Odd(Recorded):
        def __getitem__(self, index):
            return give(index)

    with pytest.raises(ValueError, match=message):
        fitted().anomaly_score(Odd(video(9)))


def test_other_bad_arguments_are_named():
    with pytest.raises(ValueError, match="config must be a ChangeConfig, got dict"):
        Change({"clip": 3})
    with pytest.raises(ValueError, match="device must be the name of a device"):
        Change(device="abc")
    with pytest.raises(ValueError, match="seed must be an integer"):
        Change(seed=-1)
    with pytest.raises(ValueError, match=r"false_positive_rate must be a number in \(0, 1\)"):
        fitted().calibrate([video(30)], 0)
    with pytest.raises(ValueError, match=r"false_positive_rate=0.05 takes at least 19 held-out normal scores, got 5"):
        fitted().calibrate([video(5)])
