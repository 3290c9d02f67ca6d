import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liecbench.config.yaml_source import Key, Place, dotted, load, parse
from liecbench.errors import ScenarioError

WORDS = st.text(st.characters(categories=("L", "N", "P"), max_codepoint=0xD7FF), max_size=8)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), WORDS)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=8
)
MAPPINGS = st.dictionaries(WORDS, VALUES, max_size=4)
BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def message(text: str) -> str:
    with pytest.raises(ScenarioError) as raised:
        parse(text, "s.yaml")
    return str(raised.value)


@given(MAPPINGS)
def test_json_reads_as_the_values_that_it_holds(data: dict[str, Any]) -> None:
    actual = parse(json.dumps(data, ensure_ascii=False), "s.yaml").data

    assert data == actual


@given(MAPPINGS)
def test_every_part_has_a_place(data: dict[str, Any]) -> None:
    def paths(value: Any, path: Key) -> set[Key]:
        parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return {path}.union(*(paths(part, (*path, key)) for key, part in parts))

    document = parse(json.dumps(data, ensure_ascii=False), "s.yaml")

    assert paths(data, ()) == set(document.places)


def test_places_count_lines_and_columns_from_one() -> None:
    document = parse("task:\n  epochs: 3\n  tags: [a, b]\n", "s.yaml")

    assert {
        (): Place("s.yaml:1:1", "s.yaml:1:1"),
        ("task",): Place("s.yaml:1:1", "s.yaml:2:3"),
        ("task", "epochs"): Place("s.yaml:2:3", "s.yaml:2:11"),
        ("task", "tags"): Place("s.yaml:3:3", "s.yaml:3:9"),
        ("task", "tags", 0): Place("s.yaml:3:10", "s.yaml:3:10"),
        ("task", "tags", 1): Place("s.yaml:3:13", "s.yaml:3:13"),
    } == document.places


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1e-3", 0.001), ("1E5", 100_000.0), ("-2e+3", -2000.0), ("1.5e2", 150.0), ("+1e0", 1.0), ("5.0e-4", 0.0005)],
)
def test_exponents_are_numbers_without_a_point_or_sign(text: str, expected: float) -> None:
    actual = parse(f"value: {text}", "s.yaml").data["value"]

    assert (float, expected) == (type(actual), actual)


@pytest.mark.parametrize("text", ["1e", "e3", "v1e-3", "1e-3x", "'1e-3'"])
def test_a_word_that_resembles_a_number_is_text(text: str) -> None:
    actual = parse(f"value: {text}", "s.yaml").data["value"]

    assert text.strip("'") == actual


@pytest.mark.parametrize(
    ("text", "prefix", "remedy"),
    [
        ("a: 1\nb: 2\na: 3\n", "s.yaml:3:1: a: ", "the key appears twice (first at s.yaml:1:1); remove one"),
        ("t: {a: 1, a: 1}\n", "s.yaml:1:11: t.a: ", "the key appears twice (first at s.yaml:1:5); remove one"),
        ("t:\n  - {a: 1, 'a': 1}\n", "s.yaml:2:12: t[0].a: ", "(first at s.yaml:2:6); remove one"),
        ("a: &a [*a]\n", "s.yaml:1:4: ", "aliases repeat without end; write the values out"),
        ("a: &a {b: {c: *a}}\n", "s.yaml:1:4: ", "aliases repeat without end; write the values out"),
        (BOMB, "s.yaml:1:", "aliases repeat without end; write the values out"),
        ("a: !!python/object/apply:os.system [ls]\n", "s.yaml:1:4: a: ", "is not allowed; remove it"),
        ("a: !!python/tuple [1]\n", "s.yaml:1:4: a: ", "is not allowed; remove it"),
        ("a: !!python/name:os.system\n", "s.yaml:1:4: a: ", "use plain YAML values"),
        ("a: !thing 3\n", "s.yaml:1:4: a: ", "use plain YAML values"),
        ("a: !!set {b}\n", "s.yaml:1:4: a: ", "is not allowed; remove it"),
        ("a: !!int x\n", "s.yaml:1:4: a: ", "remove the tag"),
        ("a: !!int 1:30\n", "s.yaml:1:4: a: ", "remove the tag"),
        ("a: {rate:100mbit}\n", "s.yaml:1:5: a.rate:100mbit: ", "no space after the colon; write rate: 100mbit"),
        ("a: {x: 1, 0:1:2}\n", "s.yaml:1:11: a.0:1:2: ", "no space after the colon; write 0: 1:2"),
        ("a: " + "9" * 5000, "s.yaml:1:4: a: ", "a number of 5000 characters is too long; write a shorter one"),
        ("b: 1\n<<: {a: 1}\n", "s.yaml:2:1: ", "a key must be a plain word; write the keys out"),
        ("? [a]\n: 3\n", "s.yaml:1:3: ", "a key must be a plain word; write the keys out"),
        ("a: [\n", "s.yaml:2:1: not YAML: ", "a bracket is not closed"),
        ("a: 1\n\tb: 2\n", "s.yaml:2:1: not YAML: ", "a tab; indent with spaces"),
        ("a: *nothing\n", "s.yaml:1:4: not YAML: ", "*nothing refers to nothing; put the text in quotes"),
        ("a: 1\n---\nb: 1\n", "s.yaml:2:1: not YAML: ", "a second document begins here; keep one"),
        ("a: \x00\n", "s.yaml:1:4: ", "cannot be printed; remove it"),
        ('a: "\\udc9b"\n', "s.yaml:1:4: a: half of a character, ", "which no file can hold; remove it"),
        ('"\\udc9b": 1\n', "s.yaml:1:1: \\udc9b: half of a character, ", "which no file can hold; remove it"),
        ("", "s.yaml:1:1: a scenario is a mapping", "`liecbench init` writes one to start from"),
        ("- a\n", "s.yaml:1:1: a scenario is a mapping", "`liecbench init` writes one to start from"),
        ("null\n", "s.yaml:1:1: a scenario is a mapping", "`liecbench init` writes one to start from"),
    ],
)
def test_mistakes_have_their_place_and_remedy(text: str, prefix: str, remedy: str) -> None:
    actual = message(text)

    assert (prefix, True) == (actual[: len(prefix)], remedy in actual)


