"""Refuse models that communicate in their passes, such as SyncBatchNorm, when one rank trains without peers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from liecbench.errors import LiecbenchError

_NAMESPACES = ("c10d", "_c10d_functional", "_c10d_functional_autograd")


class NoCommunication(TorchDispatchMode):
    """A context manager that raises LiecbenchError when its body begins an operation of ``torch.distributed``."""

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func.namespace in _NAMESPACES:
            operation = func.__name__.partition(".")[0].rstrip("_")
            raise LiecbenchError(
                f"the model communicates in its own training step ({operation}), so that no profile of one rank has "
                "its times",
                "write `compute: measured` in the scenario",
            )
        operator: Callable[..., Any] = func
        return operator(*args, **(kwargs or {}))
