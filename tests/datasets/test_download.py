"""Downloads from a server on this machine: whole, checked, resumed, or not there at all."""

import gzip
import hashlib
import io
import socket
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from adlib.datasets import one_class
from adlib.datasets.catalogue import CATALOGUE
from adlib.datasets.download import REMOTE, Remote, download


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def some_mnist() -> dict[str, bytes]:
    """The four files of a set of 30 + 20 pictures, packed."""
    rng = np.random.default_rng(0)
    return {
        f"{split}-{kind}-ubyte.gz": gzip.compress(idx(content), mtime=0)
        for split, count in (("train", 30), ("t10k", 20))
        for kind, content in (
            ("images-idx3", rng.integers(0, 256, (count, 28, 28))),
            ("labels-idx1", np.arange(count) % 10),
        )
    }


class Server:
    """Files by name. ``cut`` ends the next answers after so many bytes; ``ranges=False`` ignores Range headers."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.cut: int | None = None
        self.ranges = True
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name, wanted = self.path.lstrip("/"), self.headers.get("Range")
                server.asked.append((name, wanted))
                if name not in server.files:
                    self.send_error(404)
                    return
                content, start = server.files[name], 0
                if wanted and server.ranges:
                    start = int(wanted.removeprefix("bytes=").rstrip("-"))
                    if start >= len(content):
                        self.send_error(416)
                        return
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                self.wfile.write(content[start:][: server.cut])

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def offer(self, monkeypatch, name: str, files: dict[str, bytes]) -> None:
        """Serve the files as the set ``name``, and tell adlib their sums."""
        self.files.update(files)
        address = f"http://127.0.0.1:{self.http.server_address[1]}"
        sums = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
        monkeypatch.setitem(REMOTE, name, tuple(Remote(f"{address}/{file}", sum_) for file, sum_ in sums.items()))


@pytest.fixture
def server():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def tar(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def everything(root) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


# the list itself


def test_every_remote_is_in_the_catalogue_and_has_a_sum():
    for name, remotes in REMOTE.items():
        assert f"adlib data download {name}" in CATALOGUE[name].obtain
        for remote in remotes:
            assert remote.url.startswith("https://")
            assert len(remote.sha256) == 64 and int(remote.sha256, 16) > 0
    offered = {name for name, entry in CATALOGUE.items() if "adlib data download" in entry.obtain}
    assert offered == set(REMOTE)


# loose files


def test_mnist_arrives_whole_and_only_once(server, monkeypatch, tmp_path):
    server.offer(monkeypatch, "mnist", some_mnist())
    root = tmp_path / "new" / "folder"
    data = one_class("mnist", 2, root=root, download=True)
    assert len(data.train) == 3
    assert everything(root) == sorted(f"MNIST/raw/{name}" for name in server.files)
    one_class("mnist", 3, root=root, download=True)
    assert download("mnist", root, progress=False) == root / "MNIST/raw"
    assert len(server.asked) == 4


@pytest.mark.parametrize("ranges", [True, False], ids=["resumed", "started over"])
def test_what_broke_off_goes_on(server, monkeypatch, tmp_path, ranges):
    files = some_mnist()
    server.offer(monkeypatch, "mnist", files)
    first = next(iter(files))
    server.cut, server.ranges = 1000, ranges
    with pytest.raises(RuntimeError, match=r"download of mnist .* failed: .*what arrived is kept.*yann.lecun.com"):
        download("mnist", tmp_path, progress=False)
    assert everything(tmp_path) == [f"MNIST/raw/{first}.part"]
    assert (tmp_path / f"MNIST/raw/{first}.part").stat().st_size == 1000
    server.cut = None
    download("mnist", tmp_path, progress=False)
    assert everything(tmp_path) == sorted(f"MNIST/raw/{name}" for name in files)
    assert (first, "bytes=1000-") in server.asked
    for name, content in files.items():
        assert (tmp_path / "MNIST/raw" / name).read_bytes() == content


def test_a_whole_part_is_taken_without_asking_for_more(server, monkeypatch, tmp_path):
    files = some_mnist()
    server.offer(monkeypatch, "mnist", files)
    folder = tmp_path / "MNIST/raw"
    folder.mkdir(parents=True)
    first = next(iter(files))
    (folder / f"{first}.part").write_bytes(files[first])
    download("mnist", tmp_path, progress=False)
    assert (folder / first).read_bytes() == files[first]


def test_another_content_is_deleted(server, monkeypatch, tmp_path):
    files = some_mnist()
    server.offer(monkeypatch, "mnist", files)
    first = next(iter(files))
    server.files[first] = files[first][:-1] + b"!"
    with pytest.raises(RuntimeError, match="must have the SHA-256 sum"):
        download("mnist", tmp_path, progress=False)
    assert everything(tmp_path) == []


def test_a_broken_file_is_replaced_and_good_ones_stay(server, monkeypatch, tmp_path):
    files = some_mnist()
    server.offer(monkeypatch, "fashion_mnist", files)
    folder = tmp_path / "FashionMNIST/raw"
    folder.mkdir(parents=True)
    first = next(iter(files))
    for name, content in files.items():
        (folder / name).write_bytes(content[:100] if name == first else content)
    (folder / first.removesuffix(".gz")).write_bytes(b"an unpacked copy, broken too")
    with pytest.raises(ValueError, match="train-images-idx3-ubyte"):
        one_class("fashion_mnist", 0, root=tmp_path)
    assert len(one_class("fashion_mnist", 0, root=tmp_path, download=True).train) == 3
    assert [name for name, _ in server.asked] == [first]


def test_a_missing_file_on_the_server_and_no_server_are_told(server, monkeypatch, tmp_path):
    server.offer(monkeypatch, "mnist", some_mnist())
    server.files.clear()
    with pytest.raises(RuntimeError, match="answered 404"):
        download("mnist", tmp_path, progress=False)
    monkeypatch.setitem(REMOTE, "mnist", (Remote("http://127.0.0.1:9/train.gz", "0" * 64),))
    with pytest.raises(RuntimeError, match=r"download of mnist .* failed: .*refused"):
        download("mnist", tmp_path, progress=False)
    assert everything(tmp_path) == []


# archives


MVTEC = {"bottle/train/good/000.png": b"a", "bottle/test/good/000.png": b"b", "readme.txt": b"c"}


def test_a_tar_without_a_folder_around_it_gets_one(server, monkeypatch, tmp_path):
    server.offer(monkeypatch, "mvtec", {"mvtec_anomaly_detection.tar.xz": tar(MVTEC)})
    assert download("mvtec", tmp_path, progress=False) == tmp_path / "mvtec_anomaly_detection"
    assert everything(tmp_path) == sorted(f"mvtec_anomaly_detection/{name}" for name in MVTEC)
    download("mvtec", tmp_path, progress=False)
    assert len(server.asked) == 1


def test_a_zip_with_its_folder_in_it_is_not_nested_twice(server, monkeypatch, tmp_path):
    files = {f"BTech_Dataset_transformed/01/train/ok/{i:04d}.bmp": b"x" for i in range(3)}
    server.offer(monkeypatch, "btad", {"btad.zip": zipped(files)})
    download("btad", tmp_path, progress=False)
    assert everything(tmp_path) == sorted(files)


def test_an_archive_that_cannot_be_unpacked_is_told_and_kept_for_another_try(server, monkeypatch, tmp_path):
    server.offer(monkeypatch, "btad", {"btad.zip": b"no archive at all"})
    with pytest.raises(RuntimeError, match="not a zip file"):
        download("btad", tmp_path, progress=False)
    assert everything(tmp_path) == ["btad.zip"]
    with pytest.raises(RuntimeError, match="not a zip file"):
        download("btad", tmp_path, progress=False)
    assert len(server.asked) == 1


def test_no_archive_writes_outside_the_data_folder(server, monkeypatch, tmp_path):
    root = tmp_path / "data"
    server.offer(monkeypatch, "mvtec", {"mvtec_anomaly_detection.tar.xz": tar({"../../../escaped": b"x"})})
    with pytest.raises(RuntimeError, match="outside"):
        download("mvtec", root, progress=False)
    server.offer(monkeypatch, "btad", {"btad.zip": zipped({"../../../escaped": b"x"})})
    download("btad", root, progress=False)
    assert not [path for path in tmp_path.rglob("escaped") if root not in path.parents]


def test_an_empty_folder_is_no_set(server, monkeypatch, tmp_path):
    (tmp_path / "mvtec_anomaly_detection").mkdir()
    server.offer(monkeypatch, "mvtec", {"mvtec_anomaly_detection.tar.xz": tar(MVTEC)})
    download("mvtec", tmp_path, progress=False)
    assert everything(tmp_path) == sorted(f"mvtec_anomaly_detection/{name}" for name in MVTEC)


def test_an_answer_that_is_no_http_is_told(monkeypatch, tmp_path):
    def talk(listener):
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhal")  # and no more

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=talk, args=(listener,), daemon=True).start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/btad.zip"
        monkeypatch.setitem(REMOTE, "btad", (Remote(address, "0" * 64),))
        with pytest.raises(RuntimeError, match=r"download of btad .* failed: .*what arrived is kept"):
            download("btad", tmp_path, progress=False)


# arguments


def test_a_set_nobody_may_fetch_tells_how_to_get_it(tmp_path):
    with pytest.raises(ValueError, match=r"name must be one of mnist, .*; got 'lag': ask its authors by e-mail"):
        download("lag", tmp_path)
    with pytest.raises(ValueError, match=r"got 'mnistt'$"):
        download("mnistt", tmp_path)
    with pytest.raises(ValueError, match=r"name must be one of mnist, .*; got \['mnist'\]"):
        download(["mnist"], tmp_path)
    with pytest.raises(ValueError, match="progress must be True or False, got 1"):
        download("mnist", tmp_path, progress=1)
    with pytest.raises(ValueError, match="root must be the path of a folder, got 3"):
        download("mnist", 3)