def test_all_mistakes_of_a_text_are_reported() -> None:
    assert message("a: 1\na: {b: !thing {x:1}}\nc: [!!int x, {d: 1, d: 2}]\n").splitlines() == [
        "s.yaml: 3 mistakes",
        "s.yaml:2:1: a: the key appears twice (first at s.yaml:1:1); remove one",
        "s.yaml:3:5: c[0]: 'x' is not what its tag !!int says; remove the tag",
        "s.yaml:3:21: c[1].d: the key appears twice (first at s.yaml:3:15); remove one",
    ]


def test_a_mistake_that_aliases_repeat_is_reported_once() -> None:
    assert message("a: &n !thing {x:1}\nb: [*n, *n]\n").splitlines() == [
        "s.yaml: 2 mistakes",
        "s.yaml:1:4: a: the tag !thing is not allowed; remove it",
        "s.yaml:1:15: a.x:1: no space after the colon; write x: 1",
    ]


@pytest.mark.parametrize("text", ["a: !!int ''\n", "a: !!bool maybe\n", "a: !!timestamp x\n", "a: !!float ''\n"])
def test_values_that_their_tag_refuses_are_mistakes(text: str) -> None:
    actual = message(text)

    assert actual[:15] == "s.yaml:1:4: a: "


def test_nesting_without_end_is_a_mistake() -> None:
    actual = message("a: " + "[" * 5000 + "]" * 5000)

    assert actual[:7] == "s.yaml:"


@pytest.mark.parametrize("text", ["a: !!python/name:os.system\n", "a: !thing 3\n", "a: \x00\n"])
def test_a_mistake_is_one_line_that_names_no_other_file(text: str) -> None:
    actual = message(text)

    assert (actual.count("\n"), "<unicode string>" in actual) == (0, False)


def test_python_tags_run_nothing(tmp_path: Path) -> None:
    made = tmp_path / "made"
    message(f"a: !!python/object/apply:os.mkdir ['{made}']\n")

    assert not made.exists()


def test_aliases_that_end_are_values() -> None:
    actual = parse("a: &x {b: [1]}\nc: [*x, *x]\n", "s.yaml").data

    assert actual == {"a": {"b": [1]}, "c": [{"b": [1]}, {"b": [1]}]}


@pytest.mark.parametrize(
    ("content", "remedy"),
    [(None, "No such file or directory; give the path of a scenario file"), (b"a: \xff\xfe\n", "not UTF-8 text; save")],
)
def test_files_that_cannot_be_read_are_named(tmp_path: Path, content: bytes | None, remedy: str) -> None:
    path = tmp_path / "s.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ScenarioError) as raised:
        load(path)

    assert str(raised.value).startswith(f"{path}: {remedy}")


def test_a_directory_is_no_scenario(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as raised:
        load(tmp_path)

    assert str(raised.value).startswith(f"{tmp_path}: Is a directory; give the path of a scenario file")


@pytest.mark.parametrize(
    ("path", "expected"),
    [((), ""), (("a",), "a"), (("matrix", "algorithm", 0, "task", "epochs"), "matrix.algorithm[0].task.epochs")],
)
def test_dotted_paths(path: Key, expected: str) -> None:
    actual = dotted(path)

    assert expected == actual


@pytest.mark.parametrize(
    ("path", "at_key", "expected"),
    [
        (("task", "epochs"), False, "s.yaml:2:11: task.epochs: wrong"),
        (("task", "epochs"), True, "s.yaml:2:3: task.epochs: wrong"),
        (("task", "missing"), True, "s.yaml:2:3: task.missing: wrong"),
        (("missing",), False, "s.yaml:1:1: missing: wrong"),
    ],
)
def test_errors_stand_at_the_nearest_known_place(path: Key, at_key: bool, expected: str) -> None:
    actual = parse("task:\n  epochs: 3\n", "s.yaml").error(path, "wrong", at_key=at_key)

    assert expected == str(actual)
