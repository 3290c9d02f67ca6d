import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from liecbench.config.overrides import override
from liecbench.config.yaml_core_schema import dump
from liecbench.config.yaml_source import parse

# Words that a reader of YAML 1.1, or of YAML 1.2, takes for something other than text.
AMBIGUOUS = ["010", "09", "1:30", "1_000", "0b1", "0o10", "0x1F", ".5", "1e3", "1.5e3", "-.5E2", "yes", "no", "On"]
AMBIGUOUS += ["off", "true", "null", "~", "", "2024-01-02", "1:30.5", "=", "<<", ".inf", "-.INF", ".nan", "12e03"]
TEXTS = st.sampled_from(AMBIGUOUS) | st.from_regex(r"\A[-+0-9.:_eExobny~]{0,6}\Z")
SCALARS = TEXTS | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
DATA = st.dictionaries(
    st.from_regex(r"\A[a-z]{1,5}\Z"),
    st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=5),
    min_size=1,
    max_size=4,
)


# The right-hand column is from section 10.3.2 of the specification of YAML 1.2.2.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("010", 10),
        ("-019", -19),
        ("+12", 12),
        ("0o10", 8),
        ("0x1f", 31),
        (".5", 0.5),
        ("5.", 5.0),
        ("-.5e1", -5.0),
        ("1e3", 1000.0),
        ("12e03", 12000.0),
        ("-2E+05", -200000.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("1:30", "1:30"),
        ("1:30.5", "1:30.5"),
        ("1_000", "1_000"),
        ("1_0.5", "1_0.5"),
        ("0b1", "0b1"),
        ("-0x1f", "-0x1f"),
        ("0o8", "0o8"),
        ("yes", "yes"),
        ("No", "No"),
        ("on", "on"),
        ("OFF", "OFF"),
        ("2024-01-02", "2024-01-02"),
        ("2024-13-45", "2024-13-45"),
        ("=", "="),
        ("!!int 010", 10),
        ("!!float 1", 1.0),
        ("!!str 010", "010"),
        ("'010'", "010"),
    ],
)
def test_plain_words_mean_what_yaml_1_2_says(text: str, expected: object) -> None:
    here = parse(f"value: {text}", "s.yaml").data["value"]
    listed, mapped = parse(f"value:\n- {text}\n- key: {text}\n", "s.yaml").data["value"]
    given_on_command_line = override(parse("a: 1", "s.yaml"), f"b.c={text}").data["b"]["c"]

    for actual in (here, listed, mapped["key"], given_on_command_line):
        assert (type(expected), expected) == (type(actual), actual)


@pytest.mark.parametrize("text", [".nan", ".NaN", "!!float .nan"])
def test_not_a_number_is_a_float(text: str) -> None:
    assert math.isnan(parse(f"value: {text}", "s.yaml").data["value"])


@given(DATA)
def test_what_is_written_reads_the_same_by_yaml_1_1_and_1_2(data: dict[str, Any]) -> None:
    text = dump(data)

    for actual in (yaml.safe_load(text), parse(text, "s.yaml").data):
        assert repr(data) == repr(actual)
