"""Fingerprints and arrays of files, whole and damaged."""

import hashlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adlib.datasets._content import open_npy, sha256


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 3])
def test_a_file_in_parts_has_the_sum_of_the_whole(tmp_path, size):
    content = bytes(i % 251 for i in range(size))
    (tmp_path / "a").write_bytes(content)
    assert sha256(tmp_path / "a") == hashlib.sha256(content).digest()


def test_arrays_are_mapped_not_read(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(6).reshape(2, 3))
    array = open_npy(tmp_path / "a.npy")
    assert isinstance(array, np.memmap) and not array.flags.writeable
    np.testing.assert_array_equal(array, [[0, 1, 2], [3, 4, 5]])
    with pytest.raises(FileNotFoundError):
        open_npy(tmp_path / "b.npy")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"the file is empty \(0 bytes\)"),
        (b"PK\x03\x04 no archive", "cannot be read as a .npy array of numbers"),
        (b"\x93NUMPY\x01\x00\x06\x00{'a':(", "cannot be read as a .npy array of numbers"),
    ],
)
def test_what_is_no_array_is_named(tmp_path, content, message):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        open_npy(tmp_path / "a.npy")
    assert str(tmp_path / "a.npy") in str(caught.value)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_is_damaged_is_read_or_refused_with_its_path(tmp_path_factory, data):
    file = io.BytesIO()
    np.save(file, np.array([0, 1, 1, 0]))
    content = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.sampled_from([*b"(['{0-\n", 0, 255]))
    path = tmp_path_factory.getbasetemp() / "fuzz.npy"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        open_npy(path)
    except ValueError as error:
        assert str(path) in str(error)
