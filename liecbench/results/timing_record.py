"""The record of a burst in a timing session. A burst is a series of consecutive timed steps, usually of one kind."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from annotated_types import MinLen
from pydantic import ConfigDict

from liecbench.results.ranges import (
    STRICT,
    TOLERATED_ROUNDING,
    Count,
    CpuShare,
    Dilation,
    Fraction,
    Natural,
    Positive,
    RankBytes,
    Seconds,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The record of one burst of a timing session: consecutive timed steps of one kind.

    Contestants are methods on the same link that are compared with each other. In a timing session, contestants take
    turns. In a round, every contestant has one turn. In a turn, a contestant trains one burst of each step kind.

    One case is an exception: ranks compute instead of replaying a profile, and the method's messages are still in
    flight while later steps compute. A turn then has only one burst, with steps of all kinds, and the record of each
    kind has the times of the whole burst.

    Attributes:
        setting: A key that is equal for the cells that are timed in the same session (``Cell.setting``).
        contestant: The contestant's key (``Cell.contestant``). Cells that differ only in fields without effect on step
            times, such as the seed, have equal keys.
        kind: The name of the step kind. Steps of one kind, such as averaging steps, do the same work.
        kind_share: The share of the method's steps that are of this kind in a long training, from 0 to 1.
        placement: The number of the placement, from 0. A placement is a group of rounds, after which all contestants'
            models and buffers are created again, because step times also depend on memory addresses.
        round: The number of the round in the placement, from 0.
        order: The position of the contestant's turn in the round, from 0.
        steps: The number of timed steps.
        seconds: The time of all ``steps`` steps on the slowest rank. All other seconds also cover all these steps.
        compute_seconds: The part of ``seconds`` for the model and the optimizer, mean over ranks. It is measured before
            each round on a plain copy of the model, without communication and compression. If ranks replay a profile,
            it comes from the profile. In records of earlier versions it is measured in the timed steps.
        wire_seconds: The part of ``seconds`` for transfer that computing did not hide. If the link has a known rate,
            this part is at most bytes ÷ rate.
        compress_seconds: The part of ``seconds`` for compression and decompression that computing did not hide.
        other_seconds: The rest of ``seconds``: latency, waiting for other ranks or for a processor, and the time by
            which computing takes longer than without communication.
        exposed_seconds: Compression and communication that computing did not hide.
        communicate_seconds: Communication on the slowest rank, hidden or not.
        least_communicate_seconds: Communication on the rank that communicated least.
        data_seconds: Loading and augmenting batches, which is not part of ``seconds``.
        wire_bytes: Bytes ``sent`` and ``received``, each as a list with one number per rank, as counted by the network
            interfaces; None if no interface counts the bytes of each rank.
        cpu_seconds: CPU seconds of all ranks.
        other_cpu_share: The share of the machine's CPU time, from 0 to 1, that other processes used.
        peak_memory_bytes: The largest resident memory of a rank, which holds all contestants.
        payload_bytes: Payload bytes ``sent`` and ``received``, each as a list with one number per rank.
        all_compress_seconds: Compression on the slowest rank, hidden or not.
        step_quantiles: Seconds of single steps, each on its slowest rank, as evenly spaced quantiles.
        dilation: The factor by which everything ran more slowly, such as 16. All seconds but ``cpu_seconds`` and
            ``raw_seconds`` are already divided by it. It is 1, and absent in a ledger, unless the ranks replayed a
            profile in dilated time.
        raw_seconds: ``seconds`` before the division by ``dilation``. It is None, and absent in a ledger, if
            ``dilation`` is 1.
        message_divisor: The factor by which real messages and rates were smaller than the emulated ones, such as 4. All
            bytes are those of the emulated messages. It is 1, and absent in a ledger, if messages had their full size.
        late_seconds: The seconds by which the sleeps of a rank that replays a profile ended late because no processor
            was free, summed. The rank with the largest sum counts. None, and absent in a ledger, if ranks computed, and
            in records of earlier versions.
        thread_seconds: The seconds of the model and the optimizer, measured in the timed steps, mean over ranks. If
            ranks replay a profile, the seconds come from the profile. None in records of earlier versions.
        step_samples: The samples that all ranks together would train on in a step, if the task is a profile. None, and
            absent in a ledger, for cells that are trained, if the profile does not say its batch size, and in records
            of earlier versions.
    """

    type: ClassVar[str] = "timing"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    setting: str
    contestant: str
    kind: str
    kind_share: Fraction
    placement: Count
    round: Count
    order: Count
    steps: Natural
    seconds: Positive
    compute_seconds: Seconds
    wire_seconds: Seconds
    compress_seconds: Seconds
    other_seconds: Seconds
    exposed_seconds: Seconds
    communicate_seconds: Seconds
    least_communicate_seconds: Seconds
    data_seconds: Seconds
    wire_bytes: RankBytes | None = field(hash=False)
    cpu_seconds: Seconds
    other_cpu_share: CpuShare | None
    peak_memory_bytes: Count
    payload_bytes: RankBytes = field(hash=False)
    all_compress_seconds: Seconds
    step_quantiles: Annotated[list[Seconds], MinLen(1)] = field(hash=False)
    thread_seconds: Seconds | None = None
    dilation: Dilation = 1
    raw_seconds: Positive | None = None
    message_divisor: Natural = 1
    late_seconds: Seconds | None = None
    step_samples: Natural | None = None

    def __post_init__(self) -> None:
        """Raise ValueError if ``raw_seconds`` does not fit ``dilation``.

        ``raw_seconds`` must be None if ``dilation`` is 1. Otherwise, it must be ``seconds`` × ``dilation``, except for
        rounding.
        """
        if (self.raw_seconds is None) != (self.dilation == 1):
            raise ValueError(f"dilation is {self.dilation:g}, and raw_seconds {self.raw_seconds}")
        if self.raw_seconds is not None:
            seconds = self.raw_seconds / self.dilation
            if abs(seconds - self.seconds) > TOLERATED_ROUNDING * self.seconds:
                raise ValueError(f"seconds is {self.seconds:g}, and raw_seconds ÷ dilation is {seconds:g}")
