"""The networks of CutPaste: ResNet-18, a small one for a CPU, and the head that tells normal from pasted.

Taught in :doc:`/book/self_supervised/detector`.
"""

from __future__ import annotations

from urllib.error import URLError

import torch
from torch import Tensor, nn
from torchvision import models

PATCH, STRIDE = 32, 4  # pixels: what one vector of features sees, and the step to its neighbour


class PatchNet(nn.Sequential):
    """A small network of which every output sees 32 x 32 pixels and nothing else, at steps of 4 pixels.

    No layer pads. So the features of a patch are the same alone and within a picture, and one pass gives those of all
    patches: for 256 pixels 57 x 57 of them. channels: of the pictures. width: maps of the first layer; the features
    have four times as many. Takes (N, C, H, W), H and W at least 32; gives (N, 4 width, h, w), h = (H - 32) // 4 + 1.
    Our own, after the patches of Li et al., 2021. Taught in :doc:`/book/self_supervised/detector`.
    """

    def __init__(self, channels: int, width: int = 16):
        layers = [(4, 2, 1), (3, 1, 2), (3, 2, 2), (3, 1, 4), (3, 1, 4), (2, 1, 4)]  # kernel, stride, width
        parts: list[nn.Module] = []
        before = channels
        for kernel, stride, factor in layers:
            after = factor * width
            parts += [nn.Conv2d(before, after, kernel, stride, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
            before = after
        super().__init__(*parts)
        self.features = before


class ResNet18(nn.Sequential):
    """ResNet-18 without its pooling and classes: (N, 3, H, W) to (N, 512, H / 32, W / 32), sides rounded up.

    weights: None, or ``"imagenet"``, which torchvision fetches once. Raises ``OSError`` that says what to do where they
    cannot be had. Source: He et al., 2016. Taught in :doc:`/book/self_supervised/detector`.
    """

    features = 512

    def __init__(self, weights: str | None = None):
        chosen = models.ResNet18_Weights.IMAGENET1K_V1 if weights else None
        try:
            resnet = models.resnet18(weights=chosen)
        except (URLError, OSError, RuntimeError) as error:  # no network, a disc that is full, a broken file
            url = chosen.url if chosen else ""
            raise OSError(
                f"weights='imagenet': torchvision could not get them ({error}). Fetch {url} where there is a network "
                f"and put it into {torch.hub.get_dir()}/checkpoints, or give weights=None"
            ) from error
        super().__init__(*list(resnet.children())[:-2])


class Classifier(nn.Module):
    """A backbone, and the head that tells the classes of the proxy task apart by its pooled features.

    classes: 2 or 3. hidden: units of the head's one hidden layer, which the paper leaves open.
    """

    def __init__(self, backbone: PatchNet | ResNet18, *, classes: int, hidden: int = 128):
        super().__init__()
        self.backbone = backbone
        self.head = nn.Sequential(
            nn.Linear(backbone.features, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of pictures (N, C, H, W) from the mean of their features."""
        return self.head(self.backbone(x).mean((2, 3)))

    def each_patch(self, x: Tensor) -> Tensor:
        """Logits (N, classes, h, w) of every patch, from its own features."""
        maps = self.backbone(x)
        logits = self.head(maps.permute(0, 2, 3, 1).flatten(0, 2))
        return logits.view(len(x), *maps.shape[2:], -1).permute(0, 3, 1, 2)
