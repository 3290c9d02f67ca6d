import pytest

from liecbench.config.short_lists import listed, shortened


@pytest.mark.parametrize(
    ("items", "expected"),
    [("", ""), ("a", "a"), ("ab", "a or b"), ("abcd", "a, b, c or d"), ("abcdefg", "a, b, c, d or 3 more")],
)
def test_long_lists_end_with_the_number_of_the_others(items: str, expected: str) -> None:
    assert shortened(list(items), "or") == expected


def test_a_list_may_have_all_items() -> None:
    assert listed(list("abcdef")) == "a, b, c, d, e and f"
