"""Results as one HTML page that needs no network: verdict, comparison, figures, and what was run."""

import html
import importlib.util
import json
import string
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from liecbench import __version__
from liecbench.report.columns import HEADINGS, Layout, best, field_text, metric_text, state_text, warning_lines
from liecbench.report.figures.choice import figures
from liecbench.report.figures.colours import Palette
from liecbench.report.figures.figure import Figure
from liecbench.report.figures.plotly_figure import plot
from liecbench.report.gpu_table import section
from liecbench.report.row_labels import Labels, colour_keys
from liecbench.results.break_even import symmetric_rate
from liecbench.results.comparison import Row
from liecbench.results.directory import SCENARIO_NAME

_HERE = files("liecbench.report")


def render(rows: Sequence[Row], layout: Layout, directories: Sequence[Path], answer: Sequence[str]) -> str:
    """The whole page; everything that comes from a scenario or a record is escaped."""
    labels = Labels(rows)
    palette = Palette(colour_keys(rows, labels), layout.baseline)
    drawn = figures(rows, labels)
    names = ", ".join(directory.resolve().name for directory in directories)
    return string.Template(_asset("page.html")).substitute(
        title=html.escape(f"{names}: does compression pay off?"),
        facts=html.escape(_facts(rows)),
        style=_asset("page.css"),
        verdict=_paragraphs(answer or [_NO_VERDICT]),
        table="\n".join(_table(rows, layout)),
        caption=html.escape(layout.caption),
        notes="\n".join(_notes(rows)),
        telemetry=section(rows, labels),
        settings=_settings(rows, labels),
        figures="\n".join(map(_figure, drawn)),
        details="\n".join(_details(rows, directories)),
        footer=html.escape(f"liecbench {__version__}"),
        plots=_embedded({figure.key: plot(figure, palette) for figure in drawn}),
        library=_plotly(),
        script=_asset("page.js"),
    )


_NO_VERDICT = "No verdict: nothing was compared with a baseline."


def _plotly() -> str:
    # Found, not imported: only its JavaScript is of use here.
    package = importlib.util.find_spec("plotly")
    assert package is not None, "plotly is a dependency"
    assert package.submodule_search_locations is not None, "plotly is a package"
    return (Path(package.submodule_search_locations[0]) / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def _asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _embedded(values: Any) -> str:
    """JSON that no script tag can be closed from."""
    return json.dumps(values, allow_nan=False).replace("<", "\\u003c")


def _facts(rows: Sequence[Row]) -> str:
    counts = {
        "completed": sum(row.completed for row in rows),
        "failed": sum(row.failed for row in rows),
        "unfinished": sum(row.unfinished for row in rows),
    }
    cells = " · ".join(f"{count} {state}" for state, count in counts.items() if count)
    return f"cells: {cells or 'none'}"


def _paragraphs(texts: Sequence[str]) -> str:
    return "\n".join(f"<p>{html.escape(text)}</p>" for text in texts)


def _table(rows: Sequence[Row], layout: Layout) -> Iterator[str]:
    state = any(state_text(row) for row in rows)
    bests = {name: best(rows, name) for name in layout.metrics}
    yield '<table class="sortable"><thead><tr>'
    for name in layout.fields:
        yield f'<th scope="col"><button type="button">{html.escape(name.replace("_", " "))}</button></th>'
    for name in layout.metrics:
        yield f'<th scope="col" class="number"><button type="button">{html.escape(HEADINGS[name])}</button></th>'
    yield ('<th scope="col"><button type="button">state</button></th>' if state else "") + "</tr></thead><tbody>"
    for row in rows:
        yield '<tr class="baseline">' if row.fields["algorithm"] == layout.baseline else "<tr>"
        for name in layout.fields:
            text = html.escape(field_text(row, name, layout).removesuffix(" *"))
            value = symmetric_rate(row.fields[name]) or text if name == "link" else text
            yield f'<td data-value="{value}">{text}</td>'
        for name in layout.metrics:
            estimate = row.metrics[name]
            mark = " best" if estimate is not None and estimate.mean == bests[name] else ""
            value = "" if estimate is None else repr(estimate.mean)
            attributes = f'class="number{mark}" data-metric="{name}" data-value="{value}"'
            yield f"<td {attributes}>{metric_text(name, estimate)}</td>"
        yield (f'<td class="bad">{html.escape(state_text(row))}</td>' if state else "") + "</tr>"
    yield "</tbody></table>"


def _notes(rows: Sequence[Row]) -> Iterator[str]:
    errors = [f"{row.fields['algorithm']}: {error}".partition("\n")[0] for row in rows for error in row.errors]
    for text in [*dict.fromkeys(errors), *warning_lines(rows)]:
        yield f'<p class="bad">{html.escape(text)}</p>'


def _settings(rows: Sequence[Row], labels: Labels) -> str:
    """A choice among settings, where there are several."""
    found = dict.fromkeys(labels.setting(row) for row in rows if any(cell.epochs for cell in row.members))
    if len(found) < 2:
        return ""
    options = "".join(f'<option value="{html.escape(str(name))}">{html.escape(str(name))}</option>' for name in found)
    return f'<p><label>Curves, times and traffic of <select id="setting">{options}</select></label></p>'


def _figure(figure: Figure) -> str:
    title, key = html.escape(figure.title), figure.key
    drawn = f'<div class="plot" id="plot-{key}" data-key="{key}" aria-label="{title}"></div>'
    return f"<figure><h3>{title}</h3><figcaption>{html.escape(figure.caption)}</figcaption>{drawn}</figure>"


def _details(rows: Sequence[Row], directories: Sequence[Path]) -> Iterator[str]:
    for directory in directories:
        path = directory / SCENARIO_NAME
        if path.exists():
            text = path.read_text(encoding="utf-8", errors="replace")
            yield _folded(f"{directory.resolve().name}: the scenario", text)
    found: dict[str, dict[str, None]] = {}
    for cell in (cell for row in rows for cell in row.members):
        around = {name: value for name, value in cell.environment.items() if name != "link"}
        found.setdefault("environment", {})[json.dumps(around)] = None
        found.setdefault(f"link {cell.spec['link']}", {})[json.dumps(cell.environment.get("link", {}))] = None
    for name, texts in found.items():
        yield _folded(name, "\n".join(yaml.safe_dump(json.loads(text), allow_unicode=True) for text in texts))


def _folded(name: str, text: str) -> str:
    return f"<details><summary>{html.escape(name)}</summary><pre>{html.escape(text)}</pre></details>"
