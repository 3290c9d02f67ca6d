import io
import sys

import pytest

from liecbench.cli.plain_characters import print_any_character


def printed(text: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> str:
    output = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(output, encoding=encoding))
    print_any_character()
    print(text, end="", flush=True)
    return output.getvalue().decode(encoding)


def test_ascii_output_is_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "liec · 2× of 3÷4 ±0.5 −1 … ‖e‖² ≥ ½ ä 中"

    assert printed(text, "ascii", monkeypatch) == "liec | 2x of 3/4 +-0.5 -1 ... ||e||2 >= 1/2 a ?"


def test_only_what_the_encoding_lacks_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed("2× ±1 −3", "latin-1", monkeypatch) == "2× ±1 -3"
    assert printed("2× ±1 −3", "utf-8", monkeypatch) == "2× ±1 −3"
