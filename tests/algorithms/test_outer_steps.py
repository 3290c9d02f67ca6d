"""Outer steps on real ranks: what goes on in the background, what is saved, and what is refused."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from liecbench.algorithms import Algorithm, DiLoCo, NonFiniteError, SparseLoCo
from liecbench.compressors import QSGD, Sign, SignL2
from tests.algorithms import buckets, network
from tests.distributed import run_ranks

NUM_WORKERS: Final = 2
MAKERS: Final[dict[str, Callable[[], Algorithm]]] = {
    "plain": lambda: DiLoCo(sync_every=4),
    "streaming": lambda: DiLoCo(sync_every=8, fragments=2, delay=2, mix=0.5, block_bytes=512),
    "compressed": lambda: DiLoCo(sync_every=8, fragments=4, delay=1, compressor=Sign(), error_decay=0.9),
    "sparse": lambda: SparseLoCo(sync_every=8, fragments=2, delay=2, chunk=64, kept=6),
}


def overlapped() -> dict[str, Any]:
    """Train on while the peer has not sent its part of a fragment, which is possible in the background only."""
    algorithm = DiLoCo(sync_every=4, delay=2)
    run = buckets.attached(algorithm)
    run.train([0])
    algorithm.tracer.enabled = True
    if dist.get_rank() == 0:
        run.train([1, 2])  # the fragment is sent after step 1, and needed after step 3
    before, now = (algorithm.step, algorithm.counters.received_bytes), time.perf_counter()
    dist.monitored_barrier(timeout=timedelta(seconds=60))
    if dist.get_rank() == 1:
        run.train([1, 2])
    with algorithm.evaluation():
        evaluated = run.flat()
    local = run.flat()
    run.train([3])
    waits = [span.end > now for span in algorithm.tracer.drain() if span.name == "wait"]
    return {"before": before, "evaluated": evaluated, "local": local, "after": run.flat(), "waits": waits}


def stopped() -> tuple[str, int]:
    """Make rank 1's gradient NaN in step 1, when nothing is sent: the next outer step is sent after step 2."""
    algorithm = DiLoCo(sync_every=5, delay=2)
    run = buckets.attached(algorithm)
    try:
        run.train(range(6), lambda step: torch.nan if step == 1 and dist.get_rank() == 1 else 1)
    except NonFiniteError as error:
        return str(error), algorithm.step
    return "nothing was raised", algorithm.step


def attached_twice() -> list[Tensor]:
    """Train, detach, and go on with the same object, and with a new one."""
    models = []
    for goes_on in (True, False):
        algorithm = DiLoCo(sync_every=2, delay=1)
        run = buckets.attached(algorithm)
        run.train(range(3))  # a fragment is under way
        algorithm.detach()
        second = algorithm if goes_on else DiLoCo(sync_every=2, delay=1)
        second.attach(run.ddp, run.optimizer)
        run.train(range(3, 7))
        models.append(run.flat())
    return models


def clipped(name: str) -> tuple[list[float], list[float]]:
    """Clip while rank 0 has not begun to exchange a fragment, and the other ranks have.

    Return the norm that the method returns and this rank's own norm, in each step.
    """
    algorithm = MAKERS[name]()
    _, ddp, optimizer = network.made(algorithm, process_group=dist.new_group(timeout=timedelta(seconds=60)))
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


def clipped_by_all() -> dict[str, tuple[list[float], list[float]]]:
    return {name: clipped(name) for name in ("streaming", "sparse")}


def refused() -> str:
    with pytest.raises(ValueError, match="fragments") as error:
        buckets.attached(DiLoCo(sync_every=7, fragments=7))
    return str(error.value)


def compression_errors() -> list[float | None]:
    """Return the compression errors before the first step, after a local step, and after an outer step."""
    algorithm = DiLoCo(sync_every=2, compressor=Sign(), error_decay=1.0, server="root")
    run = buckets.attached(algorithm)
    errors = [algorithm.compression_error()]
    for step in range(2):
        run.train([step])
        errors.append(algorithm.compression_error())
    return errors


def observe() -> dict[str, Any]:
    return {
        "overlapped": overlapped(),
        "stopped": stopped(),
        "attached twice": attached_twice(),
        "refused": refused(),
        "errors": compression_errors(),
        "traffic": {name: buckets.traffic(make(), 16) for name, make in MAKERS.items()},
        # After six steps a fragment of "streaming" is under way, and after seven one of "compressed".
        "resumed": {(name, half): buckets.resumed(make, half=half) for name, make in MAKERS.items() for half in (6, 7)},
    }


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Any]]:
    return run_ranks(observe, NUM_WORKERS)


