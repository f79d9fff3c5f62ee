"""Clips: every start once and none other, and what slides along a video against slow loops."""

import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader
from toy_videos import Recorded

from adlib.video.clips import Clips, mean_over_clips, overlapping


def eight_bit(frames, seed=0, shape=(1, 3, 2)):
    return torch.randint(256, (frames, *shape), generator=torch.Generator().manual_seed(seed)) / 255


# --- clips


@pytest.mark.parametrize(("length", "stride"), [(4, 1), (3, 2), (1, 1), (2, 5)])
def test_every_start_once_the_last_one_too(length, stride):
    videos = [eight_bit(n, n) for n in (7, 100, (length - 1) * stride + 1)]
    expected = [
        torch.stack([video[start + j * stride] for j in range(length)])
        for video in videos
        for start in range(len(video))
        if start + (length - 1) * stride < len(video)
    ]
    clips = Clips(videos, length, stride=stride)
    assert len(clips) == len(expected) and clips.shape == (1, 3, 2)
    assert torch.equal(torch.stack([clips[i] for i in range(len(clips))]), torch.stack(expected))
    assert torch.equal(clips.batch(torch.tensor([5, 0])), torch.stack([expected[5], expected[0]]))
    assert torch.equal(clips[-1], videos[-1][::stride][:length])


def test_frames_are_decoded_once_and_held_as_bytes():
    recorded = Recorded(eight_bit(150))
    clips = Clips([recorded], 8)
    assert recorded.asked == list(range(150))
    batches = torch.cat(list(DataLoader(clips, 16)))
    assert recorded.asked == list(range(150)) and batches.shape == (143, 8, 1, 3, 2)
    assert len(pickle.dumps(clips)) < 150 * 6 + 150 * 8 + 2000  # a byte a value, and 8 for each start


def test_rounding_to_bytes():
    frames = torch.rand(40, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    off = (Clips([frames], 1).batch(torch.arange(40))[:, 0] - frames).abs().max()
    assert 0.9 / 510 < off <= 1 / 510 + 1e-6
    values = (torch.arange(256) / 255).reshape(-1, 1, 1, 1)
    assert torch.equal(Clips([values], 256)[0], values)  # all 8-bit values come back exactly


def test_the_fingerprint_sees_frames_and_clips():
    first = Clips([eight_bit(9), eight_bit(9, 1)], 3)
    assert first.sha256() == Clips([Recorded(eight_bit(9)), eight_bit(9, 1)], 3).sha256()
    others = [
        Clips([eight_bit(9, 1), eight_bit(9)], 3),
        Clips([torch.cat([eight_bit(9), eight_bit(9, 1)])], 3),
        Clips([eight_bit(9), eight_bit(9, 1)], 4),
        Clips([eight_bit(9), eight_bit(9, 1)], 3, stride=2),
    ]
    assert len({clips.sha256() for clips in [first, *others]}) == 5


def test_bad_clips_are_named():
    for name, arguments in {"length": (0, 1), "stride": (3, 0)}.items():
        with pytest.raises(ValueError, match=f"{name} must be an integer of at least 1, got 0"):
            Clips([eight_bit(9)], arguments[0], stride=arguments[1])
    with pytest.raises(ValueError, match=r"videos\[1\] must have at least 9 frames, the length of a clip, got 8"):
        Clips([eight_bit(9), eight_bit(8)], 5, stride=2)
    with pytest.raises(ValueError, match=r"videos\[1\]\[0:9\] must be 3 x 2 pixels, got shape \(9, 1, 2, 3\)"):
        Clips([eight_bit(9), eight_bit(9, shape=(1, 2, 3))], 5)
    with pytest.raises(ValueError, match=r"videos\[1\]\[0:9\] must have 1 channel\(s\)"):
        Clips([eight_bit(9), Recorded(eight_bit(9, shape=(3, 3, 2)))], 5)
    with pytest.raises(ValueError, match="videos must be a sequence"):
        Clips(eight_bit(9), 5)
    for index in (5, -6):
        with pytest.raises(IndexError, match="is outside of 5 clips"):
            Clips([eight_bit(9)], 5)[index]


# --- along a video


@given(frames=st.integers(1, 20), length=st.integers(1, 6), block=st.integers(1, 7))
def test_overlapping_blocks_hold_every_clip_once(frames, length, block):
    video = torch.arange(frames).reshape(-1, 1, 1, 1)
    found = [x[i : i + length] for x in overlapping(video.split(block), length) for i in range(len(x) - length + 1)]
    assert [clip.flatten().tolist() for clip in found] == [
        list(range(start, start + length)) for start in range(frames - length + 1)
    ]
    assert all(len(x) <= block + length - 1 for x in overlapping(video.split(block), length))


@given(clips=st.integers(1, 15), length=st.integers(1, 6), block=st.integers(1, 7), wide=st.booleans())
def test_the_mean_over_clips_equals_a_slow_loop(clips, length, block, wide):
    shape = (2, 3) if wide else ()
    errors = torch.rand((clips, length, *shape), dtype=torch.float64)
    expected = []
    for t in range(clips + length - 1):
        held = [errors[k, t - k] for k in range(clips) if k <= t < k + length]
        expected.append(sum(held) / len(held))
    torch.testing.assert_close(torch.cat(list(mean_over_clips(errors.split(block)))), torch.stack(expected))


def test_a_frame_is_done_when_no_later_clip_holds_it():
    assert [len(part) for part in mean_over_clips(torch.rand(7, 4).split(3))] == [3, 3, 1, 3]
