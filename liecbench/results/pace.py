"""The pace of a row: the seconds per epoch of cells that differ only in the seed.

The ratio of two paces is a speed-up. It compares the seconds of equally many samples.

A pace has one value per timed seed. If a timing session timed the cells, the pace also has one value per round. In a
round, the session times every method once. A placement is a group of a few rounds. Before each placement, the session
creates all methods' models and buffers again, because their addresses in memory affect step times.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from liecbench.results.cells import CellResult
from liecbench.results.equal_work import samples_per_epoch, samples_ratio
from liecbench.results.ratio_interval import LogRatio
from liecbench.results.round_seconds import by_placement, round_seconds
from liecbench.results.timing_record import Timing

# Ranks that sleep in place of computing kept their times if they woke late by at most this share of the time.
_MAX_LATE_SHARE: Final = 0.01
# Two rows are not ranked if other processes used shares of the CPU that differ by more than this.
MAX_CPU_SHARE_DIFFERENCE: Final = 0.10

# The position of a round: its results directory, the number of its placement, and its own number in the placement.
_Position = tuple[str, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The seconds per epoch of the cells of one row.

    Attributes:
        setting: A key that is equal for cells that are timed in the same session (``Timing.setting``); None if no
            session timed the cells.
        by_round: Seconds per epoch in each round of the timing sessions; empty if no session timed the cells. Each key
            is (results directory, index of the placement, index of the round in the placement). A placement is a group
            of rounds, before which all models and buffers are created again. The seconds are a mean over step kinds.
            The weight of a step kind is the share of steps of this kind in a long training.
        utilization_by_round: Compute seconds ÷ all seconds in each round, with the keys of ``by_round``.
        by_seed: Seconds per epoch by seed.
        other_cpu_share: The mean share of the machine's CPU time that other processes used; None if it is unknown.
        late_share: The total lateness of the sleeps that replace computing ÷ the measured seconds. None if the ranks
            computed, if no session timed the cells, or if the lateness is unknown.
        samples: The number of samples that all ranks train on per epoch, mean over epochs; None if it is unknown.
        is_compared_by_epochs: True to compare epochs instead of equally many samples, because the samples of a row
            beside this one are unknown.
    """

    setting: str | None
    by_round: Mapping[_Position, float]
    utilization_by_round: Mapping[_Position, float]
    by_seed: Mapping[int, float]
    other_cpu_share: float | None
    late_share: float | None = None
    samples: float | None = None
    is_compared_by_epochs: bool = False

    @classmethod
    def of_cells(cls, cells: Sequence[CellResult], seconds_by_seed: Mapping[int, float]) -> "Pace":
        """Return the pace of completed cells that differ only in the seed.

        Args:
            cells: The completed cells. Their records give all fields of the pace except ``by_seed``.
            seconds_by_seed: The field ``by_seed``: the seconds per epoch of each timed cell, such as ``{0: 2.5}`` for
                seed 0.
        """
        sessions = {cell.origin: cell.timings for cell in cells if cell.timings}
        epochs = [epoch for cell in cells for epoch in cell.epochs]
        steps = statistics.fmean(epoch.steps for epoch in epochs) if epochs else 0.0
        by_round = {
            (origin, *place): steps * seconds
            for origin, timings in sessions.items()
            for place, seconds in round_seconds(timings).items()
        }
        utilization_by_round = {
            (origin, *place): steps * seconds / by_round[(origin, *place)]
            for origin, timings in sessions.items()
            for place, seconds in round_seconds(timings, "compute_seconds").items()
        }
        bursts = [timing for timings in sessions.values() for timing in timings]
        shares = [burst.other_cpu_share for burst in bursts] or [epoch.other_cpu_share for epoch in epochs]
        known = [share for share in shares if share is not None]
        return cls(
            setting=bursts[0].setting if bursts else None,
            by_round=by_round,
            utilization_by_round=utilization_by_round,
            by_seed=dict(seconds_by_seed),
            other_cpu_share=statistics.fmean(known) if known else None,
            late_share=_late_share(bursts),
            samples=samples_per_epoch(epochs),
        )

    @property
    def kept_times(self) -> bool:
        """True if the ranks slept in place of computing and woke in time: ``late_share`` is at most 1 %.

        If True, other processes hardly slowed the ranks. False if ``late_share`` is None.
        """
        return self.late_share is not None and self.late_share <= _MAX_LATE_SHARE

    @property
    def log_seconds(self) -> LogRatio | None:
        """The mean of ln(seconds per epoch) over all rounds, with its standard error.

        Every placement has the same weight, whatever its number of rounds. None if no timing session timed the cells.
        """
        return _log_mean(self.by_round)

    @property
    def log_utilization(self) -> LogRatio | None:
        """The mean of ln(compute utilization) over all rounds, with its standard error.

        The compute utilization of a round is its compute seconds ÷ all its seconds. None if there are no rounds, or if
        the compute utilization of any round is 0.
        """
        return _log_mean(self.utilization_by_round) if all(self.utilization_by_round.values()) else None

    def speed_over(self, other: "Pace") -> LogRatio | None:
        """Return the mean of ln(seconds of ``other`` ÷ seconds of this pace), which is positive if this pace is faster.

        The seconds are those of equally many samples. They are those of an epoch if the ``compared_samples`` of either
        pace are None. Return None if ``epoch_speed_over`` returns None.
        """
        of_epochs = self.epoch_speed_over(other)
        if of_epochs is None:
            return None
        return replace(of_epochs, mean=of_epochs.mean + math.log(self.samples_over(other)))

    @property
    def compared_samples(self) -> float | None:
        """The samples per epoch by which this pace is compared with others; None to compare epochs."""
        return None if self.is_compared_by_epochs else self.samples

    def samples_over(self, other: "Pace") -> float:
        """Return the ``compared_samples`` of this pace ÷ those of ``other``; 1 if either are None."""
        return samples_ratio(self.compared_samples, other.compared_samples)

    def epoch_speed_over(self, other: "Pace") -> LogRatio | None:
        """Return the mean of ln(seconds per epoch of ``other`` ÷ seconds per epoch of this pace).

        ``speed_over`` also allows for different numbers of samples per epoch; this function does not.

        - If there are rounds in which a timing session timed both paces, the mean is taken over these rounds.
        - If sessions timed both paces, but never in the same round, the result is the mean ln(seconds) of ``other``
          minus the mean ln(seconds) of this pace. None if a pace has no rounds.
        - If a pace was not timed by any session, the mean is taken over the seeds that both paces have. None if there
          is no such seed.
        """
        shared = self._shared_rounds(other)
        if self.setting is not None and other.setting is not None and not shared:
            own, others = self.log_seconds, other.log_seconds
            return None if own is None or others is None else others.plus(own.inverse)
        if shared:
            ratios = {place: math.log(other.by_round[place] / self.by_round[place]) for place in shared}
            return LogRatio.of_rounds(by_placement(ratios))
        seeds = [seed for seed in self.by_seed if seed in other.by_seed]
        if not seeds:
            return None
        return LogRatio.of_pairs([math.log(other.by_seed[seed] / self.by_seed[seed]) for seed in seeds])

    def timed_apart_from(self, other: "Pace") -> bool:
        """Return True if the two paces have the same ``setting``, but no common round in ``by_round``.

        The paces were then measured at different times, so that a speed-up between them also contains what changed on
        the machine in between. If the ``setting`` is None, return False.
        """
        return self.setting is not None and self.setting == other.setting and not self._shared_rounds(other)

    def _shared_rounds(self, other: "Pace") -> list[_Position]:
        return [place for place in self.by_round if place in other.by_round] if self.setting == other.setting else []

    def disturbed_differently(self, other: "Pace") -> bool:
        """Return True if the two paces cannot be ranked, because other processes used too different shares of the CPU.

        Shares are too different if the values of ``other_cpu_share`` differ by more than ``MAX_CPU_SHARE_DIFFERENCE``.
        Return False if either value is None. Also return False if ``kept_times`` is True for both paces, because other
        processes then hardly slowed the ranks.
        """
        if self.kept_times and other.kept_times:
            return False
        if self.other_cpu_share is None or other.other_cpu_share is None:
            return False
        return abs(self.other_cpu_share - other.other_cpu_share) > MAX_CPU_SHARE_DIFFERENCE


def _late_share(bursts: Sequence[Timing]) -> float | None:
    late = [burst.late_seconds for burst in bursts if burst.late_seconds is not None]
    return sum(late) / sum(burst.seconds for burst in bursts) if bursts and len(late) == len(bursts) else None


def _log_mean(by_round: Mapping[_Position, float]) -> LogRatio | None:
    """Return the mean of ln(value) over the rounds in ``by_round``, with its standard error; None without rounds."""
    if not by_round:
        return None
    return LogRatio.of_rounds(by_placement({place: math.log(value) for place, value in by_round.items()}))
