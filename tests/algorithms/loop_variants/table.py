"""The outcome of every variant with every method."""

import faulthandler
import functools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
import torch.distributed as dist

from liecbench.algorithms import LIEC, Algorithm, AllReduce, LocalSGD, MemSGD, PowerSGD
from liecbench.compressors import Sign
from tests.algorithms.loop_variants.inductor import INDUCTOR, missing
from tests.algorithms.loop_variants.loop import Loop, Plain
from tests.algorithms.loop_variants.models import MODELS
from tests.algorithms.loop_variants.optimizers import OPTIMIZERS
from tests.algorithms.loop_variants.refused import REFUSED
from tests.algorithms.loop_variants.training_loops import TRAINING_LOOPS
from tests.algorithms.loop_variants.wrappers import WRAPPERS
from tests.distributed import run_ranks

VARIANTS: Final = TRAINING_LOOPS | MODELS | WRAPPERS | OPTIMIZERS | REFUSED
# A rank whose variant takes longer prints where it stands, and ends: the others then end, too.
LIMIT_SECONDS: Final = 120.0
METHODS: Final[dict[str, Callable[[], Algorithm]]] = {
    "liec": lambda: LIEC(compressor=Sign(), average_period=2, block_bytes=64),
    "memsgd": lambda: MemSGD(compressor=Sign(), block_bytes=64),
    "powersgd": lambda: PowerSGD(min_compression_rate=0.5),
    "local_sgd": lambda: LocalSGD(average_period=2),
    "ddp": AllReduce,
}


def outcome(function: Callable[[Any], Loop], make: Callable[[], Algorithm]) -> str:
    """Return ``ok``, the error that the method raised, or what is wrong with the trained models."""
    faulthandler.dump_traceback_later(LIMIT_SECONDS, exit=True)
    try:
        return _outcome(function, make())
    finally:
        faulthandler.cancel_dump_traceback_later()


def _outcome(function: Callable[[Any], Loop], method: Algorithm) -> str:
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


def outcomes(methods: Sequence[str], variants: Sequence[str] = tuple(VARIANTS)) -> dict[str, dict[str, str]]:
    """Return the outcome of these variants (outer keys) with each of these methods (inner keys)."""
    everything = VARIANTS | INDUCTOR
    return {name: {method: outcome(everything[name], METHODS[method]) for method in methods} for name in variants}


def main() -> None:
    """Print the table, and how many of its entries are of each kind."""
    unable = missing()
    variants = (*VARIANTS, *(() if unable else INDUCTOR))
    table = run_ranks(functools.partial(outcomes, tuple(METHODS), variants), 2)[0]
    print("| variant |", " | ".join(METHODS), "|\n|---|" + "---|" * len(METHODS))
    for name, row in table.items():
        print("|", name, "|", " | ".join(row.values()), "|")
    print(Counter("ok" if outcome == "ok" else "not ok" for row in table.values() for outcome in row.values()), unable)


if __name__ == "__main__":
    main()
