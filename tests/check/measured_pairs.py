"""Error rates of paired checks on this machine: record pairs, then decide on resampled ones.

    python -m tests.check.measured_pairs record TRACES.json [--busy] [--relaunches 6] [--pairs 10]
    python -m tests.check.measured_pairs decide TRACES.json [--decisions 600]

``record`` compares identical code, and the same slowed down by 10 %, and stores every pair. ``decide`` counts the
verdicts on resampled traces: relaunches in random order, and in each consecutive pairs from a random place on.
"""

import argparse
import json
import multiprocessing
import random
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from liecbench.check.paired.cases import Case, cases_of
from liecbench.check.paired.conclusion import PairedTest, conclude
from liecbench.check.paired.decision import log_ratio
from liecbench.check.paired.pair_sampler import MeasuredCase, PairSampler
from liecbench.check.paired.rule_settings import StoppingRule
from liecbench.check.paired.side import ResidentSide, Side
from liecbench.check.paired.stopping import is_complete, is_relaunch_complete
from liecbench.check.verdict import Pair, Verdict
from liecbench.config.cell import Cell
from liecbench.config.loader import load_scenario

SCENARIO = Path(__file__).parents[2] / "scenarios" / "ci.yaml"
SLOWDOWN = 0.10
# Traces by case and metric, and within them by relaunch.
Trace = dict[str, list[list[Pair]]]
Traces = dict[str, Trace]


def cases(cells: Sequence[Cell]) -> list[Case]:
    same = cases_of(cells, cells)
    slowed = [Case(label=f"{case.label} {SLOWDOWN:+.0%}", a=case.a, b=case.b, slowdown=SLOWDOWN) for case in same]
    return [*same, *slowed]


@contextmanager
def busy_process(wanted: bool) -> Iterator[None]:
    """Run a process that computes all the time beside the body, if ``wanted``."""
    process = multiprocessing.Process(target=_compute, daemon=True)
    if wanted:
        process.start()
    try:
        yield
    finally:
        if wanted:
            process.terminate()


def _compute() -> None:
    while True:
        pass


def record(relaunches: int, pairs: int) -> Traces:
    measured = [MeasuredCase(case=case) for case in cases(load_scenario(SCENARIO).cells())]
    sides = [Side(name=name, label="here", python=sys.executable) for name in ("A", "B")]
    order = random.Random(0)
    for relaunch in range(relaunches):
        with tempfile.TemporaryDirectory() as directory:
            residents = {}
            for side in sides[:: 1 if relaunch % 2 == 0 else -1]:
                cells = [case.case.a for case in measured]
                residents[side.name] = ResidentSide(side, cells, Path(directory), lambda: 300.0, print)
            with residents["A"] as a, residents["B"] as b:
                for resident in residents.values():
                    resident.start()
                for resident in residents.values():
                    resident.wait()
                for each in measured:
                    PairSampler(each, a, b, order).measure(relaunch, partial(_has, pairs * (relaunch + 1)))
                    print(f"relaunch {relaunch + 1}: {each.case.label}", file=sys.stderr, flush=True)
    return {each.case.label: _by_relaunch(each, relaunches) for each in measured}


def _has(num_pairs: int, measured: MeasuredCase) -> bool:
    return len(measured.tests()[0].pairs) >= num_pairs


def _by_relaunch(measured: MeasuredCase, relaunches: int) -> Trace:
    return {
        test.metric: [[pair for pair in test.pairs if pair.relaunch == number] for number in range(relaunches)]
        for test in measured.tests()
    }


def decide(trace: Trace, num_tests: int, rule: StoppingRule, chance: random.Random) -> dict[str, Verdict]:
    """Return the verdicts on a case whose relaunches come in another order, each from a random place on."""
    taken: dict[str, list[Pair]] = {metric: [] for metric in trace}
    recorded = range(len(next(iter(trace.values()))))
    order = [*chance.sample(recorded, len(recorded)), *chance.choices(recorded, k=rule.most_pairs)]
    for relaunch, source in enumerate(order):
        place = chance.randrange(len(next(iter(trace.values()))[source]))
        while True:
            for metric, traces in trace.items():
                found = traces[source][place % len(traces[source])]
                taken[metric].append(replace(found, relaunch=relaunch))
            place += 1
            if is_relaunch_complete(list(taken.values()), relaunch, rule, num_tests):
                break
        if is_complete(list(taken.values()), rule, num_tests):
            break
    tests = [PairedTest(cell="", metric=metric, pairs=tuple(pairs)) for metric, pairs in taken.items()]
    # The tests of one case stand for all that were gated together.
    shared = replace(rule, alpha=rule.alpha * len(tests) / num_tests)
    return {result.metric: result.verdict for result in conclude(tests, shared)}


def report(traces: Traces, decisions: int) -> None:
    rule, chance = StoppingRule(), random.Random(1)
    same = {label: trace for label, trace in traces.items() if not label.endswith(f"{SLOWDOWN:+.0%}")}
    num_tests = sum(map(len, same.values()))
    totals: dict[str, Counter[Verdict]] = {"identical code": Counter(), f"{SLOWDOWN:+.0%}": Counter()}
    for label, trace in traces.items():
        found: dict[str, Counter[Verdict]] = {metric: Counter() for metric in trace}
        for _ in range(decisions // len(traces)):
            for metric, verdict in decide(trace, num_tests, rule, chance).items():
                found[metric][verdict] += 1
        for metric, counts in found.items():
            totals["identical code" if label in same else f"{SLOWDOWN:+.0%}"] += counts
            medians = [statistics.median(map(log_ratio, pairs)) for pairs in trace[metric]]
            text = ", ".join(f"{verdict} {count}" for verdict, count in counts.items())
            print(f"{label} {metric}: {text}; medians of relaunches {min(medians):+.1%} to {max(medians):+.1%}")
    for name, counts in totals.items():
        print(f"{name}: {', '.join(f'{verdict} {count}' for verdict, count in counts.items())} of {counts.total()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["record", "decide"])
    parser.add_argument("traces", type=Path)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--relaunches", type=int, default=6)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--decisions", type=int, default=600)
    given = parser.parse_args()
    if given.action == "record":
        with busy_process(given.busy):
            traces = record(given.relaunches, given.pairs)
        given.traces.write_text(json.dumps(traces, default=asdict))
    else:
        stored = json.loads(given.traces.read_text())
        traces = {
            label: {m: [[Pair(**pair) for pair in pairs] for pairs in found] for m, found in trace.items()}
            for label, trace in stored.items()
        }
        report(traces, given.decisions)


if __name__ == "__main__":
    main()
