import pytest
from hypothesis import given
from hypothesis import strategies as st

from liecbench.config.nearest_value import nearest_boolean, nearest_number


@given(st.integers(-(10**12), 10**12))
def test_every_spelling_of_a_whole_number_names_it(number: int) -> None:
    sign, digits = ("-" if number < 0 else ""), str(abs(number))
    spellings = [number, float(number), str(number), f" {number} ", f"{number:_}", f"{number:,}", f"{number}.0"]
    spellings += [f"{number:,}".replace(",", " "), f"{sign}{abs(number):#b}", f"{sign}{abs(number):#o}"]
    spellings += [f"{number}000e-3", f"{sign}0{digits}"]

    for spelling in spellings:
        assert str(number) == nearest_number(spelling, whole=True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("5%", "0.05"),
        ("0,5", "0.5"),
        (".5", "0.5"),
        ("1.5k", "1500"),
        ("5min", "300"),
        ("300 s", "300"),
        ("2 h", "7200"),
        ("1:30", None),
        ("2024-01-02", None),
        ("1.2.3", None),
        ("nan", None),
        ("1e999", None),
        ("ten", None),
        ("0b2", None),
        ("", None),
        (True, None),
        (None, None),
        ([5], None),
    ],
)
def test_the_nearest_number(value: object, expected: str | None) -> None:
    actual = nearest_number(value, whole=False)

    assert expected == actual


@pytest.mark.parametrize("value", ["1.5", 1.5, "5%", "1e30", 1e30])
def test_no_whole_number_is_near(value: object) -> None:
    assert nearest_number(value, whole=True) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("yes", "true"),
        ("On", "true"),
        ("true", "true"),
        (1, "true"),
        ("no", "false"),
        ("OFF", "false"),
        (0, "false"),
        ("maybe", None),
        (2, None),
        (None, None),
    ],
)
def test_the_nearest_boolean(value: object, expected: str | None) -> None:
    actual = nearest_boolean(value)

    assert expected == actual
