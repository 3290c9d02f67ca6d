import pytest

from liecbench.network.link_map import LinkMap
from liecbench.network.mechanism import Emulator, choose_mechanism, used_emulator

IN_TURNS = {
    "up": "600mbit",
    "down": "10mbit",
    "workers": {rank: {"up": "10mbit", "down": "600mbit"} for rank in (1, 3)},
}
DELAYED = {"rate": "10gbit", "delay": "1ms"}


@pytest.mark.parametrize(
    ("link", "emulator", "has_delay_line", "expected"),
    [
        ("500mbit", "auto", True, "delay_line"),  # 2 Gbit/s together
        ("501mbit", "auto", True, "tbf"),
        ({"up": "10mbit", "down": "500mbit"}, "auto", True, "delay_line"),
        ({"up": "10mbit", "down": "501mbit"}, "auto", True, "tbf"),
        ({"up": "501mbit", "down": "10mbit"}, "auto", True, "tbf"),
        # Each worker has 600 Mbit/s in one direction, but neither sum is above 2 Gbit/s.
        (IN_TURNS, "auto", True, "delay_line"),
        ("100mbit", "auto", False, "tbf"),
        (DELAYED, "auto", True, "delay_line"),
        (DELAYED, "auto", False, "netem"),
        (DELAYED, "netem", True, "netem"),
        ("100mbit", "netem", True, "tbf"),
        ("10gbit", "delay_line", True, "delay_line"),
    ],
)
def test_auto_takes_the_delay_line_for_what_it_can_carry(
    link: object, emulator: Emulator, has_delay_line: bool, expected: str
) -> None:
    links = LinkMap.parse(link)
    mechanism = choose_mechanism(links, 4, emulator, has_delay_line=has_delay_line)

    assert used_emulator(links, mechanism) == expected
