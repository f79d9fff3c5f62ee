"""The U-Net and the patch critic of future frame prediction: written out by hand, counted, and probed."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from adlib.video.frame_networks import PatchCritic, UNet


def count(network):
    return sum(p.numel() for p in network.parameters())


def test_the_papers_networks_have_as_many_weights_as_its_code():
    assert count(UNet(4, 3)) == 7_704_195
    assert count(PatchCritic(3)) == 6_831_489


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(16, 24), (13, 9), (1, 1), (8, 31)])
def test_any_size_comes_back_as_it_went_in(channels, size):
    frames = torch.rand(2, 3, channels, *size)
    out = UNet(3, channels, width=4)(frames)
    assert out.shape == (2, channels, *size) and out.min() >= 0 and out.max() <= 1


def test_the_unet_written_out():
    torch.manual_seed(0)
    network = UNet(2, 1, width=2)
    for p in network.parameters():
        p.data.normal_(std=0.3)
    frames = torch.rand(2, 2, 1, 16, 8)
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    down, up, beside, last = layers[:8], layers[8:11], layers[11:17], layers[17]
    assert [m.kernel_size for m in up] == [(2, 2)] * 3 and len(layers) == 18

    def two(x, first, second):
        x = F.relu(F.conv2d(x, first.weight, first.bias, padding=1))
        return F.relu(F.conv2d(x, second.weight, second.bias, padding=1))

    x = 2 * torch.cat([frames[:, 0], frames[:, 1]], 1) - 1
    levels = []
    for level in range(4):
        x = two(F.max_pool2d(x, 2) if level else x, *down[2 * level : 2 * level + 2])
        levels.append(x)
    assert x.shape == (2, 16, 2, 1)
    for i, seen in enumerate(levels[2::-1]):
        x = F.relu(F.conv_transpose2d(x, up[i].weight, up[i].bias, stride=2))
        x = two(torch.cat([seen, x], 1), *beside[2 * i : 2 * i + 2])
    expected = (torch.tanh(F.conv2d(x, last.weight, last.bias, padding=1)) + 1) / 2
    torch.testing.assert_close(network(frames), expected)


def test_the_oldest_frame_is_the_first():
    """Another order of the frames is another question."""
    torch.manual_seed(0)
    network, frames = UNet(4, 1, width=4), torch.rand(1, 4, 1, 16, 16)
    assert (network(frames) - network(frames.flip(1))).abs().max() > 1e-4


@pytest.mark.parametrize("shape", [(4, 1, 16, 16), (2, 3, 11, 7)])
def test_the_gradient_reaches_all_weights(shape):
    torch.manual_seed(1)
    network = UNet(shape[0], shape[1], width=8)
    frames = torch.rand(2, *shape)
    F.mse_loss(network(frames), torch.rand(2, *shape[1:])).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_the_critic_has_the_sizes_of_the_paper():
    critic = PatchCritic(3)
    sizes, x = [], torch.rand(1, 3, 256, 256)
    with torch.no_grad():
        for layer in critic.layers:
            x = layer(x)
            if isinstance(layer, nn.Conv2d):
                sizes.append(tuple(x.shape[1:]))
    assert sizes == [(128, 129, 129), (256, 65, 65), (512, 33, 33), (512, 34, 34), (1, 35, 35)]
    assert x.min() > 0 and x.max() < 1


def test_a_verdict_sees_70_pixels_and_no_more():
    torch.manual_seed(0)
    critic = PatchCritic(1, (2, 2, 2, 2)).double()
    frame = torch.rand(1, 1, 160, 160, dtype=torch.double, requires_grad=True)
    out = critic(frame)
    out[0, 0, out.shape[2] // 2, out.shape[3] // 2].backward()
    rows, columns = frame.grad[0, 0].nonzero(as_tuple=True)
    assert rows.max() - rows.min() + 1 == columns.max() - columns.min() + 1 == 70


def test_all_verdicts_are_equal_on_a_frame_of_one_colour():
    """Zeros beyond the border would tell it."""
    torch.manual_seed(0)
    out = PatchCritic(3, (4, 8, 8))(torch.full((1, 3, 40, 48), 0.3))
    torch.testing.assert_close(out, out[..., :1, :1].expand_as(out))
