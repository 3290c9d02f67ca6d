"""The outcome as JUnit XML, which GitLab and others read."""

from xml.etree import ElementTree as ET

from liecbench.check.output.outcome_table import NOISY, headline, plain, texts
from liecbench.check.verdict import Finding, Outcome, Verdict
from liecbench.errors import ExitCode

_NAME = "liecbench check"
# What the counts of a suite are called, and the elements that they count.
_COUNTED = {"failures": "failure", "errors": "error", "skipped": "skipped"}
_ABOVE_FIGURES = ("verdict", "cell", "metric")


def to_xml(outcome: Outcome) -> str:
    """A test case for each finding and each cell that failed; nothing compared is an error, never a pass."""
    root = ET.Element("testsuites", name=_NAME)
    suite = ET.SubElement(root, "testsuite", name=_NAME)
    for finding in outcome.findings:
        _add(suite, finding)
    for text in outcome.failed_cells:
        _add_error(suite, text.partition("\n")[0], text)
    if outcome.exit_code is ExitCode.NOTHING_TO_COMPARE:
        _add_error(suite, "comparison", headline(outcome))
    for element in (root, suite):
        element.set("tests", str(len(suite)))
        for name, tag in _COUNTED.items():
            element.set(name, str(len(suite.findall(f"testcase/{tag}"))))
    ET.indent(root)
    xml: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return f"{xml.decode()}\n"


def _add(suite: ET.Element, finding: Finding) -> None:
    case = ET.SubElement(suite, "testcase", classname=plain(finding.cell), name=plain(finding.metric))
    figures, reason = _figures(finding), plain(finding.reason)
    match finding.verdict:
        case Verdict.FAIL:
            ET.SubElement(case, "failure", message=reason).text = figures
        case Verdict.INCONCLUSIVE:
            detectable = texts(finding)["smallest detectable"]
            what = "slowdown" if finding.pairs else "change"
            seen = f" (smallest detectable {what} {detectable})" if detectable else ""
            ET.SubElement(case, "skipped", message=f"inconclusive: {reason}{seen}").text = figures
        case Verdict.NOT_COMPARED:
            ET.SubElement(case, "skipped", message=f"not compared: {reason}").text = figures
        case Verdict.PASS:
            ET.SubElement(case, "system-out").text = figures


def _add_error(suite: ET.Element, name: str, text: str) -> None:
    case = ET.SubElement(suite, "testcase", classname=_NAME, name=plain(name))
    ET.SubElement(case, "error", message=plain(text))


def _figures(finding: Finding) -> str:
    lines = [f"{name}: {text}" for name, text in texts(finding).items() if text and name not in _ABOVE_FIGURES]
    return "\n".join([*lines, *([NOISY] if finding.noisy else [])])
