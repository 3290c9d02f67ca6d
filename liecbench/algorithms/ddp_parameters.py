"""The parameters whose gradients DistributedDataParallel averages."""

from collections.abc import Iterable, Iterator

import torch
from torch import nn
from torch.nn import Parameter
from torch.nn.parallel import DistributedDataParallel


def managed_parameters(ddp: DistributedDataParallel) -> list[tuple[str, Parameter]]:
    """Return (name, parameter) pairs of the parameters whose gradients ``ddp`` averages, in the order of its reducer.

    A tied parameter is listed once. Parameters that were frozen when ``ddp`` was made, or that ``ddp`` ignores, are
    left out.

    Raises:
        ValueError: If parameters were unfrozen or added since ``ddp`` was made.
    """
    names = {parameter: name for name, parameter in reversed(list(ddp.module.named_parameters(remove_duplicate=False)))}
    trainable: list[Parameter] = ddp._build_params_for_reducer()[0]
    number: int = ddp._get_ddp_logging_data()["num_parameter_tensors"]
    known = set(ddp._module_parameters)
    for parameters in (trainable, _with_frozen(ddp)):
        if len(parameters) == number and known.issuperset(parameters):
            return [(names[parameter], parameter) for parameter in parameters]
    raise ValueError(
        f"DistributedDataParallel was made with {number} trainable parameters, but now there are others "
        f"({len(trainable)}), whose gradients it does not average; "
        "freeze, unfreeze and add parameters before you make it"
    )


def _with_frozen(ddp: DistributedDataParallel) -> list[Parameter]:
    """Return all parameters of ``ddp``, frozen or not, except those that ``ddp`` was told to ignore."""
    found = [
        parameter
        for prefix, module in ddp.module.named_modules()
        for name, parameter in module.named_parameters(recurse=False)
        if f"{prefix}.{name}" not in ddp.parameters_to_ignore
    ]
    return list(dict.fromkeys(found))


def sparse_parameters(ddp: DistributedDataParallel, named: Iterable[tuple[str, Parameter]]) -> Iterator[str]:
    """Yield the names of those ``named`` parameters that are weights of an embedding with ``sparse=True``."""
    names: dict[torch.Tensor, str] = {parameter: name for name, parameter in named}
    for module in ddp.module.modules():
        if isinstance(module, nn.Embedding | nn.EmbeddingBag) and module.sparse and module.weight in names:
            yield names[module.weight]


def finds_unused(ddp: DistributedDataParallel) -> bool:
    """Return whether ``ddp`` detects which parameters a forward pass does not use.

    DDP does so if ``find_unused_parameters`` or ``static_graph`` is set.
    """
    return bool(ddp.find_unused_parameters or ddp.static_graph)


def are_unused(ddp: DistributedDataParallel) -> list[bool]:
    """Return one bool per parameter of ``managed_parameters(ddp)``: True if no rank's forward pass used the parameter.

    Call this function at the end of the backward pass, and only if ``finds_unused(ddp)`` is True.
    """
    counts: torch.Tensor = ddp.reducer._get_local_used_map()
    return [not count for count in counts.tolist()]
