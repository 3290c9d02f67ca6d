import dataclasses
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liecbench.results.break_even import BreakEven, break_evens, symmetric_rate
from liecbench.results.records import Composed, Epoch, Record
from tests.ledgers import rows_of, run_of


def trained(algorithm: str, seconds_by_link: dict[str, float], **fields: object) -> list[list[Record]]:
    name = f"{algorithm} {fields}"
    return [
        run_of(f"{name} {link}", [{"seconds": seconds}], algorithm=algorithm, link=link, **fields)
        for link, seconds in seconds_by_link.items()
    ]


def composed(run: list[Record]) -> list[Record]:
    origin = Composed(trajectory="another", kinds={})
    return [dataclasses.replace(record, composed=origin) if isinstance(record, Epoch) else record for record in run]


def names(found: Sequence[BreakEven]) -> list[str]:
    return [one.rows[0].fields["algorithm"] for one in found]


@given(
    st.integers(1, 31_000),
    st.integers(2, 1000),
    st.floats(0.05, 0.95),
    st.floats(0.01, 10),
    st.floats(0.01, 10),
    st.floats(0, 100),
)
def test_two_lines_cross_at_the_exact_rate(
    low: int, step: int, where: float, computing: float, more: float, sent: float
) -> None:
    rates, crossing = (low, low + step), low + where * step  # Mbit/s
    base = {f"{rate}mbit": computing + (sent + more * crossing) / rate for rate in rates}
    method = {f"{rate}mbit": computing + more + sent / rate for rate in rates}
    (found,) = break_evens(rows_of(*[*trained("ddp", base), *trained("psgd", method)]), "ddp")
    assert found.bits_per_second is not None

    assert found.outcome == "below"
    assert pytest.approx(crossing * 1e6) == found.bits_per_second.mean


@pytest.mark.parametrize(
    ("speedups", "expected"),
    [
        ((2.0, 1.5, 1.25), "always"),
        ((0.8, 0.5, 0.25), "never"),
        ((1.0, 1.0, 1.0), "never"),
        ((2.0, 1.25, 0.8), "below"),
        ((0.5, 0.8, 2.0), "above"),
        ((2.0, 0.8, 2.0), "unclear"),
        ((0.5, 2.0, 0.5), "unclear"),
    ],
)
def test_the_outcome_follows_from_the_speed_ups(speedups: Sequence[float], expected: str) -> None:
    links = ("5mbit", "100mbit", "1gbit")
    runs = [
        *trained("ddp", dict.fromkeys(links, 1.0)),
        *trained("psgd", {link: 1 / speedup for link, speedup in zip(links, speedups, strict=True)}),
    ]
    (found,) = break_evens(rows_of(*runs), "ddp")

    assert (expected, 5 * 10**6, 10**9, "5mbit", expected in ("below", "above")) == (
        found.outcome,
        found.lowest_bits_per_second,
        found.highest_bits_per_second,
        found.rows[0].fields["link"],
        found.bits_per_second is not None,
    )


def test_the_break_even_has_an_interval_over_seeds() -> None:
    runs = []
    for seed, crossing in enumerate((18, 20, 22)):
        runs += trained("ddp", {f"{rate}mbit": 1 + crossing / rate for rate in (10, 40)}, seed=seed)
        runs += trained("psgd", {"10mbit": 2.0, "40mbit": 2.0}, seed=seed)
    (found,) = break_evens(rows_of(*runs), "ddp")
    rate, half = found.bits_per_second, 4.303 * 2 / math.sqrt(3)  # Mbit/s: deviation 2, t for 2 degrees of freedom
    assert rate is not None

    assert pytest.approx((20e6, (20 - half) * 1e6, (20 + half) * 1e6), rel=1e-3) == (rate.mean, rate.low, rate.high)


def test_if_a_seed_does_not_cross_the_rate_is_that_of_the_mean() -> None:
    runs = [
        *trained("ddp", {"10mbit": 3.0, "40mbit": 1.5}),  # 1 + 20 Mbit ÷ rate
        *trained("ddp", {"10mbit": 2.2, "40mbit": 2.2}, seed=1),
        *trained("psgd", {"10mbit": 2.0, "40mbit": 2.0}),
        *trained("psgd", {"10mbit": 2.0, "40mbit": 2.0}, seed=1),
    ]
    (found,) = break_evens(rows_of(*runs), "ddp")
    assert found.bits_per_second is not None

    # Saved on the mean: 2 · 0.3 s at 10 Mbit/s and −2 · 0.075 s at 40, which is 0 at four fifths of the way in 1/rate.
    assert (found.outcome, found.crossing_seeds, found.num_seeds) == ("below", 1, 2)
    assert found.bits_per_second.mean == pytest.approx(25e6)
    assert found.bits_per_second.low is None


