"""The output of ``liecbench predict``: answer, tables and notes for people, and rows as JSON and CSV."""

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from typing import Any, Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from liecbench.network.link_map import LinkMap
from liecbench.prediction.predicted_rows import PredictedRow
from liecbench.prediction.predictions import Predictions
from liecbench.report.prediction_answer import answer_lines
from liecbench.report.prediction_notes import lines_below
from liecbench.report.prediction_texts import common_flags, method_name, ratio_text
from liecbench.results.bandwidth_needed import BandwidthTable, bandwidth_objects, bandwidth_table
from liecbench.results.statistics import Estimate
from liecbench.results.units import BYTES, FRACTION

_HEADINGS: Final = (
    "method",
    "workers",
    "link",
    "s/step",
    "speed-up",
    "vs dense",
    "compute",
    "bottleneck",
    "B/step",
    "flags",
)


def terminal(found: Predictions) -> RenderableType:
    """Return the output of ``liecbench predict`` as an object for Rich to print.

    The output is made of sentences on the fastest methods, tables of predictions, and notes. If no link rate suffices
    for any method, a sentence takes the place of the table of needed bandwidths.
    """
    main = _table(_HEADINGS)
    for row in found.rows:
        main.add_row(*_texts(found, row))
    parts: list[RenderableType] = [*map(Text, answer_lines(found)), Text(), main]
    if found.bandwidths:
        parts += _needed(bandwidth_table(found.bandwidths))
    return Group(*parts, *(Text(line, style="dim") for line in lines_below(found)))


def _needed(found: BandwidthTable) -> list[RenderableType]:
    if found.sentence is not None:
        return [Text(found.sentence)]
    table = _table(found.headings)
    for line in found.lines:
        table.add_row(*line)
    return [Text(found.title), table, *(Text(note, style="dim") for note in found.notes)]


def markdown(found: Predictions) -> str:
    """Return the output of ``liecbench predict`` as Markdown: the answers, the tables and the notes."""
    parts = ["\n".join(f"- {line}" for line in answer_lines(found))]
    parts.append(_markdown_table(_HEADINGS, [_texts(found, row) for row in found.rows]))
    if found.bandwidths:
        needed = bandwidth_table(found.bandwidths)
        parts += [needed.title, _markdown_table(needed.headings, needed.lines), *needed.notes]
    parts.append("\n".join(f"- {line}" for line in lines_below(found)))
    return "\n\n".join(parts) + "\n"


def to_json(found: Predictions) -> str:
    """Return the predictions as the text of a JSON object.

    The object has these keys:

    - ``rows``: A list with the predicted step of each method, for each number of workers and each link.
    - ``break_even``: A list with the break-even bandwidth of each method.
    - ``bandwidth_needed``: A list with the link rates that each method needs to reach a compute utilization.
    - ``baseline``: The name of the baseline as in the rows' ``method``, such as ``ddp``.
    - ``baseline_workers`` and ``baseline_link``: The setting of the baseline; null if it is that of each row.
    - ``inputs``: The main numbers of the profile, and the constants of the transport.
    """
    request = found.request
    break_evens = [
        {
            "method": method_name(found, one.method),
            "workers": one.workers,
            "link_shape": one.link.shape,
            "outcome": one.outcome,
            "bits_per_second": None if one.bits_per_second is None else one.bits_per_second.mean,
            "low_bits_per_second": None if one.bits_per_second is None else one.bits_per_second.low,
            "high_bits_per_second": None if one.bits_per_second is None else one.bits_per_second.high,
            "compute_seconds_per_step": one.compute.seconds,
            "text": one.text,
        }
        for one in found.break_evens
    ]
    content = {
        "rows": [_object(found, row) for row in found.rows],
        "break_even": break_evens,
        "bandwidth_needed": bandwidth_objects(found.bandwidths),
        "baseline": method_name(found, request.baseline),
        "baseline_workers": request.baseline_setting.workers,
        "baseline_link": None if request.baseline_setting.link is None else _link(request.baseline_setting.link),
        "inputs": {
            "profile": {
                "origin": request.profile.origin,
                "compute_seconds": request.profile.compute_seconds,
                "num_parameters": request.profile.num_parameters,
                "device_name": request.profile.device_name,
                "assumptions": list(request.profile.assumptions),
            },
            "transport": dataclasses.asdict(request.costs),
        },
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def to_csv(found: Predictions) -> str:
    """Return CSV with a line of headings, and then one line per row of ``found``.

    A value with an interval, such as ``speedup``, has three columns: ``speedup``, ``speedup_low`` and ``speedup_high``.
    """
    objects = [_flat(_object(found, row)) for row in found.rows]
    text = io.StringIO()
    headings = list(dict.fromkeys(name for row in objects for name in row))
    writer = csv.DictWriter(text, headings, lineterminator="\n")
    writer.writeheader()
    writer.writerows(objects)
    return text.getvalue()


def _object(found: Predictions, row: PredictedRow) -> dict[str, Any]:
    method, time = row.method, row.time
    return {
        "method": method_name(found, method),
        "algorithm": method.algorithm.name,
        **method.algorithm.options,
        "compressor": None if method.compressor is None else method.compressor.model_dump(mode="json"),
        "server": method.server,
        "workers": row.workers,
        "ranks_per_node": found.request.ranks_per_node,
        "link": _link(row.link),
        "minibatches_per_step": row.batches_per_step,
        "seconds_per_step": dataclasses.asdict(row.step_seconds),
        "compute_seconds_per_step": time.compute_seconds,
        "wire_seconds_per_step": time.wire_seconds,
        "compress_seconds_per_step": time.compress_seconds,
        "other_seconds_per_step": time.latency_seconds,
        "payload_bytes_sent_per_step": row.sent_bytes,
        "speedup": _bounds(row.speedup),
        "speedup_over_dense": _bounds(row.speedup_over_dense),
        "compute_utilization": row.compute_utilization,
        "bottleneck": row.bottleneck,
        "flags": list(row.flags),
    }


def _bounds(value: Estimate | None) -> dict[str, float | None] | None:
    return None if value is None else dataclasses.asdict(value)


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in fields.items():
        if name in ("seconds_per_step", "speedup", "speedup_over_dense"):
            bounds = value or {"mean": None, "low": None, "high": None}
            flat |= {name: bounds["mean"], f"{name}_low": bounds["low"], f"{name}_high": bounds["high"]}
        else:
            flat[name] = json.dumps(value) if isinstance(value, dict | list) else value
    return flat


def _texts(found: Predictions, row: PredictedRow) -> list[str]:
    return [
        method_name(found, row.method),
        str(row.workers),
        str(row.link),
        _seconds(row.step_seconds),
        ratio_text(row.speedup),
        ratio_text(row.speedup_over_dense),
        FRACTION.format(row.compute_utilization),
        row.bottleneck,
        BYTES.format(row.sent_bytes),
        " ".join(flag for flag in row.flags if flag not in common_flags(found)),
    ]


def _seconds(value: Estimate) -> str:
    mean, low = value.mean, value.low
    width = "" if low is None else f" ±{(mean - low) / mean:.0%}"
    return (f"{mean:.3g}" if mean < 100 else f"{mean:.0f}") + width


def _link(links: LinkMap) -> Any:
    return links.spec()


def _table(headings: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in headings:
        table.add_column(heading, no_wrap=heading != "flags")
    return table


def _markdown_table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [headings, ["---"] * len(headings), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)
