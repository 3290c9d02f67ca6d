"""Made-up outcomes: one per exit code, and hypothesis strategies for names and reasons."""

from typing import Any

from hypothesis import strategies

from liecbench.check.verdict import CheckResult, Evidence, FailedCell, Outcome, Pair, UngatedMetric, Verdict
from liecbench.errors import ExitCode

LIEC = "liec(sign) · 2 workers · 20mbit · seed 0"
CSER = "cser(top_k) · 2 workers · 20mbit · seed 0"

PAIRS = (
    Pair(relaunch=0, order="AB", a_seconds=0.5, b_seconds=1.0, noise={"steal": 0.0, "wall_over_cpu": 1.01}),
    Pair(relaunch=0, order="BA", a_seconds=0.25, b_seconds=0.25),
    Pair(relaunch=1, order="BA", a_seconds=1.0, b_seconds=0.125),
)


def result(
    verdict: Verdict = Verdict.PASS, cell: str = LIEC, metric: str = "payload_bytes", **fields: Any
) -> CheckResult:
    """Return a result whose reason names its verdict."""
    return CheckResult(
        **{"cell": cell, "metric": metric, "verdict": verdict, "reason": f"why it is {verdict}", **fields}
    )


def paired(verdict: Verdict = Verdict.PASS, **fields: Any) -> CheckResult:
    """Return a result with all figures of a paired test."""
    given: dict[str, Any] = {
        "metric": "step_seconds",
        "baseline": 0.0251,
        "current": 0.0254,
        "change": 0.012,
        "low": -0.003,
        "high": 0.028,
        "evidence": Evidence(slower=0.02, within=31.0),
        "smallest_detectable": 0.045,
        "pairs": PAIRS,
    }
    return result(verdict, **{**given, **fields})


PASSED = Outcome(results=(result(baseline=1000.0, current=1000.0, change=0.0), paired()))
FAILED = Outcome(
    results=(
        paired(),
        paired(Verdict.INCONCLUSIVE, metric="averaging_step_seconds", noisy=True),
        result(Verdict.FAIL, CSER, baseline=1_000_000.0, current=1_000_004.0, change=4e-6),
        result(Verdict.NOT_COMPARED, CSER, "train_loss"),
        result(Verdict.FAIL, metric="test_accuracy", unit="points", baseline=0.9, current=0.88, change=-0.02),
    ),
    ungated=(UngatedMetric(cell=LIEC, metric="train_seconds", baseline=2.0, current=3.0),),
    failed_cells=(FailedCell(cell="psgd · 4 workers", reason="rank 1 was lost\n  and\x1bmore"),),
    notes=("fewer than 5 seeds",),
    settings={"tolerance": 0.02, "seed": 7, "threshold": float("inf"), "compared": ["a.yaml", "b.yaml"]},
)
UNSURE = Outcome(results=(paired(), paired(Verdict.INCONCLUSIVE, cell=CSER)))
NOTHING = Outcome(results=(result(Verdict.NOT_COMPARED),))
EMPTY = Outcome(results=())
UNMEASURED = Outcome(results=(paired(),), failed_cells=(FailedCell(cell="psgd", reason="rank 1 was lost"),))

OUTCOMES = {
    "pass": (PASSED, ExitCode.DONE),
    "fail": (FAILED, ExitCode.REGRESSION),
    "inconclusive": (UNSURE, ExitCode.INCONCLUSIVE),
    "nothing compared": (NOTHING, ExitCode.NOTHING_TO_COMPARE),
    "cell failed": (UNMEASURED, ExitCode.CELL_FAILED),
}

# With lone surrogates: JSON can hold them, and so can a ledger.
_ALPHABET = strategies.one_of(
    strategies.sampled_from("|`<>&@:,%\\[]*_~#$\n\r\t\x1b\x00\x85\u2028\u202e\ufffe\ud800"), strategies.characters()
)
TEXTS = strategies.text(_ALPHABET, max_size=30)
RESULTS = strategies.builds(
    paired, strategies.sampled_from(Verdict), cell=TEXTS, metric=TEXTS, reason=TEXTS, noisy=strategies.booleans()
)
ANY_OUTCOME = strategies.builds(
    Outcome,
    results=strategies.lists(RESULTS, max_size=4).map(tuple),
    ungated=strategies.lists(
        strategies.builds(
            UngatedMetric, cell=TEXTS, metric=TEXTS, baseline=strategies.just(1.0), current=strategies.floats()
        ),
        max_size=2,
    ).map(tuple),
    failed_cells=strategies.lists(strategies.builds(FailedCell, cell=TEXTS, reason=TEXTS), max_size=2).map(tuple),
    notes=strategies.lists(TEXTS, max_size=2).map(tuple),
)
