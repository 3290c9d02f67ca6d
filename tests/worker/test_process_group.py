"""Ranks that meet under torchrun, as a launch's do."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from liecbench.launch.torchrun import Torchrun, log_tail, start_torchrun
from tests.meeting_rank import NUMEL
from tests.namespace_support import skip_without_namespaces

WORKERS = 2
several_gpus = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="fewer than two GPUs")
unsupported = pytest.mark.xfail(reason="NCCL does not support ranks that share a GPU", strict=False)


def met(directory: Path, plan: dict[str, Any], *, shaped: bool) -> list[dict[str, Any]]:
    """What each rank tells."""
    skip_without_namespaces()
    torchrun = Torchrun(module="tests.meeting_rank", workers=WORKERS, threads=1, shaped=shaped)
    heard: list[dict[str, Any]] = []
    (directory / "plan.json").write_text(json.dumps(plan))
    outcome = start_torchrun(torchrun, directory / "plan.json", directory / "log", heard.append)
    assert outcome.status == 0, log_tail(outcome.log)
    return heard


@pytest.mark.parametrize("shaped", [False, True], ids=["unshaped", "shaped"])
@pytest.mark.parametrize(
    ("backend", "device", "share_gpus"),
    [
        ("gloo", "cpu", False),
        pytest.param("gloo", "cuda", False, marks=pytest.mark.gpu),
        pytest.param("nccl", "cuda", False, marks=[pytest.mark.gpu, several_gpus]),
        pytest.param("nccl", "cuda", True, marks=[pytest.mark.gpu, unsupported]),
    ],
)
def test_ranks_meet_and_send_over_their_links(
    tmp_path: Path, backend: str, device: str, share_gpus: bool, shaped: bool
) -> None:
    ranks = met(tmp_path, {"backend": backend, "device": device, "share_gpus": share_gpus}, shaped=shaped)

    same = {"type": "met", "ranks": [0, 1], "total": float(WORKERS * NUMEL), "control_bytes": 0}
    assert [same] * WORKERS == [{name: rank[name] for name in same} for rank in ranks]
    assert [shaped] * WORKERS == [rank["sent"] is not None for rank in ranks]
    # An all-reduce between two ranks sends as many bytes as the vector has.
    assert all(rank["sent"] >= 4 * NUMEL for rank in ranks if shaped)


@pytest.mark.gpu
@unsupported
def test_nccl_is_told_of(tmp_path: Path) -> None:
    ranks = met(tmp_path, {"backend": "nccl", "device": "cuda", "share_gpus": True}, shaped=False)

    found = ranks[0]["nccl"]
    assert (found["shared_gpus"], found["transport"], len(found["version"].split("."))) == (True, "socket", 3)
