import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.in_process import run_in_process

PAGE = (Path(__file__).parents[2] / "docs" / "model.md").read_text(encoding="utf-8")
MATRIX = "matrix: {algorithm: [liec], compressor: [sign], workers: [2]}\nbaseline: liec\ntiming: end_to_end\n"


def liecbench(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As its own script calls it: the working directory is in no import path."""
    command = [sys.executable, "-P", "-m", "liecbench", *arguments]
    return subprocess.run(command, cwd=directory, env=os.environ, capture_output=True, text=True, timeout=200)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with the page's module, and its task in a scenario."""
    (module,) = re.findall(r"```python\n# my_models.py\n(.*?)```", PAGE, re.DOTALL)
    (task,) = re.findall(r"```yaml\n(task: .*my_models.*\n)```", PAGE)
    (tmp_path / "my_models.py").write_text(module)
    (tmp_path / "s.yaml").write_text(f"name: own\n{task.replace('epochs: 5', 'epochs: 2')}{MATRIX}")
    return tmp_path


def test_the_pages_own_model_is_trained(directory: Path) -> None:
    ran = liecbench(directory, "run", "s.yaml", "--out", "r", "--quiet")
    with (directory / "my_models.py").open("a") as file:
        file.write("# changed\n")
    again = run_in_process("run", "s.yaml", "--out", "r", directory=directory)
    (row,) = json.loads(run_in_process("compare", directory / "r", "--format", "json").stdout)["rows"]

    assert ran.returncode == 0, ran.stderr
    assert "changed" not in ran.stderr
    assert "the file of my_models:small has changed since 1 cell began" in again.stderr
    assert (row["model"], row["width"]) == ("my_models:small", 128)
    # One of 44 steps averages gradients and models, up and down: 128 bits per parameter; others 2, and some scales.
    bits = (43 * 2 + 128) * (64 * 128 + 128 + 128 * 10 + 10)
    assert row["payload_bytes_per_epoch"]["mean"] == pytest.approx(bits / 8 / 2, rel=0.02)


def test_an_option_that_the_function_does_not_have_is_named_with_its_place(directory: Path) -> None:
    text = (directory / "s.yaml").read_text()
    (directory / "s.yaml").write_text(text.replace("width: 128", "widht: 128"))
    ran = liecbench(directory, "run", "s.yaml", "--out", "r")

    assert (ran.returncode, (directory / "r").exists()) == (2, False)
    assert ran.stderr.startswith("liecbench: s.yaml:2:")
    assert "my_models:small has no option 'widht' (did you mean width?)" in ran.stderr
