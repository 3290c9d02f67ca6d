"""The command ``liecbench open``: write the report, and open it in the browser."""

import webbrowser

from liecbench.cli.compare import BaselineName, ResultsPaths, TunedField, load_for_command
from liecbench.cli.garbage import without_collections
from liecbench.cli.output_file import OutputKind, done_text, require_replaceable
from liecbench.console.console import name_full_disk, say
from liecbench.untrusted import regular_files


@without_collections()
def open_report(results: ResultsPaths, baseline: BaselineName = None, best: TunedField = None) -> None:
    """Write the report to report.html in the first results directory, and open it in the browser."""
    from liecbench.report import html

    page = results[0] / "report.html"
    comparison = load_for_command(results, baseline=baseline, tuned_field=best)
    require_replaceable(page, OutputKind.REPORT)
    done = done_text(page)
    with name_full_disk(page):
        regular_files.write_text(page, html.render(comparison))
    try:
        opened = webbrowser.open(page.resolve().as_uri())
    except webbrowser.Error:
        opened = False
    say(f"{done}{', and opened it' if opened else '; this machine has no browser: open the file in one'}", quiet=False)
