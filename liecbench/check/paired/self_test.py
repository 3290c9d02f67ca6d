"""The gate's self-test: on this machine, identical code must pass, and an injected slowdown must fail."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files

from liecbench.check.paired.cases import Case
from liecbench.check.verdict import CheckResult, Outcome, Verdict
from liecbench.config.loader import check
from liecbench.config.overrides import override
from liecbench.config.yaml_source import parse
from liecbench.diagnostics.link_support import probe_link

INJECTED_SLOWDOWN = 0.15
_SAME, _SLOWED = "A/A", f"B slowed down by {INJECTED_SLOWDOWN:.0%}"


def self_test_cases() -> tuple[list[Case], tuple[str, ...]]:
    """Return the cases of the self-test, and notes for its outcome.

    If the kernel refuses shaped links, the cases use the unshaped loopback interface, and a note says so.
    """
    text = files("liecbench.check.paired").joinpath("self_test.yaml").read_text(encoding="utf-8")
    scenario, notes = parse(text, "self-test"), []
    if probe_link().get("type") != "probe":
        scenario = override(scenario, "matrix.link=[none]")
        notes.append("the kernel refuses shaped links: the gate was tested on the loopback")
    (cell,) = check(scenario).measured().cells()
    same = Case(label=_SAME, a=cell, b=cell)
    slowed = Case(label=_SLOWED, a=cell, b=cell, slowdown=INJECTED_SLOWDOWN)
    return [same, slowed], tuple(notes)


def verdict_on_gate(outcome: Outcome, notes: Sequence[str]) -> Outcome:
    """Return the outcome of the self-test, in which PASS means that the gate judged a case correctly.

    The gate should fail the case with the injected slowdown. Therefore, in this case's results on step times, FAIL
    becomes PASS, and PASS becomes FAIL. All other verdicts stay, such as those on the case's bytes and messages.

    Args:
        outcome: The gate's outcome on the cases of ``self_test_cases``.
        notes: Notes to append to the notes of ``outcome``.
    """
    return replace(
        outcome,
        results=tuple(map(_verdict_on_gate, outcome.results)),
        notes=(*outcome.notes, *notes),
        settings={**outcome.settings, "injected_slowdown": INJECTED_SLOWDOWN},
    )


def _verdict_on_gate(result: CheckResult) -> CheckResult:
    if result.cell == _SAME or not result.pairs:
        return result
    match result.verdict:
        case Verdict.FAIL:
            return replace(result, verdict=Verdict.PASS, reason="the injected slowdown was found")
        case Verdict.PASS:
            reason = f"the gate let a slowdown of {INJECTED_SLOWDOWN:.0%} pass"
            return replace(result, verdict=Verdict.FAIL, reason=reason)
    return result
