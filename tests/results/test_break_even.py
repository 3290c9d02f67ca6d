from collections.abc import Sequence

import pytest

from liecbench.results.bracket import Bracket, bracket_of
from liecbench.results.break_even import BreakEven, break_evens
from liecbench.results.link_rates import symmetric_rate
from liecbench.results.ratio_interval import LogRatio
from liecbench.results.records import Record
from tests.ledgers import rows_of, run_of


def ratio(mean: float, error: float | None = 0.01) -> LogRatio:
    return LogRatio(mean=mean, standard_error=error, degrees_of_freedom=10)


def bracket(means: Sequence[float]) -> Bracket:
    """Return the bracket for these mean log ratios, known to ±2 %, at 10, 20, 30, … Mbit/s."""
    return bracket_of([(10 * place, ratio(mean)) for place, mean in enumerate(means, start=1)])


@pytest.mark.parametrize(
    ("means", "outcome", "low", "high", "inside"),
    [
        ((0.5, 0.2, -0.3), "below", 20, 30, 0),
        ((-0.5, -0.2, 0.3), "above", 20, 30, 0),
        ((0.5, 0.01, -0.01, -0.3), "below", 10, 40, 2),
        ((0.5, 0.4, 0.3), "always", None, None, 0),
        ((-0.5, -0.4, -0.3), "never", None, None, 0),
        ((0.5, 0.4, 0.0), "below", 20, None, 1),
        ((0.0, -0.4, -0.5), "below", None, 20, 1),
        ((-0.5, 0.0, 0.0), "above", 10, None, 2),
        ((0.0, 0.4, 0.5), "above", None, 20, 1),
        ((0.0, 0.01, -0.01), "unclear", None, None, 3),
        ((0.5, -0.5, 0.5), "alternating", None, None, 0),
    ],
)
def test_a_bracket_is_what_the_rates_show(
    means: Sequence[float], outcome: str, low: int | None, high: int | None, inside: int
) -> None:
    found = bracket(means)

    assert (found.outcome, found.low, found.high, found.num_inside) == (outcome, low, high, inside)


def test_one_observation_per_rate_shows_nothing() -> None:
    assert bracket_of([(10, ratio(0.5, None)), (20, ratio(-0.5, None))]).outcome == "unclear"


def test_rates_that_cannot_be_ranked_show_nothing() -> None:
    found = bracket_of([(10, ratio(0.5)), (20, None), (30, ratio(-0.5))])

    assert (found.low, found.high, found.num_inside) == (10, 30, 1)


def trained(algorithm: str, seconds_by_link: dict[str, float], **fields: object) -> list[list[Record]]:
    """Return runs with three seeds on each link, which differ by 1 %."""
    return [
        run_of(
            f"{algorithm} {fields} {link} {seed}",
            [{"seconds": seconds * (1 + 0.01 * seed)}],
            algorithm=algorithm,
            link=link,
            seed=seed,
            **fields,
        )
        for link, seconds in seconds_by_link.items()
        for seed in range(3)
    ]


def names(found: Sequence[BreakEven]) -> list[str]:
    return [one.rows[0].fields["algorithm"] for one in found]


def test_the_rows_of_a_method_are_ordered_by_rate() -> None:
    links = ("100mbit", "5mbit", "1gbit")
    runs = [
        *trained("ddp", dict.fromkeys(links, 1.0)),
        *trained("psgd", dict(zip(links, (0.9, 0.5, 1.2), strict=True))),
    ]
    (found,) = break_evens(rows_of(*runs))

    assert [row.fields["link"] for row in found.rows] == ["5mbit", "100mbit", "1gbit"]
    assert (found.outcome, found.bracket.low, found.bracket.high) == ("below", 10**8, 10**9)
    assert (found.lowest_bits_per_second, found.highest_bits_per_second) == (5 * 10**6, 10**9)


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
    assert symmetric_rate(link) == expected


def test_other_links_are_left_out() -> None:
    runs = []
    for link in ("none", "wifi", {"up": "1mbit", "down": "2mbit"}, {"rate": "3mbit", "workers": {"0": "1mbit"}}):
        runs += [run_of(f"ddp {link}", link=link), run_of(f"psgd {link}", link=link, algorithm="psgd")]
    plain = [*trained("ddp", {"1mbit": 2.0, "2mbit": 2.0}), *trained("psgd", {"1mbit": 1.0, "2mbit": 1.0})]
    (found,) = break_evens(rows_of(*runs, *plain))

    assert (found.outcome, found.lowest_bits_per_second) == ("always", 10**6)


def link_times(link: dict[str, int], factor: int) -> dict[str, object]:
    rates = {name: f"{factor * link[name]}mbit" for name in ("up", "down")}
    return {**rates, "workers": {"1": {"up": f"{factor * link['worker']}mbit", "down": f"{factor * link['down']}mbit"}}}


@pytest.mark.parametrize(
    ("link", "shape", "text"),
    [
        ({"up": 4, "down": 20, "worker": 4}, "down = 5 × up", "40mbit↑ 200mbit↓"),
        ({"up": 4, "down": 4, "worker": 1}, "worker 1 0.25 ×↑ 1 ×↓", "40mbit"),
    ],
)
def test_links_of_several_rates_have_a_break_even_over_their_common_factor(
    link: dict[str, int], shape: str, text: str
) -> None:
    runs = []
    for factor, seconds in ((1, 0.5), (10, 0.9), (20, 1.2)):
        for seed in range(3):
            same = {"link": link_times(link, factor), "seed": seed}
            for name, taken in (("ddp", 1.0), ("psgd", seconds)):
                runs.append(run_of(f"{name} {same}", [{"seconds": taken * (1 + 0.01 * seed)}], algorithm=name, **same))
    (found,) = break_evens(rows_of(*runs))

    assert (found.outcome, found.bracket.low, found.bracket.high) == ("below", 40 * 10**6, 80 * 10**6)
    assert (found.slowest.shape, found.rate_text(40 * 10**6)) == (shape, text)


def test_the_baseline_and_rows_without_a_baseline_are_left_out() -> None:
    links = {"1mbit": 2.0, "2mbit": 2.0}
    runs = [*trained("ddp", links), *trained("psgd", links), *trained("liec", links, workers=4)]

    assert names(break_evens(rows_of(*runs))) == ["psgd"]


def test_one_rate_has_no_break_even() -> None:
    assert break_evens(rows_of(*trained("ddp", {"1mbit": 2.0}), *trained("psgd", {"1mbit": 1.0}))) == []


def test_each_variant_of_a_method_has_its_own_break_even() -> None:
    runs = [*trained("ddp", {"1mbit": 1.0, "2mbit": 1.0})]
    for share, seconds in ((0.01, 0.5), (0.5, 2.0)):
        compressor = {"name": "top_k", "ratio": share}
        runs += trained("psgd", {"1mbit": seconds, "2mbit": seconds}, compressor=compressor)
    found = break_evens(rows_of(*runs))

    assert [(one.rows[0].fields["ratio"], one.outcome) for one in found] == [(0.01, "always"), (0.5, "never")]
