"""Synthetic corruptions of pictures: ImageNet-C, ImageNet-P and MNIST-C. They know no method.

Taught in :doc:`/book/datasets/corruptions`.
"""

from adlib.datasets.corruptions._flip import flip_probability
from adlib.datasets.corruptions._mnist_c import MNIST_C, mnist_c
from adlib.datasets.corruptions._perturbations import IMAGENET_P, IMAGENET_P_EXTRA, imagenet_p
from adlib.datasets.corruptions._released import Released, released_imagenet_c, released_imagenet_p, released_mnist_c
from adlib.datasets.corruptions._severities import IMAGENET_C, IMAGENET_C_EXTRA, imagenet_c

__all__ = [
    "IMAGENET_C",
    "IMAGENET_C_EXTRA",
    "IMAGENET_P",
    "IMAGENET_P_EXTRA",
    "MNIST_C",
    "Released",
    "flip_probability",
    "imagenet_c",
    "imagenet_p",
    "mnist_c",
    "released_imagenet_c",
    "released_imagenet_p",
    "released_mnist_c",
]
