"""The gate tried on this machine, now: identical code must pass, a slowdown that was put in must be found."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files

from liecbench.check.paired.session import Case
from liecbench.check.verdict import Finding, Outcome, Verdict
from liecbench.config import yaml_source
from liecbench.config.loader import check
from liecbench.diagnostics.doctor import probe_link

INJECTED = 0.15
_SAME, _SLOWED = "A/A", f"B drawn out by {INJECTED:.0%}"


def cases() -> tuple[list[Case], tuple[str, ...]]:
    """What is tried, and what must be said of it: where no link can be built it is tried unshaped."""
    text = files("liecbench.check.paired").joinpath("self_test.yaml").read_text(encoding="utf-8")
    scenario, notes = yaml_source.parse(text, "self-test"), []
    if probe_link().get("type") != "probe":
        scenario = yaml_source.override(scenario, "matrix.link=[none]")
        notes.append("the kernel refuses shaped links: the gate was tried on the loopback")
    (cell,) = check(scenario).cells()
    tried = [Case(label=_SAME, a=cell, b=cell), Case(label=_SLOWED, a=cell, b=cell, slowdown=INJECTED)]
    return tried, tuple(notes)


def judged(outcome: Outcome, notes: Sequence[str]) -> Outcome:
    """What the gate's verdicts say of the gate."""
    return replace(
        outcome,
        findings=tuple(map(_judged, outcome.findings)),
        notes=(*outcome.notes, *notes),
        settings={**outcome.settings, "injected_slowdown": INJECTED},
    )


def _judged(finding: Finding) -> Finding:
    if finding.cell == _SAME or not finding.pairs:
        return finding
    match finding.verdict:
        case Verdict.FAIL:
            return replace(finding, verdict=Verdict.PASS, reason="the slowdown that was put in was found")
        case Verdict.PASS:
            reason = f"the gate let a slowdown of {INJECTED:.0%} pass"
            return replace(finding, verdict=Verdict.FAIL, reason=reason)
    return finding
