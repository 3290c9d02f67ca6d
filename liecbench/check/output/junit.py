"""A check's outcome as JUnit XML, which GitLab and other CI systems read."""

from xml.etree import ElementTree as ET

from liecbench.check.output.outcome_table import NOISY, first_line, headline
from liecbench.check.output.result_texts import one_line, result_texts
from liecbench.check.verdict import CheckResult, Outcome, Verdict
from liecbench.errors import ExitCode

_NAME = "liecbench check"
# For each counting attribute of a suite, the element that it counts.
_COUNTERS = {"failures": "failure", "errors": "error", "skipped": "skipped"}
_IN_HEADER = ("verdict", "cell", "metric")


def to_xml(outcome: Outcome) -> str:
    """Return XML with one test case per result and per failed cell.

    One more test case, with an error, is added if the exit code is NOTHING_TO_COMPARE or INCONCLUSIVE. Without it, CI
    would show success, because all other test cases are passed or skipped.
    """
    root = ET.Element("testsuites", name=_NAME)
    suite = ET.SubElement(root, "testsuite", name=_NAME)
    for result in outcome.results:
        _add(suite, result)
    for failed in outcome.failed_cells:
        _add_error(suite, failed.cell, first_line(failed.reason)).text = _lines(failed.reason)
    if outcome.exit_code in (ExitCode.NOTHING_TO_COMPARE, ExitCode.INCONCLUSIVE):
        _add_error(suite, "comparison", headline(outcome))
    for element in (root, suite):
        element.set("tests", str(len(suite)))
        for name, tag in _COUNTERS.items():
            element.set(name, str(len(suite.findall(f"testcase/{tag}"))))
    ET.indent(root)
    xml: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return f"{xml.decode()}\n"


def _add(suite: ET.Element, result: CheckResult) -> None:
    case = ET.SubElement(suite, "testcase", classname=one_line(result.cell), name=one_line(result.metric))
    figures, reason = _figures(result), one_line(result.reason)
    match result.verdict:
        case Verdict.FAIL:
            ET.SubElement(case, "failure", message=reason).text = figures
        case Verdict.INCONCLUSIVE:
            detectable = result_texts(result)["smallest detectable"]
            what = "slowdown" if result.pairs else "change"
            seen = f" (smallest detectable {what} {detectable})" if detectable else ""
            ET.SubElement(case, "skipped", message=f"inconclusive: {reason}{seen}").text = figures
        case Verdict.NOT_COMPARED:
            ET.SubElement(case, "skipped", message=f"not compared: {reason}").text = figures
        case Verdict.PASS:
            ET.SubElement(case, "system-out").text = figures


def _add_error(suite: ET.Element, name: str, message: str) -> ET.Element:
    case = ET.SubElement(suite, "testcase", classname=_NAME, name=one_line(name))
    return ET.SubElement(case, "error", message=one_line(message))


def _lines(text: str) -> str:
    """Return the text, with spaces in place of characters that XML cannot hold."""
    return "".join(character if character.isprintable() or character == "\n" else " " for character in text)


def _figures(result: CheckResult) -> str:
    lines = [f"{name}: {text}" for name, text in result_texts(result).items() if text and name not in _IN_HEADER]
    return "\n".join([*lines, *([NOISY] if result.noisy else [])])
