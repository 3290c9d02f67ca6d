"""Watch a DDP model's backward passes: warn of misuse, and restore gradients of parameters that no rank used.

The communication hook can overwrite these gradients, although DDP would leave them unchanged.
"""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributed import GradBucket
from torch.nn import Parameter
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from liecbench.algorithms.ddp_parameters import are_unused, finds_unused


class Backwards:
    """Counts the backward passes that exchange gradients, and restores gradients of parameters that no rank used.

    The count is used to warn if gradients are exchanged a second time before the optimizer's step.

    Plain DDP does not change the gradient of a parameter that no rank used. A communication hook overwrites this
    gradient if it is a view of a bucket. Therefore, ``keep`` copies such views before the exchange. ``end`` restores
    the gradients of unused parameters after the backward pass.

    Args:
        ddp: The model.
        parameters: The parameters whose gradients ``ddp`` averages, in the order of DDP's reducer.
    """

    def __init__(self, ddp: DistributedDataParallel, parameters: Sequence[Parameter]) -> None:
        self._ddp, self._parameters, self._managed = ddp, parameters, frozenset(parameters)
        self._number, self._has_warned = 0, False
        self._has_exchanged = self._has_warned_of_none = self._has_warned_of_other = False
        self._has_skipped = False  # an exchange, under ``no_sync``
        # DDP's name of a parameter of the root module begins with a dot.
        ignored = {name.removeprefix(".") for name in ddp.parameters_to_ignore}
        named = ddp.module.named_parameters()
        self._frozen = [(name, p) for name, p in named if p not in self._managed and name not in ignored]
        self._gradients: dict[Tensor, Tensor] = {}

    @property
    def has_update(self) -> bool:
        """True if a backward pass has exchanged gradients since the last step of an optimizer."""
        return self._number > 0

    def begin_forward(self, method: str, *, warn: bool) -> None:
        """Check, before a forward pass of training, that the training loop uses ``ddp`` in a supported way.

        Args:
            method: The method's name, for the warning.
            warn: True to warn, at most once, if gradients will be exchanged a second time before the optimizer's step.

        Raises:
            RuntimeError: If ``ddp.join`` was called with an option that no communication hook supports.
        """
        ddp = self._ddp
        if ddp._join_config.enable and not ddp._divide_by_initial_world_size:
            raise RuntimeError("join(divide_by_initial_world_size=False) does not work with a communication hook")
        self._has_skipped = self._has_skipped or not ddp.require_backward_grad_sync
        if not warn or not self._number or self._has_warned:
            return
        if not self._has_gradients():
            self._number = 0  # the loop has dropped the gradients, as a loop does that skips a step
        elif ddp.training and ddp.require_backward_grad_sync:
            self._has_warned = True
            warnings.warn(
                f"a second backward pass before optimizer.step exchanges gradients, and {method} compresses and counts "
                "each; run all but the last under ddp.no_sync(), or call optimizer.zero_grad() if you skipped a step",
                stacklevel=2,
            )

    def keep(self, bucket: GradBucket) -> None:
        """Copy the gradients that the exchange of ``bucket`` may overwrite. Call it before the exchange.

        After the backward pass, ``end`` restores the gradients of unused parameters from the copies. Nothing is copied
        unless ``ddp`` detects unused parameters and has ``gradient_as_bucket_view`` set.
        After this call, ``warn_if_none`` no longer warns.
        """
        self._has_exchanged = True
        if self._ddp.gradient_as_bucket_view and finds_unused(self._ddp):
            for parameter in bucket.parameters():
                if parameter.grad is not None:
                    self._gradients[parameter] = parameter.grad.clone()

    def end(self) -> list[Parameter]:
        """End a backward pass, and return the parameters that no rank used in it.

        Their gradients are restored to the values before the pass.
        """
        self._number += 1
        if not finds_unused(self._ddp):
            return []
        unused = [p for p, is_unused in zip(self._parameters, are_unused(self._ddp), strict=True) if is_unused]
        for parameter in unused:
            if parameter in self._gradients and parameter.grad is not None:
                parameter.grad.copy_(self._gradients[parameter])
        self._gradients.clear()
        return unused

    def warn_if_none(self, method: str) -> None:
        """Warn, once, if an optimizer made a step with gradients although no bucket was ever exchanged.

        Args:
            method: The method's name.
        """
        if self._has_exchanged or self._has_warned_of_none or not self._has_gradients():
            return
        self._has_warned_of_none = True
        if self._has_skipped:
            reason = "every backward pass so far ran under no_sync(); run the last one before each step outside of it"
        else:
            reason = (
                "no backward pass went through the DistributedDataParallel module to which it is attached; attach it "
                "to the module that the training loop calls, and call that module instead of its .module"
            )
        warnings.warn(f"optimizer.step used gradients that {method} never exchanged, because {reason}", stacklevel=2)

    def warn_of_other(self, optimizer: Optimizer, method: str) -> None:
        """Warn, once, if ``optimizer`` has used gradients that ``method`` has exchanged.

        Args:
            optimizer: An optimizer that was not given to ``attach``, and has just made a step.
            method: The method's name.
        """
        if not self._number or self._has_warned_of_other:
            return
        if self._managed.isdisjoint(p for group in optimizer.param_groups for p in group["params"]):
            return
        self._has_warned_of_other = True
        name = type(optimizer).__name__
        warnings.warn(
            f"a step of {name} used gradients that {method} exchanged, but this {name} was not given to attach; "
            f"{method} ends its own step, and averages local models, only after steps of the optimizers that were. "
            "Call detach(), then attach(ddp, [...]) with all optimizers of the training loop",
            stacklevel=2,
        )

    def warn_of_unfrozen(self) -> None:
        """Warn, once, if parameters that were frozen when ``ddp`` was made have gradients now."""
        names = [name for name, p in self._frozen if p.requires_grad and p.grad is not None]
        if names:
            self._frozen = []
            listed = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
            warnings.warn(
                f"parameters that were frozen when DistributedDataParallel was made ({listed}) have gradients, which "
                "are not exchanged, so that every rank trains its own; call detach(), wrap the model in a new "
                "DistributedDataParallel, and attach to it",
                stacklevel=2,
            )

    def clear(self) -> None:
        """Reset the count of backward passes to 0. Called after an optimizer has made a step."""
        self._number = 0

    def _has_gradients(self) -> bool:
        return any(p.grad is not None and bool(torch.any(p.grad)) for p in self._parameters)
