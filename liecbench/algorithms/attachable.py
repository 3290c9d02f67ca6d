"""The base class that gives algorithms ``attach``, ``detach`` and ``clip_grad_norm_``."""

import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from liecbench.algorithms.attachment import Attachment
from liecbench.algorithms.backwards import Backwards
from liecbench.algorithms.clipping_watch import ClippingWatch
from liecbench.algorithms.comm.finite_check import FiniteCheck
from liecbench.algorithms.comm.own_group import acquire_group
from liecbench.algorithms.comm.timing import clock_for
from liecbench.algorithms.comm.transport import uses_nccl
from liecbench.algorithms.ddp_hook import DdpHook, attached_listener
from liecbench.algorithms.ddp_parameters import managed_parameters
from liecbench.algorithms.equal_settings import require_equal_settings
from liecbench.algorithms.local_models import LocalModels
from liecbench.algorithms.optimizers import hooked_optimizers, optimizer_options
from liecbench.algorithms.plain_errors import PlainErrors
from liecbench.algorithms.preconditions import refuse_sparse_gradients, require_ddp, require_one_device
from liecbench.algorithms.saved_state import Place, option_texts


class Attachable(LocalModels, metaclass=PlainErrors):
    """The part of ``Algorithm`` that attaches a method to a training loop and detaches it again.

    Attributes:
        supports_sparse: Whether the method exchanges sparse gradients.
        supports_join: Whether the method works with ``ddp.join()``.
        clipping_refusal: The reason why the method's update must not be clipped by its norm, and what to do instead;
            None if the update can be clipped. It can be if it estimates the mean gradient, in the gradient's units.
    """

    supports_sparse: ClassVar[bool] = False
    supports_join: ClassVar[bool] = False
    clipping_refusal: ClassVar[str | None] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._place: Place | None = None
        self._optimizers: list[Optimizer] = []
        self._managed: list[tuple[str, Parameter]] = []  # the names and parameters whose gradients the model averages

    def attach(self, ddp: nn.Module, optimizer: object) -> None:
        """Register as the communication hook of ``ddp``; the training loop needs no change. Collective.

        Before a method compresses 16-bit gradients, it converts them to float32. All memories are float32. If an error
        is raised, nothing has been registered. An object that was attached before begins anew, as a new object would:
        with step 0, memories of zero and counters of zero.

        During training, ``optimizer.step`` raises RuntimeError if an enabled GradScaler calls it.

        Args:
            ddp: The DistributedDataParallel module, with all parameters on the CPU or on one GPU; may be compiled.
            optimizer: The optimizer of the model's parameters, an object that wraps the optimizer, or a list of
                optimizers. With a list, a training step ends when every optimizer has made its step. If only some
                have, the training step ends at the next forward pass in training.

        Raises:
            TypeError: If ``ddp`` is not a DistributedDataParallel module or has options with which no communication
                hook works, or if ``optimizer`` is no torch optimizer or shards its state over the ranks.
            ValueError: If a parameter has an unsupported type, device or layout of gradients, if the method does not
                work with the model or the optimizer, if the optimizer has no parameter of the model, or if ``ddp`` has
                another communication hook. Also if the ranks attach different methods, options or parameters; then
                every rank raises the error.
            RuntimeError: If ``ddp`` or this object is attached already.
        """
        if self._attachment is not None:
            raise RuntimeError(f"this {type(self).__name__} is attached already; call detach() first, or make another")
        module = require_ddp(ddp)
        if (other := attached_listener(module)) is not None:
            raise RuntimeError(f"the model has a {type(other).__name__} attached; call its detach() first")
        named = managed_parameters(module)
        managed = [parameter for _, parameter in named]
        optimizers = hooked_optimizers(optimizer, managed)
        for name, options in optimizer_options(frozenset[Optimizer]().union(*optimizers.values()), managed):
            if reason := self.incompatible_optimizer(name, options):
                raise ValueError(f"{type(self).__name__} is not defined with this optimizer: {reason}")
        if reason := self.incompatible_model([parameter.shape for parameter in managed]):
            raise ValueError(f"{type(self).__name__} does not work with this model: {reason}")
        if not self.supports_sparse:
            refuse_sparse_gradients(module, named, type(self).__name__)
        self.device = require_one_device(named)
        require_equal_settings(_settings(self, managed), module.process_group, self.device)
        hook = DdpHook.of(module)
        self.clock = clock_for(self.device)
        group = acquire_group(module.process_group, self.device)
        self._place = Place.of(group)
        self._begin_anew()
        self._finite_check = FiniteCheck(is_async=uses_nccl(self.device, group))
        self._optimizers = list(frozenset[Optimizer]().union(*optimizers.values()))
        self._managed = named
        self._backwards = Backwards(module, managed)
        self._clipping = ClippingWatch(managed, type(self).__name__, self.clipping_refusal)
        self.on_attach(module, group)
        self.set_step(0)
        self._attachment = Attachment(self, hook, module, optimizers, group, managed)

    @abstractmethod
    def set_step(self, step: int) -> None:
        """Set the number of the next step, between two steps. The memories stay unchanged."""

    @abstractmethod
    def incompatible_model(self, shapes: Sequence[torch.Size]) -> str | None:
        """Return the reason why the method does not work with parameters of these ``shapes``, or None if it works."""

    @abstractmethod
    def incompatible_optimizer(self, name: str, options: Mapping[str, object]) -> str | None:
        """Return the reason why the method cannot be used with an optimizer, or None if it can be used.

        ``name`` is the lower-case name of the optimizer's class, and ``options`` are the optimizer's options.
        """

    @abstractmethod
    def on_attach(self, ddp: DistributedDataParallel, group: dist.ProcessGroup) -> None:
        """Prepare for training ``ddp``, which ``attach`` has checked.

        Args:
            ddp: The model.
            group: The algorithm's own process group, with the same ranks as the group of ``ddp``.
        """

    def on_detach(self) -> None:
        """Release what ``on_attach`` created, except the process group."""
        return

    def clip_grad_norm_(
        self, max_norm: float, norm_type: float = 2.0, *, parameters: Iterable[Tensor] | None = None
    ) -> Tensor:
        """Scale the gradients on all ranks by one factor, so that no rank's norm exceeds ``max_norm``. Collective.

        If all ranks have the same gradients after the backward pass, ``torch.nn.utils.clip_grad_norm_`` does the same.
        If the ranks' gradients differ, torch's function would use a different factor on each rank. Gradients differ if
        the method has local models, or if DDP is told to ignore parameters.

        Args:
            max_norm: The largest norm; infinity to change nothing and only return the norm.
            norm_type: The order of the norm.
            parameters: The parameters whose gradients are clipped, the same on all ranks; None for all parameters.

        Returns:
            The largest norm of all ranks before the scaling, of shape ``[]``.

        Raises:
            ValueError: If the method has a ``clipping_refusal``, unless ``max_norm`` is infinite. The gradients are
                then unchanged.
        """
        if self.clipping_refusal is not None and max_norm != math.inf:
            raise ValueError(f"{type(self).__name__} is not defined with clipped updates: {self.clipping_refusal}")
        attachment = self._require_attached("clip_grad_norm_")
        clipped: list[Tensor] = list(attachment.parameters() if parameters is None else parameters)
        gradients = [p.grad for p in clipped if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients, norm_type).float().to(self.device)
        attachment.maximum(norm)
        torch.nn.utils.clip_grads_with_norm_(clipped, max_norm, norm)
        return norm

    def detach(self) -> None:
        """Turn the model and the optimizer back into those of plain DDP, as before ``attach``. Collective.

        Local models and their optimizers' states, such as momentum, are averaged, because plain DDP assumes that
        all models are equal. After an error in training, warn if they cannot be averaged, so that the ranks' models
        differ. If the algorithm is not attached, do nothing.
        """
        try:
            if self._attachment is not None:
                if self._failure is None:
                    self._make_models_equal(self._attachment)
                elif self.local_models:
                    self._make_models_equal_after(self._failure, self._attachment)
        except BaseException as error:
            self._failure = error  # so that no other algorithm gets the process group
            raise
        finally:
            self.close()

    def close(self) -> None:
        """Remove the algorithm from the model and the optimizer without averaging local models. Collective.

        If the algorithm is not attached, nothing happens. To average local models and optimizer states, call ``detach``
        instead.
        """
        if self._attachment is not None:
            attachment, self._attachment = self._attachment, None
            attachment.remove()
            self.on_detach()
            attachment.release(has_failed=self._failure is not None)

    @property
    def is_attached(self) -> bool:
        """True while the algorithm is attached to a model."""
        return self._attachment is not None

    def _require_place(self, call: str) -> Place:
        if self._place is None:
            raise self._not_attached(call)
        return self._place


def _settings(algorithm: Attachable, parameters: Sequence[Parameter]) -> dict[str, str]:
    """Return what must be equal on all ranks: the method, its options, and the parameters' types and shapes."""
    shapes = {f"parameter {i}": f"{p.dtype} of shape {tuple(p.shape)}" for i, p in enumerate(parameters)}
    return {"method": type(algorithm).__name__, **option_texts(algorithm), **shapes}
