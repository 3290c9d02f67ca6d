"""A comparison of algorithms: the data that every output format of `liecbench compare` renders."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.results.answer_words import answer
from liecbench.results.answers import Answer
from liecbench.results.bandwidth_needed import BandwidthNeeded, BandwidthTable, bandwidth_table
from liecbench.results.break_even import BreakEven
from liecbench.results.metric_row import Metric
from liecbench.results.metrics import METRICS
from liecbench.results.row_labels import Labels
from liecbench.results.rows import Row
from liecbench.results.setting_verdict import SettingVerdict
from liecbench.results.speed_words import speed_notes
from liecbench.results.summary import lines_beside_answers, verdict_lines
from liecbench.results.verdict_words import Words


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The rows of a comparison, and everything else that output formats show.

    A row combines the cells that differ only in the seed.

    Args:
        rows: The rows in the order in which they are shown. If ``by`` is not ``algorithm``, rows with equal
            values of the field ``by`` are adjacent.
        added_rows: The rows at link rates that no scenario asked for, and that are not in ``rows``. A run adds link
            rates to narrow break-evens.
        baseline_choice: The choice of the baseline: an algorithm and, optionally, values that other fields must have.
        target_accuracy: The accuracy, from 0 to 1, that the metrics named ``…_to_target`` refer to; None without a
            target.
        target_loss: The test loss that the metrics named ``…_to_target`` refer to; None without a target. If both
            targets are given, ``target_loss`` applies to language models, and ``target_accuracy`` to all others.
        by: The name of the field that rows are grouped by.
        fields: The names of the fields that are columns: the algorithm, ``by``, and fields that differ between rows.
        shared_fields: The names and values of fields that are not columns and have one value in all rows. Rows without
            a value are ignored.
        settings: For each setting (such as a link), by name: the setting's rows, fastest first.
        requested_metrics: The metrics that ``--metric`` names; empty for the default ones.
        wide: True to show more metrics as columns, and the bandwidth needed even if it is only estimated.
        break_evens: The break-even of each method whose speed-up was measured at two or more link rates.
        bandwidth_needed: The bandwidth that each method needs in each setting.
        setting_verdicts: The verdict on each setting.
        words: The names and tolerances that the sentences of the verdict use.
        notes: The first lines of the property ``verdict``, such as how ``--best`` chose the rows.
        errors: One text per distinct error: the algorithm's name and the error's first line.
        warnings: One text per distinct warning: the algorithm's name and the warning.
        merged_warnings: ``warnings`` in fewer texts: one text for all that differ only in the method or in numbers.
        labels: Short names of methods and settings.
        directories: The results directories that the cells come from.
        options: The options of ``liecbench compare`` with which it makes this comparison of ``directories``, such as
            ``("--by", "link")``, without those that choose the format or the columns.
    """

    rows: tuple[Row, ...]
    added_rows: tuple[Row, ...]
    baseline_choice: BaselineChoice
    target_accuracy: float | None
    target_loss: float | None
    by: str
    fields: tuple[str, ...]
    shared_fields: Mapping[str, Any]
    settings: Mapping[str, tuple[Row, ...]]
    requested_metrics: tuple[str, ...]
    wide: bool
    break_evens: tuple[BreakEven, ...]
    bandwidth_needed: tuple[BandwidthNeeded, ...]
    setting_verdicts: tuple[SettingVerdict, ...]
    words: Words
    notes: tuple[str, ...]
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    merged_warnings: tuple[str, ...]
    labels: Labels
    directories: tuple[Path, ...]
    options: tuple[str, ...] = ()

    @property
    def baseline(self) -> str:
        """The algorithm that the others are compared with."""
        return self.baseline_choice.algorithm

    @functools.cached_property
    def verdict(self) -> tuple[str, ...]:
        """The conclusions of the comparison, as lines of text."""
        return (*self.notes, *verdict_lines(self.setting_verdicts, self.break_evens, self.words))

    @functools.cached_property
    def answers(self) -> tuple[Answer, ...]:
        """The answers, at most one per setting: whether compression pays there, and which method to use."""
        found = (answer(verdict, self.words) for verdict in self.setting_verdicts)
        return tuple(one for one in found if one is not None)

    @functools.cached_property
    def lines_beside_answers(self) -> tuple[str, ...]:
        """Lines of text to show after ``answers``. They begin with ``notes``.

        The other lines say, in this order: how the times were taken, the break-even rates, which rows did not complete,
        and why times may mislead, for example because other processes used the CPU.
        """
        return (*self.notes, *lines_beside_answers(self.setting_verdicts, self.break_evens, self.words))

    @functools.cached_property
    def speed_notes(self) -> tuple[str, ...]:
        """Sentences that explain the verdicts ``not known`` and ``not ranked`` on speed; empty if none is needed.

        ``not known`` is explained only if a row with this verdict has a speed-up whose interval excludes 1×.
        """
        return tuple(speed_notes(self.setting_verdicts))

    def verdict_of(self, row: Row) -> SettingVerdict:
        """Return the verdict on the setting of ``row``. A setting is, for example, one link.

        The verdict says how the accuracy and speed of the methods compare in the setting, and which method to use.
        """
        return self._verdict_by_row[id(row)]

    @functools.cached_property
    def _verdict_by_row(self) -> dict[int, SettingVerdict]:
        return {id(row): one for one in self.setting_verdicts for row in one.rows}

    def bandwidth_table(self, *, page: bool = False) -> BandwidthTable | None:
        """Return the table of the link rates that each method needs; None if there is nothing to show.

        The rates are the lowest ones at which computing takes 50 %, 75 %, 90 %, 95 % and 99 % of a step. If every
        method was measured at one link rate only, there is a table only if ``self.wide`` or ``page`` is True.

        Args:
            page: True for the HTML page.
        """
        found = self.bandwidth_needed
        if not found or not (self.wide or page or any(one.num_rates != 1 for one in found)):
            return None
        return bandwidth_table(found)

    def columns(self, *, page: bool = False) -> tuple[Metric, ...]:
        """Return the metrics to show as columns: the requested ones or, if none are requested, the default ones.

        A metric is left out if no row has a value for the metric.

        Args:
            page: True for the HTML page, which by default shows as many metrics as if ``self.wide`` were True.
        """
        shown: set[Literal["table", "wide", "on request"]] = {"table", "wide"} if page or self.wide else {"table"}
        kinds = {"any", *("loss" if row.is_language_model else "accuracy" for row in self.rows)}
        names = self.requested_metrics or [
            metric.name
            for metric in METRICS.values()
            if (metric.shown in shown and metric.shown_for in kinds)
            or metric.differs(row.metrics[metric.name] for row in self.rows)
        ]
        return tuple(METRICS[name] for name in names if any(row.metrics[name] is not None for row in self.rows))
