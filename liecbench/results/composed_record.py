"""The origin of an epoch that an earlier version of liecbench composed from two cells."""

from dataclasses import dataclass

from liecbench.results.ranges import Count, Positive, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class KindTime:
    """The seconds per step of one step kind in an epoch, as earlier versions recorded them.

    Attributes:
        steps: The number of steps of this kind in the epoch.
        timed_steps: The number of steps of this kind that were timed.
        mean_seconds: The mean seconds per timed step.
        half_width_seconds: Half the width of the 95 % confidence interval of this mean.
    """

    steps: Count
    timed_steps: Count
    mean_seconds: Positive
    half_width_seconds: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """The origin of an epoch record that an earlier version of liecbench computed from a trained cell and a timed cell.

    The losses, accuracies, payload bytes, messages and norms are those of the trained cell. The peak memory is that of
    the timed cell's steps. The times, CPU seconds and wire bytes are computed from the timed cell's mean for each kind
    of step. For example, an epoch with 90 plain steps of 0.1 s and 10 averaging steps of 0.3 s takes 12 s.

    Attributes:
        trajectory: The id of the trained cell.
        kinds: The number of steps and the seconds per step of each step kind, by the kind's name, such as
            ``averaging``.
    """

    trajectory: str
    kinds: dict[str, KindTime]
