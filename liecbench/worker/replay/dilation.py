"""Choose by which factors a replay dilates time and shrinks messages, so that this machine keeps up."""

import dataclasses
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from liecbench.algorithms.comm.schedule import Call, Schedule
from liecbench.config.cell import Cell
from liecbench.config.compute_choice import MOST_DILATION
from liecbench.network.link_map import LinkMap
from liecbench.network.slowdown import Slowdown
from liecbench.profiles.profile import Profile
from liecbench.worker.replay.cpu_cost import replay_cpu_seconds
from liecbench.worker.replay.step_kinds import StepKind
from liecbench.worker.replay.work_seconds import compressor_times

if TYPE_CHECKING:
    from liecbench.worker.step_timing import Burst

# The ranks and what emulates their links may use this share of the machine's processors.
MAX_CPU_SHARE: Final = 0.3
# A dilation up to which messages are not cut, and the size below which none is, because it would be mostly headers.
_ENOUGH_DILATION: Final = 16
_LEAST_BYTES: Final = 4096
# What this machine adds to each message that a rank sends in a call, one after the other: the reactions of ranks and of
# the delay line, which share the processors. With 2, 4, 8 and 16 ranks on 2 processors it was 1.0, 1.5, 2.0 and 1.4 ms.
# The smallest of these is expected, because runs with larger dilations take longer. Dilation makes the additions
# smaller; they may make up this share of the steps.
_ADDED_SECONDS: Final = 1e-3
_MAX_ADDED_SHARE: Final = 0.05


def estimated_slowdown(
    methods: Sequence[tuple[Cell, Collection[StepKind]]], profile: Profile, num_cpus: int
) -> Slowdown:
    """Return the slowdown with which this machine should keep up with the replay of every method of a session.

    The slowdown has a message divisor (emulated ÷ real bytes of a message) and the dilation that is needed with this
    divisor. The divisors 1, 2, 4 and so on are tried, as long as no message becomes smaller than 4096 bytes. The first
    divisor that needs a dilation of at most 16 is chosen. If there is none, the divisor that needs the least dilation
    is chosen.

    Args:
        methods: For each method, a cell that uses the method, and the method's step kinds. The cell's links must be
            shaped.
        profile: The profile that is replayed.
        num_cpus: The number of processors of this machine.

    Raises:
        ProfileError: If the profile has no times for a compressor that a method uses.
    """
    most = min((smallest_message(kind.schedule) for _, kinds in methods for kind in kinds), default=0) // _LEAST_BYTES
    best = Slowdown(dilation=MOST_DILATION + 1)
    for divisor in (1, *(2**power for power in range(1, max(1, most).bit_length()))):
        wanted = (estimated_dilation(cell, kinds, profile, num_cpus, divisor) for cell, kinds in methods)
        best = min(
            best,
            Slowdown(dilation=max(wanted, default=1), message_divisor=divisor),
            key=lambda one: one.dilation,
        )
        if best.dilation <= _ENOUGH_DILATION:
            break
    return best


