import dataclasses
from typing import Any

import pytest

from liecbench.network.link_map import LinkMap
from liecbench.results.bracket import Bracket
from liecbench.results.break_even import BreakEven, break_evens
from liecbench.results.break_even_words import break_even_text, method_name
from liecbench.results.environment_record import Environment
from liecbench.results.records import Start
from liecbench.results.row_labels import Labels
from tests.ledgers import rows_of, run_of


def text(
    outcome: str,
    *,
    low: int | None = None,
    high: int | None = None,
    num_inside: int = 0,
    is_narrowest: bool = False,
    slowest: object = "5mbit",
) -> str:
    bracket = Bracket(outcome=outcome, low=low, high=high, num_inside=num_inside)  # type: ignore[arg-type]
    found = BreakEven(
        rows=(),
        slowest=LinkMap.parse(slowest),
        bracket=bracket,
        is_narrowest=is_narrowest,
        lowest_bits_per_second=5_000_000,
        highest_bits_per_second=10**8,
    )
    return break_even_text(found, "ddp")


@pytest.mark.parametrize(
    ("outcome", "fields", "expected"),
    [
        ("always", {}, "shown to be faster than ddp from 5mbit to 100mbit"),
        (
            "never",
            {"num_inside": 2},
            "shown to be slower than ddp from 5mbit to 100mbit, with no difference shown at 2 of 0 rates",
        ),
        ("unclear", {"num_inside": 3}, "not shown to be faster or slower than ddp from 5mbit to 100mbit"),
        (
            "alternating",
            {},
            "faster and slower than ddp by turns from 5mbit to 100mbit, so there is no single break-even",
        ),
        ("below", {"low": 20_000_000, "high": 40_000_000}, "faster than ddp below a rate between 20mbit and 40mbit"),
        (
            "below",
            {"low": 20_000_000, "high": 40_000_000, "slowest": {"up": "5mbit", "down": "25mbit", "delay": "9ms"}},
            "faster than ddp below a rate between 20mbit↑ 100mbit↓ and 40mbit↑ 200mbit↓",
        ),
        (
            "below",
            {"low": 20_000_000, "num_inside": 1},
            "shown to be faster than ddp up to 20mbit; no difference is shown at 1 rate",
        ),
    ],
)
def test_a_break_even_is_told_with_what_is_not_shown(outcome: str, fields: dict[str, Any], expected: str) -> None:
    assert text(outcome, **fields) == expected


def test_a_wide_range_that_cannot_be_narrowed_says_so() -> None:
    found = text("below", low=20_000_000, high=40_000_000, is_narrowest=True)

    assert found.endswith(
        "between 20mbit and 40mbit; between these rates the speed-up is not known well enough to narrow the range"
    )


def test_a_break_even_over_links_of_two_emulators_names_them() -> None:
    runs = []
    for link, emulator in (("10mbit", "delay_line"), ("10gbit", "tbf")):
        for algorithm, seconds in (("ddp", 2.0), ("psgd", 1.0)):
            first, *rest = run_of(algorithm + link, [{"seconds": seconds}], algorithm=algorithm, link=link)
            assert isinstance(first, Start)
            recorded = {"enforcement": "kernel", "asked": link, "emulator": emulator}
            runs.append([dataclasses.replace(first, environment=Environment.of({"link": recorded})), *rest])
    rows = rows_of(*runs)
    (found,) = break_evens(rows)

    assert method_name(found, Labels(rows)) == "psgd · links emulated by delay_line, then tbf"
