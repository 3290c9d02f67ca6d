import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liecbench.network.link import PRESETS, Link
from liecbench.network.link_map import LinkMap

RATES = st.integers(10**6, 32 * 10**9)
DELAYS = st.integers(0, 10**7).map(lambda microseconds: round(microseconds / 1e6, 6))
LINKS = st.builds(
    lambda up, down, delays, loss: Link(
        up_bits_per_second=up,
        down_bits_per_second=down,
        delay_seconds=max(delays),
        jitter_seconds=min(delays),
        loss=loss,
    ),
    RATES,
    RATES,
    st.tuples(DELAYS, DELAYS) | st.just((0.0, 0.0)),
    st.integers(0, 5 * 10**7).map(lambda share: round(share / 1e8, 8)) | st.just(0.0),
)
LINK_MAPS = st.one_of(
    st.just(LinkMap()),
    st.just(LinkMap(host=True)),
    LINKS.map(lambda link: LinkMap(default=link)),
    RATES.map(lambda rate: LinkMap(default=Link(up_bits_per_second=rate, down_bits_per_second=rate))),
    st.builds(
        lambda link, workers: LinkMap(
            default=link, workers=tuple(sorted((rank, other) for rank, other in workers.items() if other != link))
        ),
        LINKS,
        st.dictionaries(st.integers(0, 999), LINKS, max_size=3),
    ),
)


def link_of(up: int, down: int | None = None, **more: float) -> Link:
    return Link(up_bits_per_second=up, down_bits_per_second=up if down is None else down, **more)


