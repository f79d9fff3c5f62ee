"""Video: the stream against reading five frames a step, a training step of each size, memory against length.

Run by ``make bench``. Seconds are those of the processor.
"""

import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

import pytest
import torch
from PIL import Image

from adlib.datasets.plaza import sample
from adlib.datasets.videos import Video
from adlib.video.autoencoder import ConvAutoencoder, ConvAutoencoderConfig
from adlib.video.future_frame import FutureFrameConfig, FutureFramePredictor


def seconds(function):
    start = time.process_time()
    function()
    return time.process_time() - start


def written(folder, height, width):
    """60 frames as JPEG, of this size."""
    frames, _, _ = sample(None, frames=60, size=(240, 426), seed=0)
    paths = [folder / f"{i:03}.jpg" for i in range(60)]
    for path, frame in zip(paths, frames, strict=True):
        Image.fromarray((255 * frame).astype("uint8")).resize((width, height)).save(path, quality=90)
    return paths


@pytest.fixture(scope="module")
def predictor():
    config = FutureFrameConfig.quick(flow=0.0, adversarial=0.0, epochs=1, steps=1)
    return FutureFramePredictor(config, device="cpu").fit([torch.rand(8, 3, 64, 64)], progress=False)


@pytest.mark.parametrize("height, width, least", [(480, 856, 1.5), (1080, 1920, 3)], ids=["ShanghaiTech", "full HD"])
def test_a_stream_reads_each_frame_once(predictor, tmp_path, height, width, least):
    """The published test code reads and resizes five files for each score.

    What the stream spares is reading alone, so its gain lies between 1, where the network takes all the time, and 5.
    """
    files = written(tmp_path, height, width)

    def streamed():
        video, stream = Video("stream", files, size=64), predictor.stream()
        for i in range(len(video)):
            stream.push(video[i])

    def read_again():
        video = Video("again", files, size=64)
        for i in range(len(video) - 4):
            predictor.anomaly_score(video[i : i + 5])

    read_again()
    reading = min(seconds(lambda: [Video("read", files, size=64)[i] for i in range(60)]) for _ in range(3))
    once, again = (min(seconds(function) for _ in range(3)) for function in (streamed, read_again))
    print(
        f"\n{height} x {width}: {len(files) / once:.0f} frames a second streamed, {len(files) / again:.0f} re-read: "
        f"{again / once:.1f}x; "
        f"reading takes {reading / once:.0%} of the stream's time"
    )
    assert again >= least * once


@pytest.mark.parametrize(
    "name, detector, frames, size",
    [
        ("prediction, quick", FutureFramePredictor(FutureFrameConfig.quick(epochs=1, steps=5)), 5, 64),
        (
            "prediction, paper's size",
            FutureFramePredictor(FutureFrameConfig.paper("ped2", epochs=1, steps=1)),
            5,
            256,
        ),
        ("autoencoder, quick", ConvAutoencoder(ConvAutoencoderConfig.quick(epochs=1, steps=5)), 8, 64),
        ("autoencoder, paper's size", ConvAutoencoder(ConvAutoencoderConfig(epochs=1, steps=1)), 16, 128),
    ],
)
def test_a_training_step(name, detector, frames, size):
    """No promise: what the page on scale multiplies."""
    channels = 1 if name.startswith("autoencoder") else 3
    videos = [torch.rand(frames, channels, size, size)]
    spent = seconds(lambda: detector.fit(videos, progress=False)) / detector.config.steps
    print(f"\n{name}: {spent:.2f} processor seconds a step of {detector.config.batch_size} clips")
    assert detector.history_


MEMORY = """
import sys, torch
from pathlib import Path
from torch.utils.data import Dataset
from adlib.video.future_frame import FutureFrameConfig, FutureFramePredictor

class Endless(Dataset):
    def __init__(self, frames): self.frames = frames
    def __len__(self): return self.frames
    def __getitem__(self, index):
        numbers = range(self.frames)[index]
        return (torch.tensor(numbers).float()[:, None, None, None] % 7 / 7).expand(-1, 3, 64, 64).clone()

torch.set_num_threads(1)
config = FutureFrameConfig.quick(flow=0.0, adversarial=0.0, epochs=1, steps=1)
detector = FutureFramePredictor(config, device="cpu").fit([Endless(40)], progress=False)
scores = detector.anomaly_score(Endless(int(sys.argv[1])))
assert len(scores) == int(sys.argv[1])
# of this program alone; getrusage would count what the parent held
print(int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_memory_does_not_grow_with_the_length_of_a_video():
    def peak(frames):
        command = [sys.executable, "-c", MEMORY, str(frames)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    short, long = peak(200), peak(8000)
    print(f"\npeak memory: {short:.0f} MiB for 200 frames, {long:.0f} MiB for 8,000")
    assert long < short + 150  # the frames alone would be 366 MiB more; the allocator's own comes and goes


def test_the_ring_gives_what_the_video_gives(predictor, tmp_path):
    """What is timed above is the same work."""
    video, stream = Video("stream", written(tmp_path, 48, 48), size=64), predictor.stream()
    scores = [stream.push(video[i]) for i in range(12)]
    again = chain.from_iterable(predictor.anomaly_score(video[i : i + 5])[-1:].tolist() for i in range(8))
    assert scores[4:] == pytest.approx(list(again), abs=1e-3)
