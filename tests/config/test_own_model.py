import json
import re
from pathlib import Path

import pytest

from tests.cli.in_process import run_in_process

PAGE = (Path(__file__).parents[2] / "docs" / "model.md").read_text(encoding="utf-8")
# Tests in one process import one module of each name, and other tests import the page's own name.
NAME = "my_models_of_the_page"
MATRIX = "matrix: {algorithm: [liec], compressor: [sign], workers: [2]}\nbaseline: liec\ntiming: end_to_end\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with the page's module, and its task in a scenario."""
    (module,) = re.findall(r"```python\n# my_models.py\n(.*?)```", PAGE, re.DOTALL)
    (task,) = re.findall(r"```yaml\n(task: .*my_models.*\n)```", PAGE)
    task = task.replace("my_models", NAME)
    (tmp_path / f"{NAME}.py").write_text(module)
    (tmp_path / "s.yaml").write_text(f"name: own\n{task.replace('epochs: 5', 'epochs: 2')}{MATRIX}")
    return tmp_path


def test_the_pages_own_model_is_trained(directory: Path) -> None:
    ran = run_in_process("run", "s.yaml", "--out", "r", "--quiet", directory=directory)
    with (directory / f"{NAME}.py").open("a") as file:
        file.write("# changed\n")
    again = run_in_process("run", "s.yaml", "--out", "r", directory=directory)
    (row,) = json.loads(run_in_process("compare", directory / "r", "--format", "json").stdout)["rows"]

    assert ran.returncode == 0, ran.stderr
    assert "changed" not in ran.stderr
    assert f"the file of {NAME}:small has changed since 1 cell began" in again.stderr
    assert (row["model"], row["width"]) == (f"{NAME}:small", 128)
    # One of 44 steps averages gradients and models, up and down: 128 bits per parameter; others 2, and some scales.
    bits = (43 * 2 + 128) * (64 * 128 + 128 + 128 * 10 + 10)
    assert row["payload_bytes_per_epoch"]["mean"] == pytest.approx(bits / 8 / 2, rel=0.02)


def test_an_option_that_the_function_does_not_have_is_named_with_its_place(directory: Path) -> None:
    text = (directory / "s.yaml").read_text()
    (directory / "s.yaml").write_text(text.replace("width: 128", "widht: 128"))
    ran = run_in_process("run", "s.yaml", "--out", "r", directory=directory)

    assert (ran.returncode, (directory / "r").exists()) == (2, False)
    assert ran.stderr.startswith("liecbench: s.yaml:2:")
    assert f"{NAME}:small has no option 'widht' (did you mean width?)" in ran.stderr


def test_the_pages_model_of_hugging_face_is_predicted(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    (module,) = re.findall(r"```python\n# my_gpt.py\n(.*?)```", PAGE, re.DOTALL)
    (task,) = re.findall(r"```yaml\n(task: .*my_gpt.*\n)```", PAGE)
    name = "my_gpt_of_the_page"
    (tmp_path / f"{name}.py").write_text(module)
    matrix = "matrix: {algorithm: [ddp, powersgd], workers: [8], link: [10mbit]}\n"
    (tmp_path / "s.yaml").write_text(
        f"name: own\n{task.replace('my_gpt', name).replace('width: 128', 'width: 32')}{matrix}"
    )

    done = run_in_process("predict", "s.yaml", "--format", "json", directory=tmp_path)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {row["method"] for row in found["rows"]} == {"ddp", "powersgd"}
    # The embedding of tokens is also the output layer; each of two layers has 12 · 32² weights and 13 · 32 biases.
    left = found["inputs"]["profile"]["num_parameters"] - 2 * (12 * 32**2 + 13 * 32) - 2 * 32
    positions = 64
    assert left % 32 == 0
    assert 50 < left // 32 - positions < 300
