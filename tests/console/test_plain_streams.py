import io
import json
import sys

import pytest
from rich.text import Text

from liecbench.console.console import console
from liecbench.console.plain_streams import make_streams_plain

# A title, a colour, a clipboard write, C1's CSI, a right-to-left override, a tag, DEL, a lone surrogate.
HOSTILE = "a\x1b]0;t\x07\x1b[31m\x1b]52;c;AA\x07\x9b2J\u202eb\U000e0041\x7f\udc9b\r"
WRITTEN_OUT = "a\\u001b]0;t\\u0007\\u001b[31m\\u001b]52;c;AA\\u0007\\u009b2J\\u202eb\\U000e0041\\u007f\\udc9b\\u000d"


def plain_output(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Make plain streams of a text; pytest sets its own streams again before a test, so that this is no fixture."""
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(sys, "stderr", output)
    make_streams_plain()
    return output


def test_no_text_is_a_control_code(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = plain_output(monkeypatch)
    print(HOSTILE)
    print(HOSTILE, file=sys.stderr)
    console().print(Text(HOSTILE), soft_wrap=True)
    console().print(HOSTILE, markup=False, soft_wrap=True)

    by_rich = WRITTEN_OUT.replace("\\u0007", "").replace("\\u000d", "")  # Rich's texts have neither of them
    assert printed.getvalue().splitlines() == [WRITTEN_OUT, WRITTEN_OUT, by_rich, by_rich]


def test_what_is_written_out_is_valid_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = plain_output(monkeypatch)
    print(json.dumps("\x7f\x1b\u202e"))

    assert json.loads(printed.getvalue()) == "\x7f\x1b\u202e"


def test_riches_own_colours_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    output = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", output)
    make_streams_plain()
    console().print(Text("a\x1b[2J", style="red"))

    assert output.getvalue() == "\x1b[31ma\\u001b[2J\x1b[0m\n"


def test_a_closed_stream_loses_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    make_streams_plain()
    print("text")

    assert sys.stdout is not None
    sys.stdout.close()


def in_encoding(text: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> str:
    output = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(output, encoding=encoding))
    make_streams_plain()
    print(text, end="", flush=True)
    return output.getvalue().decode(encoding)


def test_ascii_output_is_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "liec · 2× of 3÷4 ±0.5 −1 … ‖e‖² ≥ ½ ä 中"

    assert in_encoding(text, "ascii", monkeypatch) == "liec | 2x of 3/4 +-0.5 -1 ... ||e||2 >= 1/2 a ?"


def test_only_what_the_encoding_lacks_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    assert in_encoding("2× ±1 −3", "latin-1", monkeypatch) == "2× ±1 -3"
    assert in_encoding("2× ±1 −3", "utf-8", monkeypatch) == "2× ±1 −3"
