"""Print the verdict on each claim of the LIEC-SGD paper, from results of its scenarios, as Markdown tables.

``python scripts/paper_claims.py results/figure-2-small results/figure-4-small`` prints the tables of ``docs/paper.md``:
what is shown, shown not to hold, or not shown. A claim is tested on every task (a results directory) that has its rows.
"""

import argparse
import dataclasses
import itertools
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from liecbench.errors import LiecbenchError
from liecbench.results.cells import CellResult
from liecbench.results.comparison import Comparison
from liecbench.results.comparison_of_cells import compare
from liecbench.results.comparison_settings import comparison_settings
from liecbench.results.ratio_interval import LogRatio
from liecbench.results.rows import Row
from liecbench.results.statistics import holm
from liecbench.results.stored_cells import load
from liecbench.results.target_words import LEAST_SEEDS, LEVEL

Outcome = Literal["shown", "shown not", "not shown"]
CONVERGENCE: Final = "faster convergence than DoubleSqueeze and MEM-SGD: fewer epochs to the same accuracy"
LINEAR: Final = "linear speed-up: n workers need 1/n of the steps to the same accuracy"
BYTES: Final = "fewer bytes at equal accuracy"
TIME: Final = "shorter training time to equal accuracy"
EPOCH_TIME: Final = "shorter time per epoch"
CLAIMS: Final = (CONVERGENCE, LINEAR, BYTES, TIME, EPOCH_TIME)
SUBJECT: Final = "liec"
# The rivals that the paper names for convergence. Bytes and time are compared with every other method.
SLOWER_TO_CONVERGE: Final = ("doublesqueeze", "memsgd")
# A speed-up of at least this share of the workers' ratio counts as linear.
LINEAR_SHARE: Final = 0.9
TARGET_STEP: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One comparison that a claim is about, on one task.

    ``ratio`` is ln(the rival's epochs, bytes or seconds ÷ the subject's), or for a linear speed-up ln(speed-up ÷ ratio
    of the workers); None if it is not known.
    """

    claim: str
    task: str
    subject: str
    rival: str
    ratio: LogRatio | None
    num_seeds: int
    outcome: Outcome = "not shown"

    @property
    def figure(self) -> str:
        """The ratio and its 95 % interval in words."""
        if self.ratio is None:
            return "–"
        found = self.ratio.estimate()
        interval = "" if found.low is None else f" ({found.low:.3g} to {found.high:.3g})"
        return f"{found.mean:.3g}×{interval}"


def common_target(cells: Sequence[CellResult]) -> float | None:
    """Return the highest accuracy, in steps of 5 points, that every run reached in two evaluations in a row."""
    trained = [cell for cell in cells if cell.status == "completed" and cell.is_trained]
    accuracies = [[epoch.test_accuracy for epoch in cell.epochs] for cell in trained]
    reached = [max(map(min, itertools.pairwise(run)), default=0.0) for run in accuracies]
    steps = math.floor(min(reached, default=0.0) / TARGET_STEP + 1e-9)
    return round(steps * TARGET_STEP, 2) if steps else None


def findings(directory: Path) -> list[Finding]:
    """Return every comparison that the claims are about, in the rows of one results directory, with its outcome."""
    settings, cells = comparison_settings(directory), load([directory])
    target = common_target(cells)
    found = compare(cells, baseline=settings.baseline, target_accuracy=target, tolerances=settings.tolerances)
    of_links = {found.labels.setting(verdict.rows[0]): list(verdict.rows) for verdict in found.setting_verdicts}
    families: list[list[Finding]] = []
    if target is not None and max(len(row.per_seed) for row in found.rows) >= LEAST_SEEDS:
        task = f"{directory.name}, to {100 * target:.0f} %"
        first = next(iter(of_links.values()))
        epochs = _against(first, SLOWER_TO_CONVERGE, _paired("epochs_to_target"))
        sent = _against(first, None, _paired("epochs_to_target", "payload_bytes_per_epoch"))
        families += [
            _judged(_made(CONVERGENCE, task, found, epochs), _by_sign),
            _judged(list(_linear(task, found)), _by_share),
            _judged(_made(BYTES, task, found, sent), _by_sign),
        ]
        timed = [(TIME, ", ".join(filter(None, (task, link))), rows, _seconds) for link, rows in of_links.items()]
    else:  # too few seeds show nothing about accuracies, but rounds of a timing session tell the time of an epoch
        timed = [(EPOCH_TIME, f"{directory.name}, {link}", rows, _pace) for link, rows in of_links.items()]
    families += [
        _judged(_made(claim, task, found, _against(rows, None, ratio)), _by_sign) for claim, task, rows, ratio in timed
    ]
    return [one for family in families for one in family]


_Ratio = Callable[[Row, Row], LogRatio | None]
_Pair = tuple[Row, Row, LogRatio | None]


def _against(rows: Sequence[Row], rivals: Sequence[str] | None, ratio: _Ratio) -> Iterator[_Pair]:
    """Yield each row of the subject with each row of ``rivals`` (None for all others), and the ratio of the two."""
    for subject in rows:
        for rival in rows:
            wanted = rival.algorithm != SUBJECT if rivals is None else rival.algorithm in rivals
            if subject.algorithm == SUBJECT and wanted:
                yield subject, rival, ratio(subject, rival)


def _made(claim: str, task: str, found: Comparison, pairs: Iterator[_Pair]) -> list[Finding]:
    return [
        Finding(
            claim=claim,
            task=task,
            subject=found.labels.method(subject),
            rival=found.labels.method(rival),
            ratio=ratio,
            num_seeds=len(_seeds(subject, rival)),
        )
        for subject, rival, ratio in pairs
    ]


def _seeds(subject: Row, rival: Row) -> list[int]:
    return [seed for seed in subject.per_seed if seed in rival.per_seed]


def _paired(*metrics: str) -> _Ratio:
    """Return a function that returns the ratio of the metrics' product, the rival's ÷ the subject's, paired by seed.

    Bytes to an accuracy are epochs × bytes per epoch, which count averaging steps as often as in a long training: a
    target may be reached before LIEC's first averaging step.
    """

    def ratio(subject: Row, rival: Row) -> LogRatio | None:
        pairs = [(rival.per_seed[seed], subject.per_seed[seed]) for seed in _seeds(subject, rival)]
        if len(pairs) < LEAST_SEEDS:
            return None
        return LogRatio.of_pairs([math.log(math.prod(other[m] / own[m] for m in metrics)) for other, own in pairs])

    return ratio


def _seconds(subject: Row, rival: Row) -> LogRatio | None:
    """Return the ratio of the seconds to the target: of the epochs, by seed, × of the seconds per epoch, by round."""
    if not subject.pace.by_round:
        return _paired("seconds_to_target")(subject, rival)
    if subject.pace.disturbed_differently(rival.pace):
        return None
    epochs, pace = _paired("epochs_to_target")(subject, rival), subject.pace.epoch_speed_over(rival.pace)
    return None if epochs is None or pace is None else epochs.plus(pace)


def _pace(subject: Row, rival: Row) -> LogRatio | None:
    """Return the ratio of the seconds for equally many samples; None if processes disturbed the two differently."""
    return None if subject.pace.disturbed_differently(rival.pace) else subject.pace.speed_over(rival.pace)


def _linear(task: str, found: Comparison) -> Iterator[Finding]:
    """Yield the speed-up in steps of each number of workers over the fewest, ÷ the ratio of the workers."""
    of_subject = [row for row in found.rows if row.algorithm == SUBJECT]
    for method in dict.fromkeys(found.labels.method(row) for row in of_subject):
        alike = sorted((r for r in of_subject if found.labels.method(r) == method), key=_workers)
        fewest, *others = {_workers(row): row for row in alike}.values()
        for row in others:
            ratio, more = _paired("epochs_to_target")(row, fewest), _workers(row) / _workers(fewest)
            shift = math.log(_steps_per_epoch(fewest) / _steps_per_epoch(row) / more)
            yield Finding(
                claim=LINEAR,
                task=task,
                subject=f"{_workers(row)} workers",
                rival=f"{_workers(fewest)} workers",
                ratio=None if ratio is None else dataclasses.replace(ratio, mean=ratio.mean + shift),
                num_seeds=len(_seeds(row, fewest)),
            )


def _workers(row: Row) -> int:
    return int(row.fields["workers"])


def _steps_per_epoch(row: Row) -> float:
    return statistics.fmean(epoch.steps for cell in row.cells for epoch in cell.epochs)


def _judged(family: Sequence[Finding], judge: Callable[[LogRatio, float], Outcome]) -> list[Finding]:
    """Return the findings with their outcomes; their tests are Holm-adjusted together, as in the verdict on speed."""
    p_values = holm([1.0 if one.ratio is None else one.ratio.p_value for one in family])
    return [
        one if one.ratio is None else dataclasses.replace(one, outcome=judge(one.ratio, p_value))
        for one, p_value in zip(family, p_values, strict=True)
    ]


def _by_sign(ratio: LogRatio, p_value: float) -> Outcome:
    if p_value > LEVEL:
        return "not shown"
    return "shown" if ratio.mean > 0 else "shown not"


def _by_share(ratio: LogRatio, _p_value: float) -> Outcome:
    """Judge by the 95 % interval of speed-up ÷ ratio of the workers, which is 1 if the speed-up is linear."""
    found = ratio.estimate()
    if found.low is None or found.high is None:
        return "not shown"
    return "shown" if found.low >= LINEAR_SHARE else "shown not" if found.high < LINEAR_SHARE else "not shown"


def tables(found: Sequence[Finding]) -> str:
    """Return Markdown tables: how many comparisons of each claim are shown, by task, and one per claim with figures."""
    lines = ["| claim | task | compared | shown | shown not | not shown |", "|---|---|---|---|---|---|"]
    by_claim = {claim: [one for one in found if one.claim == claim] for claim in CLAIMS}
    for claim, of_claim in by_claim.items():
        for task in dict.fromkeys(one.task for one in of_claim):
            outcomes = [one.outcome for one in of_claim if one.task == task]
            counts = [str(outcomes.count(outcome)) for outcome in get_args(Outcome)]
            lines.append(f"| {claim} | {task} | {len(outcomes)} | {' | '.join(counts)} |")
    for of_claim in filter(None, by_claim.values()):
        lines += ["", *_figures(of_claim)]
    return "\n".join(lines) + "\n"


def _figures(found: Sequence[Finding]) -> Iterator[str]:
    """Yield the lines of a claim's table, which has a column for each rival."""
    rivals = dict.fromkeys(one.rival for one in found)
    yield f"| {' | '.join([found[0].claim.partition(':')[0], 'LIEC', 'seeds', *rivals])} |"
    yield "|---" * (len(rivals) + 3) + "|"
    for task, subject in dict.fromkeys((one.task, one.subject) for one in found):
        row = {one.rival: one for one in found if (one.task, one.subject) == (task, subject)}
        cells = [f"{row[rival].figure}, {row[rival].outcome}" if rival in row else "–" for rival in rivals]
        yield f"| {' | '.join([task, subject, str(max(one.num_seeds for one in row.values())), *cells])} |"


def main() -> None:
    """Print the tables of the results directories that the command line names."""
    parser = argparse.ArgumentParser(description="Print the verdict on each claim of the LIEC-SGD paper.")
    parser.add_argument("results", nargs="+", type=Path, help="results directories of scenarios of the paper")
    try:
        print(tables([one for directory in parser.parse_args().results for one in findings(directory)]), end="")
    except LiecbenchError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
