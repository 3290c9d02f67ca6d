"""The part of the rules for plain words that a program can check."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for folder in ("liecbench", "tests") for path in (ROOT / folder).rglob("*.py"))
# "What the ranks were told" is a riddle; "Return the plan" is not.
RIDDLE = re.compile(r"(What|Whether|When|Who|Whose|Why|How|Which|Where)\b")


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text is not None:
                yield node.body[0].lineno, text


def riddles(tree: ast.Module) -> list[int]:
    """Return the lines of docstrings that open with a question word."""
    return [line for line, text in docstrings(tree) if RIDDLE.match(text)]


@pytest.mark.parametrize("text", ["What is sent.", "Whether it is on.", "Who enforces it."])
def test_a_docstring_that_opens_with_a_question_word_is_found(text: str) -> None:
    source = f'"""{text}"""\ndef function():\n    """{text}"""\n'

    assert riddles(ast.parse(source)) == [1, 3]


def test_an_imperative_docstring_is_not_found() -> None:
    assert riddles(ast.parse('def function():\n    """Return what was sent."""\n')) == []


def test_no_docstring_opens_with_a_question_word() -> None:
    found = {path.relative_to(ROOT).as_posix(): riddles(ast.parse(path.read_text(encoding="utf-8"))) for path in FILES}

    assert found
    assert {path: lines for path, lines in found.items() if lines} == {}
