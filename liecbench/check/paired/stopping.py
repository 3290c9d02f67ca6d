"""When a paired test is over, and what it has found: PASS, FAIL or INCONCLUSIVE from pairs of bursts."""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from liecbench.check.paired import evidence
from liecbench.check.verdict import Evidence, Finding, Pair, Verdict

FEWEST_RELAUNCHES = 3
FEWEST_PAIRS_A_RELAUNCH = 3
# Over about so many all pairs are spread: what differs from launch to launch is noise, too.
_RELAUNCHES = 6
_NOISY_RATIO, _NOISY_SHARE = 1.05, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What a paired gate is set to.

    B fails where it is shown to be slower than 1 + ``tolerance``, and passes where it is shown to be within 1 +
    ``bound``; ``alpha`` is the chance that any of the tests gated together fails without cause, ``beta`` the chance
    that a test passes in spite of a slowdown by ``bound``.
    """

    tolerance: float = 0.02
    bound: float = 0.10
    alpha: float = 0.05
    beta: float = 0.05
    most_pairs: int = 60

    def fail_threshold(self, num_tests: int) -> float:
        """The evidence that fails one of so many tests."""
        return num_tests / self.alpha

    def pairs_a_relaunch(self, num_tests: int, relaunch: int) -> int:
        """At most so many in a relaunch, from 0: the first ones share what the fastest decision takes."""
        if relaunch >= FEWEST_RELAUNCHES - 1:
            return max(FEWEST_PAIRS_A_RELAUNCH, math.ceil(self.most_pairs / _RELAUNCHES))
        fewest = evidence.fewest_pairs(max(self.fail_threshold(num_tests), 1 / self.beta))
        share = min(math.ceil(fewest / FEWEST_RELAUNCHES), self.most_pairs // FEWEST_RELAUNCHES)
        return max(FEWEST_PAIRS_A_RELAUNCH, share)


def log_ratio(pair: Pair) -> float:
    """d = ln(B ÷ A)."""
    return math.log(pair.b_seconds / pair.a_seconds)


def weigh(pairs: Sequence[Pair], gate: Gate) -> Evidence:
    """The largest evidence over all looks, one after every pair."""
    *_, last = [Evidence(slower=1.0, within=1.0), *_looks(pairs, gate)]
    return last


def _looks(pairs: Sequence[Pair], gate: Gate) -> Iterator[Evidence]:
    """After each pair the largest evidence so far."""
    beyond = inside = 0
    slower = within = 0.0
    for number, value in enumerate(map(log_ratio, pairs), start=1):
        beyond += value > math.log1p(gate.tolerance)
        inside += value < math.log1p(gate.bound)
        slower = max(slower, evidence.e_value(number, beyond))
        within = max(within, evidence.e_value(number, inside))
        yield Evidence(slower=slower, within=within)


def decided(pairs: Sequence[Pair], gate: Gate, num_tests: int) -> Verdict | None:
    """FAIL or PASS, as the first look says at which the answer is known; FAIL where both are. None: it is open."""
    for number, found in enumerate(_looks(pairs, gate), start=1):
        fails, passes = found.slower >= gate.fail_threshold(num_tests), found.within >= 1 / gate.beta
        if (fails or passes) and _spread(pairs[:number]):
            if fails and slower_in_each_relaunch(pairs[:number], gate):
                return Verdict.FAIL
            if passes:
                return Verdict.PASS
    return None


def _spread(pairs: Sequence[Pair]) -> bool:
    """Whether there are relaunches enough, and enough pairs in each."""
    by_relaunch = _by_relaunch(pairs)
    return len(by_relaunch) >= FEWEST_RELAUNCHES and min(map(len, by_relaunch)) >= FEWEST_PAIRS_A_RELAUNCH


def is_over(tests: Sequence[Sequence[Pair]], gate: Gate, num_tests: int) -> bool:
    """Whether a cell needs no further relaunch: each of its tests is decided, or has had all of its pairs."""
    return bool(tests) and (len(tests[0]) >= gate.most_pairs or all(decided(pairs, gate, num_tests) for pairs in tests))


def is_over_here(tests: Sequence[Sequence[Pair]], relaunch: int, gate: Gate, num_tests: int) -> bool:
    """Whether a cell has had its pairs of this relaunch, counted from 0."""
    here = sum(pair.relaunch == relaunch for pair in tests[0])
    if here < FEWEST_PAIRS_A_RELAUNCH:
        return False
    if relaunch >= FEWEST_RELAUNCHES - 1 and is_over(tests, gate, num_tests):
        return True
    # Too few for another relaunch are had in this one.
    left = gate.most_pairs - len(tests[0])
    return here >= gate.pairs_a_relaunch(num_tests, relaunch) and not 0 < left < FEWEST_PAIRS_A_RELAUNCH


def slower_in_each_relaunch(pairs: Sequence[Pair], gate: Gate) -> bool:
    """Whether every relaunch on its own has a median beyond the tolerance."""
    return all(statistics.median(values) > math.log1p(gate.tolerance) for values in _by_relaunch(pairs))


def _by_relaunch(pairs: Sequence[Pair]) -> list[list[float]]:
    return [[log_ratio(p) for p in pairs if p.relaunch == number] for number in sorted({p.relaunch for p in pairs})]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTest:
    """One metric of one cell and its pairs so far."""

    cell: str
    metric: str
    pairs: tuple[Pair, ...]


def conclude(tests: Sequence[PairedTest], gate: Gate) -> list[Finding]:
    """The verdicts of all tests gated together; Holm's step-down adds failures to those found at a look."""
    found = [weigh(test.pairs, gate) for test in tests]
    rejected = evidence.holm([each.slower for each in found], gate.alpha)
    return [
        _finding(test, gate, len(tests), each, rejected=fails)
        for test, each, fails in zip(tests, found, rejected, strict=True)
    ]


