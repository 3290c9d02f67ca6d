"""The steps of a method whose ranks replay a profile, and the seconds that each kind of step is expected to take."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from liecbench.config.cell import Cell
from liecbench.config.factory import make_algorithm
from liecbench.config.optimizer_fields import update_of
from liecbench.config.training_schedule import minibatches_per_step, steps_per_epoch
from liecbench.config.workload_sizes import sizes
from liecbench.estimate.planned_bytes import traffic
from liecbench.estimate.wire_time import wire_seconds
from liecbench.network.link import Link
from liecbench.network.link_map import LinkMap
from liecbench.network.slowdown import Slowdown
from liecbench.prediction.rank_links import RankLinks
from liecbench.prediction.step_time import step_time
from liecbench.prediction.step_work import step_work
from liecbench.prediction.transport_costs import TransportCosts
from liecbench.profiles.profile import Profile

if TYPE_CHECKING:
    from liecbench.worker.replay.step_kinds import StepKind

# About what the loopback carries between processes.
_LOOPBACK: Final = LinkMap(default=Link(up_bits_per_second=20 * 10**9, down_bits_per_second=20 * 10**9))


def replayed_kinds(cell: Cell, profile: Profile) -> "Mapping[str, StepKind]":
    """Return the step kinds of a cell's method by name, such as ``averaging``.

    A step kind has the messages of all ranks, the kind's share of all steps, and the seconds that one rank works
    according to ``profile``.
    """
    from liecbench.worker.replay.step_kinds import step_kinds

    algorithm = make_algorithm(cell)
    epoch = steps_per_epoch(cell, algorithm, sizes(cell.task).num_train_samples)
    return step_kinds(cell, profile, num_steps=cell.task.epochs * epoch)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedSteps:
    """The steps of one kind that ranks replay.

    Attributes:
        seconds: The seconds of one step in emulated time.
        kind: What a step of this kind consists of: the messages of all ranks, and the work that each rank does.
        links: The links of the ranks.
    """

    seconds: float
    kind: "StepKind"
    links: LinkMap

    def real_seconds(self, slowdown: Slowdown, num_cpus: int) -> float:
        """Estimate the real seconds that the replay of one step takes.

        Over links that are not shaped, a step takes ``seconds`` × ``slowdown.dilation``. Over shaped links, a machine
        that is too slow for this takes longer: the CPU seconds of the replay, for all ranks and links together, divided
        by ``num_cpus``.

        Args:
            slowdown: The factors of the replay.
            num_cpus: The number of this machine's CPU cores.
        """
        from liecbench.worker.replay.cpu_cost import replay_cpu_seconds

        cpu_seconds = replay_cpu_seconds(self.kind.schedule, self.links, slowdown) if self.links.shaped else 0.0
        return max(slowdown.dilation * self.seconds, cpu_seconds / num_cpus)


def replayed_steps(cell: Cell, profile: Profile) -> dict[str, ReplayedSteps]:
    """Return the step kinds of a cell's method, each with the seconds that one of its steps takes in a replay.

    The keys are the names of the kinds, such as ``averaging``. The seconds are in emulated time, estimated from
    ``profile``.

    Raises:
        ProfileError: If the profile has no times for a compressor that the method uses.
    """
    return {
        name: ReplayedSteps(seconds=_seconds(cell, profile, name, kind), kind=kind, links=cell.link)
        for name, kind in replayed_kinds(cell, profile).items()
    }


def _seconds(cell: Cell, profile: Profile, name: str, kind: "StepKind") -> float:
    from liecbench.worker.replay.work_seconds import compressor_times

    algorithm = make_algorithm(cell)
    compressor = cell.compressor.model_dump() if cell.compressor else None
    work = step_work(
        kind.schedule,
        profile,
        {repr(call.compressor): compressor_times(profile, call.compressor) for call in kind.schedule.calls},
        bucket_bytes=algorithm.bucket_bytes,
        # A session replays a method without times of its own as if it took none.
        local_seconds=profile.local_seconds(cell.algorithm.model_dump(), compressor, name) or 0.0,
        batches_per_step=minibatches_per_step(cell, algorithm),
        update=update_of(cell.task),
    )
    links = RankLinks.of(cell.link if cell.link.shaped else _LOOPBACK, cell.workers)
    seconds = step_time(work, links, _costs(profile)).seconds
    is_lossy = any(link.loss for link in cell.link.links())
    known = traffic(cell).get(name) if is_lossy else None
    # Losses keep TCP below the link's rate, which ``step_time`` does not know.
    return seconds if known is None else max(seconds, work.compute_seconds + wire_seconds(cell, known))


def _costs(profile: Profile) -> TransportCosts:
    assumed = TransportCosts()
    message, hop = profile.message_seconds, profile.hop_seconds
    return TransportCosts(
        message_seconds=assumed.message_seconds if message is None else message,
        segment_seconds=assumed.segment_seconds if hop is None else hop,
    )
