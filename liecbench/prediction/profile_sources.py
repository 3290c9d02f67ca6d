"""The sources of a prediction's profile: a file, assumed numbers, or a measurement of the scenario's model.

What a source measures, it measures only in ``profile``. ``outline`` has the parameters of the model without a
measurement, so that a request can be checked first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from liecbench.config import workload_sizes
from liecbench.config.cell import Cell
from liecbench.prediction.assumed_profile import assumed_profile
from liecbench.prediction.measured_methods import measured_cells
from liecbench.prediction.recorded_request import RecordedRequest
from liecbench.profiles.profile import Duration, ParameterTimes, Profile

# Prints a line of progress.
Say = Callable[[str], None]


class ProfileSource(Protocol):
    """A source of the profile that a prediction is made from."""

    @property
    def outline(self) -> Profile:
        """A profile with the parameters of the model. All times may be 0, and compressors may be absent."""

    def profile(self, recorded: RecordedRequest, say: Say) -> Profile:
        """Return the profile, after measuring what predictions of ``recorded`` need; ``say`` announces it."""


@dataclass(frozen=True, kw_only=True)
class KnownProfile:
    """A profile that exists: nothing is measured."""

    outline: Profile

    def profile(self, recorded: RecordedRequest, say: Say) -> Profile:
        """Return the profile as it is."""
        return self.outline


@dataclass(frozen=True, kw_only=True)
class AssumedNumbers:
    """A number of parameters and the seconds of a step. The speed of compressors is measured if it is not given.

    Attributes:
        num_parameters: The number of trainable parameters.
        step_seconds: Seconds that a step computes on one device.
        compress_gbytes_per_second: Gigabytes of float32 gradient that each operation of a compressor processes per
            second; None to measure each compressor on one thread of this machine.
    """

    num_parameters: int
    step_seconds: float
    compress_gbytes_per_second: float | None = None

    @property
    def outline(self) -> Profile:
        """The assumed profile without compressors."""
        return assumed_profile(self.num_parameters, self.step_seconds)

    def profile(self, recorded: RecordedRequest, say: Say) -> Profile:
        """Return the assumed profile with the compressors of ``recorded``."""
        timed = recorded.timed_compressors()
        if timed and self.compress_gbytes_per_second is None:
            say("measuring how fast this machine compresses; --compress-gbytes-per-second takes its place")
        return assumed_profile(
            self.num_parameters,
            self.step_seconds,
            timed,
            compress_gbytes_per_second=self.compress_gbytes_per_second,
        )


@dataclass(frozen=True, kw_only=True)
class MeasuredModel:
    """The model of a scenario, whose profile is measured on this machine.

    Attributes:
        cells: The cells of the scenario, which all train the same model.
    """

    cells: Sequence[Cell]

    @property
    def outline(self) -> Profile:
        """A profile with the shapes and dtypes of the model's parameters, without times."""
        cell = self.cells[0]
        sizes = workload_sizes.sizes(cell.task)
        never = Duration(median=0.0)
        parameters = [
            {
                "name": str(index),
                "shape": tuple(shape),
                "dtype": str(dtype).removeprefix("torch."),
                "ready_seconds": 0.0,
            }
            for index, (shape, dtype) in enumerate(zip(sizes.parameters, sizes.dtypes, strict=True))
        ]
        return Profile(
            device=cell.device,
            forward=never,
            backward=never,
            optimizer=never,
            parameters=tuple(map(ParameterTimes.model_validate, parameters)),
        )

    def profile(self, recorded: RecordedRequest, say: Say) -> Profile:
        """Measure the model, and all methods and compressors of ``recorded``.

        Raises:
            LiecbenchError: If the model cannot be trained, or if a method's option does not fit the length of the
                training.
        """
        import torch

        from liecbench.worker.profile_measurement import measure_profile, untrainable_models_refused

        cell = self.cells[0]
        contestants = measured_cells(dict.fromkeys(one.method for one in recorded), self.cells)
        say(f"measuring the profile of {cell.task.model.name} on this machine; liecbench profile keeps one")
        with untrainable_models_refused(cell.task.model.name, "correct the model"):
            return measure_profile(
                cell,
                threads=cell.threads,
                device=torch.device(cell.device),
                contestants=contestants,
                compressors=recorded.timed_compressors(),
            )
