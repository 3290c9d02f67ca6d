"""Checks that an algorithm can work with the model and the training loop to which it is attached."""

import inspect
import sys
from types import FrameType

import torch
from torch.amp.grad_scaler import GradScaler
from torch.nn.parallel import DistributedDataParallel

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
_GRAD_SCALER_FILE = inspect.getfile(GradScaler)
# A scaler calls ``optimizer.step`` itself, so few calls lie between. Every step searches these calls, for about 5 µs.
_MOST_CALLS = 20


def require_one_device(ddp: DistributedDataParallel) -> torch.device:
    """Return the device of all trainable parameters.

    Raises:
        ValueError: If a parameter is not float32, float16 or bfloat16, or not all are on the CPU or on one GPU.
    """
    named = [(name, parameter) for name, parameter in ddp.module.named_parameters() if parameter.requires_grad]
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
        RuntimeError: If a GradScaler is the caller. It changes the scale of the gradients from step to step, so that
            the memories would be in other units than the gradients.
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
