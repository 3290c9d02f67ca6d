"""The seconds of a training step on a network, computed from the work of the step.

Each rank communicates gradient blocks while it computes. Blocks are communicated one after the other, in the order in
which they become ready. To communicate a block means to compress, send, receive and decompress the block.

There is one exception: over Gloo, up to two of DDP's all-reduces run at the same time. The transfers of two all-reduces
take turns on the link, but their waiting times overlap.
"""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from liecbench.prediction.call_sizes import CallSizes
from liecbench.prediction.gloo_ring import GLOO_THREADS
from liecbench.prediction.node_links import NodeLinks
from liecbench.prediction.rank_links import RankLinks
from liecbench.prediction.ring_seconds import RingSeconds, ring_seconds
from liecbench.prediction.server_exchange import Span, call_seconds
from liecbench.prediction.step_work import BlockWork, StepWork
from liecbench.prediction.transport_costs import TransportCosts

Bottleneck = Literal["compute", "wire", "compress", "latency"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """The seconds of a step, in parts that add up to ``seconds``.

    Attributes:
        compute_seconds: Computing.
        wire_seconds: Transfer for which computing waits.
        compress_seconds: Compression, and the method's own arithmetic, for which computing waits.
        latency_seconds: Everything else: delays, costs per message, and the cost of DistributedDataParallel.
    """

    compute_seconds: float
    wire_seconds: float
    compress_seconds: float
    latency_seconds: float

    @property
    def seconds(self) -> float:
        """Seconds of the whole step."""
        return self.compute_seconds + self.wire_seconds + self.compress_seconds + self.latency_seconds

    @property
    def bottleneck(self) -> Bottleneck:
        """The name of the part with the most seconds."""
        parts: dict[Bottleneck, float] = {
            "compute": self.compute_seconds,
            "wire": self.wire_seconds,
            "compress": self.compress_seconds,
            "latency": self.latency_seconds,
        }
        return max(parts, key=lambda name: parts[name])


def step_time(work: StepWork, links: RankLinks, costs: TransportCosts, nodes: NodeLinks | None = None) -> StepTime:
    """Return the seconds of a step, split into parts.

    Args:
        work: The computing and the messages of the step. If ``nodes`` is given, the messages are those between nodes.
        links: The links on which the messages of ``work`` travel.
        costs: The transport's constants.
        nodes: The links inside each node; None if every rank has a link of its own. The result includes the time in
            which gradients are reduced, and results are sent, inside the nodes.
    """
    network = _Network(links, costs, nodes)
    backward = work.backward_seconds * costs.slowdown
    end, busy = _backward_lane(work, network)
    exposed = max(0.0, end - backward)
    compute = work.before_seconds + backward + work.after_seconds
    after = _after_step(work, network, hidden_seconds=work.overlapped_steps * compute)
    # The exposed part of the lane is divided as the whole lane is.
    share = min(1.0, exposed / busy.seconds) if busy.seconds else 0.0
    wire = share * busy.wire_seconds + after.wire_seconds
    compress = share * busy.compress_seconds + after.compress_seconds
    waiting = max(0.0, exposed + after.seconds - wire - compress)
    communicates = bool(work.sent_bytes) or nodes is not None
    # What a step costs that does not communicate is in the method's own times, if they are known.
    has_overhead = communicates or (work.world_size > 1 and not work.has_own_times)
    return StepTime(
        compute_seconds=compute,
        wire_seconds=wire,
        compress_seconds=compress,
        latency_seconds=waiting + (costs.overhead_seconds(has_own_times=work.has_own_times) if has_overhead else 0.0),
    )


class _Network:
    """A cache of the times that pushes, pulls, gathers and all-reduces take on given links."""

    def __init__(self, links: RankLinks, costs: TransportCosts, nodes: NodeLinks | None) -> None:
        self.costs, self.nodes, self._links = costs, nodes, links
        self._calls: dict[int, Span] = {}
        self._rings: dict[int, RingSeconds] = {}

    def call(self, sizes: CallSizes) -> Span:
        """Return the seconds of a push, pull or gather: in all, for transfer, and for compression.

        ``sizes`` holds the operation and the sizes of its messages.
        """
        # Calls of equal sizes share one object, so its id is a key.
        if id(sizes) not in self._calls:
            self._calls[id(sizes)] = call_seconds(sizes, self._links, self.costs)
        return self._calls[id(sizes)]

    def all_reduce(self, num_bytes: int) -> RingSeconds:
        """Return the seconds of an all-reduce of ``num_bytes`` bytes, divided into transfer and waiting."""
        if num_bytes not in self._rings:
            self._rings[num_bytes] = ring_seconds(num_bytes, self._links, self.costs)
        return self._rings[num_bytes]


def _backward_lane(work: StepWork, network: _Network) -> tuple[float, Span]:
    """Return (end, span): when the last gradient block is averaged, and how long communication is busy.

    ``end`` counts seconds from the start of the backward pass. ``span.seconds`` leaves out the time in which every
    block is either averaged or not yet computed. Of ``span.seconds``, ``span.wire_seconds`` are transfer, and
    ``span.compress_seconds`` are compression and the method's own arithmetic.
    """
    if any(block.calls for block in work.blocks) or not any(block.all_reduces for block in work.blocks):
        return _one_after_another(work, network)
    if work.is_serial or network.costs.backend == "nccl":
        return _one_after_another(work, network)
    return _two_threads(work, network)


def _one_after_another(work: StepWork, network: _Network) -> tuple[float, Span]:
    end, busy = 0.0, Span()
    for block in sorted(work.blocks, key=lambda block: block.ready_seconds):
        span = _block_span(block, network)
        end = max(end, block.ready_seconds * network.costs.slowdown) + span.seconds
        busy += span
    return end, busy


def _block_span(block: BlockWork, network: _Network) -> Span:
    local = Span(seconds=block.local_seconds, compress_seconds=block.local_seconds)
    for call in block.calls:
        local += network.call(call)
    for num_bytes in block.all_reduces:
        ring = network.all_reduce(num_bytes)
        local += Span(seconds=ring.wire_seconds + ring.waiting_seconds, wire_seconds=ring.wire_seconds)
    if network.nodes is not None and (block.calls or block.all_reduces):
        local += network.nodes.span(4 * block.numel)
    return local


def _two_threads(work: StepWork, network: _Network) -> tuple[float, Span]:
    """Return (end, span) for blocks whose all-reduces run in two threads.

    ``_backward_lane`` explains both values. The transfers of two all-reduces take turns on the link, but the waiting
    times of two all-reduces overlap. ``span.seconds`` is the larger of two numbers: the time in which at least one
    ready block is not yet averaged, and the sum of all blocks' seconds, not counting the waiting times.
    """
    link_free, ends, busy = 0.0, list[float](), Span()
    busy_until, running = 0.0, 0.0
    for block in sorted(work.blocks, key=lambda block: block.ready_seconds):
        inside = network.nodes.span(4 * block.numel) if network.nodes is not None else Span()
        local, begin = block.local_seconds + inside.seconds, block.ready_seconds * network.costs.slowdown
        for num_bytes in block.all_reduces:
            ring = network.all_reduce(num_bytes)
            thread_free = ends[-GLOO_THREADS] if len(ends) >= GLOO_THREADS else 0.0
            start = max(begin + local, thread_free)
            link_free = max(start, link_free) + ring.wire_seconds
            # All-reduces that start together also wait at the same times, so that none uses the link meanwhile.
            ends.append(link_free + ring.waiting_seconds)
            busy += Span(seconds=ring.wire_seconds, wire_seconds=ring.wire_seconds)
        busy += Span(seconds=local, wire_seconds=inside.wire_seconds, compress_seconds=block.local_seconds)
        if block.all_reduces:
            end = max(ends[-len(block.all_reduces) :])
            running += max(0.0, end - max(begin, busy_until))
            busy_until = max(busy_until, end)
    return max(ends), dataclasses.replace(busy, seconds=max(busy.seconds, running))


def _after_step(work: StepWork, network: _Network, *, hidden_seconds: float) -> Span:
    """Return the duration that the method's work after the optimizer's step adds to a training step.

    The method's own arithmetic adds all its seconds, and counts as compression. Communication adds only its seconds
    beyond ``hidden_seconds``, the seconds for which later training steps compute while the communication runs.
    """
    sent = Span()
    for call in work.after_step:
        sent += network.call(call)
    if network.nodes is not None:
        sent += network.nodes.span(sum(4 * call.vector_numel for call in work.after_step) // 2)
    exposed = max(0.0, 1 - hidden_seconds / sent.seconds) if sent.seconds else 0.0
    return Span(
        seconds=work.after_local_seconds + exposed * sent.seconds,
        wire_seconds=exposed * sent.wire_seconds,
        compress_seconds=work.after_local_seconds + exposed * sent.compress_seconds,
    )
