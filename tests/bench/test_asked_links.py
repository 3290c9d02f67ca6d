import pytest

from liecbench.bench.asked_links import parse_links
from liecbench.errors import LiecbenchError
from liecbench.network.link_map import LinkMap


def test_each_link_is_measured_once() -> None:
    assert parse_links(["20mbit", "{rate: 1gbit, delay: 5ms}", "20 mbit"]) == [
        LinkMap.parse("20mbit"),
        LinkMap.parse({"rate": "1gbit", "delay": "5ms"}),
    ]


@pytest.mark.parametrize(("text", "reason"), [("fast", "is not a link"), ("none", "an unshaped link has no limit")])
def test_links_that_cannot_be_measured_are_refused(text: str, reason: str) -> None:
    with pytest.raises(LiecbenchError, match=f"--link {text}: .*{reason}"):
        parse_links([text])
