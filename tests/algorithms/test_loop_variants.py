"""The table of training loops, models and optimizers with which each method works, or which it refuses and why."""

import functools
import re
from typing import Final

import pytest

from tests.algorithms.loop_variants import inductor, refused, table
from tests.distributed import run_ranks

Outcomes = dict[str, dict[str, str]]

# Everything that is not here works, with the ranks' models equal and, for ``ddp``, equal to plain DDP's to the bit.
REFUSED: Final = {
    "lbfgs": r"ValueError: LBFGS calls its closure as often as the rank's own loss demands.*one gradient per step",
    "zero redundancy optimizer": r"TypeError: ZeroRedundancyOptimizer shards .*take an optimizer that is not sharded",
    "fully shard": r"TypeError: FSDPModule \(fully_shard\) shards .*take DistributedDataParallel",
    "model without ddp": r"TypeError: .*not Sequential; wrap the model: DistributedDataParallel\(model\)",
    "optimizer of another model": r"ValueError: the SGD has no parameter of this DistributedDataParallel model",
    "another communication hook": r"ValueError: .*already has a communication hook, fp16_compress_hook",
    "grad scaler": r"RuntimeError: a GradScaler changes the gradients' scale.*bfloat16",
}
REFUSED_BUT_BY_DDP: Final = {
    "join with uneven inputs": r"RuntimeError: .*does not support join\(\).*the same number of batches",
    "sparse embedding": r"ValueError: parameter parts.0.weight has sparse gradients.*sparse=False, or attach AllReduce",
}


# The other methods run with --long: they attach in the same way, and all five take half a minute.
METHODS: Final = ("liec", "ddp")


@pytest.fixture(scope="module")
def ranks() -> list[Outcomes]:
    return run_ranks(functools.partial(table.outcomes, METHODS), 2)


def test_at_least_forty_variants_are_tried(ranks: list[Outcomes]) -> None:
    assert set(ranks[0]) == set(table.VARIANTS)
    assert set(refused.REFUSED) == {*REFUSED, *REFUSED_BUT_BY_DDP}
    assert len(table.VARIANTS) >= 40


@pytest.mark.parametrize("name", table.VARIANTS)
def test_each_method_trains_or_refuses_with_the_reason(ranks: list[Outcomes], name: str) -> None:
    _check(ranks, name)


@pytest.mark.long
def test_the_other_methods_train_or_refuse_as_liec_does() -> None:
    others = tuple(method for method in table.METHODS if method not in METHODS)
    found = run_ranks(functools.partial(table.outcomes, others), 2)
    for name in table.VARIANTS:
        _check(found, name)


@pytest.mark.long
def test_methods_train_modules_that_inductor_compiles() -> None:
    if reason := inductor.missing():
        pytest.skip(reason)
    found = run_ranks(functools.partial(table.outcomes, tuple(table.METHODS), tuple(inductor.INDUCTOR)), 2)
    for name in inductor.INDUCTOR:
        _check(found, name)


def _check(ranks: list[Outcomes], name: str) -> None:
    for outcomes in ranks:
        for method, outcome in outcomes[name].items():
            refusal = REFUSED.get(name) or (REFUSED_BUT_BY_DDP.get(name) if method != "ddp" else None)
            assert re.match(refusal or "ok$", outcome), f"{name}, {method}: {outcome}"