def test_sparseloco_has_no_server() -> None:
    with pytest.raises(TypeError, match="SparseLoCo has no option 'server'; its options are "):
        SparseLoCo(server="root")  # type: ignore[call-arg]


def test_a_worker_trains_on_while_a_fragment_is_under_way(ranks: list[dict[str, Any]]) -> None:
    seen = ranks[0]["overlapped"]

    assert seen["before"] == (3, 0)  # nothing had arrived when step 2 was over
    # The trace shows that the wait for the peer was not over by then. (It may have begun later, on a loaded machine.)
    assert any(seen["waits"])


def test_evaluation_takes_the_mean_of_the_local_models_while_a_fragment_is_under_way(
    ranks: list[dict[str, Any]],
) -> None:
    runs = [rank["overlapped"] for rank in ranks]
    mean = (runs[0]["local"] + runs[1]["local"]) / 2

    assert not torch.equal(runs[0]["local"], runs[1]["local"])
    for run in runs:
        torch.testing.assert_close(run["evaluated"], mean)
    assert torch.equal(runs[0]["after"], runs[1]["after"])


def test_gradients_are_clipped_while_a_fragment_is_under_way() -> None:
    ranks = run_ranks(clipped_by_all, 3)  # two ranks exchange without a barrier, which could wait for the clipping

    for name in ranks[0]:
        largest = [max(norms) for norms in zip(*(rank[name][1] for rank in ranks), strict=True)]
        for rank in ranks:
            assert rank[name][0] == pytest.approx(largest, rel=1e-5)


def test_a_gradient_that_is_not_finite_stops_all_ranks_at_the_outer_step(ranks: list[dict[str, Any]]) -> None:
    assert [rank["stopped"] for rank in ranks] == [("step 2: the models are not finite", 5)] * NUM_WORKERS


def test_a_method_that_is_attached_again_begins_with_the_model_that_it_finds(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert torch.equal(*rank["attached twice"])


def test_more_fragments_than_tensors_are_refused(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert rank["refused"] == (
            "DiLoCo does not work with this model: fragments 7 is more than the 6 parameter tensors of the model, and "
            "a fragment has whole tensors; write fragments 6 or fewer"
        )


@pytest.mark.parametrize("name", MAKERS)
def test_steps_send_their_schedule(name: str, ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        counted, scheduled = rank["traffic"][name]
        assert counted == scheduled
        assert min(counted) > 0


@pytest.mark.parametrize("half", [6, 7])
@pytest.mark.parametrize("name", MAKERS)
def test_resumed_training_is_equal_to_the_bit(name: str, half: int, ranks: list[dict[str, Any]]) -> None:
    assert [rank["resumed"][name, half] for rank in ranks] == [(0.0, 2 * half)] * NUM_WORKERS


def test_the_compression_error_is_that_of_the_pseudo_gradient(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        first, local, outer = rank["errors"]
        assert first is None
        assert local is not None
        assert 0 < local < 1
        assert outer is not None  # of the error memory alone
        assert 0 < outer < 1


def test_a_local_step_sends_nothing_and_an_outer_step_the_fragment() -> None:
    shapes = [torch.Size((n,)) for n in (100, 60, 40)]
    algorithm = DiLoCo(sync_every=8, fragments=2, delay=3, server="root")
    kinds = [algorithm.step_kind(step) for step in range(8)]
    sent = [algorithm.schedule(shapes, world_size=2, step=step).payload_bytes() for step in range(8)]

    assert kinds == ["outer_0", "local", "local", "local", "outer_1", "local", "local", "local"]
    assert sent == [[(0, 0)] * 2 if kind == "local" else [(400, 400)] * 2 for kind in kinds]
    assert algorithm.schedule(shapes, world_size=2, step=0).overlapped_steps == 3


def test_options_that_contradict_each_other_are_refused_with_what_to_write() -> None:
    with pytest.raises(ValueError, match="write a delay of at most 3, or a larger sync_every"):
        DiLoCo(sync_every=8, fragments=2, delay=4)
    with pytest.raises(ValueError, match="write sync_every 9, or other fragments"):
        DiLoCo(sync_every=8, fragments=3)
    with pytest.raises(ValueError, match="write error_decay 0, or take a contraction"):
        DiLoCo(compressor=QSGD(), error_decay=0.9)
    with pytest.raises(ValueError, match=r"SignL2\(\) is none; write error_decay 0"):
        DiLoCo(compressor=SignL2(), error_decay=0.9)
    assert DiLoCo(compressor=QSGD()).error_decay == 0