@given(LINK_MAPS)
def test_specs_parse_to_the_same_link(link: LinkMap) -> None:
    actual = LinkMap.parse(link.spec())

    assert link == actual


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"rate": "1mbit", "delay": 20}, "20 is not a delay; write 20ms"),
        ({"rate": "1mbit", "loss": 0.1}, "0.1 is not a loss; write 10%"),
        ({"rate": 1e8}, "100000000.0 is not a rate; write 100mbit"),
        ({"rate": "1mbit", "workers": {"1": {"rate": "1M"}}}, "workers: '1M' is not a rate; write 1mbit"),
        ({"rate": "1mbit", "workers": {"1": "1M"}}, "workers: '1M' is not a link; write 1mbit"),
        (1e8, "100000000.0 is not a link; write 100mbit"),
        (False, "False is not a link; YAML reads no as false: write none"),
        ("hosts", "'hosts' is not a link; did you mean host?"),
        ("33gbit", "'33gbit' is faster than the fastest link that can be shaped; write at most 32gbit"),
        ([], "[] is not a link; a list has one link per entry"),
    ],
)
def test_a_wrong_quantity_is_refused_with_what_to_write(value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)) as raised:
        LinkMap.parse(value)

    assert str(raised.value).startswith(reason)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({}, "a link needs a rate; add rate: 100mbit, for example, or up and down, or preset"),
        ({"up": "1mbit"}, "a link with the key up needs the key down too; add it, or write rate"),
        ({"rate": "1mbit", "up": "1mbit"}, "up and down are their single rates; remove rate"),
        ({"delay": "1ms"}, "a link needs a rate; add rate: 100mbit"),
        ({"rate": "1mbit", "latency": "1ms"}, "'latency' is no key of a link; write delay"),
        ({"rate": "1mbit", "dely": "1ms"}, "'dely' is no key of a link; did you mean delay?"),
        ({"rate": "1mbit", "workers": {"1": {"worker": 1}}}, "'worker' is no key of a link; valid: delay, down"),
        ({"rate": "1mbit", "delay": "1ms", "jitter": "2ms"}, "jitter is more than delay"),
        ({"preset": "dsl"}, "'dsl' is no preset (valid: datacenter-1g, home-dsl, lan-10g, lte, wan, wifi)"),
        ({"preset": ["lte"]}, "['lte'] is no preset"),
        ({"rate": "1mbit", "workers": ["2mbit"]}, "is not a mapping; write for example workers"),
        ({"rate": "1mbit", "workers": {"one": "2mbit"}}, "'one' is not a rank"),
        ({"rate": "1mbit", "workers": {"1": "2mbit", "01": "3mbit"}}, "a rank appears twice"),
        (
            {"rate": "1mbit", "workers": {"1": "none"}},
            "'none' is not a link; only the links of all workers",
        ),
    ],
)
def test_a_wrong_link_is_refused_with_the_reason(value: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        LinkMap.parse(value)


def test_directions_keep_their_own_rates() -> None:
    actual = LinkMap.parse({"up": "10mbit", "down": "100mbit"})

    assert LinkMap(default=link_of(10_000_000, 100_000_000)) == actual


def test_a_worker_has_its_own_link_and_the_rest_of_the_others() -> None:
    link = LinkMap.parse({"rate": "50mbit", "delay": "20ms", "workers": {0: "1gbit", "3": {"delay": "1ms"}}})

    actual = [link.of(rank) for rank in range(4)]

    others = link_of(50_000_000, delay_seconds=0.02)
    assert [link_of(10**9, delay_seconds=0.02), others, others, link_of(50_000_000, delay_seconds=0.001)] == actual


@pytest.mark.parametrize(
    ("written", "shape", "expected"),
    [
        ("20mbit", "", "50mbit"),
        (
            {"rate": "20mbit", "delay": "5ms", "loss": "1%"},
            "delay 5ms round trip 20ms 1% loss",
            {"rate": "50mbit", "delay": "5ms", "loss": "1%"},
        ),
        ({"up": "20mbit", "down": "100mbit"}, "down = 5 × up", {"up": "50mbit", "down": "250mbit"}),
        (
            {"up": "20mbit", "down": "30mbit", "delay": "1ms", "workers": {"2": {"down": "4mbit", "up": "10mbit"}}},
            "down = 1.5 × up delay 1ms round trip 4ms; worker 2 0.5 ×↑ 0.2 ×↓ delay 1ms round trip 4ms",
            {"up": "50mbit", "down": "75mbit", "delay": "1ms", "workers": {"2": {"up": "25mbit", "down": "10mbit"}}},
        ),
    ],
)
def test_a_factor_changes_all_rates_and_keeps_the_shape(written: object, shape: str, expected: object) -> None:
    link = LinkMap.parse(written)
    faster = link.at_rate(50 * 10**6)

    assert (shape, shape) == (link.shape, faster.shape)
    assert LinkMap.parse(expected) == faster


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_its_link_alone_and_with_changes(name: str) -> None:
    changed = LinkMap.parse({"preset": name, "workers": {2: "1mbit"}})

    assert LinkMap.parse({"preset": name.upper()}).default == PRESETS[name]
    assert (LinkMap.parse(name).default, changed.default) == (PRESETS[name], PRESETS[name])
    assert changed.of(2) == dataclasses.replace(PRESETS[name], up_bits_per_second=10**6, down_bits_per_second=10**6)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("none", ("none", False, False)),
        ("NONE", ("none", False, False)),
        ("host", ("host", False, False)),
        ("20mbit", ("20mbit", True, False)),
        ({"up": "10mbit", "down": "10mbit"}, ("10mbit", True, False)),
        ({"up": "10mbit", "down": "100mbit"}, ("10mbit↑ 100mbit↓", True, False)),
        ("datacenter-1g", ("1gbit", True, False)),
        ("lte", ("lte (delay 25ms±5ms, round trip 100ms)", True, True)),
        (
            {"rate": "50mbit", "delay": "20ms", "jitter": "2ms", "loss": "0.1%"},
            ("50mbit delay 20ms±2ms round trip 80ms 0.1% loss", True, True),
        ),
        (
            {"rate": "5mbit", "workers": {"1": "lte"}},
            ("5mbit; worker 1 lte (delay 25ms±5ms, round trip 100ms)", True, True),
        ),
        ({"rate": "5mbit", "workers": {"1": "5mbit"}}, ("5mbit", True, False)),
    ],
)
def test_links_say_what_they_are(value: object, expected: tuple[str, bool, bool]) -> None:
    link = LinkMap.parse(value)

    assert expected == (str(link), link.shaped, link.needs_latency)
