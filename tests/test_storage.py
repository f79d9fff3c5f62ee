"""Files come back as they were, appear whole or not at all, and hold no pickle."""

import numpy as np
import pytest
import torch

from adlib.storage import load_state, save_state


def test_a_nest_comes_back_as_it_was(tmp_path):
    shared = torch.arange(3.0)
    state = {
        "weights": {"a": shared, "same memory": shared, "view": torch.arange(6).reshape(2, 3).T},
        "optimiser": {0: {"step": torch.tensor(3.0)}, 1: (1, 2.5, None, True, "x", [])},
        "array": np.eye(2),
        "scalar": np.float64(0.1),
        "infinite": float("inf"),
        "half": torch.ones(2, dtype=torch.bfloat16),
        "shape": torch.zeros(2, 3).shape,
        "backwards": np.arange(3, dtype=">f4")[::-1],
    }
    save_state(tmp_path / "deep" / "state.adlib", state)
    back = load_state(tmp_path / "deep" / "state.adlib")
    torch.testing.assert_close(back["weights"], state["weights"])
    assert back["weights"]["view"].shape == (3, 2)
    assert back["optimiser"] == state["optimiser"]
    assert isinstance(back["array"], np.ndarray) and (back["array"] == np.eye(2)).all()
    assert back["scalar"] == 0.1 and back["infinite"] == float("inf")
    assert back["half"].dtype == torch.bfloat16
    assert back["shape"] == (2, 3) and isinstance(back["shape"], tuple)
    assert back["backwards"].tolist() == [2.0, 1.0, 0.0]


def test_what_would_need_pickle_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(TypeError, match="a function cannot be stored without pickle"):
        save_state(tmp_path / "x", {"f": lambda: None})
    with pytest.raises(TypeError, match="an array of object"):
        save_state(tmp_path / "x", np.array([None]))
    with pytest.raises(TypeError, match="a complex64 cannot be stored"):
        save_state(tmp_path / "x", np.complex64(1))
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x"
    save_state(path, {"n": 1})

    def broken(tensors, filename, metadata):
        filename.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("adlib.storage.save_file", broken)
    with pytest.raises(OSError, match="disk full"):
        save_state(path, {"n": 2})
    assert load_state(path) == {"n": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        load_state(tmp_path / "absent")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ValueError, match="no safetensors file, or a damaged one"):
        load_state(tmp_path / "text")
    save_state(tmp_path / "whole", {"a": torch.ones(1000)})
    (tmp_path / "cut").write_bytes((tmp_path / "whole").read_bytes()[:-100])
    with pytest.raises(ValueError, match="damaged"):
        load_state(tmp_path / "cut")
    from safetensors.torch import save_file

    for metadata in (None, {"other": "1"}, {"adlib": "{"}, {"adlib": '{"tensor": "9"}'}):
        save_file({"a": torch.ones(1)}, tmp_path / "foreign", metadata=metadata)
        with pytest.raises(ValueError, match="adlib did not write it"):
            load_state(tmp_path / "foreign")
