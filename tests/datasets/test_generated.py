"""Generated sets: whole or not there, and never written over anything else."""

import json

import pytest

from adlib.datasets._generated import generate


def fill(folder):
    (folder / "train").mkdir()
    (folder / "train" / "000.png").write_bytes(b"picture")


def refuse(folder):
    raise AssertionError("nothing was to be drawn")


def test_a_set_is_drawn_once_and_says_what_it_is(tmp_path):
    place = tmp_path / "deep" / "set"
    assert generate(place, {"seed": 0, "size": 64}, fill, "Pictures of nothing.") == place
    assert (place / "train" / "000.png").read_bytes() == b"picture"
    about, _, told = (place / "readme.txt").read_text(encoding="utf-8").splitlines()
    assert about == "Pictures of nothing."
    assert {"seed": 0, "size": 64}.items() <= json.loads(told).items()
    generate(place, {"size": 64, "seed": 0}, refuse, "Pictures of nothing.")
    assert [path.name for path in place.parent.iterdir()] == ["set"]


def test_other_settings_are_refused_and_told(tmp_path):
    place = generate(tmp_path / "set", {"seed": 0}, fill, "About.")
    with pytest.raises(ValueError, match=r'other settings(.|\n)*there: .*"seed": 0(.|\n)*wanted: .*"seed": 1'):
        generate(place, {"seed": 1}, refuse, "About.")


def test_anything_else_is_never_written_over(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(ValueError, match="it holds something else"):
        generate(tmp_path, {"seed": 0}, refuse, "About.")
    with pytest.raises(ValueError, match="it holds something else"):
        generate(tmp_path / "mine.txt", {"seed": 0}, refuse, "About.")
    (tmp_path / "empty").mkdir()
    generate(tmp_path / "empty", {"seed": 0}, fill, "About.")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_interrupted_run_leaves_nothing_half_made(tmp_path, error):
    def interrupted(folder):
        fill(folder)
        raise error

    with pytest.raises(error):
        generate(tmp_path / "set", {"seed": 0}, interrupted, "About.")
    assert list(tmp_path.iterdir()) == []


def test_of_two_processes_the_quicker_one_wins(tmp_path):
    def overtaken(folder):
        generate(tmp_path / "set", {"seed": 0}, fill, "About.")
        fill(folder)

    assert generate(tmp_path / "set", {"seed": 0}, overtaken, "About.").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_link_to_an_empty_folder_is_followed(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "set").symlink_to(tmp_path / "disk", target_is_directory=True)
    assert generate(tmp_path / "set", {"seed": 0}, fill, "About.") == tmp_path / "disk"
    assert (tmp_path / "set" / "train" / "000.png").is_file() and (tmp_path / "set").is_symlink()


def test_a_place_that_cannot_be_written_to_is_told(closed):
    (closed.parent / "fixed").mkdir(0o555)
    with pytest.raises(ValueError, match=r"fixed cannot be written to: Permission denied; name another root"):
        generate(closed.parent / "fixed" / "set", {"seed": 0}, refuse, "About.")
