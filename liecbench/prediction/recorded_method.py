"""A method's steps on a number of ranks: the recorded messages of each step kind, and how frequent the kind is."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from liecbench.config import registry
from liecbench.config.choice import Choice
from liecbench.config.factory import make_compressor
from liecbench.config.method_labels import method_label
from liecbench.errors import LiecbenchError
from liecbench.prediction.step_work import StepWork, step_work
from liecbench.profiles.profile import CompressorTimes, Line, Profile
from liecbench.worker.step_shares import shares_of

if TYPE_CHECKING:
    from liecbench.algorithms.base import Algorithm
    from liecbench.algorithms.comm.partition import BlockOrder, ServerPlace
    from liecbench.algorithms.comm.schedule import Schedule
    from liecbench.compressors.base import Compressor

# Uncompressed messages are received in place, and added with one pass over memory: about 0.5 ns per element on a CPU.
_IDENTITY: Final = {"name": "identity"}
_UNCOMPRESSED: Final = CompressorTimes(
    compressor=_IDENTITY,
    compress=Line(constant=0.0, per_element=0.0),
    decompress=Line(constant=0.0, per_element=0.0),
    accumulate=Line(constant=0.0, per_element=5e-10),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Method:
    """A method with its options, as they are given in a scenario.

    Attributes:
        algorithm: The algorithm's name and options.
        compressor: The compressor's name and options; None if the algorithm takes none.
        server: The place of the server; None if the algorithm has none.
        block_bytes: The size of blocks of gradient, or of DDP's buckets; None for the algorithm's own default.
        block_order: The order in which tensors fill the blocks.
        accumulate: The minibatches per step that the method's task accumulates.
        update: The optimizer's fields of the method's task; None for the optimizer of the profile's task.
    """

    algorithm: Choice
    compressor: Choice | None = None
    server: "ServerPlace | None" = None
    block_bytes: int | Literal["whole"] | None = None
    block_order: "BlockOrder" = "backward"
    accumulate: int = 1
    update: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """The name for tables, such as ``liec(sign)``."""
        compressed = "" if self.compressor is None else f"({self.compressor.name})"
        return f"{self.algorithm.name}{compressed}"

    def label(self, methods: Sequence["Method"]) -> str:
        """Return the name and the options in which methods of this name differ: ``liec(sign) average period 32``."""
        return method_label(self.algorithm, self.compressor, [(one.algorithm, one.compressor) for one in methods])

    def make(self) -> "Algorithm":
        """Return a new instance of the algorithm."""
        parts: dict[str, Any] = {} if self.block_bytes is None else {"block_bytes": self.block_bytes}
        if self.block_order != "backward":
            parts["block_order"] = self.block_order
        if self.compressor is not None:
            parts["compressor"] = make_compressor(self.compressor, seed=0)
        if self.server is not None:
            parts["server"] = self.server
        made = registry.load("algorithm", self.algorithm.name)(**self.algorithm.options, **parts)
        return cast("Algorithm", made)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedKind:
    """A kind of step: its name, its share of all steps in a long training, and the messages of all ranks."""

    name: str
    share: float
    schedule: "Schedule"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindWork:
    """The work of one kind of step on each rank, and the share of the method's steps that are of this kind."""

    name: str
    share: float
    work: StepWork


@dataclass(frozen=True, kw_only=True)
class RecordedMethod:
    """A method's kinds of steps on ``world_size`` ranks, recorded for a model's parameters.

    Attributes:
        method: The method.
        world_size: The number of ranks that exchange messages.
        kinds: The kinds of steps that a long training has.
        bucket_bytes: The size up to which DDP fills its buckets; None for its defaults.
        batches_per_step: The number of minibatches whose gradients a step accumulates.
    """

    method: Method
    world_size: int
    kinds: tuple[RecordedKind, ...]
    bucket_bytes: int | Literal["whole"] | None
    batches_per_step: int

    @classmethod
    def of(cls, method: Method, profile: Profile, world_size: int) -> "RecordedMethod":
        """Record a method's messages for the parameters of ``profile``.

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

    def work(self, profile: Profile) -> tuple[KindWork, ...]:
        """Return the work of each kind of step with the times of ``profile``.

        Raises:
            LiecbenchError: If the profile lacks the method's compressor.
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
        """Return True if ``profile`` has no times of the method itself, such as its arithmetic with memories."""
        return any(self._local_seconds(profile, kind.name) is None for kind in self.kinds)

    def _local_seconds(self, profile: Profile, kind: str) -> float | None:
        return profile.local_seconds(_spec(self.method.algorithm), _optional_spec(self.method.compressor), kind)

    def _times(self, schedule: "Schedule", profile: Profile) -> dict[str, CompressorTimes]:
        return {repr(call.compressor): _compressor_times(call.compressor, profile) for call in schedule.calls}


def sent_compressors(methods: Sequence[Method], profile: Profile, world_sizes: Sequence[int]) -> list["Compressor"]:
    """Return the compressors that methods use on these numbers of ranks for a profile's parameters, each once.

    Some methods make compressors for themselves, and some use others with other numbers of ranks.

    Raises:
        LiecbenchError: If a method's messages cannot be recorded.
    """
    recorded = (RecordedMethod.of(method, profile, size) for method in methods for size in world_sizes)
    calls = (call for one in recorded for kind in one.kinds for call in kind.schedule.calls)
    return list({repr(call.compressor): call.compressor for call in calls}.values())


def _compressor_times(compressor: "Compressor", profile: Profile) -> CompressorTimes:
    """Return the profile's times of a compressor; uncompressed messages have default times."""
    from liecbench.compressors.by_name import description
    from liecbench.compressors.rounds import Rounds

    wanted = description(compressor)
    times = profile.compressor_times(wanted)
    if times is not None:
        return times
    if wanted == _IDENTITY:
        return _UNCOMPRESSED
    if isinstance(compressor, Rounds):
        return _repeated(_compressor_times(compressor.compressor, profile), compressor.rounds)
    raise LiecbenchError(
        f"the profile has no times of the compressor {_text(wanted)}, only of {_known(profile.compressors)}",
        f"measure it with liecbench profile and --compressor {wanted['name']}, or leave the compressor out",
    )


def _known(compressors: Sequence[CompressorTimes]) -> str:
    return ", ".join(_text(times.compressor) for times in compressors) or "none"


def _text(spec: dict[str, Any]) -> str:
    options = ", ".join(f"{name}: {value}" for name, value in spec.items() if name != "name")
    return f"{spec.get('name')} ({options})" if options else str(spec.get("name"))


def _repeated(times: CompressorTimes, rounds: int) -> CompressorTimes:
    """Return the times of a compressor that is applied ``rounds`` times."""
    line = functools.partial(_scaled_line, factor=float(rounds))
    return CompressorTimes(
        compressor=times.compressor,
        compress=line(times.compress),
        decompress=line(times.decompress),
        accumulate=line(times.accumulate),
    )


def _scaled_line(line: Line, factor: float) -> Line:
    return Line(constant=factor * line.constant, per_element=factor * line.per_element)


def _spec(choice: Choice) -> dict[str, Any]:
    spec: dict[str, Any] = choice.model_dump(mode="json")
    return spec


def _optional_spec(choice: Choice | None) -> dict[str, Any] | None:
    return None if choice is None else _spec(choice)
