from liecbench.errors import LiecbenchError
from liecbench.untrusted.plain_text import one_line, printable, shortened


def test_ordinary_text_is_unchanged() -> None:
    text = "Größe ±0.5 ‖e‖² → 中文 🙂 e\u0301 می\u200cخواهم\n\tnext"  # with a combining accent and a non-joiner

    assert (printable(text), shortened(text)) == (text, text)


def test_a_line_has_no_line_ends() -> None:
    assert one_line(" a\r\nb\u2028c\x0bd\te\x85f\x1b ") == "a b c d e f\\u001b"


def test_long_words_and_long_messages_keep_their_ends() -> None:
    word = shortened(f"--set name={'x' * 5000}y: no such name")
    text = shortened("place: " + "word " * 2000 + "; do this")

    assert (len(word) < 350, word.startswith("--set name=xxx"), word.endswith("xy: no such name")) == (True, True, True)
    assert (len(text), text[:7], text[-9:]) == (2001, "place: ", "; do this")


def test_a_mistakes_message_is_safe_to_print() -> None:
    message = str(LiecbenchError(f"\x1b]0;t\x07{'a' * 10**6}", "remove it"))

    assert (message.startswith("\\u001b]0;t\\u0007aaa"), message.endswith("; remove it"), len(message) < 400) == (
        True,
        True,
        True,
    )
