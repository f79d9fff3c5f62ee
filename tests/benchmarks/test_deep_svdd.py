"""Deep SVDD: an epoch over one tensor against a loader that reads picture by picture; ten networks at once; memory."""

import copy
import io
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.functional import to_tensor

from adlib import DeepSVDD
from adlib.classification import lenet
from adlib.classification.deep_svdd import DeepSVDDConfig, contrast_normalised
from adlib.datasets import one_class

ROOTS = [os.environ.get("ADLIB_DATA", "data/cache"), str(Path(__file__).parents[2].parent / "shared" / "data")]


@pytest.fixture(scope="module")
def pictures():
    for root in ROOTS:
        if (Path(root) / "MNIST").is_dir():
            return one_class("mnist", 7, root=root).train[:6000], "MNIST, digit 7"
    digits = F.interpolate(one_class("digits", 7).train, 28, mode="bilinear")
    return digits.repeat(60, 1, 1, 1)[:6000], "digits, enlarged"


class PictureByPicture(Dataset):
    """PNG files, in memory, decoded and normalised one by one, as the published code does from the disc."""

    def __init__(self, images):
        self.files = []
        for picture in (images * 255).byte().numpy()[:, 0]:
            file = io.BytesIO()
            Image.fromarray(picture).save(file, "PNG")
            self.files.append(file.getvalue())
        x = contrast_normalised(images)
        self.low, self.high = x.min(), x.max()

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):
        x = to_tensor(Image.open(io.BytesIO(self.files[i])))
        x = x - x.mean()
        x = x / x.abs().mean()
        return (x - self.low) / (self.high - self.low)


def textbook_network():
    """The same network of PyTorch's own layers in its own memory format, activation before pooling."""
    parts = []
    for before, after in ((1, 8), (8, 4)):
        parts += [nn.Conv2d(before, after, 5, padding=2, bias=False), nn.BatchNorm2d(after, eps=1e-4, affine=False)]
        parts += [nn.LeakyReLU(0.01), nn.MaxPool2d(2)]
    return nn.Sequential(*parts, nn.Flatten(), nn.Linear(196, 32, bias=False))


def epoch_seconds(loader, network):
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4, weight_decay=0.5e-6)
    start = time.perf_counter()
    for batch in loader:
        loss = (network(batch) - 0.1).square().sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return time.perf_counter() - start


def test_an_epoch_against_a_loader(pictures, capsys):
    images, name = pictures
    loader = DataLoader(PictureByPicture(images), batch_size=200, shuffle=True)
    ours, same, textbook = [], [], []
    for _ in range(3):  # in turn, so that a change of the machine's speed meets all
        short, long = (DeepSVDDConfig(pretrain_epochs=0, epochs=n, drop=n) for n in (1, 3))
        seconds = []
        for config in (short, long):
            start = time.perf_counter()
            DeepSVDD(config, device="cpu").fit(images, progress=False)
            seconds.append(time.perf_counter() - start)
        ours.append((seconds[1] - seconds[0]) / 2)
        same.append(epoch_seconds(loader, lenet.encoder((1, 28, 28))))
        textbook.append(epoch_seconds(loader, textbook_network()))
    mine, same, textbook = (float(np.median(s)) for s in (ours, same, textbook))
    with capsys.disabled():
        print(
            f"\n{len(images)} pictures ({name}), {torch.get_num_threads()} threads: {mine:.2f} s an epoch; picture by "
            f"picture {same / mine:.1f} times as long with our network, {textbook / mine:.1f} times with the textbook's"
        )
    assert textbook / mine >= 3


def test_ten_networks_at_once_are_equal_but_not_faster_on_a_cpu(pictures, capsys):
    """torch.func: ten classes in one call. Equal to ten separate steps; why adlib trains them one after the other."""
    images = contrast_normalised(pictures[0][:2000]).reshape(10, 200, 1, 28, 28)
    torch.manual_seed(0)
    networks = [textbook_network() for _ in range(10)]
    for part in (part for network in networks for part in network.modules() if isinstance(part, nn.BatchNorm2d)):
        part.track_running_stats, part.running_mean, part.running_var = False, None, None
        part.num_batches_tracked = None
    skeleton = copy.deepcopy(networks[0]).to("meta")
    loss = lambda features: (features - 0.1).square().sum(1).mean()  # noqa: E731

    def separate():
        for network, batch in zip(networks, images, strict=True):
            network.zero_grad()
            loss(network(batch)).backward()

    def together():
        for parameter in stacked.values():
            parameter.grad = None
        one = lambda parameters, batch: loss(functional_call(skeleton, parameters, (batch,)))  # noqa: E731
        vmap(one)(stacked, images).sum().backward()

    # Equal in double precision; in single a pixel at the kink of the activation may fall on the other side
    networks = [network.double() for network in networks]
    images, single = images.double(), images
    stacked, _ = stack_module_state(networks)
    separate(), together()
    for name, parameter in stacked.items():
        expected = torch.stack([dict(network.named_parameters())[name].grad for network in networks])
        torch.testing.assert_close(parameter.grad, expected)
    networks, images = [network.float() for network in networks], single
    stacked, _ = stack_module_state(networks)
    separate(), together()
    ratios = []
    for _ in range(5):
        start = time.perf_counter()
        separate()
        middle = time.perf_counter()
        together()
        ratios.append((time.perf_counter() - middle) / (middle - start))
    with capsys.disabled():
        print(f"\nten networks in one call: {float(np.median(ratios)):.1f} times as long as one after the other")


MEMORY = """
import resource, torch
from adlib import DeepSVDD
from adlib.classification.deep_svdd import DeepSVDDConfig
images = torch.rand({n}, 1, 28, 28)
config = DeepSVDDConfig(pretrain_epochs=1, epochs=1)
DeepSVDD(config, device="cpu").fit(images[:400], progress=False)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
DeepSVDD(config, device="cpu").fit(images, progress=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux alone")
def test_memory(capsys):
    assert resource.RUSAGE_SELF == 0
    n = 60_000
    output = subprocess.run([sys.executable, "-c", MEMORY.format(n=n)], capture_output=True, text=True, check=True)
    extra, own = int(output.stdout) / 1024, n * 784 * 4 / 2**20
    with capsys.disabled():
        print(f"\n{n} pictures of 28 x 28 are {own:.0f} MiB; training on them took {extra:.0f} MiB beside them")
    assert extra < 4 * own
