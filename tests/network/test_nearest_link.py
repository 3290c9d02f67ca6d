import pytest

from liecbench.network.link_map import LinkMap
from liecbench.network.link_text import LinkMapKeys
from liecbench.network.nearest_link import KEY_SYNONYMS, key_remedy, link_remedy

FOUR_DELAYS = "because a round trip of two workers is four delays"


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        (False, "YAML reads no as false: write none"),
        ("no", "YAML reads no as false: write none"),
        (" Off ", "YAML reads no as false: write none"),
        (None, "write none for links without limits, or a rate such as 100mbit"),
        (1e8, "write 100mbit"),
        ("100M", "write 100mbit"),
        ("wn", "did you mean wan?"),
        ("home_dsl", "did you mean home-dsl?"),
        ("nome", "did you mean none?"),
        ("100mbit 20ms", "write {rate: 100mbit, delay: 20ms}"),
        ("100Mbps, 20 ms", "write {rate: 100Mbps, delay: 20 ms}"),
        ("10mbit↑ 50mbit↓", "write {up: 10mbit, down: 50mbit}"),
        ("10/50 Mbit/s", "write {up: 10Mbit/s, down: 50Mbit/s}"),
        ("50mbit 20ms±2ms 0.1% loss", "write {rate: 50mbit, delay: 20ms, jitter: 2ms, loss: 0.1%}"),
        ("100mbit rtt 80ms", f"write {{rate: 100mbit, delay: 20ms}}, {FOUR_DELAYS}"),
        ("100mbit, ping: 30 ms", f"write {{rate: 100mbit, delay: 7.5ms}}, {FOUR_DELAYS}"),
        ("1mbit 0.08s round trip 1%", f"write {{rate: 1mbit, delay: 20ms, loss: 1%}}, {FOUR_DELAYS}"),
        ("1mbit 20ms rtt 80ms", "write {rate: 1mbit, delay: 20ms}"),
        ("none", "only the links of all workers together can be none; write a rate, up to 32gbit"),
    ],
)
def test_the_nearest_link(value: object, remedy: str) -> None:
    assert remedy == link_remedy(value)


@pytest.mark.parametrize("value", ["fast", "", True, "yes", -5, "20ms", "20ms 5ms", "1mbit 2mbit 3mbit", "1kg 2mbit"])
def test_a_value_near_no_link_gets_an_example_and_the_names(value: object) -> None:
    actual = link_remedy(value)

    assert actual.startswith("write a rate such as 100mbit, or one of lan-10g, ")


def test_tables_links_are_near_the_links_that_they_show() -> None:
    written = {"up": "10mbit", "down": "50mbit", "delay": "20ms", "jitter": "2ms", "loss": "0.1%"}

    text = link_remedy(str(LinkMap.parse(written)))

    assert text == "write {up: 10mbit, down: 50mbit, delay: 20ms, jitter: 2ms, loss: 0.1%}"


@pytest.mark.parametrize("key", KEY_SYNONYMS)
def test_words_for_keys_name_a_key_of_links(key: str) -> None:
    remedy = key_remedy(key.upper()) or ""

    assert remedy.startswith("write ")
    assert remedy.removeprefix("write ").partition(":")[0] in LinkMapKeys.__annotations__


def test_a_round_trip_is_four_delays() -> None:
    assert "a quarter of the round trip" in (key_remedy("rtt") or "")


def test_other_keys_have_no_near_key() -> None:
    assert key_remedy("colour") is None