def smallest_message(schedule: Schedule) -> int:
    """Return the bytes of the smallest message of a step; 2⁶³ if the step sends none."""
    sizes = [transfer.num_bytes for transfer in schedule.transfers]
    segments = [reduce.num_bytes // schedule.world_size for reduce in schedule.all_reduces]
    return min([*sizes, *segments], default=2**63)


def estimated_dilation(
    cell: Cell, kinds: Collection[StepKind], profile: Profile, num_cpus: int, divisor: int = 1
) -> int:
    """Return the least whole dilation at which this machine is expected to keep up with a replay.

    The machine keeps up if both conditions hold: ranks and emulated links use at most 30 % of the processors' time in
    each step, and the time that the machine itself adds to messages is at most 5 % of the time of all steps. If no
    dilation below ``MOST_DILATION`` suffices, return ``MOST_DILATION``.

    Args:
        cell: The cell whose steps are replayed; its links must be shaped.
        kinds: The step kinds of the cell's method.
        profile: The profile that is replayed.
        num_cpus: The number of processors of this machine.
        divisor: The factor by which real messages are smaller than emulated ones.

    Raises:
        ProfileError: If the profile has no times for a compressor that the method uses.
    """
    timed = [(kind, _least_seconds(cell.link, kind) + _compressor_seconds(profile, kind.schedule)) for kind in kinds]
    seconds = sum(kind.share.share * step for kind, step in timed)
    added = sum(kind.share.share * _added_seconds(kind.schedule) for kind in kinds)
    wanted = max(1, math.ceil(added / (seconds * _MAX_ADDED_SHARE))) if added else 1
    for kind, step in timed:
        if kind.schedule.calls or kind.schedule.all_reduces:  # computing takes no processor, however short it is
            wanted = _affordable(kind.schedule, cell.link, step * MAX_CPU_SHARE * num_cpus, divisor, at_least=wanted)
    return min(MOST_DILATION, wanted)


def _added_seconds(schedule: Schedule) -> float:
    """Return the seconds that this machine is expected to add to a step: ``_ADDED_SECONDS`` per counted message.

    A push or pull through a server at the root is one message. Any other push or pull, and any gather, is
    ``world_size`` − 1 messages. The messages of the block with the most messages are counted, and the messages after
    the optimizer's step. Other blocks and all-reduces are left out.
    """

    def num_messages(call: Call) -> int:
        # A server at the root sends its answers to all ranks at about the same time, as they send to it.
        through_root = schedule.server == "root" and call.direction != "gather"
        return 1 if through_root else schedule.world_size - 1

    # With 8 ranks, 2 cores added this to a step of ``doublesqueeze`` and of ``psgd``: 1 and 0 ms with one block and the
    # server at the root, 2 and 10 ms with four blocks, 1 and 11 ms with one block and sharded servers, 3 and 24 ms with
    # four. Expected are 2, 2, 14 and 14 ms. If every block counted, 8 and 56 ms were expected with four.
    return _of_largest_block(schedule, num_messages) * _ADDED_SECONDS


def _of_largest_block(schedule: Schedule, weight: Callable[[Call], int]) -> int:
    """Sum ``weight(call)`` over the calls of each block, and return the largest sum.

    Calls after the optimizer's step belong to no block; their weights are added to the returned sum.
    """
    of_block: dict[int | None, int] = {}
    for call in schedule.calls:
        of_block[call.block] = of_block.get(call.block, 0) + weight(call)
    after_step = of_block.pop(None, 0)
    return max(of_block.values(), default=0) + after_step


def _affordable(schedule: Schedule, links: LinkMap, cpu_seconds: float, divisor: int, *, at_least: int) -> int:
    """Return the least dilation, not below ``at_least``, at which the processors keep up with the replay of a step.

    The processors keep up if the step is estimated to take at most dilation × ``cpu_seconds`` of CPU, summed over all
    processors. If no dilation below ``MOST_DILATION`` suffices, return some integer of at least ``MOST_DILATION``.

    Args:
        schedule: The messages of the step in the emulated training.
        links: The links of the emulated training.
        cpu_seconds: The CPU seconds that a step may use if the dilation is 1, summed over all processors.
        divisor: The factor by which the messages of the replay are smaller than those of ``schedule``.
        at_least: The lower limit of the result.
    """
    dilation = at_least
    while dilation < MOST_DILATION:
        taken = replay_cpu_seconds(schedule, links, Slowdown(dilation=dilation, message_divisor=divisor))
        if taken <= dilation * cpu_seconds:
            break
        # Lower rates take more CPU per byte, so that no smaller dilation can be enough.
        dilation = max(dilation + 1, math.ceil(taken / cpu_seconds))
    return dilation


def _least_seconds(links: LinkMap, kind: StepKind) -> float:
    wire = 0.0
    for rank, (sent, received) in enumerate(kind.schedule.payload_bytes()):
        link = links.of(rank)
        up, down = 8 * sent / link.up_bits_per_second, 8 * received / link.down_bits_per_second
        wire = max(wire, up, down)
    return wire + _delay_seconds(links, kind.schedule) + kind.work.compute + sum(kind.work.local)


def _delay_seconds(links: LinkMap, schedule: Schedule) -> float:
    """Return a lower bound on the seconds for which the links delay the messages of a step."""
    if schedule.overlapped_steps:
        return 0.0  # later steps compute during the exchange
    ranks = range(schedule.world_size)
    # Only one all-reduce and one block are sure to be waited for: the others may run during the backward pass.
    hops = 2 * (schedule.world_size - 1) if schedule.all_reduces else 0
    trips = max(hops, _of_largest_block(schedule, lambda _: 1))
    return trips * 2 * min(links.of(rank).delay_seconds for rank in ranks)


def _compressor_seconds(profile: Profile, schedule: Schedule) -> float:
    """Return the approximate seconds in which a rank compresses and decompresses in a step."""
    seconds = 0.0
    for call in schedule.calls:
        times, shards = compressor_times(profile, call.compressor), schedule.shards(call)
        shard = max(one.numel for one in shards)
        if call.direction == "push":
            one_each = times.compress.seconds(shard) * len(shards)
            seconds += one_each + times.accumulate.seconds(shard) * schedule.world_size
        elif call.direction == "gather":
            added = (schedule.world_size - 1) * times.accumulate.seconds(shard)
            seconds += times.compress.seconds(shard) + times.decompress.seconds(shard) + added
        else:
            seconds += times.compress.seconds(shard) + times.decompress.seconds(shard) * len(shards)
    return seconds


def cpu_share(bursts: "Iterable[Burst]", emulator_cpu_seconds: float) -> float:
    """Return the share of this machine's CPU time, from 0 to 1, that a replay used during ``bursts``.

    The CPU time of a replay is that of all ranks and of the process that emulates their links. All ranks must be on
    this machine.

    Args:
        bursts: Series of consecutive steps, each measured on all ranks.
        emulator_cpu_seconds: CPU seconds of the process that emulates the links, in all bursts together.
    """
    used, available = emulator_cpu_seconds, 0.0
    for burst in bursts:
        used += sum(rank.cpu_seconds for rank in burst.ranks)
        available += burst.ranks[0].machine_cpu_seconds[1]
    return used / available if available else 0.0


def raised(slowdown: Slowdown, share: float) -> Slowdown:
    """Return ``slowdown`` with a dilation at which a replay uses at most about 30 % of the processors' time.

    The dilation is at most ``MOST_DILATION``. ``share`` is the share of the processors' time, above 0.3 and at most 1,
    that a replay with ``slowdown`` used.
    """
    dilation = min(MOST_DILATION, math.ceil(slowdown.dilation * share / MAX_CPU_SHARE))
    return dataclasses.replace(slowdown, dilation=dilation)
