"""``adlib data``: what a person at a shell sees, and the exit codes a script sees."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from adlib.cli import app
from adlib.datasets.catalogue import CATALOGUE
from adlib.datasets.download import REMOTE


def run(*arguments):
    return CliRunner().invoke(app, ["data", *map(str, arguments)], env={"COLUMNS": "100"})


def test_list_tells_of_every_set_and_where_it_is(tmp_path):
    result = run("list", "--root", tmp_path)
    assert result.exit_code == 0
    for name, entry in CATALOGUE.items():
        assert f"{name} ({entry.title})" in result.output
    assert result.output.count("no; `adlib data download") == len(REMOTE)
    assert "CC BY-NC-SA 4.0" in result.output
    assert max(map(len, result.output.splitlines())) <= 110 or " " not in max(result.output.splitlines(), key=len)


def test_a_set_that_was_drawn_is_listed_and_checked(tmp_path):
    made = run(
        *("make", "factory", "--root", tmp_path, "--categories", "nut, wood", "--size", 64),
        *("--train", 2, "--good", 1, "--defective", 1),
    )
    assert made.exit_code == 0 and str(tmp_path / "factory") in made.output
    listed = run("list", "--root", tmp_path).output
    assert str(tmp_path / "factory") in listed
    checked = run("check", tmp_path, "--read")
    assert checked.exit_code == 0
    assert checked.output.count("  complete") == 2
    assert "test/good" in checked.output
    (tmp_path / "factory/nut/test/good/000.png").write_bytes(b"")
    broken = run("check", tmp_path / "factory/nut", "--read")
    assert broken.exit_code == 1
    assert "problem: " in broken.output and "0 bytes" in broken.output and broken.output.rstrip().endswith("incomplete")


@pytest.mark.parametrize(
    "arguments",
    [
        ("make", "fundus", "--size", 64, "--healthy", 2, "--glaucoma", 2),
        ("make", "plaza", "--train", 1, "--test", 1, "--frames", 20, "--height", 48, "--width", 64),
    ],
    ids=lambda arguments: arguments[1],
)
def test_the_other_sets_are_drawn_and_found_whole(tmp_path, arguments):
    assert run(*arguments, "--root", tmp_path).exit_code == 0
    checked = run("check", tmp_path, "--read")
    assert checked.exit_code == 0 and "  complete" in checked.output
    assert str(tmp_path / arguments[1]) in run("list", "--root", tmp_path).output


def test_the_path_of_a_set_stays_in_one_line(tmp_path):
    root = tmp_path / "한글 이름 and many other words with spaces between them" / "that are longer than a line"
    (root / "LAG/non_glaucoma").mkdir(parents=True)
    assert f"  here     {root / 'LAG'}\n" in run("list", "--root", root).output


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("make", "factory", "--categories", "nut,spoon"), "categories must be a list of names from carpet"),
        (("make", "factory", "--size", "8"), "size must be"),
        (("make", "plaza", "--frames", "1"), "frames must be"),
        (("make", "fundus", "--seed", "-1"), "seed must be an integer of at least 0"),
        (("download", "lag"), "ask its authors by e-mail"),
        (("check", "nowhere"), "which is not there"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_a_mistake_is_one_error_without_a_traceback(tmp_path, arguments, told):
    root = () if arguments[0] == "check" else ("--root", tmp_path)
    result = run(*arguments, *root)
    assert result.exit_code == 2
    assert result.output.startswith("Error: ") and told in result.output
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_the_module_runs_from_a_shell(tmp_path):
    environment = {**os.environ, "ADLIB_DATA": str(tmp_path), "OMP_NUM_THREADS": "1"}
    shell = [sys.executable, "-m", "adlib", "data", "list"]
    result = subprocess.run(shell, env=environment, capture_output=True, text=True, check=True)
    assert f"data folder: {tmp_path}" in result.stdout
