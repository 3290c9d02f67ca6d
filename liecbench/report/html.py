"""The HTML page that ``liecbench report`` writes: recommendations, then tables, figures and details.

The page loads nothing from the network.
"""

from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from liecbench import __version__
from liecbench.report.figures.all_figures import all_figures
from liecbench.report.figures.colours import Palette
from liecbench.report.figures.drawn_rows import drawn_rows
from liecbench.report.figures.plotly_traces import plotly_figure
from liecbench.report.gpu_table import gpu_table
from liecbench.report.headline import answer_lines, headline
from liecbench.report.page_answers import speed_charts, speed_map
from liecbench.report.page_break_even import brackets
from liecbench.report.page_facts import details, link_facts, machine_facts, question
from liecbench.report.page_sections import figure_sections, is_a_line
from liecbench.report.page_text import sentence
from liecbench.report.table_texts import best_cells, field_heading, field_text, kept_text, shared_fields_text
from liecbench.results.answer_remarks import remark_lines
from liecbench.results.comparison import Comparison
from liecbench.results.link_rates import symmetric_rate
from liecbench.results.summary import lines_beside_answers
from liecbench.untrusted.plain_text import printable

_MOST_CHARTS = 12


def render(comparison: Comparison) -> str:
    """Return the HTML page that ``liecbench report`` writes about a comparison.

    Every text from a scenario or a record is escaped.
    """
    rows, metrics = comparison.rows, comparison.columns(page=True)
    figures, drawn = all_figures(comparison), drawn_rows(rows, comparison.labels)
    lines = [figure for figure in figures if is_a_line(figure)]
    palette = Palette(comparison.labels.colour_keys, comparison.baseline)
    found = brackets(comparison, palette)
    # The brackets tell the break-evens.
    about_break_evens = () if found else comparison.break_evens
    return _template().render(
        title=question(comparison),
        headline=headline(comparison),
        answers=list(answer_lines(comparison.answers)),
        remarks=list(remark_lines(comparison.answers, comparison.words)),
        cells=_cells(comparison),
        machine=machine_facts(comparison),
        links=link_facts(comparison),
        comparison=comparison,
        charts=list(speed_charts(comparison, palette))[:_MOST_CHARTS],
        speed_map=speed_map(comparison, palette),
        brackets=found,
        notes=[
            *comparison.notes,
            *lines_beside_answers(comparison.setting_verdicts, about_break_evens, comparison.words),
        ],
        groups=list(comparison.settings.items()),
        fields=_fields(comparison),
        metrics=metrics,
        best={metric.name: best_cells(rows, metric) for metric in metrics},
        identity=id,
        incomplete=any(row.state for row in rows),
        recommended={id(one.recommended) for one in comparison.setting_verdicts if one.recommended is not None},
        shared=shared_fields_text(comparison),
        kept=kept_text(comparison),
        bandwidth=comparison.bandwidth_table(page=True),
        gpus=gpu_table(comparison),
        settings=list(dict.fromkeys(comparison.labels.setting(row) for row in drawn)),
        left_out=sum(row.has_epochs for row in rows) - len(drawn),
        sections=list(figure_sections(lines)),
        num_points=len(figures) - len(lines),
        plots={figure.key: plotly_figure(figure, palette) for figure in lines},
        details=list(details(comparison)),
        version=__version__,
        plotly=files("liecbench.report").joinpath("page/library/plotly-basic.min.js").read_text(encoding="utf-8"),
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
    environment.filters["sentence"] = sentence
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False}
    return environment.get_template("page.html")


def _printable(value: object) -> object:
    is_markup = hasattr(value, "__html__")
    return printable(value) if isinstance(value, str) and not is_markup else value


def _fields(comparison: Comparison) -> list[str]:
    """Return the names of the fields that are columns of the table.

    If there are several settings, the columns are ``algorithm`` and each field in which two rows of one setting differ.
    Otherwise they are all of ``comparison.fields``.
    """
    if len(comparison.settings) < 2:
        return list(comparison.fields)
    groups = comparison.settings.values()
    return [
        name
        for name in comparison.fields
        if name == "algorithm" or any(len({field_text(row, name) for row in rows}) > 1 for rows in groups)
    ]


def _cells(comparison: Comparison) -> str:
    """Return the numbers of cells by state as text, such as ``3 completed · 1 failed``; ``none`` without cells."""
    rows = comparison.rows
    counts = {
        "completed": sum(row.num_completed for row in rows),
        "failed": sum(row.num_failed for row in rows),
        "unfinished": sum(row.num_unfinished for row in rows),
    }
    return " · ".join(f"{count} {state}" for state, count in counts.items() if count) or "none"
