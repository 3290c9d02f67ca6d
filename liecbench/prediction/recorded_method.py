"""A method's step kinds on a given number of ranks: the share of each kind, and the messages that its steps send."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from liecbench.config.choice import Choice
from liecbench.errors import LiecbenchError
from liecbench.prediction.call_sizes import largest_message_bytes
from liecbench.prediction.method_choice import Method
from liecbench.prediction.profiled_compressors import compressor_times
from liecbench.prediction.step_work import StepWork, step_work
from liecbench.profiles.profile import CompressorTimes, Profile
from liecbench.worker.step_shares import shares_of

if TYPE_CHECKING:
    from liecbench.algorithms.comm.schedule import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedKind:
    """A kind of step: its name, its share of all steps in a long training, and the messages of all ranks."""

    name: str
    share: float
    schedule: "Schedule"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindWork:
    """One step kind of a method: the work of each rank in such a step, and the kind's fraction of all steps."""

    name: str
    share: float
    work: StepWork


@dataclass(frozen=True, kw_only=True)
class RecordedMethod:
    """The kinds of steps that a method has on ``world_size`` ranks, for one model.

    Attributes:
        method: The method.
        world_size: The number of ranks that exchange messages.
        kinds: The kinds of steps. Kinds that occur only at the start of training are left out.
        bucket_bytes: The size of DDP's gradient buckets in bytes. None means DDP's defaults, and ``whole`` one bucket
            per dtype.
        batches_per_step: The number of minibatches whose gradients a step accumulates.
    """

    method: Method
    world_size: int
    kinds: tuple[RecordedKind, ...]
    bucket_bytes: int | Literal["whole"] | None
    batches_per_step: int

    @classmethod
    def of(cls, method: Method, profile: Profile, world_size: int) -> "RecordedMethod":
        """Return the step kinds of ``method``, each with the messages that all ranks send in a step of this kind.

        Args:
            method: The method.
            profile: The profile of the model. Only the shapes and dtypes of its parameters are used.
            world_size: The number of ranks that exchange the messages.

        Raises:
            LiecbenchError: If the method's messages cannot be recorded.
        """
        import torch

        from liecbench.algorithms.comm.schedule import ScheduleError

        algorithm = method.make()
        shapes = [torch.Size(parameter.shape) for parameter in profile.parameters]
        algorithm.parameter_dtypes = [getattr(torch, parameter.dtype) for parameter in profile.parameters]
        shares = shares_of(algorithm, num_steps=1)
        try:
            kinds = tuple(
                RecordedKind(
                    name=kind,
                    share=share.share,
                    schedule=algorithm.schedule(shapes, world_size=world_size, step=share.first),
                )
                for kind, share in shares.items()
                if share.share
            )
        except ScheduleError as error:
            raise LiecbenchError(f"{method.name}: {error}", "fix or uninstall its package") from error
        return cls(
            method=method,
            world_size=world_size,
            kinds=kinds,
            bucket_bytes=algorithm.bucket_bytes,
            batches_per_step=method.accumulate * algorithm.batches_per_step,
        )

    @property
    def largest_bytes(self) -> int:
        """The bytes of the largest message in any kind of step, as ``largest_message_bytes`` counts them."""
        return max(largest_message_bytes(kind.schedule) for kind in self.kinds)

    def work(self, profile: Profile) -> tuple[KindWork, ...]:
        """Return one item per step kind: what each rank sends in a step, and the seconds of computing and compression.

        The seconds come from ``profile``. If ``profile`` has no times of ``Identity``, assumed times are used.

        Raises:
            LiecbenchError: If a compressor of the method has no times in the profile, and ``compressor_times`` cannot
                derive or assume them.
        """
        return tuple(
            KindWork(
                name=kind.name,
                share=kind.share,
                work=step_work(
                    kind.schedule,
                    profile,
                    self._times(kind.schedule, profile),
                    bucket_bytes=self.bucket_bytes,
                    local_seconds=self._local_seconds(profile, kind.name),
                    batches_per_step=self.batches_per_step,
                    update=self.method.update,
                ),
            )
            for kind in self.kinds
        )

    def lacks_own_times(self, profile: Profile) -> bool:
        """Return True if ``profile`` lacks the method's own times (see ``MethodTimes``) for at least one step kind."""
        return any(self._local_seconds(profile, kind.name) is None for kind in self.kinds)

    def _local_seconds(self, profile: Profile, kind: str) -> float | None:
        return profile.local_seconds(_spec(self.method.algorithm), _optional_spec(self.method.compressor), kind)

    def _times(self, schedule: "Schedule", profile: Profile) -> dict[str, CompressorTimes]:
        algorithm, compressor = self.method.algorithm.name, self.method.compressor
        name = algorithm if compressor is None else f"{algorithm} with {compressor.name}"
        return {repr(call.compressor): compressor_times(call.compressor, profile, name) for call in schedule.calls}


def _spec(choice: Choice) -> dict[str, Any]:
    spec: dict[str, Any] = choice.model_dump(mode="json")
    return spec


def _optional_spec(choice: Choice | None) -> dict[str, Any] | None:
    return None if choice is None else _spec(choice)
