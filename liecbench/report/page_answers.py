"""The methods' speed-ups on the HTML page: a bar chart per setting, and a coloured table of methods by settings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from liecbench.report.figures.colours import Palette
from liecbench.results.accuracy_verdict import AccuracyOutcome
from liecbench.results.comparison import Comparison
from liecbench.results.metrics import METRICS
from liecbench.results.rows import Row
from liecbench.results.setting_verdict import SettingVerdict
from liecbench.results.speed_verdict import SpeedOutcome

# A speed-up from which a cell of the map has its class, if it is shown to differ from 1.
_SHADES: Final = ((4.0, "faster-3"), (2.0, "faster-2"), (1.0, "faster-1"), (0.5, "slower-1"), (0.0, "slower-2"))
_BLUE: Final = frozenset({"faster-1", "faster-2", "faster-3"})
_ORANGE: Final = frozenset({"slower-1", "slower-2"})
_MOST_TICKS: Final = 6
_MARKS: Final = {"kept": "", "not known": "?"}
_SPEED_UP: Final = "speed-up: {baseline}'s training time ÷ the method's, for as many samples"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedUp:
    """The speed-up of one method in one setting, drawn as a bar of a ``SpeedChart`` or as a cell of a ``SpeedMap``.

    Attributes:
        method: The method's name.
        colour: The method's colour in all figures.
        text: The mean speed-up and its interval as text, such as ``5.50× (5.42 to 5.58)``.
        short: The mean speed-up as text, such as ``5.50×``.
        accuracy: The verdict on the accuracy or, for a language model, on the test loss: ``kept``, ``lost`` or
            ``not_shown``. None without a verdict, as for the baseline.
        quality: The verdict on the accuracy or test loss in words, such as ``accuracy kept`` or
            ``accuracy not known yet``; empty without a verdict.
        mark: The verdict on the accuracy or test loss as a mark in the map. ``?`` means not known yet. The other marks
            are ``lost``, ``likely lost``, ``raised`` and ``likely raised``. Empty if the accuracy or test loss is kept,
            or without a verdict.
        outcome: The verdict on the speed: ``faster``, ``slower`` or ``not_shown``; None without a verdict, as for the
            baseline.
        is_baseline: True for the baseline's row.
        is_recommended: True if the verdict on the setting recommends the method.
        mean: The mean speed-up.
        low: The lower end of the speed-up's interval; equal to ``mean`` without an interval.
        high: The upper end of the speed-up's interval; equal to ``mean`` without an interval.
        is_disturbed: True if other processes disturbed the method and the baseline too differently to rank them.
    """

    method: str
    colour: str
    text: str
    short: str
    accuracy: AccuracyOutcome | None
    quality: str
    mark: str
    outcome: SpeedOutcome | None
    is_baseline: bool
    is_recommended: bool
    mean: float
    low: float
    high: float
    is_disturbed: bool = False

    @property
    def speed_words(self) -> str:
        """The verdict on the speed in words; empty without a verdict. For the baseline, the text is ``baseline``."""
        if self.is_baseline:
            return "baseline"
        if self.outcome == "not_shown":
            return "not ranked" if self.is_disturbed else "not known to differ"
        return self.outcome or ""

    @property
    def shade(self) -> str:
        """The CSS class that colours this speed-up in the map, such as ``faster-2`` or ``slower-1``.

        A larger number means a larger difference from the baseline. The class is ``level`` if the verdict on the speed
        is neither ``faster`` nor ``slower``.
        """
        if self.outcome not in ("faster", "slower"):
            return "level"
        return next(shade for least, shade in _SHADES if self.mean >= least)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedChart:
    """A bar chart of the methods' speed-ups in one setting.

    Attributes:
        setting: The setting's name.
        bars: The speed-ups, largest first.
        longest: The speed-up at the end of the axis, which starts at 0. An interval may reach beyond the end.
    """

    setting: str
    bars: tuple[SpeedUp, ...]
    longest: float

    @property
    def ticks(self) -> list[float]:
        """The values on the axis that have a mark."""
        step = next(step for step in (0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 1e9) if self.longest / step < _MOST_TICKS)
        return [step * number for number in range(int(self.longest / step) + 1)]

    def legend(self, baseline: str) -> str:
        """Return sentences on the meaning of bars and lines in the chart. ``baseline`` is the baseline's name."""
        meaning = _SPEED_UP.format(baseline=baseline)
        sentences = [f"{meaning[0].upper()}{meaning[1:]}.", f"The vertical line is {baseline}'s speed, 1×."]
        if any(bar.high > bar.low for bar in self.bars):
            sentences.append("The thin horizontal lines are 95 % intervals.")
        if any(bar.high > self.longest for bar in self.bars):
            sentences.append("One that ends in an arrow reaches beyond the chart; its ends stand in numbers beside it.")
        return " ".join(sentences)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedMap:
    """A table of speed-ups, with one line per method and one column per setting.

    Attributes:
        settings: The names of the settings, in the order of the columns.
        lines: Each line as (method's name, method's colour, speed-ups in the order of the columns). A speed-up is None
            if it is unknown in the column's setting.
    """

    settings: tuple[str, ...]
    lines: tuple[tuple[str, str, tuple[SpeedUp | None, ...]], ...]

    def legend(self, baseline: str, kept: str) -> list[str]:
        """Return the lines of the legend: the meaning of the numbers, and of each colour, frame and mark in the map.

        Args:
            baseline: The baseline's name.
            kept: The text that ``kept_text`` returns, such as ``kept: accuracy within 0.5 points of ddp's``; empty if
                there is no verdict on accuracy.
        """
        cells = [cell for _, _, by_setting in self.lines for cell in by_setting if cell is not None]
        shades = {cell.shade for cell in cells}
        steps = [step for step, shade in (("2×", "faster-2"), ("4×", "faster-3")) if shade in shades]
        darker = f", darker from {' and '.join(steps)} on" if steps and len(shades & _BLUE) > 1 else ""
        colourless = dict.fromkeys(cell.speed_words for cell in cells if cell.outcome == "not_shown")
        marks = {cell.mark: cell.quality for cell in cells if cell.mark}
        has_kept = any(cell.accuracy == "kept" for cell in cells)
        unmarked = kept.replace("kept: ", "no mark: ", 1)
        return [
            _SPEED_UP.format(baseline=baseline),
            *([f"blue: faster than {baseline}{darker}"] if shades & _BLUE else []),
            *(["orange: slower"] if shades & _ORANGE else []),
            *([f"no colour: {' or '.join(colourless)}"] if colourless else []),
            *(["framed: recommended"] if any(cell.is_recommended for cell in cells) else []),
            *(f"“{mark}”: {words}" for mark, words in marks.items()),
            *([unmarked if has_kept and marks else kept] if kept else []),
        ]


