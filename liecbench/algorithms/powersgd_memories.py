"""The error memories and matrices Q that PowerSGD keeps from step to step, stored per parameter.

PyTorch's PowerSGD hook stores these tensors per bucket, so they are copied to and from the hook.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook import PowerSGDState

from liecbench.algorithms.powersgd_bucket import HookBucket
from liecbench.algorithms.powersgd_factors import matrix_shape, redraw_zero_columns


class PowerSGDMemories:
    """The error memory and the last matrix Q of each parameter.

    The memories are kept per parameter, so they remain valid if DDP assigns the parameters to other buckets. The errors
    are zeros at first, and the first matrices Q are random numbers that are the same on every rank and in every
    training.

    Args:
        parameters: The parameters with at least one element, in the model's order.
        thin_shapes: Maps a parameter's shape to the shapes of the factors (P, Q) that approximate the gradient as P·Qᵀ.
            Returns () if the parameter is not compressed.
        device: The device of the memories.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        thin_shapes: Callable[[torch.Size], tuple[torch.Size, ...]],
        device: torch.device,
    ) -> None:
        self._parameters, self._thin_shapes, self._device = parameters, thin_shapes, device
        self._compressed = [parameter for parameter in parameters if thin_shapes(parameter.shape)]
        self._errors = {parameter: torch.zeros(parameter.shape, device=device) for parameter in parameters}
        # Not drawn by PyTorch's hook, which draws them in the order of DDP's buckets: a resumed training has another
        # order in its first backward pass.
        generator = torch.Generator().manual_seed(0)
        self._qs = {
            parameter: torch.randn(thin_shapes(parameter.shape)[1], generator=generator).to(device)
            for parameter in self._compressed
        }
        self._errors_before: dict[Tensor, Tensor] = {}
        self._layout: dict[int, list[int]] = {}

    def tensors(self) -> dict[str, list[Tensor]]:
        """Return the error memories under ``error`` and the matrices Q under ``q``, in the parameters' order.

        Uncompressed parameters have no Q.
        """
        return {
            "error": [self._errors[parameter] for parameter in self._parameters],
            "q": [self._qs[parameter] for parameter in self._compressed],
        }

    def shapes(self) -> dict[str, list[torch.Size]]:
        """Return the shapes of the tensors that ``tensors`` returns."""
        return {name: [tensor.shape for tensor in tensors] for name, tensors in self.tensors().items()}

    def load(self, saved: Mapping[str, Sequence[Tensor]]) -> None:
        """Set the memories to copies of ``saved``, which ``tensors`` returned."""
        self._errors = self._copies(self._parameters, saved["error"])
        self._qs = self._copies(self._compressed, saved["q"])

    def _copies(self, parameters: Sequence[Tensor], saved: Sequence[Tensor]) -> dict[Tensor, Tensor]:
        return {
            parameter: memory.to(self._device, copy=True) for parameter, memory in zip(parameters, saved, strict=True)
        }

    def begin_step(self) -> None:
        """Remember the present error memories, for ``restore_errors``. Call it before each step."""
        self._errors_before = dict(self._errors)

    def restore_errors(self, parameters: Sequence[Tensor]) -> None:
        """Set the error memories of ``parameters`` back to their values at the last call of ``begin_step``."""
        for parameter in parameters:
            if (before := self._errors_before.get(parameter)) is not None:
                self._errors[parameter].copy_(before)

    def to_hook(self, state: PowerSGDState, bucket: HookBucket) -> None:
        """Copy the error and Q memories of a bucket's parameters to ``state``, the state of PyTorch's hook.

        Do nothing if the last call for this bucket position had the same parameters.
        """
        layout = [id(parameter) for parameter in bucket.parameters]
        if self._layout.get(bucket.position) == layout:
            return
        self._layout[bucket.position] = layout
        compressed = self._in_order_of_hook(bucket)
        rows = sum(self._thin_shapes(parameter.shape)[0].numel() for parameter in compressed)
        state.error_dict[bucket.position] = self._concatenated([self._errors[p] for p in bucket.parameters])
        state.p_memory_dict[bucket.position] = torch.empty(rows, device=self._device)
        state.q_memory_dict[bucket.position] = self._concatenated([self._qs[p] for p in compressed])

    def from_hook(self, state: PowerSGDState, bucket: HookBucket, step: int) -> None:
        """Store the error and Q memories that the hook computed for a bucket's parameters in step number ``step``."""
        error, q = state.error_dict[bucket.position], state.q_memory_dict[bucket.position]
        pieces = error.split([parameter.numel() for parameter in bucket.parameters])
        for parameter, piece in zip(bucket.parameters, pieces, strict=True):
            self._errors[parameter] = piece.view_as(parameter)
        compressed = self._in_order_of_hook(bucket)
        shapes = [self._thin_shapes(parameter.shape)[1] for parameter in compressed]
        for parameter, shape, piece in zip(compressed, shapes, q.split([s.numel() for s in shapes]), strict=True):
            redraw_zero_columns(piece.view(shape), step)
            # Save a copy, because in a later step the hook may write values that are not finite into its own Q.
            self._qs[parameter] = piece.view(shape).clone()

    def _in_order_of_hook(self, bucket: HookBucket) -> list[Tensor]:
        """Return the parameters of ``bucket`` whose gradients are compressed, in the order of PyTorch's hook.

        In this order, parameters are adjacent if the matrices of their gradients have equal shapes.
        """
        by_shape: dict[tuple[int, int], list[Tensor]] = defaultdict(list)
        for parameter in bucket.parameters:
            if self._thin_shapes(parameter.shape):
                by_shape[matrix_shape(parameter.shape)].append(parameter)
        return [parameter for parameters in by_shape.values() for parameter in parameters]

    def _concatenated(self, tensors: Sequence[Tensor]) -> Tensor:
        return torch.cat([torch.empty(0, device=self._device), *(tensor.reshape(-1) for tensor in tensors)])
