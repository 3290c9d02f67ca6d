"""Base classes of methods that compress, with and without error feedback."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass
from torch.nn import Parameter

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.exchange import Exchange
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.optimizers import learning_rates
from liecbench.algorithms.server import ServerAlgorithm
from liecbench.compressors.base import Compressor
from liecbench.compressors.by_name import as_compressor

_NO_CONTRACTION = "the method keeps an error memory, which only a contraction keeps bounded, and {} is none: {}"


@dataclass(kw_only=True, eq=False, config=CONFIG)
class CompressedAlgorithm(ServerAlgorithm):
    """A method with a compressor. Raises ValueError if the method does not work with this compressor.

    Attributes:
        compressor: The compressor C. The constructor also takes its name in scenarios, such as ``"sign"``, or a mapping
            of its name and options, such as ``{"name": "top_k", "ratio": 0.01}``.
        uses_error_feedback: Whether the method keeps its compression errors in memories; C must then be a contraction.
    """

    compressor: Annotated[Compressor, BeforeValidator(as_compressor)]
    uses_error_feedback: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if reason := self.incompatibility(self.compressor):
            raise ValueError(reason)

    @classmethod
    def incompatibility(cls, compressor: Compressor) -> str | None:
        """Return an error message if the method uses error feedback and ``compressor`` is no contraction, else None."""
        if compressor.is_contraction or not cls.uses_error_feedback:
            return None
        return _NO_CONTRACTION.format(compressor, compressor.error_memory_refusal)

    def push_compressor(self, step: int) -> Compressor:
        """Return the compressor of the messages that workers send: ``compressor``. ``step`` is ignored."""
        return self.compressor


@dataclass(kw_only=True, eq=False, config=CONFIG)
class ErrorFeedback(CompressedAlgorithm):
    """A method with error memories.

    ``rescale_memory`` is False by default, except in CSER.

    Attributes:
        rescale_memory: If True, every memory is multiplied by η/η' when the learning rate changes from η to η', so that
            the product of learning rate and memory does not change. Learning rates of 0 are ignored. If False, the
            memories are not rescaled, as in the authors' code.
    """

    rescale_memory: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._learning_rates: list[list[float]] = []

    def set_up(self, named: list[tuple[str, Parameter]], exchange: Exchange) -> None:
        """Set up as ``ServerAlgorithm`` does, and record the learning rate of every parameter."""
        super().set_up(named, exchange)
        self._learning_rates = [self._rates_of(block) for block in self.blocks]

    def before_reduce(self, block: Block) -> None:
        """Rescale the block's memories to changed learning rates, if ``rescale_memory`` is True.

        Each parameter's part of a memory is multiplied by the parameter's old learning rate ÷ its new learning rate.
        The new rate is the rate in the coming optimizer step. The old rate is the last earlier rate that was not 0. If
        the new rate is 0, the parameter's part does not change.
        """
        before, now = self._learning_rates[block.index], self._rates_of(block)
        self._learning_rates[block.index] = [new or old for new, old in zip(now, before, strict=True)]
        if self.rescale_memory:
            factors = [old / new if old and new else 1.0 for new, old in zip(now, before, strict=True)]
            if any(factor != 1 for factor in factors):
                for memory in self.allocated.values():
                    for extent, factor in zip(block.extents(), factors, strict=True):
                        memory.piece(memory[block], block.index, extent).mul_(factor)

    def own_state(self) -> dict[str, Any]:
        """Return the step count, the memories, and the last nonzero learning rate of each parameter.

        Memories are tensors that the method keeps from step to step. ``set_up`` records the learning rates, and
        ``before_reduce`` updates them in every step.
        """
        return {**super().own_state(), "learning_rates": self._learning_rates}

    def load_own_state(self, state: Mapping[str, Any]) -> None:
        """Restore the step count, the memories (tensors kept from step to step) and the learning rates.

        Args:
            state: A result of ``own_state``.

        Raises:
            ValueError: If the saved memories or learning rates belong to another model or to other options.
        """
        rates = [list(rates) for rates in state.get("learning_rates", ())]
        if [len(r) for r in rates] != [len(r) for r in self._learning_rates]:
            raise ValueError("the saved learning rates belong to another model or to other options")
        super().load_own_state(state)
        self._learning_rates = rates

    def _rates_of(self, block: Block) -> list[float]:
        """Return the learning rate of each parameter of a block; 0 if the optimizer does not have the parameter."""
        return learning_rates(self._optimizers, block.parameters)
