"""AnoGAN: a picture is anomalous if a generator of normal pictures cannot make it.

Taught in :doc:`/book/reconstruction/anogan`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.data import Dataset

from adlib import _checks
from adlib.detector import Detector, Pictures, batches, check_images, check_pictures, picture_of, shape_of
from adlib.reconstruction.dcgan import Discriminator, Encoder, Generator
from adlib.reconstruction.gan import GANConfig, train_gan
from adlib.reconstruction.latent import Found, anogan_terms, f_anogan_terms, latent_search, train_encoder
from adlib.training import mix, seeded

SIZES = {28: 32, 32: 32, 64: 64}  # of the pictures, of the networks


@dataclass(frozen=True)
class AnoGANConfig(GANConfig):
    """Constants of :class:`AnoGAN`, after those of the GAN. Defaults: Schlegl et al., 2017, and 2019 for the encoder.

    z_lr, restarts, candidates and encoder_epochs are our choice: no source that could be checked gives them.
    """

    search: str = "gradient"  # or "encoder", which is f-AnoGAN
    lambda_: float = 0.1  # weight of the discrimination loss, in [0, 1]; the residual loss has the rest
    steps: int = 500  # of the search by gradients
    z_lr: float = 0.01  # Adam's step size in z, in units of its standard deviation
    restarts: int = 1  # searches a picture, each from its own start; the lowest loss counts
    candidates: int = 1  # latent vectors drawn for a start; the picture starts from the one that fits it best
    kappa: float = 1.0  # weight of the feature term of f-AnoGAN
    encoder_epochs: int = 20  # over the normal pictures; the authors' code takes 50,000 steps
    encoder_lr: float = 5e-5  # RMSprop
    encoder_steps: int = 0  # of a search that goes on from E(x); f-AnoGAN takes none

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.search not in ("gradient", "encoder"):
            raise ValueError(f"search must be 'gradient' or 'encoder', got {self.search!r}")
        _checks.number("lambda_", self.lambda_, "a number in [0, 1]", 0, 1)
        for name in ("steps", "restarts", "candidates", "encoder_epochs"):
            _checks.integer(name, getattr(self, name), 1)
        _checks.integer("encoder_steps", self.encoder_steps, 0)
        _checks.positive(z_lr=self.z_lr, encoder_lr=self.encoder_lr)
        _checks.number("kappa", self.kappa, "a number of at least 0", 0)

    @classmethod
    def quick(cls) -> AnoGANConfig:
        """For two CPU cores: 6,000 pictures of 32 pixels learnt in a minute or two, 100 searched in a second."""
        return cls(
            latent=32,
            width=32,
            epochs=8,
            batch_size=64,
            steps=20,
            z_lr=0.1,
            candidates=256,  # on held-out digits 20 steps reach as low as 50 from a start that is the same for all
            encoder_epochs=4,
            encoder_lr=1e-3,
        )


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What AnoGAN makes of pictures, one row a picture. Taught in :doc:`/book/reconstruction/anogan`.

    pictures: (N, C, H, W) in [0, 1], G(z). score: (N,), weighted sum of residual and discrimination, (N,) each.
    map: (N, H, W), the residual picture. z: (N, latent). losses: (N, steps + 1), the search watched.
    """

    pictures: Tensor
    score: Tensor
    residual: Tensor
    discrimination: Tensor
    map: Tensor
    z: Tensor
    losses: Tensor


