import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from liecbench.config.overrides import override, override_all
from liecbench.config.yaml_source import Document, Place, parse
from liecbench.errors import ScenarioError
from tests.config.test_yaml_source import MAPPINGS, VALUES

NAMES = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=6)


@given(MAPPINGS, st.lists(NAMES, min_size=1, max_size=3), VALUES)
def test_override_sets_one_path(data: dict[str, Any], path: list[str], value: Any) -> None:
    above: Any = data
    for part in path[:-1]:
        above = (above or {}).get(part)
        assume(above is None or isinstance(above, dict))  # other values have no keys: a mistake
    document = Document(data, {}, "s.yaml")
    changed = override(document, f"{'.'.join(path)}={json.dumps(value, ensure_ascii=False)}")
    found = changed.data
    for part in path:
        found = found[part]

    assert value == found


@given(MAPPINGS, NAMES, VALUES)
def test_override_leaves_the_rest_and_the_original(data: dict[str, Any], name: str, value: Any) -> None:
    before = json.dumps(data)
    changed = override(Document(data, {}, "s.yaml"), f"{name}={json.dumps(value, ensure_ascii=False)}")
    rest = {key: item for key, item in changed.data.items() if key != name}

    assert (before, {key: item for key, item in data.items() if key != name}) == (json.dumps(data), rest)


def test_the_place_of_an_override_is_the_option() -> None:
    changed = override(parse("task:\n  epochs: [1, 2]\n  seed: 3\n", "s.yaml"), "task.epochs=5")

    assert {
        (): Place("s.yaml:1:1", "s.yaml:1:1"),
        ("task",): Place("s.yaml:1:1", "s.yaml:2:3"),
        ("task", "epochs"): Place("--set task.epochs=5", "--set task.epochs=5"),
        ("task", "seed"): Place("s.yaml:3:3", "s.yaml:3:9"),
    } == changed.places


@pytest.mark.parametrize(
    ("assignment", "remedy"),
    [
        ("epochs", "not PATH=VALUE; write for example --set task.epochs=2"),
        ("=3", "not PATH=VALUE; write for example --set task.epochs=2"),
        ("", "not PATH=VALUE; write for example --set task.epochs=2"),
        ("task.epochs=[1", "this bracket is not closed"),
        ("task.epochs=*a", "*a refers to nothing"),
        ("task.epochs=!!python/tuple [1]", "is not allowed; remove it"),
        ("matrix.link={rate:1mbit}", ": matrix.link.rate:1mbit: no space after the colon; write rate: 1mbit"),
        ('a "b=[&x [*x]]', ': a "b[0][0]: aliases repeat without end'),
    ],
)
def test_overrides_that_cannot_be_read_are_mistakes(assignment: str, remedy: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        override(parse("task: {epochs: 1}\n", "s.yaml"), assignment)

    assert (str(raised.value).startswith(f"--set {assignment}"), remedy in str(raised.value)) == (True, True)


def test_assignments_that_cannot_be_applied_are_reported_together() -> None:
    with pytest.raises(ScenarioError) as raised:
        override_all(
            parse("task: {epochs: 1, links: [1]}\n", "s.yaml"),
            ["task.epochs=[1", "task.seed=3", "task.links[1]=3", "name={a:1, b:2}", "=3", "=4", "task.epochs.a=1"],
        )

    lines = str(raised.value).splitlines()
    prefixes = [
        "task.epochs=[1:",
        "task.links[1]=3: ",
        ": name.a:1: no space",
        ": name.b:2: no space",
        "=3",
        "=4",
    ]
    assert lines[0] == "--set: 6 mistakes"
    assert [prefix in line for prefix, line in zip(prefixes, lines[1:], strict=True)] == [True] * 6


def test_later_assignments_see_the_values_of_earlier_ones() -> None:
    changed = override_all(parse("task: {epochs: 1}\n", "s.yaml"), ["links=[1, 2]", "links[1]=5", "task.epochs=3"])

    assert changed.data == {"task": {"epochs": 3}, "links": [1, 5]}
