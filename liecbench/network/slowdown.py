"""The slowdown of a replay, which lets a machine emulate more or faster ranks than it can run in real time.

The replay runs more slowly than the emulated training, so that the machine's processors keep up. To save processor
time, the replay may also send smaller messages than the training.
"""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowdown:
    """The factors by which a replay runs more slowly than the emulated training, and sends smaller messages.

    Attributes:
        dilation: Real seconds ÷ emulated seconds. Emulated rates are divided by it, and emulated delays multiplied.
        message_divisor: Emulated bytes ÷ real bytes of a message. Emulated rates are divided by it, too, so that the
            transfer of a smaller message takes the same time.
    """

    dilation: int = 1
    message_divisor: int = 1

    @property
    def rates(self) -> int:
        """Emulated ÷ real rate of a link: the product of ``dilation`` and ``message_divisor``."""
        return self.dilation * self.message_divisor

    def smaller(self, count: int) -> int:
        """Return ``count`` ÷ ``message_divisor``, rounded up: the elements or bytes that are really sent."""
        return -(-count // self.message_divisor)

    def __str__(self) -> str:
        """Return the label of a replay, such as ``replayed ×16, scaled ÷4``.

        In the example, ``dilation`` is 16 and ``message_divisor`` is 4. A factor of 1 is left out.
        """
        return replayed_text(self.dilation, self.message_divisor)


def replayed_text(dilation: float, message_divisor: int) -> str:
    """Return the label of a replayed row or session, such as ``replayed ×16, scaled ÷4``.

    In the example, ``dilation`` is 16 and ``message_divisor`` is 4. A factor of 1 is left out.

    Args:
        dilation: Real seconds ÷ emulated seconds.
        message_divisor: Emulated bytes ÷ real bytes of a message.
    """
    return replays_text([dilation], [message_divisor])


def replays_text(dilations: Collection[float], message_divisors: Collection[float]) -> str:
    """Return the label of several replayed rows, such as ``replayed ×1–16, scaled ÷4``.

    In the example, the dilations range from 1 to 16, and all message divisors are 4. A range is left out if all its
    factors are 1.

    Args:
        dilations: Real seconds ÷ emulated seconds of each row.
        message_divisors: Emulated bytes ÷ real bytes of a message, for each row.
    """
    dilated = f"replayed ×{_range(dilations)}" if max(dilations) > 1 else "replayed"
    return f"{dilated}, scaled ÷{_range(message_divisors)}" if max(message_divisors) > 1 else dilated


def _range(factors: Collection[float]) -> str:
    return "–".join(dict.fromkeys(f"{factor:g}" for factor in (min(factors), max(factors))))
