"""The networks: the shapes of the authors' code, nothing that could hold the trivial solution, any size above 8."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from adlib.classification._norm_pool import NormPool
from adlib.classification.lenet import decoder, encoder, feature_count

# Pictures, then the tensor after each block, then the features: as the authors' code has it
SHAPES = {
    (1, 28, 28): [(8, 14, 14), (4, 7, 7), (32,)],
    (3, 32, 32): [(32, 16, 16), (64, 8, 8), (128, 4, 4), (128,)],
    (3, 64, 64): [(32, 32, 32), (64, 16, 16), (128, 8, 8), (128, 4, 4), (128,)],
    (1, 8, 8): [(32, 4, 4), (128,)],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_of_every_block(shape):
    network, found = encoder(shape), []
    for part in network:
        if isinstance(part, NormPool | nn.Linear):
            part.register_forward_hook(lambda part, before, after: found.append(tuple(after.shape[1:])))
    assert network(torch.rand(2, *shape)).shape == (2, feature_count(shape))
    assert found == SHAPES[shape]


def test_number_of_weights():
    # 28 px: 8 and 4 kernels of 5 x 5 on 1 and 8 channels, 196 x 32; back: 2 -> 4 -> 8 -> 1 channels
    count = lambda network: sum(p.numel() for p in network.parameters())  # noqa: E731
    assert count(encoder((1, 28, 28))) == 25 * (1 * 8 + 8 * 4) + 196 * 32
    assert count(decoder((1, 28, 28))) == 25 * (2 * 4 + 4 * 8 + 8 * 1)
    assert count(encoder((3, 32, 32))) == 25 * (3 * 32 + 32 * 64 + 64 * 128) + 2048 * 128
    assert count(decoder((3, 32, 32))) == 25 * (8 * 128 + 128 * 64 + 64 * 32 + 32 * 3)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from([1, 3]), st.integers(8, 70), st.integers(8, 70))
def test_any_size_comes_back_from_the_decoder(channels, height, width):
    shape = (channels, height, width)
    images = torch.rand(1, *shape)  # a batch of one too
    back = decoder(shape)(encoder(shape)(images))
    assert back.shape == images.shape and back.min() > 0 and back.max() < 1


@pytest.mark.parametrize("shape", [*SHAPES, (1, 50, 90)])
def test_no_bias_no_learnt_scale_no_bounded_activation(shape):
    for part in encoder(shape):
        assert getattr(part, "bias", None) is None
        assert not isinstance(part, nn.Sigmoid | nn.Tanh)
        if isinstance(part, nn.BatchNorm2d):
            assert not part.affine and part.eps == 1e-4
        if isinstance(part, nn.LeakyReLU):
            assert part.negative_slope == 0.01


def in_parts(network):
    """The network of PyTorch's own layers in the order of the paper: batch norm, activation, pooling."""
    parts = []
    for part in network:
        if isinstance(part, NormPool):
            parts += [nn.BatchNorm2d(part.num_features, eps=1e-4, affine=False), nn.LeakyReLU(0.01), nn.MaxPool2d(2)]
        elif not isinstance(part, nn.LeakyReLU):
            parts.append(part)
    return nn.Sequential(*parts)


@pytest.mark.parametrize("shape", [*SHAPES, (1, 19, 30)])
def test_equal_to_the_layers_of_the_paper(shape):
    """Features, gradients and running statistics, when it learns and when it scores."""
    torch.manual_seed(0)
    ours = encoder(shape).double()
    paper = in_parts(ours).double()
    images = torch.rand(20, *shape, dtype=torch.float64)
    gradients = []
    for network in (ours, paper):
        network.zero_grad()
        features = network(images)
        features.square().sum().backward()
        network(images.square())
        gradients.append([features.detach(), *(p.grad.clone() for p in network.parameters())])
    torch.testing.assert_close(gradients[0], gradients[1])
    for mine, theirs in zip(ours.buffers(), paper.buffers(), strict=True):
        if mine.ndim:  # else the number of batches, which nothing reads
            torch.testing.assert_close(mine, theirs)
    torch.testing.assert_close(ours.eval()(images), paper.eval()(images))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [(4, 4), (5, 7)])
def test_gradient_of_the_layer_that_normalises_and_pools(memory_format, size):
    torch.manual_seed(0)
    layer = NormPool(3, 1e-4).double()
    x = torch.rand(2, 3, *size, dtype=torch.float64).to(memory_format=memory_format).requires_grad_()
    assert torch.autograd.gradcheck(layer, x)


def test_xavier_but_for_the_mnist_network():
    torch.manual_seed(0)
    weight = encoder((3, 32, 32))[3].weight.detach()  # 64 kernels of 32 x 5 x 5
    bound = (2 / (1 + 0.01**2)) ** 0.5 * (6 / (25 * (32 + 64))) ** 0.5
    assert weight.abs().max() == pytest.approx(bound, rel=1e-3)
    weight = encoder((1, 28, 28))[3].weight.detach()  # PyTorch: 1 / sqrt(fan in)
    assert weight.abs().max() == pytest.approx((1 / 200) ** 0.5, rel=0.02)


def test_too_small():
    with pytest.raises(ValueError, match=r"normal must be at least 8 x 8 pixels, got shape \(1, 7, 30\)"):
        encoder((1, 7, 30))
