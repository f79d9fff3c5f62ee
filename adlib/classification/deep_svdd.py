"""Deep SVDD: a sphere around the normal class in the features of a network that learns to make it small.

Taught in :doc:`/book/classification/deep_svdd`.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import MultiStepLR

from adlib import _checks
from adlib.classification import lenet
from adlib.detector import Detector, Pictures, batches, shape_of
from adlib.training import mix, seeded, train

OBJECTIVES = ("one-class", "soft-boundary")
RADII = ("batch", "epoch")
COLLAPSED = 1e-4  # relative spread of the features at which float32 has three digits of a distance left


class CollapseWarning(UserWarning):
    """The features of all normal pictures are one point, or so near it that their scores are rounding errors."""


@dataclass(frozen=True)
class DeepSVDDConfig:
    """Constants of :class:`DeepSVDD`. The defaults are those of the code that the authors published for MNIST.

    Weight decay is PyTorch's: w is added to the gradient ``weight_decay`` times, as half of ``weight_decay`` times the
    squared norm in the loss would do. The paper writes lambda / 2 times the squared norm, the same with lambda for
    ``weight_decay``; the authors' first code (Theano) adds half of 1e-6 times the squared norm, the gradient of
    ``weight_decay=1e-6``, and their second one (PyTorch) half of that, which is the default here.
    """

    objective: str = "one-class"  # or "soft-boundary"
    nu: float = 0.1  # soft-boundary: fraction of normal pictures outside the sphere, in (0, 1]; paper, section 4
    radius: str = "batch"  # soft-boundary: R from every "batch" (PyTorch code) or after every "epoch" (Theano code)
    warm_up: int = 10  # soft-boundary: epochs before R leaves 0; PyTorch code
    epochs: int = 150  # passes over the normal pictures; PyTorch code (paper, as quoted by others: 150 + 100)
    drop: int = 50  # epochs after which the learning rate is a tenth; PyTorch code
    pretrain_epochs: int = 150  # of the autoencoder, 0 for none; PyTorch code
    pretrain_drop: int = 50  # as drop, for the autoencoder
    learning_rate: float = 1e-4  # of Adam; paper
    pretrain_learning_rate: float = 1e-4  # of Adam for the autoencoder; paper
    batch_size: int = 200  # pictures; paper
    weight_decay: float = 0.5e-6  # see above; PyTorch code
    pretrain_weight_decay: float = 0.5e-3  # of the autoencoder; PyTorch code
    contrast: bool = True  # global contrast normalisation before min-max scaling; paper
    networks: int = 1  # trained from different starts; their scores are averaged. Not in the paper

    @classmethod
    def quick(cls, **changes: Any) -> DeepSVDDConfig:
        """For two CPU cores: no autoencoder, a hundredfold learning rate, few epochs. changes: fields to set."""
        return cls(**{"pretrain_epochs": 0, "epochs": 40, "drop": 30, "warm_up": 2, "learning_rate": 1e-2} | changes)

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective must be one of {OBJECTIVES}, got {self.objective!r}")
        if self.radius not in RADII:
            raise ValueError(f"radius must be one of {RADII}, got {self.radius!r}")
        _checks.number("nu", self.nu, "a number in (0, 1]", 0, 1, ends=False)
        _checks.positive(learning_rate=self.learning_rate, pretrain_learning_rate=self.pretrain_learning_rate)
        for name in ("weight_decay", "pretrain_weight_decay"):
            _checks.number(name, getattr(self, name), "a number of at least 0", 0)
        for name, least in (("epochs", 1), ("drop", 1), ("pretrain_drop", 1), ("batch_size", 1), ("networks", 1)):
            _checks.integer(name, getattr(self, name), least)
        for name in ("pretrain_epochs", "warm_up"):
            _checks.integer(name, getattr(self, name), 0)
        _checks.boolean(contrast=self.contrast)


# --- the mathematics


def contrast_normalised(images: Tensor) -> Tensor:
    r"""Global contrast normalisation with the L1 norm, picture by picture.

    .. math:: \tilde{x} = \frac{x - \bar{x}}{\frac{1}{P} \sum_p | x_p - \bar{x} |}

    images: (N, C, H, W), P = CHW values each. Returns the same shape: mean 0, mean absolute value 1; a constant
    picture becomes 0. Source: the preprocessing of the code published with Ruff et al., 2018.
    Taught in :doc:`/book/classification/deep_svdd`.
    """
    centred = images - images.mean((1, 2, 3), keepdim=True)
    scale = centred.abs().mean((1, 2, 3), keepdim=True)
    # of a constant picture rounding leaves some 1e-8
    return torch.where(scale > 1e-6, centred / scale.clamp(min=1e-6), torch.zeros_like(centred))


def squared_distance(features: Tensor, centre: Tensor) -> Tensor:
    r"""Of each picture from the centre, :math:`d_i = \lVert \varphi(x_i; W) - c \rVert^2`.

    features: (N, D). centre: (D,). Returns (N,). Taught in :doc:`/book/classification/deep_svdd`.
    """
    return (features - centre).square().sum(1)


def one_class_loss(distance: Tensor) -> Tensor:
    r"""Mean squared distance, eq. :eq:`deep-one-class` of :doc:`/book/classification/deep_svdd`.

    .. math:: \frac{1}{n} \sum_i d_i

    distance: (N,), squared. Returns a scalar. Source: Ruff et al., 2018.
    """
    return distance.mean()


def soft_boundary_loss(distance: Tensor, radius: Tensor, nu: float) -> Tensor:
    r"""Size of the sphere and what lies outside, eq. :eq:`deep-soft-boundary` of :doc:`/book/classification/deep_svdd`.

    .. math:: R^2 + \frac{1}{\nu n} \sum_i \max(0, d_i - R^2)

    distance: (N,), squared. radius: scalar R, not squared. nu: in (0, 1]. Returns a scalar. Source: Ruff et al., 2018.
    """
    return radius.square() + (distance - radius.square()).clamp(min=0).mean() / nu


def best_radius(distance: Tensor, nu: float) -> Tensor:
    r"""The radius that minimises :func:`soft_boundary_loss` for given distances: a quantile.

    .. math:: R^2 = d_{(k)}, \qquad k = \lceil (1 - \nu) n \rceil

    the k-th smallest squared distance, 0 for nu = 1: moving :math:`R^2` up by one costs 1 and saves
    :math:`1 / (\nu n)` for every picture outside, so at the minimum at most :math:`\nu n` of them are outside.
    distance: (N,), squared. Returns a scalar R. Taught in :doc:`/book/classification/deep_svdd`.
    """
    k = math.ceil((1 - nu) * len(distance) - 1e-9)  # 1e-9: (1 − ν) n may be an integer that rounding lifts a little
    return distance.kthvalue(k).values.sqrt() if k else distance.new_zeros(())


def centre_of(features: Tensor, least: float = 0.1) -> Tensor:
    """The mean feature, with no coordinate nearer to 0 than ``least``, its sign kept and an exact 0 moved too.

    A unit whose target is 0 is matched by weights 0, the first step to a collapse. Without pre-training the features
    are those of random weights, all near 0, and nearly every coordinate comes from the rule. features: (N, D), of the
    network before it is trained on the sphere. Returns (D,). Source: Ruff et al., 2018, section 3.3; the authors' code
    leaves an exact 0 where it is. Taught in :doc:`/book/classification/deep_svdd`.
    """
    mean = features.mean(0)
    return torch.where(mean.abs() < least, torch.where(mean < 0, -least, least), mean)


def relative_spread(features: Tensor, centre: Tensor) -> float:
    """How far features lie apart, as a fraction of the centre's distance from the origin; 0 when they are one point.

    The root of the mean squared distance from their mean, over the norm of the centre. features: (N, D). centre: (D,).
    """
    return float((features - features.mean(0)).square().sum(1).mean().sqrt() / centre.norm())


# --- the detector


class _Sphere(nn.Module):
    """A network with its centre and radius. These are buffers: saved with it, never trained."""

    centre: Tensor
    radius: Tensor

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        self.encoder = lenet.encoder(shape)
        self.register_buffer("centre", torch.zeros(lenet.feature_count(shape)))
        self.register_buffer("radius", torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        return squared_distance(self.encoder(images), self.centre)


class DeepSVDD(Detector):
    r"""The squared distance from the centre of a sphere that a network has learnt to make small.

    .. math:: s(x) = \lVert \varphi(x; W) - c \rVert^2 - R^2

    :math:`\varphi` is a network without biases (:mod:`adlib.classification.lenet`), started from an autoencoder or at
    random; c is the mean feature at the start and stays; R = 0 for the one-class objective, and for the soft boundary
    the radius that leaves a fraction nu of the normal pictures outside. The pictures are normalised by contrast and
    then scaled by the smallest and the largest value of the normal class, so others may leave [0, 1]. The normal
    pictures are held in memory as one tensor, also where they come from a Dataset. With ``checkpoint="file"`` every
    network leaves its state in files whose names begin with this one's.

    It gives no anomaly map: the page shows why.

    Learned: ``spheres_`` one network each with its ``centre`` (D,) and ``radius``, ``low_`` and ``high_`` of the
    scaling, ``history_`` one list of epochs a network, ``feature_spread_`` the smallest
    :func:`~adlib.classification.deep_svdd.relative_spread` of the normal pictures, ``score_spread_`` the standard
    deviation of their scores. Warns with :class:`~adlib.classification.deep_svdd.CollapseWarning` where they vanish.

    Pictures of 8 x 8 pixels or more. Raises ``ValueError`` for fewer than two normal pictures, for such as are all the
    same, and for constant ones. Source: Ruff et al., 2018. Taught in :doc:`/book/classification/deep_svdd`.
    """

    config_class = DeepSVDDConfig

    def _fit(self, normal: Pictures, *, checkpoint: Path | None, progress: bool) -> None:
        shape = shape_of(normal)
        parts = [
            self._contrast(batch.float()) for batch in batches(normal, self.batch_size, name="normal", shape=shape)
        ]
        images = torch.cat(parts)
        if len(images) < 2:
            raise ValueError(f"normal must hold at least 2 pictures, got {len(images)}")
        self.low_, self.high_ = (bound.item() for bound in images.aminmax())
        if self.low_ == self.high_:
            raise ValueError("normal must hold pictures with some contrast, got only constant ones")
        if (images == images[0]).all():
            raise ValueError(f"normal must hold pictures that differ, got {len(images)} times the same one")
        images = self._scaled(images)

        self.spheres_: list[_Sphere] = []
        self.history_: list[list[dict[str, float]]] = []
        for number in range(self.config.networks):
            seed = mix(self.seed, number)
            label = f" {number + 1}/{self.config.networks}" if self.config.networks > 1 else ""
            file = checkpoint.with_name(f"{checkpoint.name}.{number}") if checkpoint else None
            with seeded(seed):
                sphere = _Sphere(shape).to(self.device)
                decoder = lenet.decoder(shape).to(self.device)
            if self.config.pretrain_epochs:
                self._pretrain(sphere.encoder, decoder, images, seed, file, progress, label)
            self._train(sphere, images, seed, file, progress, label)
            self.spheres_.append(sphere)
        self._look_for_collapse(images)

    def _pretrain(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        images: Tensor,
        seed: int,
        file: Path | None,
        progress: bool,
        label: str,
    ) -> None:
        config = self.config
        network = nn.Sequential(encoder, decoder).train()
        optimiser = torch.optim.Adam(
            network.parameters(), lr=config.pretrain_learning_rate, weight_decay=config.pretrain_weight_decay
        )
        schedule = MultiStepLR(optimiser, [config.pretrain_drop])

        def step(batch: Tensor) -> dict[str, Tensor]:
            loss = (network(batch) - batch).square().flatten(1).sum(1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            return {"reconstruction": loss}

        train(
            step,
            images,
            state={"network": network, "optimiser": optimiser, "schedule": schedule},
            epochs=config.pretrain_epochs,
            batch_size=config.batch_size,
            seed=seed,
            settings=dataclasses.asdict(config),
            after_epoch=lambda epoch: schedule.step(),
            checkpoint=file.with_name(f"{file.name}.autoencoder") if file else None,
            progress=progress,
            label=f"autoencoder{label}",
        )

    def _train(self, sphere: _Sphere, images: Tensor, seed: int, file: Path | None, progress: bool, label: str) -> None:
        config = self.config
        soft = config.objective == "soft-boundary"
        sphere.centre.copy_(centre_of(self._features(sphere, images)))
        sphere.train()
        optimiser = torch.optim.Adam(sphere.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
        schedule = MultiStepLR(optimiser, [config.drop])

        def step(batch: Tensor) -> dict[str, Tensor]:
            distance = sphere(batch)
            loss = soft_boundary_loss(distance, sphere.radius, config.nu) if soft else one_class_loss(distance)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if soft and config.radius == "batch" and schedule.last_epoch >= config.warm_up:
                sphere.radius.copy_(best_radius(distance.detach(), config.nu))
            return {"loss": loss, "distance": distance.mean(), "radius": sphere.radius.clone()}

        def after_epoch(epoch: int) -> None:
            schedule.step()
            # The last radius is read off the finished network in any case: a batch's is noise, and with the batch's
            # own statistics in the batch norm.
            if soft and (epoch + 1 == config.epochs or (config.radius == "epoch" and epoch + 1 >= config.warm_up)):
                sphere.radius.copy_(best_radius(self._distances(sphere, images), config.nu))
                sphere.train()

        history = train(
            step,
            images,
            state={"sphere": sphere, "optimiser": optimiser, "schedule": schedule},
            epochs=config.epochs,
            batch_size=config.batch_size,
            seed=mix(seed, 1),
            settings=dataclasses.asdict(config),
            after_epoch=after_epoch,
            checkpoint=file,
            progress=progress,
            label=f"sphere{label}",
        )
        self.history_.append(history)
        sphere.eval()

    def _contrast(self, images: Tensor) -> Tensor:
        return contrast_normalised(images) if self.config.contrast else images

    def _scaled(self, images: Tensor) -> Tensor:
        return (images - self.low_) / (self.high_ - self.low_)

    @torch.no_grad()
    def _features(self, sphere: _Sphere, images: Tensor) -> Tensor:
        sphere.eval()
        return torch.cat([sphere.encoder(batch.to(self.device)) for batch in images.split(self.batch_size)])

    def _distances(self, sphere: _Sphere, images: Tensor) -> Tensor:
        return squared_distance(self._features(sphere, images), sphere.centre)

    def _look_for_collapse(self, images: Tensor) -> None:
        features = [self._features(sphere, images) for sphere in self.spheres_]
        pairs = list(zip(self.spheres_, features, strict=True))
        self.feature_spread_ = min(relative_spread(f, sphere.centre) for sphere, f in pairs)
        scores = torch.stack([squared_distance(f, s.centre) - s.radius.square() for s, f in pairs]).mean(0)
        self.score_spread_ = scores.std().item()
        if not (self.feature_spread_ > COLLAPSED and self.score_spread_ > 0):
            warnings.warn(
                f"the features of the normal pictures spread over only {self.feature_spread_:.2g} of the centre's "
                "length: either the network maps every picture to one point, or it has learnt these few by heart. "
                "Look at the scores of held-out pictures; train for fewer epochs, or with more pictures",
                CollapseWarning,
                stacklevel=4,
            )

    def _score(self, images: Tensor) -> Tensor:
        images = self._scaled(self._contrast(images.float()))
        return torch.stack([sphere(images) - sphere.radius.square() for sphere in self.spheres_]).mean(0)

    def _get_state(self) -> dict[str, Any]:
        names = ("low_", "high_", "history_", "feature_spread_", "score_spread_")
        return {name: getattr(self, name) for name in names} | {"spheres": [s.state_dict() for s in self.spheres_]}

    def _set_state(self, state: dict[str, Any]) -> None:
        self.spheres_ = []
        for saved in state["spheres"]:
            sphere = _Sphere(self.shape_).to(self.device).eval()
            sphere.load_state_dict(saved)
            self.spheres_.append(sphere)
        vars(self).update({name: value for name, value in state.items() if name != "spheres"})
