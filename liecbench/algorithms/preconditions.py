"""Checks that an algorithm can work with the model and the training loop to which it is attached."""

import inspect
import sys
from collections.abc import Iterable, Sequence
from types import FrameType

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler
from torch.nn import Parameter
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms.ddp_parameters import sparse_parameters

_INSTEAD = "take DistributedDataParallel, of which every rank has all parameters"
REFUSED_MODULES = {
    "FullyShardedDataParallel": f"shards the parameters over the ranks; {_INSTEAD}",
    "FSDPModule": f"(fully_shard) shards the parameters over the ranks; {_INSTEAD}",
    "DeepSpeedEngine": f"exchanges gradients by itself; {_INSTEAD}",
    "DataParallel": "runs one process for all GPUs; take DistributedDataParallel, with one process per GPU",
}
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
_GRAD_SCALER_FILE = inspect.getfile(GradScaler)
# A scaler calls ``optimizer.step`` itself, so few calls lie between. Every step searches these calls, for about 5 µs.
_MOST_CALLS = 20


def require_ddp(model: nn.Module) -> DistributedDataParallel:
    """Return the DistributedDataParallel module ``model``, without the wrapper of ``torch.compile`` if there is one.

    Raises:
        TypeError: If ``model`` is no DistributedDataParallel module. Also if a method's communication hook cannot work
            with the module. Causes are some options of DDP, such as ``mixed_precision``, and optimizers that step in
            the backward pass.
    """
    ddp = getattr(model, "_orig_mod", model)
    for cls in type(ddp).__mro__:
        if cls.__name__ in REFUSED_MODULES:
            raise TypeError(f"{cls.__name__} {REFUSED_MODULES[cls.__name__]}")
    if not isinstance(ddp, DistributedDataParallel):
        raise TypeError(
            f"attach takes a DistributedDataParallel module, not {type(ddp).__name__}; "
            "wrap the model: DistributedDataParallel(model)"
        )
    if ddp.mixed_precision is not None:
        raise TypeError("DistributedDataParallel(mixed_precision=…) has a hook of its own; use torch.autocast instead")
    if getattr(ddp, "skip_all_reduce_unused_params", False) and ddp.find_unused_parameters:
        raise TypeError(
            "DistributedDataParallel(skip_all_reduce_unused_params=True) calls a hook for some buckets only, so that a "
            "method would wait for the rest; leave the option out"
        )
    if getattr(ddp, "_use_python_reducer", False):
        raise TypeError("torch._dynamo.config.optimize_ddp='python_reducer' runs no communication hook; set it to True")
    if any(hasattr(parameter, "_in_backward_optimizers") for parameter in ddp._module_parameters):
        raise TypeError("an optimizer that steps in the backward pass has a hook of its own; call optimizer.step()")
    return ddp


def refuse_sparse_gradients(ddp: DistributedDataParallel, named: Iterable[tuple[str, Parameter]], method: str) -> None:
    """Raise ValueError if a parameter in ``named`` has sparse gradients.

    An embedding's weight has sparse gradients if the embedding was made with ``sparse=True``.

    Args:
        ddp: The module that contains the embeddings.
        named: The parameters, each as (name, parameter).
        method: The name of the method, for the error message.
    """
    for name in sparse_parameters(ddp, named):
        raise ValueError(
            f"parameter {name} has sparse gradients (an embedding with sparse=True), and {method} exchanges dense "
            "ones; make the embedding with sparse=False, or attach AllReduce"
        )


def require_one_device(named: Sequence[tuple[str, Parameter]]) -> torch.device:
    """Return the device on which all ``named`` parameters are; the CPU if there are none.

    Raises:
        ValueError: If the parameters are on several devices, or on a device that is neither the CPU nor a GPU. Also if
            the dtype of a parameter is not float32, float16 or bfloat16.
    """
    device = next((parameter.device for _, parameter in named), torch.device("cpu"))
    for name, parameter in named:
        if parameter.dtype not in DTYPES or parameter.device.type not in ("cpu", "cuda"):
            found = f"{parameter.dtype} on {parameter.device}"
            places = "float32, float16 or bfloat16 on the CPU or a GPU"
            raise ValueError(f"parameter {name} is {found}; every parameter must be {places}")
        if parameter.device != device:
            raise ValueError(
                f"parameter {name} is on {parameter.device}, others are on {device}; put all on one device"
            )
    return device


def refuse_grad_scaler() -> None:
    """Raise an error if an enabled GradScaler called the current ``optimizer.step``.

    An optimizer does not know its caller, so this function searches the latest calls on the stack.

    Raises:
        RuntimeError: If a GradScaler is the caller. A GradScaler changes the scale of the gradients from step to step,
            but an algorithm's memories, such as error memories, keep the scale of earlier steps.
    """
    frame: FrameType | None = sys._getframe()
    for _ in range(_MOST_CALLS):
        if frame is None:
            return
        if frame.f_code.co_filename == _GRAD_SCALER_FILE:
            scaler = frame.f_locals.get("self")
            if isinstance(scaler, GradScaler) and scaler.is_enabled():
                message = "a GradScaler changes the gradients' scale, and with it the units of what compression keeps"
                raise RuntimeError(f"{message}; train without one, in bfloat16 for instance")
        frame = frame.f_back
