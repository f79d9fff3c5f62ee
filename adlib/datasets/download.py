"""Fetching the sets that may be fetched by anyone: checked by SHA-256, resumed where it broke off, never half there.

Taught in :doc:`/book/datasets/real_world`.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tqdm import tqdm

from adlib import _checks
from adlib.datasets import _labelled
from adlib.datasets._content import sha256
from adlib.datasets.catalogue import CATALOGUE, data_folder

_CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class Remote:
    """One file on a server. An archive is unpacked, anything else is kept as it is."""

    url: str
    sha256: str

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.url.rpartition("/")[2]

    @property
    def archive(self) -> bool:
        """Whether it is to be unpacked."""
        return self.name.endswith((".zip", ".tar", ".tar.gz", ".tar.xz"))


def _idx(base: str, *sums: str) -> tuple[Remote, ...]:
    stems = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    return tuple(Remote(f"{base}{stem}-ubyte.gz", sha256) for stem, sha256 in zip(stems, sums, strict=True))


REMOTE: dict[str, tuple[Remote, ...]] = {
    "mnist": _idx(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
    "fashion_mnist": _idx(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
    "cifar10": (
        Remote(
            "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        ),
    ),
    "mnist_c": (
        Remote(
            "https://zenodo.org/records/3239543/files/mnist_c.zip",
            "af9ee8c6a815870c7fdde5af84c7bf8db0bcfa1f41056db83871037fba70e493",
        ),
    ),
    "mvtec": (
        Remote(
            "https://www.mydrive.ch/shares/38536/3830184030e49fe74747669442f0f282/download/420938113-1629952094/"
            "mvtec_anomaly_detection.tar.xz",
            "cf4313b13603bec67abb49ca959488f7eedce2a9f7795ec54446c649ac98cd3d",
        ),
    ),
    "btad": (
        Remote(
            "https://avires.dimi.uniud.it/papers/btad/btad.zip",
            "461c9387e515bfed41ecaae07c50cf6b10def647b36c9e31d239ab2736b10d2a",
        ),
    ),
}


def download(name: str, root: str | os.PathLike[str] | None = None, *, progress: bool = True) -> Path:
    """Fetch the set ``name`` into its usual folder in the data folder, unless it is there. Returns that folder.

    name: ``"mnist"``, ``"fashion_mnist"``, ``"cifar10"``, ``"mnist_c"``, ``"mvtec"`` (5 GB) or ``"btad"``. Every other
    set has to be asked for or fetched by hand. By fetching you accept the licence, which
    :data:`adlib.datasets.catalogue.CATALOGUE` names. root: the data folder; else ``ADLIB_DATA``, else ``data/cache``.
    progress: whether to show a bar.

    A transfer that breaks off goes on where it stopped when called again. A file takes its place only after its SHA-256
    sum was found right, an archive only once it is wholly unpacked; then the archive is deleted. The small sets are
    read to see whether they are whole; of the others, whatever is in the folder counts as the set, so look at one that
    you unpacked by hand with :func:`adlib.datasets.check.check`.

    Raises ValueError for a set that cannot be fetched, with the way to get it, and RuntimeError where the transfer
    fails, with the official page.

    Taught in :doc:`/book/datasets/real_world`.
    """
    if not isinstance(name, str) or name not in REMOTE:
        entry = CATALOGUE.get(name) if isinstance(name, str) else None
        remedy = f": {entry.obtain}; {entry.page}" if entry else ""
        raise ValueError(f"name must be one of {', '.join(REMOTE)}; got {name!r}{remedy}")
    _checks.boolean(progress=progress)
    base = data_folder(root)
    folder = base / CATALOGUE[name].folders[0]
    if _complete(name, base, folder):
        return folder
    try:
        for remote in REMOTE[name]:
            _fetch(remote, base if remote.archive else folder, folder, progress)
    except (OSError, RuntimeError, HTTPException, tarfile.TarError, zipfile.BadZipFile) as error:
        raise RuntimeError(
            f"download of {name} to {base} failed: {error}. Try again, what arrived is kept. "
            f"Official page: {CATALOGUE[name].page}"
        ) from error
    return folder


def _complete(name: str, base: Path, folder: Path) -> bool:
    if name not in _labelled.CLASS_NAMES:
        return folder.is_dir() and any(folder.iterdir())  # put there whole by an earlier call
    try:
        _labelled.decoded(name, base)
    except (FileNotFoundError, ValueError):
        return False
    return True


def _fetch(remote: Remote, place: Path, folder: Path, progress: bool) -> None:
    """One file into ``place``, or what is packed in it to where ``folder`` is to be."""
    place.mkdir(parents=True, exist_ok=True)
    file = place / remote.name
    if not (file.is_file() and sha256(file).hex() == remote.sha256):
        _transfer(remote, file, progress)
    if remote.archive:
        _unpack(file, folder)
        file.unlink()
    elif file.suffix == ".gz":
        file.with_suffix("").unlink(missing_ok=True)  # an unpacked copy is read first, and it may be the broken one


def _transfer(remote: Remote, file: Path, progress: bool) -> None:
    """Fetch into NAME.part, on from where it broke off, and rename once the sum is right."""
    part = file.with_name(f"{file.name}.part")
    start = part.stat().st_size if part.exists() else 0
    request = Request(remote.url, headers={"User-Agent": "adlib", **({"Range": f"bytes={start}-"} if start else {})})
    try:
        with urlopen(request, timeout=60) as answer:
            start = start if answer.status == 206 else 0  # else the server sends the whole file again
            length = answer.headers.get("Content-Length")
            total = start + int(length) if length else None
            bar = tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=file.name, disable=not progress)
            with bar, part.open("ab" if start else "wb") as out:
                while chunk := answer.read(_CHUNK):
                    out.write(chunk)
                    bar.update(len(chunk))
            if total and part.stat().st_size < total:
                raise RuntimeError(f"{remote.url} broke off after {part.stat().st_size} of {total} bytes")
    except HTTPError as error:
        if error.code != 416:  # 416: nothing is left to send, the whole file is here
            raise RuntimeError(f"{remote.url} answered {error.code} {error.reason}") from error
    found = sha256(part).hex()
    if found != remote.sha256:
        part.unlink()
        raise RuntimeError(f"{remote.url} must have the SHA-256 sum {remote.sha256}, got {found}; it was deleted")
    os.replace(part, file)


def _unpack(archive: Path, folder: Path) -> None:
    """What is packed in the archive to ``folder``, whether or not it is packed with a folder of that name around it."""
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix="unpacking-") as place:
        content = Path(place) / "content"
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(content)  # it takes ".." and leading "/" out of names by itself
        else:
            if not hasattr(tarfile, "data_filter"):
                raise RuntimeError("unpacking a .tar safely takes Python 3.10.12, 3.11.4, 3.12 or newer")
            with tarfile.open(archive) as packed:
                packed.extractall(content, filter="data")  # refuses links and names that lead elsewhere
        content = content / folder.name if (content / folder.name).is_dir() else content
        if not folder.exists():
            os.replace(content, folder)
            return
        for file in sorted(path for path in content.rglob("*") if path.is_file()):  # over a set that is broken
            target = folder / file.relative_to(content)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, target)
