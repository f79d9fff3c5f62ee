"""What a stranger's machine, the workflows and Colab ask of the repository."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("version", ["3.9.18", "3.14.0"])
def test_make_refuses_another_python_in_one_line(tmp_path: Path, version: str) -> None:
    """The line says what is needed, what was found and what to do; no environment is left behind."""
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "Python {version}" && exit 0\nexit 1\n')
    program.chmod(0o755)
    # A make that runs these tests must not hand its own settings down to the one under test.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    result = subprocess.run(
        ["make", "--no-print-directory", f"PYTHON={program}", f"VENV={tmp_path / 'venv'}", "book"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in result.stderr.splitlines() if not line.startswith("make")]
    assert result.returncode != 0
    assert len(said) == 1
    assert all(part in said[0] for part in ("3.10 to 3.13", f"Python {version}", "make PYTHON="))
    assert not (tmp_path / "venv").exists()


def test_the_workflow_tests_every_supported_python() -> None:
    """The classifiers of the package, the Makefile and the test matrix name the same versions."""
    classifiers = importlib.metadata.metadata("adlib").get_all("Classifier") or []
    supported = [c.rsplit(" :: ")[-1] for c in classifiers if re.fullmatch(r".*Python :: 3\.\d+", c)]
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8"))
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == supported
    low, high = (version.replace(".", ", ") for version in (supported[0], supported[-1]))
    assert f"({low}) <= sys.version_info[:2] <= ({high})" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_adlib_accepts_what_colab_has_installed() -> None:
    """Otherwise pip would replace a version there, and the reader would have to restart the runtime."""
    lines = (ROOT / "tools" / "colab-constraints.txt").read_text(encoding="utf-8").splitlines()
    colab = dict(line.split("==") for line in lines if "==" in line)
    required = [Requirement(text) for text in importlib.metadata.requires("adlib") or []]
    runtime = {requirement.name: requirement.specifier for requirement in required if requirement.marker is None}
    assert {"torch", "numpy", "scikit-learn"} <= runtime.keys() & colab.keys()
    refused = [f"{name} {colab[name]}" for name in runtime.keys() & colab.keys() if colab[name] not in runtime[name]]
    assert not refused


def test_the_example_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """A stranger pastes it first. It takes a fraction of a second, on data that is embedded."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", readme, flags=re.S)
    exec(compile(example, "README.md", "exec"), {})
    printed = re.fullmatch(r"AUROC (0\.\d{3})\n", capsys.readouterr().out)
    assert printed
    assert float(printed[1]) > 0.95
