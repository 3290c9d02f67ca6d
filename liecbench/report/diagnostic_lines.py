"""What ``doctor`` found, a line each."""

from rich.text import Text

from liecbench.diagnostics.doctor import Finding


def render(finding: Finding) -> Text:
    """yes or no, what was seen, and for a no what to do."""
    mark = Text("yes  ", style="green") if finding.works else Text("no   ", style="yellow")
    remedy = "" if finding.works else f"; {finding.remedy}"
    return mark + Text(f"{finding.name}: {finding.seen}{remedy}", style="")
