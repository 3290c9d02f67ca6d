"""Put a model into evaluation mode in a ``with`` block, and restore the mode of each module after the block."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put a model into eval mode while the ``with`` body runs; then restore each module's own mode.

    A module that was in eval mode before the body, such as a frozen BatchNorm, stays in eval mode. Modes are changed by
    calls of ``train``, which a module may override, for instance to merge LoRA weights.
    """
    mode = model.training
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        model.train(mode)
        for module, own in modes:
            module.training = own