class AnoGAN(Detector):
    r"""How well the nearest picture that a GAN of normal pictures can make fits, in pixels and in features.

    .. math:: A(x) = (1 - \lambda) \sum |x - G(z_\Gamma)| + \lambda \sum |f(x) - f(G(z_\Gamma))|

    A DCGAN is trained on normal pictures; then, for each query, :math:`z_\Gamma` is searched by gradients
    (:func:`~adlib.reconstruction.latent.latent_search`). f is the last feature map of the discriminator. The anomaly
    map is the residual picture :math:`|x - G(z_\Gamma)|`, summed over the channels.

    The start is the same for all queries: drawn from N(0, I) when the detector is fitted, from its seed. So a score
    depends on nothing but the picture: not on its place in a batch, not on what stands beside it. With several
    restarts there are as many starts, and the lowest loss counts. With several candidates a query begins with the one
    whose picture is nearest to it, by the residual loss.

    ``search="encoder"`` is f-AnoGAN: an encoder E gives z at once and the score is
    :math:`\mathcal{A}_R + \kappa \mathcal{A}_D` of :func:`~adlib.reconstruction.latent.f_anogan_terms` at E(x), or
    after ``encoder_steps`` steps that minimise it. Unlike f-AnoGAN's, the GAN stays DCGAN.

    Pictures: grey or colour, 32 or 64 pixels square; those of 28 are framed in black to 32 and the map is cut back.
    Learned: ``generator_``, ``discriminator_``, ``encoder_`` (None for the search by gradients), in eval mode;
    ``history_``, ``encoder_history_`` means of each epoch; ``samples_`` (epochs + 1, 16, C, 32, 32) or with 64, in
    [-1, 1], pictures made over the time of training, which ``save`` leaves out.

    Raises ``ValueError`` that names the argument. Source: Schlegl et al., 2017, and 2019 for the encoder.
    Taught in :doc:`/book/reconstruction/anogan`.
    """

    config_class = AnoGANConfig
    config: AnoGANConfig

    def _fit(self, normal: Pictures, *, checkpoint: Path | None, progress: bool) -> None:
        shape = shape_of(normal)
        self._build(shape)
        data = to_generator(normal) if isinstance(normal, Tensor) else _Framed(normal, shape)
        gan = train_gan(
            self.generator_,
            self.discriminator_,
            data,
            self.config,
            seed=self.seed,
            checkpoint=checkpoint,
            progress=progress,
        )
        self.history_, self.samples_ = gan.epochs, gan.samples
        self.encoder_history_: list[dict[str, float]] = []
        if self.encoder_ is not None:
            self.encoder_history_ = train_encoder(
                self.encoder_,
                self.generator_,
                self.discriminator_,
                data,
                epochs=self.config.encoder_epochs,
                batch_size=self.config.batch_size,
                lr=self.config.encoder_lr,
                kappa=self.config.kappa,
                seed=self.seed,
                checkpoint=checkpoint.with_name(f"{checkpoint.name}.encoder") if checkpoint else None,
                progress=progress,
            )
        self._freeze()

    def reconstruct(self, images: Pictures) -> Reconstruction:
        """Search once and give all there is to see, on the CPU. images: as in ``fit``."""
        self._check_fitted()
        images = check_pictures(images, name="images", shape=self.shape_)
        parts = [
            self._reconstruct(batch.to(self.device))
            for batch in batches(images, self.batch_size, name="images", shape=self.shape_)
        ]
        return Reconstruction(
            **{f.name: torch.cat([getattr(part, f.name).cpu() for part in parts]) for f in fields(Reconstruction)}
        )

    def _score(self, images: Tensor) -> Tensor:
        return self._reconstruct(images).score

    def _map(self, images: Tensor) -> Tensor:
        return self._reconstruct(images).map

    def _reconstruct(self, images: Tensor) -> Reconstruction:
        config, size = self.config, images.shape[-1]
        x = to_generator(images)
        if self.encoder_ is None:
            found = self._search(x, self._start(x, 0))
            for restart in range(1, config.restarts):
                found = lower(found, self._search(x, self._start(x, restart)))
        else:
            with torch.no_grad():
                found = self._search(x, self.encoder_(x))
        residual_picture = _cut((x - found.reconstruction).abs().sum(1), size)
        return Reconstruction(
            pictures=from_generator(found.reconstruction, size),
            score=found.losses[:, -1],
            residual=found.residual,
            discrimination=found.discrimination,
            map=residual_picture,
            z=found.z,
            losses=found.losses,
        )

    def _search(self, x: Tensor, start: Tensor) -> Found:
        config = self.config
        by_encoder = config.search == "encoder"
        return latent_search(
            self.generator_,
            self.discriminator_,
            x,
            start,
            steps=config.encoder_steps if by_encoder else config.steps,
            lr=config.z_lr,
            weights=(1.0, config.kappa) if by_encoder else (1 - config.lambda_, config.lambda_),
            terms=f_anogan_terms if by_encoder else anogan_terms,
        )

    def _start(self, x: Tensor, restart: int) -> Tensor:
        """(N, latent): the one start, or for each picture the candidate that fits it best."""
        candidates = self.starts_[restart]
        if len(candidates) == 1:
            return candidates.expand(len(x), -1)
        distances = torch.cdist(x.flatten(1), self._made[restart], p=1)  # the residual loss of each candidate
        return candidates[distances.argmin(1)]

    def _build(self, shape: tuple[int, ...]) -> None:
        channels, *size = shape
        if channels not in (1, 3):
            raise ValueError(f"normal must have 1 or 3 channels, got shape {shape}")
        if size[0] != size[1] or size[0] not in SIZES:
            raise ValueError(f"normal must be square pictures of {tuple(SIZES)} pixels, got shape {shape}")
        config = self.config
        common = {"size": SIZES[size[0]], "channels": channels, "width": config.width}
        with seeded(self.seed, 0, 0, 0):
            self.generator_ = Generator(latent=config.latent, **common).to(self.device)
            self.discriminator_ = Discriminator(**common).to(self.device)
            self.encoder_ = None
            if config.search == "encoder":
                self.encoder_ = Encoder(latent=config.latent, **common).to(self.device)

    def _freeze(self) -> None:
        for network in (self.generator_, self.discriminator_, self.encoder_):
            if network is not None:
                network.eval().requires_grad_(False)
        config = self.config
        draw = torch.Generator().manual_seed(mix(self.seed, 2, 2, 2))
        starts = torch.randn(config.restarts, config.candidates, config.latent, generator=draw)
        self.starts_ = starts.to(self.device)
        self._made: list[Tensor] = []  # what G makes of the candidates, once for all queries
        if config.candidates > 1:
            with torch.no_grad():
                self._made = [self.generator_(candidates).flatten(1) for candidates in self.starts_]

    def _get_state(self) -> dict[str, Any]:
        return {
            "generator": self.generator_.state_dict(),
            "discriminator": self.discriminator_.state_dict(),
            "encoder": None if self.encoder_ is None else self.encoder_.state_dict(),
            "history": self.history_,
            "encoder_history": self.encoder_history_,
        }

    def _set_state(self, state: dict[str, Any]) -> None:
        self._build(self.shape_)
        for name in ("generator", "discriminator", "encoder"):
            if state[name] is not None:
                getattr(self, f"{name}_").load_state_dict(state[name])
        self.history_, self.encoder_history_ = state["history"], state["encoder_history"]
        self._freeze()


