"""Turn PyYAML's errors into messages that can be understood without knowing the parser."""

import re
from typing import Final

import yaml

_QUOTE: Final = "put the text in quotes"
_TAG: Final = "a word with ! is a tag, which no scenario needs; " + _QUOTE
# By a pattern of the parser's message: what is wrong, and what to do.
_IN_WORDS: Final = {
    r"expected <block end>, but found '<block mapping start>'": (
        "this key is indented differently from the keys beside it; indent them alike"
    ),
    r"expected <block end>, but found '(?:-|<block sequence start>)'": (
        "this list entry is indented differently from the entries beside it; indent them alike"
    ),
    r"expected <block end>, but found '(\]|\}|,)'": "there is nothing that {0} belongs to; remove it, or " + _QUOTE,
    r"expected <block end>, but found '<scalar>'": "there is text behind the value; put the whole value in quotes",
    r"expected ',' or '(\]|\})', but got .*": "this bracket is not closed, or lacks a comma; add {0} or the comma",
    r"expected the node content, but found '<stream end>'": "a bracket is not closed; close it",
    r"expected the node content, but found .*": "a value is missing here; add it",
    r"mapping values are not allowed here": (
        "a second ': ' in one value; put each key on a line of its own, indented like the keys beside it"
    ),
    r"sequence entries are not allowed here": "a list entry behind a key; put each '- ' on a line of its own",
    r"could not find expected ':'": "a line without a key; write key: value, with a space after the colon",
    r"found character '\\t' that cannot start any token": "a tab; indent with spaces",
    r"found character ['\"](.)['\"] that cannot start any token": f"no value can begin with {{0}}; {_QUOTE}",
    r"found unexpected end of stream": "a quotation mark is not closed; close it",
    r"found unknown escape character .*": "a backslash in double quotes; use single quotes",
    r"but found another document": "a second document begins here; keep one, and remove the line ---",
    r"found undefined alias '(.*)'": f"*{{0}} refers to nothing; {_QUOTE}",
    r"expected alphabetic or numeric character, but found .*": f"a name is missing behind & or *; {_QUOTE}",
    r"expected (chomping or )?indentation indicator.*": "text behind | or >; write it on the lines below",
    r"found undefined tag handle .*": _TAG,
    r"expected ('>'|URI|'!').*": _TAG,
    r"expected ('<document start>'|a digit).*": "a line that begins with %; remove it",
}


# The place of these is where what lacks its end begins, and not where the parser noticed.
_AT_BEGIN: Final = ("expected ',' or ", "found unexpected end of stream", "could not find expected ':'")


def place_of(error: yaml.MarkedYAMLError) -> yaml.Mark | None:
    """Return the place of a mistake; None if PyYAML's error has no place."""
    if error.context_mark is not None and (error.problem or "").startswith(_AT_BEGIN):
        return error.context_mark
    return error.problem_mark or error.context_mark


def in_words(problem: str) -> str:
    """Return a plain message for ``problem``, the text of a PyYAML error: the mistake, then the remedy.

    For example, ``found unexpected end of stream`` becomes ``a quotation mark is not closed; close it``. An unknown
    problem becomes ``<problem>; correct the syntax``.
    """
    for pattern, words in _IN_WORDS.items():
        if found := re.fullmatch(pattern, problem, re.DOTALL):
            return words.format(*found.groups())
    return f"{problem}; correct the syntax"
