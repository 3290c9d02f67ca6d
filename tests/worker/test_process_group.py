"""Ranks that meet under torchrun, as a launch's do."""

from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from liecbench.launch.channel import write_plan
from liecbench.launch.events import CaseMeasured, Event
from liecbench.launch.plans import TrainingPlan
from liecbench.launch.torchrun import Torchrun, log_tail, start_torchrun
from tests.meeting_rank import NUMEL
from tests.namespace_support import skip_without_namespaces

WORKERS = 2
several_gpus = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="fewer than two GPUs")


def plan(backend: Literal["gloo", "nccl"], device: Literal["cpu", "cuda"], share_gpus: bool) -> TrainingPlan:
    return TrainingPlan(directory="", backend=backend, device=device, share_gpus=share_gpus)


def met(directory: Path, plan: TrainingPlan, *, shaped: bool) -> list[dict[str, Any]]:
    """Return the figures that each rank sends."""
    skip_without_namespaces()
    torchrun = Torchrun(module="tests.meeting_rank", workers=WORKERS, threads=1, shaped=shaped)
    events: list[Event] = []
    write_plan(directory / "plan.json", plan)
    outcome = start_torchrun(torchrun, directory / "plan.json", directory / "log", events.append)
    assert outcome.status == 0, log_tail(outcome.log)
    return [event.figures for event in events if isinstance(event, CaseMeasured)]


@pytest.mark.parametrize("shaped", [False, True], ids=["unshaped", "shaped"])
@pytest.mark.parametrize(
    ("backend", "device", "share_gpus"),
    [
        ("gloo", "cpu", False),
        pytest.param("gloo", "cuda", False, marks=pytest.mark.gpu),
        pytest.param("nccl", "cuda", False, marks=[pytest.mark.gpu, several_gpus]),
        pytest.param("nccl", "cuda", True, marks=pytest.mark.gpu),
    ],
)
def test_ranks_meet_and_send_over_their_links(
    tmp_path: Path,
    backend: Literal["gloo", "nccl"],
    device: Literal["cpu", "cuda"],
    share_gpus: bool,
    shaped: bool,
) -> None:
    ranks = met(tmp_path, plan(backend, device, share_gpus), shaped=shaped)

    same = {"ranks": [0, 1], "total": float(WORKERS * NUMEL), "control_bytes": 0}
    assert [same] * WORKERS == [{name: rank[name] for name in same} for rank in ranks]
    assert [shaped] * WORKERS == [rank["sent"] is not None for rank in ranks]
    # An all-reduce between two ranks sends as many bytes as the vector has.
    assert all(rank["sent"] >= 4 * NUMEL for rank in ranks if shaped)


@pytest.mark.gpu
def test_the_record_describes_nccl(tmp_path: Path) -> None:
    ranks = met(tmp_path, plan("nccl", "cuda", share_gpus=True), shaped=False)

    found = ranks[0]["nccl"]
    assert (found["shared_gpus"], found["transport"], len(found["version"].split("."))) == (True, "socket", 3)