def to_generator(images: Tensor) -> Tensor:
    """Pictures (N, C, H, W) in [0, 1] to the generator's range, [-1, 1]; those of 28 pixels framed in black to 32."""
    border = (SIZES[images.shape[-1]] - images.shape[-1]) // 2
    return pad(2 * images.float() - 1, (border,) * 4, value=-1.0)


def from_generator(pictures: Tensor, size: int) -> Tensor:
    """What the generator made, (N, C, H, W) in [-1, 1], as pictures in [0, 1] of this size, the frame cut off."""
    return _cut((pictures + 1) / 2, size)


def lower(a: Found, b: Found) -> Found:
    """Row by row the one of two searches whose last loss is lower; a where they are equal."""
    better = b.losses[:, -1] < a.losses[:, -1]

    def choose(name: str) -> Tensor | None:
        of_a, of_b = getattr(a, name), getattr(b, name)
        return None if of_a is None else torch.where(better.view(-1, *[1] * (of_a.ndim - 1)), of_b, of_a)

    return Found(**{f.name: choose(f.name) for f in fields(Found)})  # type: ignore[arg-type]


def _cut(pictures: Tensor, size: int) -> Tensor:
    border = (pictures.shape[-1] - size) // 2
    return pictures[..., border : border + size, border : border + size]


class _Framed(Dataset):
    """A Dataset of pictures as the generator sees them, each checked when it is read."""

    def __init__(self, pictures: Dataset, shape: tuple[int, ...]):
        self.pictures, self.shape = pictures, shape

    def __len__(self) -> int:
        return len(self.pictures)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> Tensor:
        picture = picture_of(self.pictures[index], "normal")[None]
        check_images(picture, name="normal", channels=self.shape[0], size=self.shape[1:])
        return to_generator(picture)[0]
