"""A method's steps on a number of ranks: the work of each kind of step, and how often the kind comes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from liecbench.config import registry
from liecbench.config.cell import Choice
from liecbench.config.factory import make_compressor
from liecbench.errors import LiecbenchError
from liecbench.prediction.step_work import StepWork, step_work
from liecbench.profiles.profile import CompressorTimes, Line, Profile
from liecbench.worker.step_shares import step_shares

if TYPE_CHECKING:
    from liecbench.algorithms.base import Algorithm
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method as a scenario names it.

    Attributes:
        algorithm: The algorithm's name and options.
        compressor: The compressor's name and options; None if the algorithm takes none.
        server: The place of the server; None if the algorithm has none.
        block_bytes: The size of blocks of gradient, or of DDP's buckets; None for the algorithm's own default.
    """

    algorithm: Choice
    compressor: Choice | None = None
    server: str | None = None
    block_bytes: Any = None

    @property
    def name(self) -> str:
        """The name for tables, such as ``liec(sign)``."""
        compressed = "" if self.compressor is None else f"({self.compressor.name})"
        root = " root" if self.server == "root" else ""
        return f"{self.algorithm.name}{compressed}{root}"

    def make(self) -> "Algorithm":
        """Return a new instance of the algorithm."""
        parts: dict[str, Any] = {} if self.block_bytes is None else {"block_bytes": self.block_bytes}
        if self.compressor is not None:
            parts["compressor"] = make_compressor(self.compressor, seed=0)
        if self.server is not None:
            parts["server"] = self.server
        algorithm: Algorithm = registry.load("algorithm", self.algorithm.name)(**self.algorithm.options, **parts)
        return algorithm


@dataclass(frozen=True, slots=True, kw_only=True)
class KindWork:
    """The work of one kind of step, and the share of the method's steps that are of this kind in the long run."""

    share: float
    work: StepWork
    notes: tuple[str, ...] = ()


def method_work(method: Method, profile: Profile, world_size: int) -> dict[str, KindWork]:
    """Return the work of each kind of step that comes in the long run, by the kind's name.

    Raises:
        LiecbenchError: If the profile lacks the method's compressor, or if the method's messages cannot be recorded.
    """
    import torch

    algorithm = method.make()
    shapes = [torch.Size(parameter.shape) for parameter in profile.parameters]
    algorithm.parameter_dtypes = [getattr(torch, parameter.dtype) for parameter in profile.parameters]
    shares = step_shares(algorithm.step_kind, getattr(algorithm, "average_period", 1), num_steps=1)
    found = {}
    for kind, share in shares.items():
        if not share.share:
            continue
        schedule = _schedule(method, algorithm, shapes, world_size, share.first)
        times = {repr(call.compressor): _times(call.compressor, method, profile) for call in schedule.calls}
        local = profile.local_seconds(_spec(method.algorithm), _optional_spec(method.compressor), kind)
        work = step_work(
            schedule,
            profile,
            times,
            bucket_bytes=algorithm.block_bytes,
            local_seconds=local or 0.0,
            batches_per_step=algorithm.batches_per_step,
        )
        notes = (f"the profile has no times of {method.name} itself, only of compressors",) if local is None else ()
        found[kind] = KindWork(share=share.share, work=work, notes=notes)
    return found


def _schedule(method: Method, algorithm: "Algorithm", shapes: "list[Any]", world_size: int, step: int) -> "Schedule":
    from liecbench.algorithms.comm.schedule import ScheduleError

    try:
        return algorithm.schedule(shapes, world_size=world_size, step=step)
    except ScheduleError as error:
        raise LiecbenchError(f"{method.name}: {error}", "fix or uninstall its package") from error


def _times(compressor: "Compressor", method: Method, profile: Profile) -> CompressorTimes:
    """Return the profile's times of a compressor that a method uses; those of uncompressed messages have a default."""
    from liecbench.compressors.identity import Identity
    from liecbench.compressors.rounds import Rounds

    if isinstance(compressor, Identity):
        return profile.compressor_times(_IDENTITY) or _UNCOMPRESSED
    if isinstance(compressor, Rounds):
        return _repeated(_times(compressor.compressor, method, profile), compressor.rounds)
    wanted = _optional_spec(method.compressor)
    times = profile.compressor_times(wanted) if wanted is not None else None
    if times is None:
        known = ", ".join(str(one.compressor.get("name")) for one in profile.compressors) or "none"
        raise LiecbenchError(
            f"the profile has no times of the compressor {wanted or compressor!r}, only of: {known}",
            "measure them with liecbench profile, or leave the compressor out",
        )
    return times


def _repeated(times: CompressorTimes, rounds: int) -> CompressorTimes:
    """Return the times of a compressor that is applied ``rounds`` times."""

    def line(one: Line) -> Line:
        return Line(constant=rounds * one.constant, per_element=rounds * one.per_element)

    return CompressorTimes(
        compressor=times.compressor,
        compress=line(times.compress),
        decompress=line(times.decompress),
        accumulate=line(times.accumulate),
    )


def _spec(choice: Choice) -> dict[str, Any]:
    spec: dict[str, Any] = choice.model_dump(mode="json")
    return spec


def _optional_spec(choice: Choice | None) -> dict[str, Any] | None:
    return None if choice is None else _spec(choice)
