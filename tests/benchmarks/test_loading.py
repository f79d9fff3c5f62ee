"""Reading picture files against the plain way to do it, in one run: Pillow decodes, numpy makes floats of it.

Run by ``make bench``. 1,000 pictures of 256 px, as MVTec AD is often used. Seconds are those of the processor, so that
other programs on the machine have less of a say.
"""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from adlib.datasets.files import PictureFiles

COUNT = 1000


def photographs(folder, suffix, side, channels=3):
    """COUNT files of 40 contents: details of every size and noise, so that they pack about as well as photographs."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    files = []
    for i in range(40):
        layers = [ndimage.gaussian_filter(rng.standard_normal((side, side, 3)), (s, s, 0)) * s * s for s in (1, 3, 9)]
        pixels = 128 + 4 * np.sum(layers, axis=0) + 2 * rng.standard_normal((side, side, 1))
        picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        path = folder / f"{i:04}.{suffix}"
        (picture if channels == 3 else picture.convert("L")).save(path, quality=90)
        files.append(path)
    for i in range(40, COUNT):
        files.append(folder / f"{i:04}.{suffix}")
        files[-1].write_bytes(files[i % 40].read_bytes())
    return files


def plain(files):
    for path in files:
        with Image.open(path) as file:
            pixels = np.asarray(file.convert("RGB"), dtype=np.float32)
        yield torch.from_numpy(pixels.transpose(2, 0, 1) / np.float32(255))


def decoded(files):
    for path in files:
        with Image.open(path) as file:
            file.load()
        yield path


def seconds(pictures):
    start = time.process_time()
    for _ in pictures:
        pass
    return time.process_time() - start


@pytest.mark.parametrize(("suffix", "channels"), [("png", 3), ("jpg", 3), ("png", 1)], ids=["PNG", "JPEG", "grey PNG"])
def test_1000_pictures_of_256_px(tmp_path, suffix, channels):
    files = photographs(tmp_path / "files", suffix, 256, channels)
    pictures = PictureFiles(files, size=256)
    for ours, expected in zip(pictures, plain(files[:40]), strict=False):
        assert ours.equal(expected)
    rounds = [(seconds(pictures), seconds(plain(files)), seconds(decoded(files))) for _ in range(3)]
    ours, theirs, decoding = map(min, zip(*rounds, strict=True))
    print(
        f"\n1,000 {suffix} of 256 px, {channels} channel(s) in the file: {ours:.2f} s, plain {theirs:.2f} s, ratio "
        f"{ours / theirs:.2f}; decoding alone {decoding:.2f} s, {decoding / ours:.0%} of it"
    )
    assert ours / theirs <= 1.3
    assert decoding / ours >= 0.4  # the largest part, in JPEG too, which is decoded three times as fast


READ = """
import sys
from pathlib import Path
from adlib.datasets.inspection import picture_folder

def peak():  # of this program alone, in KiB; getrusage would count what the parent held
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

data = picture_folder(sys.argv[1], test_share=0.1)
for i in range(200):
    data.train[i]
first = peak()
for pictures in (data.train, data.test, data.train):
    for picture in pictures:
        pass
print(len(data.train) + len(data.test), first, peak())
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="peak memory is read as Linux tells it")
def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path):
    """In a process of its own, whose peak nothing else has raised. Held as floats, 1,000 pictures take 786 MB."""
    photographs(tmp_path / "normal", "jpg", 256)
    (tmp_path / "abnormal").mkdir()
    (tmp_path / "abnormal/0.jpg").write_bytes((tmp_path / "normal/0000.jpg").read_bytes())
    run = subprocess.run([sys.executable, "-c", READ, str(tmp_path)], capture_output=True, text=True, check=True)
    count, first, last = map(int, run.stdout.split())
    print(f"\npeak memory after 200 pictures {first / 1024:.1f} MiB, after 2,001 readings {last / 1024:.1f} MiB")
    assert count == COUNT + 1
    assert last - first < 16 * 1024  # what 21 pictures take as floats
