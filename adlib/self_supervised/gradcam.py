"""Grad-CAM: which places of a feature map raise a score.

Taught in :doc:`/book/self_supervised/localisation`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import interpolate, relu


class GradCAM:
    r"""Gradient-weighted class activation maps of one layer of a network.

    .. math::
        M_{uv}(x) = \max\Big(0, \sum_k w_k A_{kuv}(x)\Big), \qquad
        w_k = \frac{1}{hw} \sum_{uv} \frac{\partial y(x)}{\partial A_{kuv}}

    with the layer's output :math:`A`, K maps of h x w, and a number :math:`y` for each picture, computed from the
    network's output: a class logit, or a density score of features. The map is positive where the layer's activation
    raises :math:`y`. It is enlarged bilinearly to the size of the pictures.

    network: a module that takes pictures (N, C, H, W). layer: one of its modules; it must run once in a pass and give
    (N, K, h, w). Raises ``ValueError`` that names the argument.

    .. code-block:: python

        cam = GradCAM(network, network.layer4)
        maps = cam(images, lambda logits: logits[:, 1])

    Source: Selvaraju et al., 2017. Taught in :doc:`/book/self_supervised/localisation`.
    """

    def __init__(self, network: nn.Module, layer: nn.Module):
        if not isinstance(network, nn.Module):
            raise ValueError(f"network must be a torch.nn.Module, got {type(network).__name__}")
        if not any(layer is module for module in network.modules()):
            raise ValueError(f"layer must be a module of the network, got a {type(layer).__name__} that is none of it")
        self.network, self.layer = network, layer

    def __call__(self, images: Tensor, target: Callable[[Any], Tensor], *, enlarge: bool = True) -> Tensor:
        """The maps of a batch for one number a picture.

        images: float Tensor (N, C, H, W), as the network takes them, all in one pass. target: takes the network's
        output and returns (N,), differentiable, each number from its own picture alone. enlarge: to the size of the
        pictures, as if the places of the layer were tiles that fill them; for layers that pad that is right to half a
        place. Returns (N, H, W), or (N, h, w) without it, of at least 0, not normalised: scores of different pictures
        stay comparable, and so do their maps.

        The network runs in eval mode, so a picture's map does not depend on the others in the batch. Its modes, its
        parameters and their gradients are left as they were; a surrounding ``torch.no_grad`` or
        ``torch.inference_mode`` does no harm. Raises ``ValueError`` that names the argument.
        """
        check_batch(images)
        modes = {module: module.training for module in self.network.modules()}
        outputs: list[Any] = []

        def keep(module: nn.Module, inputs: Any, output: Any) -> Tensor:
            check_activation(output, len(images))
            outputs.append(output.detach().requires_grad_())
            return outputs[-1].clone()  # what follows may work in place, such as nn.ReLU(inplace=True)

        handle = self.layer.register_forward_hook(keep)
        try:
            self.network.eval()
            with torch.inference_mode(False), torch.enable_grad():
                # Detached parameters build no graph, so there is one from the layer's output on, and only there
                parameters = {name: p.detach() for name, p in self.network.named_parameters()}
                value = target(functional_call(self.network, parameters, (images.detach(),)))
                if len(outputs) != 1:
                    raise ValueError(f"layer must run once in a pass of the network, it ran {len(outputs)} times")
                check_value(value, len(images))
                (gradient,) = torch.autograd.grad(value.sum(), outputs, allow_unused=True)
        finally:
            handle.remove()
            for module, training in modes.items():
                module.training = training
        if gradient is None:
            raise ValueError("target must depend on the layer's output, but its gradient does not reach it")
        with torch.no_grad():
            # M = max(0, Σ_k w_k A_k), w_k = mean over the places of ∂y/∂A_k
            weights = gradient.mean((2, 3), keepdim=True)
            maps = relu((weights * outputs[0]).sum(1, keepdim=True))
            maps = interpolate(maps, images.shape[2:], mode="bilinear", align_corners=False) if enlarge else maps
            return maps[:, 0]


def check_batch(images: Any) -> None:
    """Raise ``ValueError`` unless images is a finite float Tensor (N, C, H, W), not empty. Any range is accepted."""
    wanted = "images must be a finite float Tensor (N, C, H, W)"
    if not isinstance(images, Tensor):
        raise ValueError(f"{wanted}, got {type(images).__name__}")
    if not images.is_floating_point() or images.ndim != 4 or 0 in images.shape:
        raise ValueError(f"{wanted}, got shape {tuple(images.shape)} of {images.dtype}")
    if not torch.isfinite(images).all():
        raise ValueError(f"{wanted}, got NaN or infinity in it")


def check_activation(output: Any, n: int) -> None:
    """Raise ``ValueError`` unless a layer gave a float Tensor (n, K, h, w)."""
    wanted = f"layer must give a float Tensor (N, K, h, w) for N = {n} pictures"
    if not isinstance(output, Tensor):
        raise ValueError(f"{wanted}, it gave a {type(output).__name__}")
    if not output.is_floating_point() or output.ndim != 4 or len(output) != n:
        raise ValueError(f"{wanted}, it gave shape {tuple(output.shape)} of {output.dtype}")


def check_value(value: Any, n: int) -> None:
    """Raise ``ValueError`` unless a target gave a differentiable Tensor (n,)."""
    if not isinstance(value, Tensor) or value.shape != (n,):
        got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise ValueError(f"target must return a Tensor (N,) for N = {n} pictures, it returned {got}")
    if not value.requires_grad:
        raise ValueError("target must be differentiable and depend on the layer's output, its result has no gradient")
