import re

import pytest

from liecbench.config.yaml_source import parse
from liecbench.errors import ScenarioError

# Words of the parser, which say nothing to somebody who wrote a scenario.
PARSERS_WORDS = re.compile(r"token|scalar|block end|node|stream|alphabetic|sequence|mapping|directive|tag:yaml")


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: [x, y\nb: 1\n", "1:4", "this bracket is not closed, or lacks a comma; add ]"),
        ("a: {x: 1\n", "1:4", "add }"),
        ("a: 'x\n", "1:4", "a quotation mark is not closed"),
        ('a: "\\q"\n', "1:6", "use single quotes"),
        ("a: - 2\n", "1:4", "put each '- ' on a line of its own"),
        ("a: 1\nb 2\nc: 3\n", "2:1", "write key: value"),
        ("a: 1\nb:2\nc: 3\n", "2:1", "with a space after the colon"),
        ("a: @x\n", "1:4", "no value can begin with @; put the text in quotes"),
        ("%YAML 3\n---\na: 1\n", "1:8", "a line that begins with %; remove it"),
        ("%foo\na: 1\n", "2:1", "a line that begins with %; remove it"),
        ("a: &\n", "1:5", "a name is missing behind & or *"),
        ("a: !foo!x y\n", "1:4", "is a tag, which no scenario needs"),
        ("a: !<x\n", "1:7", "is a tag, which no scenario needs"),
        ("a: |5x\n", "1:6", "write it on the lines below"),
        ("a: [x]]\n", "1:7", "there is nothing that ] belongs to"),
        ("a: {x: [}\n", "1:9", "a value is missing here"),
        ("a:\n    - x\n  - y\n", "3:3", "indented differently from the entries beside it"),
        ('a: "x" y\n', "1:8", "put the whole value in quotes"),
        ("a: !!int x\n", "1:4", "a: 'x' is not what its tag !!int says; remove the tag"),
        ("a: !!python/name:x y\n", "1:4", "the tag !!python/name:x is not allowed"),
        ("? [a]\n: b\n", "1:3", "a key must be a plain word"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_to_do(text: str, place: str, words: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        parse(text, "s.yaml")
    message = str(raised.value)

    assert message.startswith(f"s.yaml:{place}: ")
    assert words in message
    assert ": : " not in message
    assert not PARSERS_WORDS.search(message)