def speed_charts(comparison: Comparison, palette: Palette) -> Iterator[SpeedChart]:
    """Yield a chart of the methods' speed-ups for each setting, such as a link and a number of workers.

    A setting is left out if no method other than the baseline has a speed-up.
    """
    for verdict in comparison.setting_verdicts:
        bars = sorted(_speed_ups(comparison, verdict, verdict.rows, palette), key=lambda bar: -bar.mean)
        if any(not bar.is_baseline for bar in bars):
            yield SpeedChart(
                setting=verdict.setting,
                bars=tuple(bars),
                longest=1.02 * max(min(bar.high, 2 * bar.mean) for bar in bars),
            )


def speed_map(comparison: Comparison, palette: Palette) -> SpeedMap | None:
    """Return the speed-ups by method and setting; None unless several settings have times to compare."""
    verdicts = [one for one in comparison.setting_verdicts if one.speed.against_baseline]
    if len(verdicts) < 2:
        return None
    found: dict[str, dict[str, SpeedUp]] = {}
    for verdict in verdicts:
        for one in _speed_ups(comparison, verdict, verdict.rows, palette):
            found.setdefault(one.method, {})[verdict.setting] = one
    settings = tuple(verdict.setting for verdict in verdicts)
    lines = [
        (method, next(iter(by_setting.values())).colour, tuple(by_setting.get(setting) for setting in settings))
        for method, by_setting in found.items()
    ]
    return SpeedMap(settings=settings, lines=tuple(lines))


def _speed_ups(
    comparison: Comparison, verdict: SettingVerdict, rows: Sequence[Row], palette: Palette
) -> Iterator[SpeedUp]:
    metric = METRICS["speedup"]
    for row in rows:
        value, accuracy = row.metrics["speedup"], verdict.accuracy_of(row)
        if value is None:
            continue
        yield SpeedUp(
            method=comparison.words.name(row),
            colour=palette.colour(comparison.labels.colour_key(row)),
            text=metric.text(value),
            short=metric.unit.format(value.mean),
            accuracy=None if accuracy is None else accuracy.outcome,
            quality="" if accuracy is None else accuracy.phrase,
            mark="" if accuracy is None else _MARKS.get(accuracy.word, accuracy.word),
            outcome=verdict.speed_of(row),
            is_baseline=row.is_baseline,
            is_recommended=row is verdict.recommended,
            mean=value.mean,
            low=value.mean if value.low is None else value.low,
            high=value.mean if value.high is None else value.high,
            is_disturbed=row.cpu_share_differs,
        )
