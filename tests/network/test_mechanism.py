import pytest

from liecbench.network.link_map import LinkMap
from liecbench.network.mechanism import Emulator, choose_mechanism, used_emulator

DELAYED = {"rate": "10gbit", "delay": "1ms"}


@pytest.mark.parametrize(
    ("link", "emulator", "has_delay_line", "expected"),
    [
        ("500mbit", "auto", True, "delay_line"),  # 2 Gbit/s together
        ("501mbit", "auto", True, "tbf"),
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
