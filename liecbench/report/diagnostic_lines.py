"""The diagnostics of ``liecbench doctor``, one line each."""

from rich.text import Text

from liecbench.diagnostics.doctor import Diagnostic


def render(diagnostic: Diagnostic) -> Text:
    """Return a diagnostic's line: yes or no, the observation and, after a no, the remedy."""
    mark = Text("yes  ", style="green") if diagnostic.works else Text("no   ", style="yellow")
    remedy = "" if diagnostic.works else f"; {diagnostic.remedy}"
    return mark + Text(f"{diagnostic.name}: {diagnostic.seen}{remedy}", style="")
