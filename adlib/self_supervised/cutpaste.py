"""CutPaste: learn to see what was pasted into normal pictures, then ask how usual a picture's features are.

Taught in :doc:`/book/self_supervised/detector`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, cross_entropy

from adlib import _checks
from adlib.detector import Detector, Pictures, batches, shape_of
from adlib.self_supervised.augmentation import cut_paste, cut_paste_scar, three_way
from adlib.self_supervised.gradcam import GradCAM
from adlib.self_supervised.networks import PATCH, STRIDE, Classifier, PatchNet, ResNet18
from adlib.self_supervised.patches import PlaceDensities, patch_features, receptive_upsample
from adlib.self_supervised.variation import varied
from adlib.training import fingerprint, mix, seeded, train

AUGMENTATIONS = {"cut_paste": 2, "scar": 2, "three_way": 3}  # classes of the proxy task
# Of the pictures ImageNet's networks are trained with, red, green, blue; a grey picture takes the mean of each
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class CutPasteConfig:
    """Constants of :class:`CutPaste`. Defaults: Li et al., 2021, where no other source is named.

    The paper's epoch is a number of steps, 256, whatever the number of pictures.
    """

    augmentation: str = "three_way"  # or "cut_paste", "scar": two classes, normal and one kind of paste
    level: str = "image"  # or "patch": whether whole pictures or patches are judged
    by_place: bool = False  # level "patch": a density for each place; the paper's choice for aligned objects
    backbone: str = "resnet18"  # or "patchnet", for a CPU
    width: int = 16  # maps of the first layer of "patchnet"
    weights: str | None = None  # of resnet18: None for a random start, "imagenet"
    hidden: int = 128  # units of the head's hidden layer; the paper leaves the head open
    epochs: int = 256
    steps: int = 256  # an epoch
    batch_size: int = 32  # normal pictures a step; the batch holds two or three times as many
    learning_rate: float = 0.03  # SGD, falling to 0 by half a cosine over all steps
    momentum: float = 0.9
    weight_decay: float = 3e-5
    translation: float = 0.1  # of every picture, up to this part of its sides; the paper gives no range
    jitter: float = 0.1  # of every picture's colours and, once more, of the patch's
    crop: int = 64  # pixels; level "patch" of resnet18 learns from random crops of this side
    sigma: float = 4.0  # pixels; of the Gaussian that spreads a patch's score. The paper gives none
    networks: int = 1  # trained from different starts, their scores averaged; the paper's ensemble has 5

    def __post_init__(self) -> None:
        for name, accepted in {
            "augmentation": tuple(AUGMENTATIONS),
            "level": ("image", "patch"),
            "backbone": ("resnet18", "patchnet"),
            "weights": (None, "imagenet"),
        }.items():
            if getattr(self, name) not in accepted:
                raise ValueError(f"{name} must be one of {accepted}, got {getattr(self, name)!r}")
        if self.weights and self.backbone != "resnet18":
            raise ValueError(f"weights must be None for backbone={self.backbone!r}, got {self.weights!r}")
        if self.by_place and self.level != "patch":
            raise ValueError("by_place must be False for level='image', which has one place, got True")
        _checks.boolean(by_place=self.by_place)
        for name in ("width", "hidden", "epochs", "steps", "batch_size", "networks"):
            _checks.integer(name, getattr(self, name), 1)
        _checks.integer("crop", self.crop, PATCH)
        _checks.positive(learning_rate=self.learning_rate, sigma=self.sigma)
        _checks.number("momentum", self.momentum, "a number in [0, 1)", 0, 1 - 1e-12)
        _checks.number("weight_decay", self.weight_decay, "a number of at least 0", 0)
        _checks.number("translation", self.translation, "a number in [0, 0.5]", 0, 0.5)
        _checks.number("jitter", self.jitter, "a number in [0, 0.5]", 0, 0.5)

    @classmethod
    def quick(cls, **changes: Any) -> CutPasteConfig:
        """For two CPU cores: the small network, patches, 500 steps of 16 pictures. changes: fields to set."""
        small: dict[str, Any] = {"level": "patch", "backbone": "patchnet", "epochs": 10, "steps": 50, "batch_size": 16}
        return cls(**small | changes)


class CutPaste(Detector):
    r"""How far a picture's features lie from those of normal pictures, in a network that learnt to see pasted patches.

    .. math:: \min_{g} \; \mathrm{E}_x \sum_{k} \mathrm{CE}\big(g(A_k(x)), k\big), \qquad
              s(x) = \tfrac12 (f - \mu)^\top \Sigma^{-1} (f - \mu)

    with :math:`A_0` the picture as it is, :math:`A_1` with CutPaste and :math:`A_2` with a scar
    (:mod:`adlib.self_supervised.augmentation`), each after a random shift and jitter of the whole picture. f are the
    features before the head, of the normal pictures as they are for :math:`\mu, \Sigma`
    (:class:`~adlib.self_supervised.gaussian.GaussianDensity`).

    level ``"image"``: f is the mean over the picture; the anomaly map is
    :class:`~adlib.self_supervised.gradcam.GradCAM` of the score, for the small network with each place where it looks.

    level ``"patch"``: f belongs to a patch of 32 x 32 pixels, at steps of 4
    (:func:`~adlib.self_supervised.patches.patch_features`); a picture's score is that of its worst patch, and the map
    spreads all of them (:func:`~adlib.self_supervised.patches.receptive_upsample`). There ResNet-18 learns from random
    crops, as in the paper; the small network from all patches of whole pictures at once, each with the class of what
    was pasted into it. With one density for all places (``by_place=False``) what is normal somewhere is normal
    everywhere: a picture of nothing but background passes.

    Pictures: grey or colour, 32 x 32 pixels or more; ResNet-18 takes colour. They are held in memory as one tensor,
    also where they come from a Dataset. Raises ``ValueError`` for fewer than two normal pictures, for such as are all
    the same, and for black ones, in which nothing can be pasted that shows. With ``checkpoint="file"`` every network
    leaves its state in files whose names begin with this one's.

    Learned: ``models_`` (:class:`~adlib.self_supervised.networks.Classifier`) and ``densities_``
    (:class:`~adlib.self_supervised.patches.PlaceDensities`), one each a network, in eval mode; ``history_`` one list of
    epochs a network, with the ``"loss"`` and the ``"accuracy"`` of the proxy task.

    Source: Li et al., 2021. Taught in :doc:`/book/self_supervised/detector`.
    """

    config_class = CutPasteConfig
    config: CutPasteConfig
    batch_size = 32

    def _fit(self, normal: Pictures, *, checkpoint: Path | None, progress: bool) -> None:
        config, shape = self.config, shape_of(normal)
        self._check_shape(shape)
        parts = [batch.float() for batch in batches(normal, self.batch_size, name="normal", shape=shape)]
        images = torch.cat(parts)
        if len(images) < 2:
            raise ValueError(f"normal must hold at least 2 pictures, got {len(images)}")
        if (images == images[0]).all():
            raise ValueError(f"normal must hold pictures that differ, got {len(images)} times the same one")
        if not images.flatten(1).amax(1).gt(0).all():
            raise ValueError("normal must hold no black picture: nothing can be pasted that shows")

        self.models_: list[Classifier] = []
        self.densities_: list[PlaceDensities] = []
        self.history_: list[list[dict[str, float]]] = []
        for number in range(config.networks):
            seed = mix(self.seed, number)
            label = f"CutPaste {number + 1}/{config.networks}" if config.networks > 1 else "CutPaste"
            file = checkpoint.with_name(f"{checkpoint.name}.{number}") if checkpoint else None
            with seeded(seed):
                model = self._model(shape)
            self.history_.append(self._train(model, images, mix(seed, 1), file, progress, label))
            model.eval()
            with torch.no_grad():
                blocks = images.split(self.batch_size)
                maps = torch.cat([self._features(model, block.to(self.device)).cpu() for block in blocks])
            self.models_.append(model)
            self.densities_.append(PlaceDensities.fit(maps, by_place=config.by_place).to(self.device))

    def _train(
        self, model: Classifier, images: Tensor, seed: int, file: Path | None, progress: bool, label: str
    ) -> list[dict[str, float]]:
        config = self.config
        optimiser = torch.optim.SGD(
            model.parameters(), config.learning_rate, momentum=config.momentum, weight_decay=config.weight_decay
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.epochs * config.steps)
        dense = config.level == "patch" and config.backbone == "patchnet"
        crop = config.crop if config.level == "patch" and not dense else None

        def step(numbers: Tensor) -> dict[str, Tensor]:
            x = images[numbers.cpu()].to(self.device)
            x = varied(
                x, generator=torch.default_generator, translation=config.translation, jitter=config.jitter, crop=crop
            )
            x, labels, masks = self._proxy_task(x)
            logits = model.each_patch(self._standard(x)) if dense else model(self._standard(x))
            if dense:  # a patch that nothing was pasted into is normal
                pasted = avg_pool2d(masks[:, None].float(), PATCH, STRIDE)[:, 0] > 0
                labels = torch.where(pasted, labels[:, None, None], 0)
            # E_x Σ_k CE(g(A_k(x)), k)
            loss = cross_entropy(logits, labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            return {"loss": loss, "accuracy": (logits.argmax(1) == labels).float().mean()}

        model.train()
        return train(
            step,
            torch.arange(config.steps * config.batch_size) % len(images),  # an epoch: numbers of pictures
            state={"model": model, "optimiser": optimiser, "schedule": schedule},
            epochs=config.epochs,
            batch_size=config.batch_size,
            seed=seed,
            settings=dataclasses.asdict(config) | {"pictures": fingerprint(images) if file else ""},
            checkpoint=file,
            progress=progress,
            label=label,
        )

    def _proxy_task(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures, their classes and where something was pasted; the draws come from torch's own generator."""
        generator, jitter = torch.default_generator, self.config.jitter
        if self.config.augmentation == "three_way":
            return three_way(x, generator=generator, jitter=jitter)
        paste = cut_paste if self.config.augmentation == "cut_paste" else cut_paste_scar
        pasted, masks = paste(x, generator=generator, jitter=jitter)
        labels = torch.arange(2, device=x.device).repeat_interleave(len(x))
        return torch.cat([x, pasted]), labels, torch.cat([torch.zeros_like(masks), masks])

    def _features(self, model: Classifier, images: Tensor) -> Tensor:
        """(N, D, h, w), one place for level "image"."""
        x = self._standard(images.float())
        if self.config.level == "image":
            return model.backbone(x).mean((2, 3), keepdim=True)
        return patch_features(model.backbone, x)

    def _energies(self, images: Tensor) -> Tensor:
        """(N, h, w), mean over the networks."""
        pairs = zip(self.models_, self.densities_, strict=True)
        return torch.stack([density(self._features(model, images)) for model, density in pairs]).mean(0)

    def _score(self, images: Tensor) -> Tensor:
        return self._energies(images).amax((1, 2))

    def _map(self, images: Tensor) -> Tensor:
        size = tuple(images.shape[2:])
        if self.config.level == "patch":
            return receptive_upsample(self._energies(images), size, sigma=self.config.sigma)
        x = self._standard(images.float())
        maps = []
        for model, density in zip(self.models_, self.densities_, strict=True):
            backbone = model.backbone
            score = lambda f, density=density: density(f.mean((2, 3), keepdim=True))[:, 0, 0]  # noqa: E731
            dense = isinstance(backbone, PatchNet)  # does not pad, so its places are no tiles that fill the picture
            cam = GradCAM(backbone, backbone)(x, score, enlarge=not dense)
            maps.append(receptive_upsample(cam, size, sigma=self.config.sigma) if dense else cam)
        return torch.stack(maps).mean(0)

    def _standard(self, images: Tensor) -> Tensor:
        channels = images.shape[1]
        mean, std = (images.new_tensor(values if channels == 3 else [sum(values) / 3]) for values in (MEAN, STD))
        return ((images - mean[:, None, None]) / std[:, None, None]).to(memory_format=torch.channels_last)

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        channels, *size = shape
        accepted = (3,) if self.config.backbone == "resnet18" else (1, 3)
        if channels not in accepted:
            raise ValueError(
                f"normal must have {' or '.join(map(str, accepted))} channels for backbone={self.config.backbone!r}, "
                f"got shape {shape}"
            )
        if min(size) < PATCH:
            raise ValueError(f"normal must be at least {PATCH} x {PATCH} pixels, got shape {shape}")

    def _model(self, shape: tuple[int, ...], *, saved: bool = False) -> Classifier:
        config = self.config
        backbone = (
            PatchNet(shape[0], config.width)
            if config.backbone == "patchnet"
            else ResNet18(None if saved else config.weights)
        )
        model = Classifier(backbone, classes=AUGMENTATIONS[config.augmentation], hidden=config.hidden)
        return model.to(memory_format=torch.channels_last).to(self.device)

    def _get_state(self) -> dict[str, Any]:
        return {
            "models": [model.state_dict() for model in self.models_],
            "densities": [density.state_dict() for density in self.densities_],
            "history": self.history_,
        }

    def _set_state(self, state: dict[str, Any]) -> None:
        self.models_, self.densities_, self.history_ = [], [], state["history"]
        for weights, learnt in zip(state["models"], state["densities"], strict=True):
            model = self._model(self.shape_, saved=True).eval()
            model.load_state_dict(weights)
            density = PlaceDensities(*learnt["mean"].shape).to(self.device)
            density.load_state_dict(learnt)
            self.models_.append(model)
            self.densities_.append(density)
