"""The diagnostics of ``doctor``, one line each."""

from rich.text import Text

from liecbench.diagnostics.doctor import Diagnostic


def render(diagnostic: Diagnostic) -> Text:
    """Return yes or no, what was seen, and after a no what to do."""
    mark = Text("yes  ", style="green") if diagnostic.works else Text("no   ", style="yellow")
    remedy = "" if diagnostic.works else f"; {diagnostic.remedy}"
    return mark + Text(f"{diagnostic.name}: {diagnostic.seen}{remedy}", style="")
