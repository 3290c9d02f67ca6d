"""Measurements of consecutive steps on one rank, and a check that the network interfaces carried the payload bytes."""

from collections.abc import Sequence
from dataclasses import dataclass

from liecbench.algorithms.comm.timing import Counters
from liecbench.worker.collective_errors import LinkError


@dataclass(frozen=True, slots=True, kw_only=True)
class RankMeasurement:
    """One rank's measurement of consecutive steps.

    Attributes:
        mean_loss: Mean training loss over all ``num_steps`` steps, warm-up included.
        num_steps: Number of steps, warm-up included; bytes and CPU seconds cover all these steps.
        train_seconds: Total seconds of the timed steps, without loading data.
        data_seconds: Seconds in which the timed steps' batches were loaded and augmented.
        step_seconds: Seconds of each timed step.
        compute_seconds: Seconds in which the timed steps computed. On the CPU with one thread per rank: the number of
            timed steps × the lower quartile of the training thread's CPU seconds per step, so that waiting for a
            processor does not count. On a GPU, or with several threads: ``train_seconds`` − ``exposed_seconds``.
        exposed_seconds: Seconds in which the timed steps waited for compression and communication.
        exposed_compress_seconds: Part of ``exposed_seconds`` in which the communication thread compressed.
        exposed_communicate_seconds: Part of ``exposed_seconds`` in which the communication thread communicated and did
            not compress.
        link_seconds: The least seconds that the link needs for all messages of the timed steps, exposed or hidden:
            bytes ÷ link rate. None if the rate is unknown.
        counters: Payload bytes and messages of all steps; compression and communication seconds of the timed steps.
        wire_bytes: Bytes (sent, received) of the rank's network interface; None if no interface counts them.
        cpu_seconds: CPU seconds of this process.
        machine_cpu_seconds: CPU seconds (used, available) of all processors of this machine. The process that emulates
            the links does not count as use.
        machine: Number of this rank's machine, from 0.
        peak_memory_bytes: High-water mark of this process's resident memory.
        late_seconds: Seconds by which sleeps in the timed steps ended late for want of a processor; None if the rank
            computes instead of sleeping.
        memory_bytes: Bytes of the method's memories, such as error memories.
        gpu: Empty if this rank does not sample its machine's GPUs. Otherwise one entry: the GPUs' metrics by name, such
            as ``energy_joules``, or None if they are unknown.
    """

    mean_loss: float
    num_steps: int
    train_seconds: float
    data_seconds: float
    step_seconds: list[float]
    compute_seconds: float
    exposed_seconds: float
    exposed_compress_seconds: float
    exposed_communicate_seconds: float
    link_seconds: float | None
    counters: Counters
    wire_bytes: tuple[int, int] | None
    cpu_seconds: float
    machine_cpu_seconds: tuple[float, float]
    peak_memory_bytes: int
    memory_bytes: int
    late_seconds: float | None = None
    machine: int = 0
    gpu: tuple[dict[str, float] | None, ...] = ()

    @property
    def wire_seconds(self) -> float:
        """The estimated part of ``exposed_communicate_seconds`` in which the link transferred messages.

        The estimate is ``exposed_communicate_seconds`` · min(1, ``link_seconds`` ÷ ``counters.communicate_seconds``).
        If ``link_seconds`` is None, the estimate is ``exposed_communicate_seconds``.
        """
        all_seconds = self.counters.communicate_seconds
        if self.link_seconds is None or all_seconds <= self.link_seconds:
            return self.exposed_communicate_seconds
        return self.exposed_communicate_seconds * self.link_seconds / all_seconds


def other_cpu_share(ranks: Sequence[RankMeasurement]) -> float:
    """Return the share of a machine's CPU time that processes other than these ranks used, from 0 to 1.

    Of several machines, the one with the largest share counts.
    """
    own: dict[int, float] = {}
    for rank in ranks:
        own[rank.machine] = own.get(rank.machine, 0.0) + rank.cpu_seconds
    machines = ((own[rank.machine], *rank.machine_cpu_seconds) for rank in ranks)
    shares = [(busy - ranks_own) / available for ranks_own, busy, available in machines if available]
    # The kernel's count of idle time can fall, so that a share of a short time can exceed 1.
    return min(1.0, max(0.0, *shares)) if shares else 0.0


def check_wire_bytes(ranks: Sequence[RankMeasurement], backend: str) -> None:
    """Check that the ranks' network interfaces carried at least the payload.

    If ``backend`` is ``gloo``, each rank is checked. If it is ``nccl``, the totals over ranks are checked, because
    NCCL's trees load the ranks unevenly. Ranks whose interface bytes are unknown are left out.

    Raises:
        LinkError: If the interfaces carried fewer bytes than the payload. This shows that traffic took another route.
    """
    counted = [
        (f"rank {number}", rank.counters, rank.wire_bytes) for number, rank in enumerate(ranks) if rank.wire_bytes
    ]
    if backend == "nccl" and counted:
        sent, received = (sum(both) for both in zip(*(wire for _, _, wire in counted), strict=True))
        total = Counters(
            sent_bytes=sum(counters.sent_bytes for _, counters, _ in counted),
            received_bytes=sum(counters.received_bytes for _, counters, _ in counted),
        )
        counted = [("all ranks together", total, (sent, received))]
    for sender, counters, wire_bytes in counted:
        payloads = {"sent": counters.sent_bytes, "received": counters.received_bytes}
        for (direction, payload), wire in zip(payloads.items(), wire_bytes, strict=True):
            if wire < payload:
                message = f"{sender} {direction} {payload:,} payload bytes, but the interface carried {wire:,}"
                raise LinkError(f"{message}: the traffic took another route")