def test_the_mean_may_cross_although_no_seed_does() -> None:
    base = dict.fromkeys(("10mbit", "40mbit"), 1.0)
    runs = [
        *trained("ddp", base),
        *trained("ddp", base, seed=1),
        *trained("psgd", {"10mbit": 1 / 1.5, "40mbit": 1 / 1.1}),
        *trained("psgd", {"10mbit": 1 / 0.9, "40mbit": 1 / 0.8}, seed=1),
    ]
    (found,) = break_evens(rows_of(*runs), "ddp")

    assert (found.outcome, found.crossing_seeds, found.num_seeds) == ("below", 0, 2)
    assert found.bits_per_second is not None
    assert found.bits_per_second.mean == pytest.approx(23.546e6, rel=1e-3)


def test_a_speedup_whose_interval_holds_1_is_too_close_to_call() -> None:
    seeds = [(2.0, 2.2), (2.0, 0.9)]
    runs = [
        *(r for n, (base, _) in enumerate(seeds) for r in trained("ddp", {"10mbit": base, "40mbit": base}, seed=n)),
        *(r for n, (_, own) in enumerate(seeds) for r in trained("psgd", {"10mbit": own, "40mbit": own}, seed=n)),
    ]
    (found,) = break_evens(rows_of(*runs), "ddp")

    assert (found.outcome, found.bits_per_second) == ("unclear", None)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("20mbit", 20 * 10**6),
        ("1gbit", 10**9),
        ("none", None),
        ("host", None),
        ("wifi", None),
        ("10mbit↑ 20mbit↓", None),
        ("20mbit 5ms", None),
        ({"up": "10mbit", "down": "20mbit"}, None),
        ({"rate": "20mbit", "delay": "5ms"}, None),
        ({"rate": "20mbit", "workers": {0: "1gbit"}}, None),
        (None, None),
    ],
    ids=str,
)
def test_only_a_link_that_is_one_rate_has_a_symmetric_rate(link: object, expected: int | None) -> None:
    actual = symmetric_rate(link)

    assert expected == actual


def test_other_links_are_left_out() -> None:
    runs = []
    for link in ("none", "wifi", {"up": "1mbit", "down": "2mbit"}, {"rate": "3mbit", "workers": {"0": "1mbit"}}):
        runs += [run_of(f"ddp {link}", link=link), run_of(f"psgd {link}", link=link, algorithm="psgd")]
    plain = [*trained("ddp", {"1mbit": 2.0, "2mbit": 2.0}), *trained("psgd", {"1mbit": 1.0, "2mbit": 1.0})]
    (found,) = break_evens(rows_of(*[*runs, *plain]), "ddp")

    assert (
        found.outcome,
        found.lowest_bits_per_second,
        found.highest_bits_per_second,
    ) == ("always", 10**6, 2 * 10**6)


def test_the_baseline_and_rows_without_a_baseline_are_left_out() -> None:
    links = {"1mbit": 2.0, "2mbit": 2.0}
    runs = [*trained("ddp", links), *trained("psgd", links), *trained("liec", links, workers=4)]

    assert names(break_evens(rows_of(*runs), "ddp")) == ["psgd"]


def test_one_rate_has_no_break_even() -> None:
    runs = [*trained("ddp", {"1mbit": 2.0, "none": 1.0}), *trained("psgd", {"1mbit": 1.0, "none": 2.0})]

    assert break_evens(rows_of(*runs), "ddp") == []


def test_trained_and_composed_rows_of_a_method_form_one_line() -> None:
    runs = []
    for algorithm, seconds in (("ddp", (1.0, 4.0)), ("psgd", (2.0, 2.0))):
        fast, slow = trained(algorithm, dict(zip(("4mbit", "1mbit"), seconds, strict=True)), timing="composed")
        runs += [fast, composed(slow)]
    (found,) = break_evens(rows_of(*runs), "ddp")
    assert found.bits_per_second is not None

    # The baseline takes 4/rate seconds: 2 s at 2 Mbit/s.
    assert found.outcome == "below"
    assert pytest.approx(2e6) == found.bits_per_second.mean


def test_measured_and_composed_rows_form_two_lines() -> None:
    runs = []
    for algorithm, seconds in (("ddp", 2.0), ("psgd", 1.0)):
        links = {"1mbit": seconds, "2mbit": seconds}
        runs += trained(algorithm, links, timing="measured")
        runs += map(composed, trained(algorithm, links, timing="composed"))

    assert names(break_evens(rows_of(*runs), "ddp")) == ["psgd", "psgd"]


def test_each_variant_of_a_method_has_its_own_break_even() -> None:
    runs = trained("ddp", {"1mbit": 2.0, "2mbit": 2.0})
    for ratio, seconds in ((0.01, 1.0), (0.5, 3.0)):
        links = {"1mbit": seconds, "2mbit": seconds}
        runs += trained("psgd", links, compressor={"name": "top_k", "ratio": ratio})
    found = break_evens(rows_of(*runs), "ddp")

    assert [(one.rows[0].fields["ratio"], one.outcome) for one in found] == [(0.01, "always"), (0.5, "never")]
