"""CutPaste: the heat map of a picture of 256 pixels, in one pass or patch by patch."""

import time

import numpy as np
import pytest
import torch

from adlib.self_supervised.networks import PatchNet, ResNet18
from adlib.self_supervised.patches import PlaceDensities, patch_features, receptive_upsample


def seconds_of(run, repeats):
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


@pytest.mark.parametrize("network", [PatchNet(3), ResNet18()], ids=["patchnet", "resnet18"])
def test_patch_map_of_a_picture(network, capsys):
    network = network.eval().to(memory_format=torch.channels_last)
    image = torch.rand(1, 3, 256, 256)
    with torch.no_grad():
        density = PlaceDensities.fit(patch_features(network, torch.rand(2, 3, 256, 256)))
        whole = seconds_of(lambda: receptive_upsample(density(patch_features(network, image)), (256, 256)), 3)
        windows = image.unfold(2, 32, 4).unfold(3, 32, 4)[0].permute(1, 2, 0, 3, 4).reshape(-1, 3, 32, 32)
        some = windows[::32]
        start = time.perf_counter()
        for window in some:
            network(window[None])
        slow = (time.perf_counter() - start) * len(windows) / len(some)
    with capsys.disabled():
        print(
            f"\n{type(network).__name__}, {torch.get_num_threads()} threads: a map of 256 px in {whole:.2f} s; its "
            f"{len(windows)} patches one by one {slow:.0f} s (scaled from {len(some)})"
        )
    assert whole < 2
