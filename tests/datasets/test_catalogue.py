"""Where data sets lie, and what is told where they do not."""

from pathlib import Path

import numpy as np
import pytest

from adlib.datasets import avenue, btad, lag, mvtec, one_class, picture_folder, shanghaitech, ucsd, video_folder
from adlib.datasets._layouts import present
from adlib.datasets.catalogue import CATALOGUE, data_folder, find, missing
from adlib.datasets.corruptions import released_imagenet_c, released_imagenet_p, released_mnist_c


class Bytes:
    """A path whose name is bytes."""

    def __fspath__(self):
        return b"/tmp"


READERS = {  # every reader, with what else it needs
    "mvtec": lambda root: mvtec("bottle", root=root),
    "btad": lambda root: btad("01", root=root),
    "lag": lambda root: lag(root=root),
    "shanghaitech": lambda root: shanghaitech(root=root),
    "ped1": lambda root: ucsd("ped1", root=root),
    "avenue": lambda root: avenue(root=root),
    "mnist": lambda root: one_class("mnist", 0, root=root),
    "imagenet": lambda root: one_class("imagenet", 0, root=root),
    "mnist_c": lambda root: released_mnist_c("fog", root=root),
    "imagenet_c": lambda root: released_imagenet_c("fog", 1, root=root),
    "imagenet_p": lambda root: released_imagenet_p("tilt", root=root),
    "a folder of pictures": picture_folder,
    "a folder of videos": video_folder,
}


@pytest.mark.parametrize(
    "value", [3, True, float("nan"), b"data", [], {}, np.int64(3), Bytes(), "", "~nobody-of-this-name/data", "a\0b"]
)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_path_is_refused(reader, value):
    with pytest.raises(ValueError, match=r"(root|folder) must be the path of a folder, got"):
        READERS[reader](value)


@pytest.mark.parametrize("reader", READERS)
def test_files_links_in_a_circle_and_names_too_long_are_refused(tmp_path, reader):
    (tmp_path / "file.txt").write_text("x")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for name, told in (("file.txt", "Not a directory|invalid"), ("circle", "ymlink|ymbolic"), ("x" * 5000, "too long")):
        with pytest.raises(ValueError, match=rf"(root|folder) must be the path of a folder, got (.|\n)*({told})"):
            READERS[reader](tmp_path / name)


@pytest.mark.parametrize("reader", READERS)
def test_a_closed_folder_is_refused_and_one_beside_is_passed_by(closed, reader):
    for place in (closed, closed / "inner", closed / "absent"):
        with pytest.raises(
            ValueError, match=rf"(root|folder) must be the path of a folder, got .*{place.name}': Permission denied"
        ):
            READERS[reader](place)
    with pytest.raises(FileNotFoundError):  # not a PermissionError for what lies in lost+found
        READERS[reader](closed.parent)
    assert [name for name in CATALOGUE if present(name, closed.parent)] == []
    assert "found: a folder that may not be read" in str(missing("mvtec", closed))


def test_the_home_folder_is_followed(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert data_folder("~/data") == data_folder(Path("~/data")) == tmp_path / "data"


def test_the_environment_variable_is_named_where_it_is_wrong(tmp_path, monkeypatch):
    (tmp_path / "file.txt").write_text("x")
    monkeypatch.setenv("ADLIB_DATA", str(tmp_path / "file.txt"))
    with pytest.raises(
        ValueError, match=r"variable ADLIB_DATA must be the path of a folder, got '.*file\.txt': Not a dir"
    ):
        data_folder()
    monkeypatch.setenv("ADLIB_DATA", "")
    assert data_folder() == Path("data/cache").resolve()


def test_the_most_usual_folder_comes_first(tmp_path):
    for folder in ("mvtec", "mvtec_ad"):
        (tmp_path / folder).mkdir()
    assert find("mvtec", tmp_path) == tmp_path / "mvtec_ad"
    with pytest.raises(FileNotFoundError, match=r"found: no such folder\n.*\n.*CC BY(.|\n)*ADLIB_DATA"):
        find("imagenet_c", tmp_path)
