"""The file of each rank: refused by another number of ranks, and missing in a checkpoint of plain DDP."""

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import MemSGD
from liecbench.compressors import Sign
from liecbench.integrations.framework_training import FrameworkTraining
from liecbench.integrations.rank_files import load_rank_file, save_rank_file
from tests.distributed import run_ranks


def attached() -> FrameworkTraining:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return FrameworkTraining(MemSGD(compressor=Sign()), DistributedDataParallel(model), [optimizer], "torchrun …")


def save(directory: str) -> None:
    save_rank_file(directory, attached())


def errors_of_loading(saved_by_two: str, empty: str) -> list[str]:
    training = attached()
    with pytest.raises(ValueError, match="ranks") as caught:
        load_rank_file(saved_by_two, training)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        load_rank_file(empty, training)
    return [str(caught.value), str(warned[0].message)]


def test_files_of_other_ranks_are_refused_and_missing_ones_are_a_warning(tmp_path: Path) -> None:
    run_ranks(save, 2, str(tmp_path / "two"))
    ((refusal, warning),) = run_ranks(errors_of_loading, 1, str(tmp_path / "two"), str(tmp_path))

    assert refusal.startswith("the state was saved by 2 ranks, and now there are 1; train with 2 ranks, or")
    assert warning == f"{tmp_path} was saved without MemSGD, whose memories start from zero"
