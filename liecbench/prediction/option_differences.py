"""Remarks on methods of the command line whose options are not those of the scenario."""

import dataclasses
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from liecbench.prediction.method_choice import Method


def option_differences(
    methods: Sequence[Method], own: Sequence[Method], scenario: Path, *, with_compressor: bool
) -> Iterator[str]:
    """Yield a line per method whose algorithm the scenario has, but only with other options.

    Servers are not compared.

    Args:
        methods: The predicted methods.
        own: The methods of the scenario.
        scenario: The scenario's file, to name it.
        with_compressor: True to compare the compressors, and the blocks that suit them, too.
    """
    for method in methods:
        alike = [one for one in own if one.algorithm.name == method.algorithm.name]
        shown, *others = (_compared(one, method, with_compressor=with_compressor) for one in (method, *alike))
        if others and repr(shown) not in map(repr, others):
            among = [shown, *others]
            labels = ", ".join(dict.fromkeys(one.label(among) for one in others))
            yield f"{shown.label(among)} is predicted; {shlex.quote(str(scenario))} has {labels}"


def _compared(one: Method, method: Method, *, with_compressor: bool) -> Method:
    """Return ``one`` with only the fields to compare. The optimizer is one of them only if ``method`` names one."""
    found = dataclasses.replace(one, server=None, update=None if method.update is None else one.update)
    return found if with_compressor else dataclasses.replace(found, compressor=None, block_bytes=None)
