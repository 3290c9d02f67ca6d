"""The output of ``liecbench report``: an HTML page that needs no network, with verdict, table, figures and settings."""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from liecbench import __version__
from liecbench.report.figures.all_figures import all_figures
from liecbench.report.figures.colours import Palette
from liecbench.report.figures.drawn_rows import drawn_rows
from liecbench.report.figures.plotly_traces import plotly_figure
from liecbench.report.gpu_table import gpu_table
from liecbench.report.table_texts import caption, field_heading, field_text
from liecbench.results.comparison import Comparison
from liecbench.results.directory import SCENARIO_NAME
from liecbench.results.link_rates import symmetric_rate
from liecbench.untrusted import regular_files
from liecbench.untrusted.plain_text import printable

_MOST_SCENARIO_BYTES = 2**22


def render(comparison: Comparison) -> str:
    """Return the page as HTML. The page's template escapes every text that comes from a scenario or a record."""
    rows, metrics = comparison.rows, comparison.columns(page=True)
    figures, drawn = all_figures(comparison), drawn_rows(rows, comparison.labels)
    palette = Palette(comparison.labels.colour_keys, comparison.baseline)
    names = ", ".join(directory.resolve().name for directory in comparison.directories)
    return _template().render(
        title=f"{names}: does compression pay off?",
        cells=_cells(comparison),
        comparison=comparison,
        metrics=metrics,
        best={metric.name: metric.best(row.metrics[metric.name] for row in rows) for metric in metrics},
        incomplete=any(row.state for row in rows),
        caption=caption(comparison),
        bandwidth=comparison.bandwidth_table(page=True),
        gpus=gpu_table(comparison),
        settings=list(dict.fromkeys(comparison.labels.setting(row) for row in drawn)),
        left_out=sum(row.has_epochs for row in rows) - len(drawn),
        figures=figures,
        plots={figure.key: plotly_figure(figure, palette) for figure in figures},
        details=list(_details(comparison)),
        version=__version__,
        plotly=_plotly_library(),
        field_heading=field_heading,
        field_text=field_text,
        symmetric_rate=symmetric_rate,
    )


def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("liecbench.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False}
    return environment.get_template("page.html")


def _printable(value: object) -> object:
    is_markup = hasattr(value, "__html__")
    return printable(value) if isinstance(value, str) and not is_markup else value


def _plotly_library() -> str:
    # Find Plotly's package without importing it, because the page needs only the JavaScript file in the package.
    package = importlib.util.find_spec("plotly")
    assert package is not None, "plotly is a dependency"
    assert package.submodule_search_locations is not None, "plotly is a package"
    return (Path(package.submodule_search_locations[0]) / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def _cells(comparison: Comparison) -> str:
    """Return the numbers of cells by state as text, such as ``3 completed · 1 failed``; ``none`` without cells."""
    rows = comparison.rows
    counts = {
        "completed": sum(row.num_completed for row in rows),
        "failed": sum(row.num_failed for row in rows),
        "unfinished": sum(row.num_unfinished for row in rows),
    }
    return " · ".join(f"{count} {state}" for state, count in counts.items() if count) or "none"


def _details(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Yield (heading, text) pairs that show what was run: each scenario, the environments, and each link."""
    for directory in comparison.directories:
        path = directory / SCENARIO_NAME
        if path.exists():
            text = regular_files.read_bytes(path, _MOST_SCENARIO_BYTES).decode(errors="replace")
            yield f"{directory.resolve().name}: the scenario", text
    found: dict[str, dict[str, None]] = {}
    for cell in (cell for row in comparison.rows for cell in row.cells):
        environment = cell.environment.as_dict()
        link = environment.pop("link", {})
        found.setdefault("environment", {})[json.dumps(environment)] = None
        found.setdefault(f"link {cell.spec['link']}", {})[json.dumps(link)] = None
    for name, texts in found.items():
        yield name, "\n".join(yaml.safe_dump(json.loads(text), allow_unicode=True) for text in texts)
