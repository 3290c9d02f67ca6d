"""The seconds in which one rank computes and compresses in a step, taken from a profile."""

import math
from dataclasses import dataclass
from typing import Any, Self

from liecbench.algorithms.comm.schedule import Schedule
from liecbench.compressors.base import Compressor
from liecbench.compressors.by_name import description
from liecbench.profiles.profile import CompressorTimes, Profile
from liecbench.worker.collective_errors import ProfileError


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkSeconds:
    """The seconds that one rank computes in a step, if no other rank uses the rank's device.

    The compressor's operations are not included.

    Attributes:
        ready: For each gradient block, seconds from the start of the step until all gradients of the block are ready.
        backward: Seconds from the start of the step until the last backward pass has ended.
        optimizer: Seconds of gradient clipping and of the optimizer.
        local: For each gradient block, seconds of the method's own work, such as copies of gradients.
    """

    ready: tuple[float, ...]
    backward: float
    optimizer: float
    local: tuple[float, ...]

    @property
    def compute(self) -> float:
        """Seconds that the model and the optimizer compute in a step."""
        return self.backward + self.optimizer

    @classmethod
    def of(
        cls, profile: Profile, schedule: Schedule, *, batches: int, local: float, update: dict[str, Any] | None = None
    ) -> Self:
        """Return the seconds that one rank computes in a step, according to a profile.

        Args:
            profile: The profile of the model.
            schedule: The schedule of the step, which lists the parameters of each gradient block.
            batches: The number of minibatches whose gradients the step accumulates.
            local: Seconds per step that the method's own work takes on one rank. The compressor's operations are not
                counted. The seconds are divided among the blocks in proportion to the blocks' numbers of elements.
            update: The settings of the optimizer and of gradient clipping, as ``update_of`` returns them. If ``update``
                is None, or if the profile has no times for ``update``, the settings of the profiled task are used.
        """
        one_pass = profile.forward.median + profile.backward.median
        last_begins = (batches - 1) * one_pass + profile.forward.median
        latest = [max(profile.parameters[i].ready_seconds for i in block) for block in schedule.blocks]
        sizes = [sum(math.prod(profile.parameters[i].shape) for i in block) for block in schedule.blocks]
        return cls(
            ready=tuple(last_begins + min(seconds, profile.backward.median) for seconds in latest),
            backward=batches * one_pass,
            optimizer=profile.update_seconds(update),
            local=tuple(local * size / max(1, sum(sizes)) for size in sizes),
        )


def compressor_times(profile: Profile, compressor: Compressor) -> CompressorTimes:
    """Return the seconds of each operation of a compressor, such as decompression, from a profile.

    Raises:
        ProfileError: If the profile has no times for this compressor.
    """
    wanted = description(compressor)
    found = profile.compressor_times(wanted)
    if found is None:
        raise ProfileError(f"the profile has no times for {_text(wanted)}; measure a profile with it")
    return found


def _text(fields: dict[str, Any]) -> str:
    options = ", ".join(f"{name} {value}" for name, value in fields.items() if name != "name")
    return f"{fields['name']} ({options})" if options else str(fields["name"])
