import itertools
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import LIEC, PSGD, Algorithm, LocalSGD, MemSGD, NonFiniteError, PowerSGD
from liecbench.algorithms.comm.partition import Block
from liecbench.compressors import QSGD, Compressor, Sign, TopK
from tests.algorithms import buckets, network
from tests.algorithms.test_trajectories import METHODS, make
from tests.distributed import run_ranks

NUM_WORKERS = 3
BLOCK_BYTES = 512
SERVERS = ["root", "sharded"]
COMPRESSORS: dict[str, Compressor] = {"sign": Sign(), "top_k": TopK(0.05), "qsgd": QSGD()}
PLACED = list(itertools.product(METHODS, SERVERS))
RESUMED = [*((method, "sharded") for method in METHODS), ("doublesqueeze", "root"), ("ef21_bc", "root")]
# Between two averaging steps: the resumed half of the steps has one.
RESUMED_AFTER, RESUMED_PERIOD = 2, 4
TRAFFIC_STEPS = 2  # one step of each kind
# With a period of 2, step 1 averages or resets; with the tests' usual period it does not.
NON_FINITE = [
    *((method, "sign", network.PERIOD, torch.nan) for method in METHODS if method != "local_sgd"),
    *((method, "sign", 2, torch.nan) for method in ("cser", "liec")),
    *(
        (method, "top_k", network.PERIOD, torch.nan)
        for method in ("memsgd", "doublesqueeze", "cser", "liec", "ef21_bc")
    ),
    ("csgd", "qsgd", network.PERIOD, torch.nan),
    *(("doublesqueeze", compressor, network.PERIOD, torch.inf) for compressor in ("sign", "top_k")),
]


class Failing(PSGD):
    """A third party's algorithm with a bug."""

    def reduce(self, block: Block) -> Tensor:
        if self.step == 2 and block.index == 1:
            raise ValueError("boom")
        return super().reduce(block)


def failure_in_step_two() -> tuple[str, int]:
    algorithm = Failing(block_bytes=BLOCK_BYTES)
    try:
        buckets.attached(algorithm).train(range(5))
    except ValueError as error:
        return str(error), algorithm.step
    return "nothing was raised", algorithm.step


def make_small(method: str, server: str, compressor: str | None = None, period: int = network.PERIOD) -> Algorithm:
    kind = compressor or ("qsgd" if method == "csgd" else "sign")
    periodic = {"average_period": period} if method in ("cser", "liec", "local_sgd") else {}
    return make(method, COMPRESSORS[kind], server=server, block_bytes=BLOCK_BYTES, **periodic)


def local_sgd_with_a_nan() -> tuple[str, int, bool]:
    """Make rank 1's gradient NaN in step 1; models are averaged in step 3.

    Returns:
        The error, the step, and whether the model of this rank is finite.
    """
    algorithm = LocalSGD(average_period=4)
    run = buckets.attached(algorithm)
    try:
        run.train(range(6), lambda step: torch.nan if step == 1 and dist.get_rank() == 1 else 1)
    except NonFiniteError as error:
        return str(error), algorithm.step, bool(run.flat().isfinite().all())
    return "nothing was raised", algorithm.step, False


def refusals() -> list[str]:
    double = nn.Linear(3, 3).double()
    with pytest.raises(ValueError, match="must be float32") as of_type:
        PSGD().attach(DistributedDataParallel(double), torch.optim.SGD(double.parameters(), lr=1))
    with pytest.raises(TypeError) as of_module:
        PSGD().attach(double, torch.optim.SGD(double.parameters(), lr=1))
    liec, memsgd = LIEC(compressor=Sign()), MemSGD(compressor=Sign())
    buckets.attached(liec)
    buckets.attached(memsgd)
    with pytest.raises(ValueError, match="the state is that of") as of_state:
        liec.load_state_dict(memsgd.state_dict())
    return [str(error.value) for error in (of_type, of_module, of_state)]


def evaluate_in_between() -> tuple[Tensor, Tensor, Tensor]:
    """Return the local model, the one that is evaluated, and the one that comes back."""
    algorithm = LIEC(compressor=Sign(), average_period=100)
    run = buckets.attached(algorithm)
    run.train(range(3))
    local = run.flat()
    with algorithm.evaluation():
        evaluated = run.flat()
    return local, evaluated, run.flat()


def evaluate_a_nan() -> dict[str, Any]:
    """Evaluate local models of which rank 1's last block is NaN; return what is left, and the next step's error."""
    algorithm = LIEC(compressor=Sign(), average_period=100, block_bytes=BLOCK_BYTES)
    run = buckets.attached(algorithm)
    run.train(range(3))
    if dist.get_rank() == 1:
        with torch.no_grad():
            next(run.model.parameters()).fill_(torch.nan)
    local = run.flat()
    with pytest.raises(NonFiniteError), algorithm.evaluation():
        pass
    restored = run.flat()
    with pytest.raises(NonFiniteError) as later:
        run.train([3])
    algorithm.detach()
    return {"local": local, "restored": restored, "later": str(later.value)}


