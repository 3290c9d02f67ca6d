"""The output of ``liecbench profile``: a profile as tables."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from liecbench.profiles.profile import Duration, Profile
from liecbench.results.units import duration_text


def render(profile: Profile) -> Group:
    """Return tables of a profile for Rich to print: the step, the compressors at the model's size, and the methods."""
    tables: list[Table | Text] = [_step_table(profile), Text()]
    if profile.compressors:
        tables += [_compressor_table(profile), Text()]
    if profile.methods:
        tables += [_method_table(profile), Text()]
    return Group(*tables, *(Text(line, style="dim") for line in _conditions(profile)))


def _step_table(profile: Profile) -> Table:
    table = _table("step", "time", "±")
    parts = {
        "forward": profile.forward,
        "backward": profile.backward,
        "first gradient": Duration(median=min(parameter.ready_seconds for parameter in profile.parameters)),
        "clip": profile.clip,
        "optimizer": profile.optimizer,
    }
    for name, part in parts.items():
        if part.median:
            table.add_row(name, duration_text(part.median), duration_text(part.spread) if part.spread else "")
    table.add_row("compute", duration_text(profile.compute_seconds), "")
    for one in profile.updates:
        optimizer = one.update.get("optimizer", "another optimizer")
        name = str(optimizer.get("name") if isinstance(optimizer, dict) else optimizer)
        clipped = f"clip and {name}" if one.clip.median else name
        table.add_row(f"{clipped} instead", duration_text(profile.update_seconds(one.update)), "")
    return table


def _compressor_table(profile: Profile) -> Table:
    table = _table("compressor", "compress", "decompress", "accumulate")
    for times in profile.compressors:
        lines = (times.compress, times.decompress, times.accumulate)
        seconds = (duration_text(line.seconds(profile.num_parameters)) for line in lines)
        table.add_row(_name(times.compressor), *seconds)
    return table


def _method_table(profile: Profile) -> Table:
    table = _table("method", "step kind", "own work", "±")
    for one in profile.methods:
        name = _name(one.algorithm) + (f" + {_name(one.compressor)}" if one.compressor else "")
        table.add_row(name, one.kind, duration_text(one.local), duration_text(one.spread) if one.spread else "")
    return table


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number == 0 or heading == "step kind" else "right", no_wrap=True)
    return table


def _name(choice: Mapping[str, Any]) -> str:
    options = ", ".join(f"{key} {value}" for key, value in choice.items() if key != "name" and value is not False)
    return f"{choice['name']} ({options})" if options else str(choice["name"])


def _conditions(profile: Profile) -> list[str]:
    message = profile.message_seconds
    lines = [
        "compress, decompress, accumulate: all parameters at once; own work: beyond computing and the compressor, "
        "on one rank"
    ]
    if message is not None:
        lines.append(f"a message takes a rank {duration_text(message)} beyond its transfer")
    parts = [
        f"{profile.num_parameters:,} parameters in {len(profile.parameters)} tensors",
        f"batch size {profile.batch_size}",
        profile.precision,
        f"{profile.device_name or profile.device}, threads {profile.threads}",
        f"{profile.steps} steps",
    ]
    return [*lines, " · ".join(parts)]
