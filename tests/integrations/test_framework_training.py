import ast
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from liecbench.algorithms import AllReduce, SignSGD
from liecbench.integrations.framework_training import FrameworkTraining, refuse_clipping
from tests.integrations.ranks import needs, script

FRAMEWORKS = ["Hugging Face Trainer", "Accelerate", "Lightning"]


def test_a_training_in_one_process_is_told_how_to_start_several() -> None:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    algorithm = AllReduce()

    with pytest.raises(RuntimeError, match="one process") as caught:
        FrameworkTraining(algorithm, model, [optimizer], 'Trainer(strategy="ddp", devices=2)')

    assert str(caught.value) == (
        "the Linear is not wrapped in DistributedDataParallel, because the framework trains it in one process, which "
        "exchanges nothing that AllReduce could compress; "
        'start one process per worker: Trainer(strategy="ddp", devices=2)'
    )
    assert not algorithm.is_attached


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_script_needs_ten_more_lines_at_most(framework: str) -> None:
    lines = script(framework).splitlines()
    unmodified = [line for line in lines if "# added" not in line]

    assert 0 < len(lines) - len(unmodified) <= 10
    assert "liec" not in ast.unparse(ast.parse("\n".join(unmodified))).lower()


@needs("transformers")
@pytest.mark.long
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_script_trains_with_torchrun(framework: str, tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text(script(framework), encoding="utf-8")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(file)]
    done = subprocess.run(torchrun, cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split("accuracy ")[-1].split()[0]) > 0.8


@pytest.mark.parametrize("max_norm", [None, 0, 0.0, torch.inf])
def test_settings_that_clip_nothing_are_not_refused(max_norm: float | None) -> None:
    refuse_clipping(SignSGD(), max_norm, "max_grad_norm=0")


def test_a_setting_that_clips_is_refused() -> None:
    with pytest.raises(ValueError, match=r"SignSGD is not defined with clipped updates: .*; set max_grad_norm=0"):
        refuse_clipping(SignSGD(), 1.0, "max_grad_norm=0")
