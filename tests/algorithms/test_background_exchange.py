"""Collectives of the training loop while a fragment is exchanged on the communication thread."""

import datetime as dt
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import pytest
import torch
import torch.distributed as dist

from liecbench.algorithms import Algorithm, DiLoCo, SparseLoCo
from tests.algorithms import network
from tests.distributed import run_ranks

NUM_WORKERS: Final = 3  # two ranks exchange without a barrier
MAKERS: Final[dict[str, Callable[[], Algorithm]]] = {
    "diloco": lambda: DiLoCo(sync_every=8, fragments=2, delay=2),
    "sparseloco": lambda: SparseLoCo(sync_every=8, fragments=2, delay=2, chunk=64, kept=6),
}


def clipped(make: Callable[[], Algorithm]) -> tuple[list[float], list[float]]:
    """Clip while rank 0 has not begun to exchange a fragment, and the other ranks have.

    Return the norm that the method returns and this rank's own norm, in each step.
    """
    algorithm = make()
    _, ddp, optimizer = network.made(algorithm, process_group=dist.new_group(timeout=dt.timedelta(seconds=60)))
    sent_after = next(step for step in range(8) if algorithm.step_kind(step) != "local")
    is_clipped = threading.Event()
    norms, own = [], []
    for step in range(sent_after + 3):
        if step == sent_after and dist.get_rank() == 0:
            algorithm._thread.start(lambda: is_clipped.wait(60))  # type: ignore[attr-defined]
        optimizer.zero_grad()
        network.loss(ddp, step, dist.get_rank()).backward()
        gradients = [p.grad.flatten() for p in ddp.module.parameters() if p.grad is not None]
        own.append(float(torch.cat(gradients).norm()))
        if step == sent_after + 1 and dist.get_rank() > 0:
            time.sleep(0.5)  # their communication threads begin the exchange before the clipping
        norms.append(float(algorithm.clip_grad_norm_(0.01)))
        if step == sent_after + 1:
            is_clipped.set()
        optimizer.step()
    algorithm.detach()
    return norms, own


def observe() -> dict[str, Any]:
    return {name: clipped(make) for name, make in MAKERS.items()}


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Any]]:
    return run_ranks(observe, NUM_WORKERS)


@pytest.mark.parametrize("name", MAKERS)
def test_gradients_are_clipped_while_a_fragment_is_under_way(name: str, ranks: list[dict[str, Any]]) -> None:
    largest = [max(norms) for norms in zip(*(rank[name][1] for rank in ranks), strict=True)]

    for rank in ranks:
        assert rank[name][0] == pytest.approx(largest, rel=1e-5)
