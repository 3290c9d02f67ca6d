import pytest

from liecbench.report.page_text import sentence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a < b", "a &lt; b"),
        ("run `liecbench run a-b --seeds 3`", "run <code>liecbench run a-b <span>--seeds 3</span></code>"),
        ("`<b> --<i>`", "<code>&lt;b&gt; --&lt;i&gt;</code>"),
        ("one ` alone", "one ` alone"),
        ("liec, 10.3× (10.0 to 10.7) as fast", "liec, 10.3×_(10.0_to_10.7) as fast"),
        ("(-0.8 points, -3.3 to +1.7, after 2 seeds)", "(-0.8_points, -3.3_to_+1.7, after 2_seeds)"),
        ("from 5mbit to 500mbit", "from 5mbit to 500mbit"),
        ("\u202e", "\\u202e"),
    ],
)
def test_commands_are_code_and_numbers_stay_with_their_units(text: str, expected: str) -> None:
    assert str(sentence(text)) == expected.replace("_", "\N{NO-BREAK SPACE}")
