"""The command that measures a profile."""

import shlex
import shutil
from pathlib import Path

import pytest
from torch import Tensor, nn

from liecbench.config.bundled_scenarios import profile_path
from liecbench.profiles.profile_file import read_profile
from tests.cli.in_process import run_in_process

SCENARIO = """
name: small
task: {dataset: digits, model: {name: mlp, width: 16}, batch_size: 32, epochs: 1, learning_rate: 0.1}
matrix:
  algorithm: [ddp, liec]
  compressor: [sign]
  workers: [2]
  link: [none]
  seed: [0]
compute: missing.json
"""


class Broken(nn.Linear):
    """A model that takes the two inputs of a check, but no minibatch."""

    def forward(self, inputs: Tensor) -> Tensor:
        if len(inputs) == 32:
            raise RuntimeError("broken")
        return super().forward(inputs.flatten(1))


def broken() -> nn.Module:
    return Broken(64, 10)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(SCENARIO)
    return tmp_path


def test_a_profile_of_a_scenario_is_measured_and_written(directory: Path) -> None:
    options = ("--model", "tests.own_models:dropout", "--batch-size", 8, "--precision", "bf16", "--only", "workers=2")
    shutil.copy(profile_path("h100-resnet18"), directory / "profile.json")
    done = run_in_process("profile", "small.yaml", *options, directory=directory)

    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        0,
        "replaced profile.json; next: liecbench predict --profile profile.json, or compute: profile.json in small.yaml",
    )
    profile = read_profile(directory / "profile.json")
    assert (profile.batch_size, profile.precision, profile.threads) == (8, "bf16", 1)
    assert profile.origin == "measured"
    assert {one.algorithm["name"] for one in profile.methods} == {"ddp", "liec"}
    assert [times.compressor["name"] for times in profile.compressors] == ["identity", "sign"]
    assert profile.message_seconds is not None
    assert 1e-6 < profile.message_seconds < 1
    assert profile.hop_seconds is not None
    assert 1e-6 < profile.hop_seconds < 1
    assert "liec (average_period 32) + sign" in done.stdout
    done = run_in_process("profile", "small.yaml", "--only", "algorithm=ddp", "--quiet", directory=directory)
    assert (done.returncode, done.stderr, read_profile(directory / "profile.json").batch_size) == (0, "", 32)


@pytest.mark.parametrize(
    ("options", "command", "refusal"),
    [
        (("-o", "my profile.json"), "liecbench predict 'small net.yaml' --profile 'my profile.json'", ""),
        (("--only", "algorithm=ddp"), "liecbench predict --profile profile.json", "no times of the compressor sign"),
        (("--set", "task.model.width=8"), "liecbench predict --profile profile.json", "profile of another model"),
    ],
)
def test_the_next_command_names_the_scenario_if_predict_accepts_it_with_the_profile(
    tmp_path: Path, options: tuple[str, ...], command: str, refusal: str
) -> None:
    (tmp_path / "small net.yaml").write_text(SCENARIO.replace("compute: missing.json\n", ""))

    done = run_in_process("profile", "small net.yaml", *options, directory=tmp_path)
    profile = shlex.split(command)[-1]
    predicted = run_in_process("predict", "small net.yaml", "--profile", profile, directory=tmp_path)

    assert f"; next: {command}, or compute: " in done.stderr.splitlines()[-1]
    assert predicted.returncode == (2 if refusal else 0)
    assert refusal in predicted.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--set", "matrix.batch_size=[8, 16]"), "several values of batch_size: 8, 16; a profile has one; choose the"),
        (("-o", "small.yaml"), "not overwritten, because it is no profile: small.yaml:2:1: not JSON"),
        (("-o", "no/where.json"), "no/where.json: No such file or directory; give a file in a directory"),
        (("--model", "nothing"), "task.model"),
        (("--model", "tests.cli.test_profiling:broken"), "cannot be trained: RuntimeError: broken; correct the model"),
    ],
)
def test_what_cannot_be_profiled_is_refused(directory: Path, options: tuple[str, ...], message: str) -> None:
    done = run_in_process("profile", "small.yaml", *options, directory=directory)

    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert message in done.stderr.splitlines()[-1]
    assert (directory / "small.yaml").read_text() == SCENARIO
    assert not (directory / "profile.json").exists()
