"""Record the schedule of a step by running a method in one process, on tensors without data."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from liecbench.algorithms.comm.exchange import Combine, Exchange
from liecbench.algorithms.comm.partition import ServerPlace
from liecbench.algorithms.comm.schedule import Call, Direction, ScheduleError
from liecbench.compressors.base import Compressor


class _WithoutArithmetic(TorchFunctionMode):
    """A context manager in which torch skips in-place operations and operations with an argument ``out``.

    On tensors of the meta device, which have no values, these operations would change nothing. Skipping them keeps
    torch from importing its compiler, which takes seconds.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if kwargs.get("out") is not None:
            return kwargs["out"]
        name = getattr(func, "__name__", "")
        if name.endswith("_") and not name.endswith("__") and isinstance(args[0], Tensor):
            return args[0]
        return func(*args, **kwargs)


class RecordingExchange(Exchange):
    """An exchange that sends nothing, and records the pushes, pulls and gathers in ``calls``.

    Vectors are on the meta device: they have a shape, but no values. Only the calls of rank 0 are made, because
    every rank would make the same calls.
    """

    def __init__(self, world_size: int, server: ServerPlace) -> None:
        super().__init__(0, world_size, server)
        self.calls: list[Call] = []
        self._block: int | None = None
        self._is_after_step = False

    def begin(self, step: int, block: int) -> None:
        """Record ``block`` as the block number of each later push, pull and gather.

        After a call of ``begin_after_step``, record None instead of ``block``. ``step`` is ignored.
        """
        self._block = None if self._is_after_step else block

    def begin_after_step(self) -> None:
        """Record all later pushes, pulls and gathers with the block number None: they follow the optimizer's step."""
        self._block, self._is_after_step = None, True

    @contextmanager
    def recording(self, method: str) -> Iterator[None]:
        """Prepare torch for a ``with`` body that runs a training method on tensors of the meta device.

        Tensors of the meta device have a shape but no values. In the body, torch skips in-place operations and
        operations with an argument ``out``, because without values these operations would change nothing.

        Args:
            method: The training method's name for the error message, such as ``MemSGD``.

        Raises:
            ScheduleError: If the body reads a tensor's values.
        """
        try:
            with _WithoutArithmetic():
                yield
        except RuntimeError as error:  # torch raises it, or its subclass NotImplementedError, for a value on "meta"
            raise ScheduleError(
                f"what {method} sends cannot be recorded: {error}; its reduce and after_step must not read a tensor's "
                "values"
            ) from error

    def push(
        self, compressor: Compressor, vector: Tensor, *, residual: Tensor | None = None, out: Tensor | None = None
    ) -> Tensor:
        """Record a push in ``calls``.

        The arguments are those of ``Exchange.push``. The returned tensor has the shape of the mean that
        ``Exchange.push`` returns, but no values.
        """
        self._record("push", vector.numel(), compressor)
        own = self.local_shard(vector.numel())
        return torch.empty(own.numel, device="meta") if out is None else out[own.start : own.stop]

    def pull(
        self,
        compressor: Compressor,
        mean: Tensor,
        *,
        out: Tensor | None = None,
        add_to: Tensor | None = None,
        weight: float = 1.0,
        error: Tensor | None = None,
    ) -> Tensor:
        """Record a pull.

        The arguments are those of ``Exchange.pull``, which takes either ``out`` or ``add_to``. Return the given one of
        the two, unchanged.
        """
        target = out if add_to is None else add_to
        assert target is not None, "a pull needs either out or add_to"
        self._record("pull", target.numel(), compressor)
        return target

    def gather(
        self,
        compressor: Compressor,
        vector: Tensor,
        *,
        out: Tensor,
        residual: Tensor | None = None,
        combine: Combine | None = None,
    ) -> Tensor:
        """Record a gather.

        The arguments are those of ``Exchange.gather``. Return ``out``, unchanged.
        """
        self._record("gather", vector.numel(), compressor)
        return out

    def keep_residual(self, compressor: Compressor, vector: Tensor) -> None:
        """Do nothing: there is no message to record."""

    def _record(self, direction: Direction, numel: int, compressor: Compressor) -> None:
        self.calls.append(Call(direction=direction, numel=numel, compressor=compressor, block=self._block))
