"""Trainings by a framework on ranks that belong to a process group already, and what they leave there."""

import os
import runpy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn

PAGE = Path(__file__).parents[2] / "docs" / "frameworks.md"


def needs(package: str) -> pytest.MarkDecorator:
    """Return the mark of tests that need ``package``."""
    return pytest.mark.skipif(find_spec(package) is None, reason=f"{package} is missing: pip install '.[frameworks]'")


def look_like_torchrun() -> None:
    """Set the environment variables that torchrun sets, from which frameworks learn of the process group."""
    rank, size = str(dist.get_rank()), str(dist.get_world_size())
    os.environ |= {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size, "GROUP_RANK": "0"}
    os.environ |= {"TORCHELASTIC_RUN_ID": "tests", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}


def sent_by_kernel() -> int:
    """Return the bytes that this process has written so far, to sockets and files, as the kernel counts them."""
    counts = dict(line.split(": ") for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines())
    return int(counts["wchar"])


def values(model: nn.Module) -> Any:
    """Return all of a model's parameters in one array."""
    return np.concatenate([parameter.detach().float().numpy().ravel() for parameter in model.parameters()])


def script(name: str) -> str:
    """Return the script that the documentation shows under the heading ``name``."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {name}\n")[1]
    return section.split("```python\n")[1].split("```")[0]


def run_script(name: str, directory: str) -> dict[str, Any]:
    """Run the documentation's script in ``directory``, and return its names."""
    path = Path(directory, f"{dist.get_rank()}.py")
    path.write_text(script(name), encoding="utf-8")
    os.chdir(directory)
    return runpy.run_path(str(path), run_name="__main__")


def memories(state: dict[str, Any], rank: int) -> Any:
    """Return a rank's error memory in a saved state."""
    (error,) = (value for name, value in state["algorithm"][f"rank_{rank}_of_2"]["memories"].items() if "error" in name)
    return torch.cat(error).numpy()


def local_parameters(state: dict[str, Any], rank: int) -> Any:
    """Return a rank's local model in a saved state, in one array."""
    tensors = state["local"][f"rank_{rank}_of_2"]["model"].values()
    return np.concatenate([value.numpy().ravel() for value in tensors])


def assert_trained_as_alone(ranks: list[dict[str, Any]]) -> None:
    """Check that plain all-reduce by an attached algorithm trains to the bit as the framework does without one."""
    for rank in ranks:
        assert rank["ddp"]["losses"] == rank["alone"]["losses"]
        assert np.array_equal(rank["ddp"]["parameters"], rank["alone"]["parameters"])


def assert_fewer_bytes(ranks: list[dict[str, Any]], compressed: str, num_steps: int) -> None:
    """Check that the training ``compressed`` has sent less than a third of the bytes that plain all-reduce has sent."""
    for rank in ranks:
        assert rank["ddp"]["sent"] > num_steps * 4 * rank["ddp"]["parameters"].size
        assert rank[compressed]["sent"] < rank["ddp"]["sent"] / 3


def assert_detached_with_one_model(ranks: list[dict[str, Any]], training: str) -> None:
    """Check that the ranks have equal models after ``training``, and that its algorithm is detached."""
    assert np.array_equal(ranks[0][training]["parameters"], ranks[1][training]["parameters"])
    assert [rank[training]["attached"] for rank in ranks] == [False, False]


def assert_own_memories(first: Any, second: Any) -> None:
    """Check that the error memories of two ranks are not zero, and differ."""
    assert np.any(first)
    assert np.any(second)
    assert not np.array_equal(first, second)


def assert_clipped_by_one_factor(ranks: list[dict[str, Any]], max_norm: float) -> None:
    """Check that in each step both ranks clip by one factor, which makes the larger norm ``max_norm``."""
    for first, second in zip(ranks[0]["liec"]["norms"], ranks[1]["liec"]["norms"], strict=True):
        assert first[1] / first[0] == pytest.approx(second[1] / second[0], rel=1e-4)
        assert max(first[1], second[1]) == pytest.approx(max_norm, rel=1e-3)


def assert_script_has_trained(ranks: list[dict[str, Any]]) -> None:
    """Check the accuracy of the documentation's script, and that it leaves the ranks with equal models."""
    first, second = (rank["script"] for rank in ranks)

    assert first["accuracy"] > 0.8
    assert np.array_equal(first["parameters"], second["parameters"])
