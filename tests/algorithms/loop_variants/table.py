"""The outcome of every variant with every method."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
import torch.distributed as dist

from liecbench.algorithms import LIEC, Algorithm, AllReduce, LocalSGD, MemSGD, PowerSGD
from liecbench.compressors import Sign
from tests.algorithms.loop_variants.loop import Loop, Plain
from tests.algorithms.loop_variants.models import MODELS
from tests.algorithms.loop_variants.optimizers import OPTIMIZERS
from tests.algorithms.loop_variants.refused import REFUSED
from tests.algorithms.loop_variants.training_loops import TRAINING_LOOPS
from tests.algorithms.loop_variants.wrappers import WRAPPERS
from tests.distributed import run_ranks

VARIANTS: Final = TRAINING_LOOPS | MODELS | WRAPPERS | OPTIMIZERS | REFUSED
METHODS: Final[dict[str, Callable[[], Algorithm]]] = {
    "liec": lambda: LIEC(compressor=Sign(), average_period=2, block_bytes=64),
    "memsgd": lambda: MemSGD(compressor=Sign(), block_bytes=64),
    "powersgd": lambda: PowerSGD(min_compression_rate=0.5),
    "local_sgd": lambda: LocalSGD(average_period=2),
    "ddp": AllReduce,
}


def outcome(function: Callable[[Any], Loop], make: Callable[[], Algorithm]) -> str:
    """Return ``ok``, the error that the method raised, or what is wrong with the trained models."""
    method = make()
    try:
        loop = function(method)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        return f"{type(error).__name__}: {error}"
    try:
        if method.is_attached and method.local_models and method.step % 2:  # between two averaging steps
            with method.evaluation():
                mine = loop.managed()
        else:
            mine = loop.managed()
        problem = "" if bool(mine.isfinite().all()) else "the model is not finite"
        others = [torch.empty_like(mine) for _ in range(2)]
        dist.all_gather(others, mine)
        if not torch.equal(others[0], others[1]):
            problem = "the ranks' models differ"
        if isinstance(method, AllReduce) and not torch.equal(mine, function(Plain()).managed()):
            problem = "the model differs from plain DDP's"
    finally:
        method.detach()
    return problem or "ok"


def outcomes(methods: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the outcome of every variant (outer keys) with each of these methods (inner keys)."""
    return {
        name: {method: outcome(function, METHODS[method]) for method in methods} for name, function in VARIANTS.items()
    }


if __name__ == "__main__":
    table = run_ranks(functools.partial(outcomes, tuple(METHODS)), 2)[0]
    print("| variant |", " | ".join(METHODS), "|\n|---|" + "---|" * len(METHODS))
    for name, row in table.items():
        print("|", name, "|", " | ".join(row.values()), "|")
