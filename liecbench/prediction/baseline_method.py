"""The method that predictions compare the others with."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from liecbench.config import registry
from liecbench.config.baseline_choice import BaselineChoice
from liecbench.config.cell import Cell
from liecbench.errors import LiecbenchError, did_you_mean
from liecbench.prediction.method_choice import Method
from liecbench.prediction.named_methods import DEFAULT_COMPRESSORS, named_methods
from liecbench.prediction.prediction_inputs import methods_of

if TYPE_CHECKING:
    from liecbench.algorithms.comm.partition import ServerPlace


def with_baseline(
    methods: Sequence[Method],
    choice: BaselineChoice,
    cells: Sequence[Cell] = (),
    compressors: Sequence[str] | None = None,
    server: "ServerPlace" = "sharded",
) -> tuple[Method, ...]:
    """Return the methods, the baseline first. If the baseline is none of ``methods``, it is added.

    If ``choice`` fixes fields, the baseline is the first of ``methods`` that a cell matched by ``choice`` uses. Else it
    is the first that has the algorithm of ``choice``. A baseline that is added has the options of the first matched
    cell; without such a cell, it has default options.

    Args:
        methods: The methods.
        choice: The baseline's algorithm and, optionally, other fields of its method, such as ``accumulate``.
        cells: The cells of the scenario that chooses the baseline. If ``choice`` fixes fields, it must match a cell.
        compressors: Names of compressors. A baseline that is added for its algorithm's name gets the first that it
            works with. None for the compressor of the first matched cell or, if no cell is matched, ``["sign"]``.
        server: The place of the server, if the baseline is added for its algorithm's name and has a server.

    Raises:
        LiecbenchError: If the baseline has to be added, but one of the names is unknown, or the algorithm works with
            none of the compressors.
    """
    own = methods_of(cell for cell in cells if choice.matches(cell.spec()))

    def is_baseline(method: Method) -> bool:
        if choice.fixed:
            return any(_is_same(method, one) for one in own)
        return method.algorithm.name == choice.algorithm

    found = next(filter(is_baseline, methods), None)
    if found is not None:
        return (found, *(method for method in methods if method is not found))
    if choice.fixed:
        return (_without_default_blocks(own[0]), *methods)
    name, known = choice.algorithm, registry.names("algorithm")
    if name not in known:
        raise LiecbenchError(f"--baseline {name}: there is no such algorithm", did_you_mean(name, known))
    named, *_ = named_methods([name], compressors or DEFAULT_COMPRESSORS, server)
    for one in own[:1]:
        compressor = named.compressor if compressors else one.compressor
        named = dataclasses.replace(named, algorithm=one.algorithm, compressor=compressor)
    return (named, *methods)


def _is_same(one: Method, other: Method) -> bool:
    """Return True if two methods work alike. Optimizers are compared only if both methods name one.

    If a method gives no block size, the default block size of its algorithm is compared.
    """
    names_optimizers = None not in (one.update, other.update)
    complete = {
        repr(
            dataclasses.replace(
                method,
                block_bytes=method.make().bucket_bytes,
                update=method.update if names_optimizers else None,
            )
        )
        for method in (one, other)
    }
    return len(complete) == 1


def _without_default_blocks(method: Method) -> Method:
    unnamed = dataclasses.replace(method, block_bytes=None)
    return unnamed if unnamed.make().bucket_bytes == method.make().bucket_bytes else method
