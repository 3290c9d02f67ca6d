"""The verdict on one setting: the verdicts on the accuracy and the speed of each row, and a recommended method.

The rows of a setting differ only in the method, and not, for example, in the link, the workers or the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from liecbench.results.accuracy_verdict import AccuracyVerdict, accuracy_verdicts
from liecbench.results.learning import learned_nothing
from liecbench.results.recommendation import Recommendation, recommend
from liecbench.results.rows import Row
from liecbench.results.speed_verdict import SpeedOutcome, SpeedVerdicts, speed_verdicts
from liecbench.results.tolerances import Tolerances


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingVerdict:
    """The verdict on one setting, such as one link: how each method's accuracy and speed compare, and which to use.

    Attributes:
        setting: The setting's name; empty if there is only one setting.
        rows: The rows, fastest first. A row is one method in this setting, with all its seeds.
        accuracy: For each of ``rows``, the verdict on the accuracy; None for the baseline, and for rows that share no
            seed with the baseline.
        speed: The verdicts on the speed. They name a row by its index in ``rows``.
        recommendation: The recommended row, by its index in ``rows``, or the reason why no row is recommended. None if
            the baseline learned nothing, or if no row's speed can be compared with the baseline's.
        untrained: The facts that show that the baseline learned nothing, such as ``its accuracy is 10.1%, and always
            guessing the commonest class gives 10.0%``. None if the baseline learned, or if the records do not tell.
    """

    setting: str
    rows: tuple[Row, ...]
    accuracy: tuple[AccuracyVerdict | None, ...]
    speed: SpeedVerdicts
    recommendation: Recommendation | None
    untrained: str | None

    @classmethod
    def of(cls, setting: str, rows: Sequence[Row], tolerances: Tolerances) -> "SettingVerdict":
        """Return the verdict on one setting.

        Args:
            setting: The setting's name; empty if there is only one setting.
            rows: The setting's rows, fastest first.
            tolerances: The largest drop of accuracy and rise of loss that still count as equal to the baseline.
        """
        accuracy, speed = accuracy_verdicts(rows, tolerances), speed_verdicts(rows)
        untrained = learned_nothing(rows)
        comparable = untrained is None and speed.against_baseline
        return cls(
            setting=setting,
            rows=tuple(rows),
            accuracy=tuple(accuracy),
            speed=speed,
            recommendation=recommend(rows, accuracy, speed) if comparable else None,
            untrained=untrained,
        )

    @property
    def recommended(self) -> Row | None:
        """The row of the method that the verdict recommends for this setting; None if the verdict recommends none."""
        found = self.recommendation
        return None if found is None or found.row is None else self.rows[found.row]

    def accuracy_of(self, row: Row) -> AccuracyVerdict | None:
        """Return the verdict on a row's accuracy; None if the row was not compared, or the baseline learned nothing."""
        return None if self.untrained else self.accuracy[self._position(row)]

    def speed_of(self, row: Row) -> SpeedOutcome | None:
        """Return the verdict on a row's speed; None for the baseline and rows without times."""
        return self.speed.against_baseline.get(self._position(row))

    def dense_speed_of(self, row: Row) -> SpeedOutcome | None:
        """Return whether a row is shown to be faster or slower than the dense row.

        The dense row is the fastest row without compression. Return None for the dense row, for the baseline, and for
        rows without times. Return None for all rows if the baseline is the dense row, or if all rows compress.
        """
        return self.speed.against_dense.get(self._position(row))

    def _position(self, row: Row) -> int:
        return next(index for index, one in enumerate(self.rows) if one is row)