def failure_before_the_blocks() -> list[str]:
    """Return the errors of training after an error on the communication thread outside a method's arithmetic."""
    server, powersgd = PSGD(), PowerSGD()
    runs = [buckets.attached(algorithm) for algorithm in (server, powersgd)]
    server._buckets._block_of.clear()
    powersgd._timed_group._watch = None  # type: ignore[assignment]
    messages = []
    for run in runs:
        with pytest.raises((KeyError, AttributeError)) as raised:
            run.train(range(2))
        messages.append(raised.type.__name__)
    return messages


def resumed(method: str, server: str) -> tuple[float, int]:
    return buckets.resumed(lambda: make_small(method, server, period=RESUMED_PERIOD), half=RESUMED_AFTER)


def observe() -> dict[str, Any]:
    return {
        "nan": evaluate_a_nan(),
        "before": failure_before_the_blocks(),
        "failed": failure_in_step_two(),
        "stopped": [buckets.stopped(make_small(m, "sharded", c, period), value) for m, c, period, value in NON_FINITE],
        "stopped at the root": buckets.stopped(make_small("doublesqueeze", "root"), torch.nan),
        "local_sgd": local_sgd_with_a_nan(),
        "refused": refusals(),
        "evaluated": evaluate_in_between(),
        "traffic": {case: buckets.traffic(make_small(*case, period=TRAFFIC_STEPS), TRAFFIC_STEPS) for case in PLACED},
        "resumed": {case: resumed(*case) for case in RESUMED},
    }


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Any]]:
    return run_ranks(observe, NUM_WORKERS)


def test_an_exception_on_the_communication_thread_reaches_the_caller(ranks: list[dict[str, Any]]) -> None:
    assert [rank["failed"] for rank in ranks] == [("boom", 2)] * NUM_WORKERS


@pytest.mark.parametrize("case", range(len(NON_FINITE)), ids=["-".join(map(str, case)) for case in NON_FINITE])
def test_one_gradient_that_is_not_finite_stops_all_ranks_at_its_step(ranks: list[dict[str, Any]], case: int) -> None:
    message = "step 1: gradients of block 0 (2.bias … 4.bias) are not finite"

    assert [rank["stopped"][case] for rank in ranks] == [(message, 1, True, True)] * NUM_WORKERS


def test_a_root_stops_all_ranks_if_one_gradient_is_not_finite(ranks: list[dict[str, Any]]) -> None:
    message = "step 1: gradients of block 0 (2.bias … 4.bias) are not finite"

    assert [rank["stopped at the root"] for rank in ranks] == [(message, 1, True, True)] * NUM_WORKERS


def test_local_sgd_stops_all_ranks_when_the_models_are_averaged(ranks: list[dict[str, Any]]) -> None:
    messages = {rank["local_sgd"][0] for rank in ranks}

    assert len(messages) == 1
    assert messages.pop().endswith("the models are not finite")
    assert {rank["local_sgd"][1] for rank in ranks} == {4}


def test_errors_of_attach_and_load_name_the_mistake(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        of_type, of_module, of_state = rank["refused"]
        needed = "every parameter must be float32, float16 or bfloat16 on the CPU or a GPU"
        assert of_type == f"parameter weight is torch.float64 on cpu; {needed}"
        assert of_module == (
            "attach takes a DistributedDataParallel module, not Linear; wrap the model: DistributedDataParallel(model)"
        )
        assert of_state.startswith("the state is that of MemSGD, and this is LIEC; attach MemSGD, or go on without")


def test_evaluation_uses_the_mean_model_and_restores_the_local_one(ranks: list[dict[str, Any]]) -> None:
    mean = torch.stack([rank["evaluated"][0] for rank in ranks]).mean(dim=0)

    for rank in ranks:
        local, evaluated, restored = rank["evaluated"]
        assert float((local - mean).norm()) > 1e-4
        torch.testing.assert_close(evaluated, mean, rtol=1e-6, atol=1e-7)
        assert torch.equal(restored, local)


def test_a_failed_evaluation_restores_the_local_models_and_ends_the_training(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        seen = rank["nan"]
        torch.testing.assert_close(seen["restored"], seen["local"], rtol=0, atol=0, equal_nan=True)
        assert seen["later"] == "step 2: the models are not finite"


def test_an_error_before_the_first_block_ends_the_backward_pass(ranks: list[dict[str, Any]]) -> None:
    assert [rank["before"] for rank in ranks] == [["KeyError", "AttributeError"]] * NUM_WORKERS


@pytest.mark.parametrize("case", PLACED, ids="-".join)
def test_a_step_sends_its_schedule(ranks: list[dict[str, Any]], case: tuple[str, str]) -> None:
    for rank in ranks:
        counted, scheduled = rank["traffic"][case]
        assert counted == scheduled
        assert min(counted) > 0


@pytest.mark.parametrize("case", RESUMED, ids="-".join)
def test_resumed_training_is_equal_to_the_bit_on_every_rank(ranks: list[dict[str, Any]], case: tuple[str, str]) -> None:
    assert [rank["resumed"][case] for rank in ranks] == [(0.0, 2 * RESUMED_AFTER)] * NUM_WORKERS