def _finding(test: PairedTest, gate: Gate, num_tests: int, found: Evidence, *, rejected: bool) -> Finding:
    values = [log_ratio(pair) for pair in test.pairs]
    threshold = gate.fail_threshold(num_tests)
    bounds = evidence.interval(values, threshold)
    detectable = evidence.smallest_detectable(values, gate.tolerance, threshold, gate.most_pairs)
    verdict = decided(test.pairs, gate, num_tests)
    if verdict is None:
        fails = rejected and _spread(test.pairs) and slower_in_each_relaunch(test.pairs, gate)
        verdict = Verdict.FAIL if fails else Verdict.INCONCLUSIVE
    return Finding(
        cell=test.cell,
        metric=test.metric,
        verdict=verdict,
        reason=_reason(verdict, gate, detectable),
        baseline=statistics.median(pair.a_seconds for pair in test.pairs),
        current=statistics.median(pair.b_seconds for pair in test.pairs),
        change=math.expm1(statistics.median(values)),
        low=bounds[0] if bounds else None,
        high=bounds[1] if bounds else None,
        evidence=found,
        smallest_detectable=detectable if math.isfinite(detectable) else None,
        noisy=is_noisy(test.pairs),
        pairs=test.pairs,
    )


def _reason(verdict: Verdict, gate: Gate, detectable: float) -> str:
    tolerance, bound = f"{100 * gate.tolerance:g} %", f"{100 * gate.bound:g} %"
    match verdict:
        case Verdict.FAIL:
            return f"B is slower than A by more than {tolerance}, in every relaunch"
        case Verdict.PASS:
            return f"B is not slower than A by {bound} or more"
    seen = f"the smallest slowdown that this run could have seen is {detectable:.1%}"
    if not math.isfinite(detectable):
        seen = f"{gate.most_pairs} pairs are too few for these many tests"
    return f"neither slower than {tolerance} nor within {bound} is shown; {seen}"


def is_noisy(pairs: Sequence[Pair]) -> bool:
    """Whether computing had to wait for a processor, by more than 5 % in more than a fifth of the pairs."""
    waits = [pair.noise.get("wall_over_cpu", 1.0) > _NOISY_RATIO for pair in pairs]
    return sum(waits) > _NOISY_SHARE * len(waits)
