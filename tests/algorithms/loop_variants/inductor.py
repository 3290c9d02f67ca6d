"""Variants of modules compiled by inductor, torch's default, which needs a C++ compiler and some seconds.

Its own import takes seconds, too: it is left to the tests that compile.
"""

from typing import Any, Final

import torch

from tests.algorithms.loop_variants.loop import Loop, Variants, two_layers

INDUCTOR: Final = Variants()


def missing() -> str | None:
    """Return why inductor cannot compile here, or None if it can."""
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        return "skipped: no C++ compiler"
    return None


def _compiled(module: Any) -> Any:
    from torch._inductor import config

    config.compile_threads = 1  # a pool of processes would outlive the rank
    return torch.compile(module)


@INDUCTOR.add
def compiled_by_inductor_before_attach(method: Any) -> Loop:
    return Loop(method, compiles=_compiled).run()


@INDUCTOR.add
def compiled_by_inductor_after_attach(method: Any) -> Loop:
    loop = Loop(method).start()
    loop.ddp = _compiled(loop.ddp)
    return loop.steps()


@INDUCTOR.add
def model_compiled_by_inductor_in_ddp(method: Any) -> Loop:
    return Loop(method, _compiled(two_layers())).run()
