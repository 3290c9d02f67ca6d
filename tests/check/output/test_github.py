import re
from pathlib import Path

import pytest
from hypothesis import given, settings

from liecbench.check.output import github
from liecbench.check.verdict import FailedCell, Outcome, UngatedMetric, Verdict
from liecbench.errors import ExitCode, LiecbenchError
from tests.check.outcomes import ANY_OUTCOME, EMPTY, FAILED, OUTCOMES, paired, result

# What the runner takes for a command: a name, properties, and after them the message.
COMMAND = re.compile(r"::(notice|warning|error) title=([^:,]*)::(.*)")


def columns(line: str) -> int:
    """Return the number of columns as GFM counts them: a pipe behind a backslash does not count."""
    return re.sub(r"\\.", "", line).count("|") - 1


def unescaped(text: str) -> str:
    for code, character in (("%3A", ":"), ("%2C", ","), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, character)
    return text


def commands(outcome: Outcome) -> list[tuple[str, str, str]]:
    found = [COMMAND.fullmatch(line) for line in github.annotations(outcome)]
    assert None not in found
    return [(each[1], unescaped(each[2]), unescaped(each[3])) for each in found if each]


def test_a_summary_equals_one_written_by_hand() -> None:
    results = (
        result(baseline=1000.0, current=1000.0),
        result(Verdict.FAIL, "a|b", "train_loss", reason="<b> @you `x`"),
    )
    outcome = Outcome(
        results=results,
        ungated=(UngatedMetric(cell="c", metric="train_seconds", baseline=2.0, current=3.0),),
        failed_cells=(FailedCell(cell="d", reason="lost"),),
        notes=("two\nseeds",),
    )

    assert github.summary(outcome).splitlines() == [
        "## liecbench check",
        "",
        "**FAIL: 1 of 2 failed, 1 cell could not be measured**",
        "",
        "| verdict | cell | metric | baseline | now |",
        "| --- | --- | --- | ---: | ---: |",
        "| FAIL | a\\|b | train loss |  |  |",
        "| PASS | liec(sign) · 2 workers · 20mbit · seed 0 | payload bytes | 1 kB | 1 kB |",
        "",
        "- **FAIL** a\\|b · train loss: &lt;b&gt; @\u200byou \\`x\\`",
        "",
        "- **CELL FAILED** d: lost",
        "",
        "- two seeds",
        "",
        "<details><summary>for information, never gated</summary>",
        "",
        "| cell | metric | baseline | now | change |",
        "| --- | --- | ---: | ---: | ---: |",
        "| c | train seconds | 2 s | 3 s | +50.0 % |",
        "",
        "</details>",
    ]


@settings(max_examples=50, deadline=None)
@given(outcome=ANY_OUTCOME)
def test_no_text_breaks_the_table(outcome: Outcome) -> None:
    text = github.summary(outcome).encode().decode()
    tables = [block.split("\n") for block in text.rstrip("\n").split("\n\n") if block.startswith("|")]

    assert (
        [2 + len(rows) for rows in (outcome.results, outcome.ungated) if rows],
        [1] * len(tables),
        [],
    ) == (
        [len(lines) for lines in tables],
        [len(set(map(columns, lines))) for lines in tables],
        re.findall(r"<(?!/?details>|/?summary>)|@\w", text),
    )


def test_a_long_summary_tells_how_much_it_leaves_out() -> None:
    reason = "a long story " * 20
    outcome = Outcome(results=tuple(result(Verdict.FAIL, f"cell {i}", reason=reason) for i in range(20_000)))
    text = github.summary(outcome)
    rows, items = (sum(line.startswith(start) for line in text.splitlines()) for start in ("| FAIL", "- **FAIL"))
    left_out = [int(number) for number in re.findall(r"^(\d+) more left out$", text, re.MULTILINE)]

    assert ([20_000 - rows, 20_000 - items], True, True) == (left_out, min(rows, items) > 0, len(text.encode()) < 2**20)


def test_a_summary_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("what was there", encoding="utf-8")
    github.append_summary(FAILED, path)

    assert path.read_text(encoding="utf-8") == f"what was there\n{github.summary(FAILED)}"


def test_a_summary_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LiecbenchError) as raised:
        github.append_summary(FAILED, tmp_path / "none" / "summary.md")

    assert str(raised.value) == (
        f"GITHUB_STEP_SUMMARY: {tmp_path}/none/summary.md cannot be written (No such file or directory); "
        "name a file in a directory that can be written, or unset it"
    )


def test_annotations_equal_those_written_by_hand() -> None:
    cell = "liec(sign) · 2 workers · 20mbit · seed 0"

    assert commands(FAILED) == [
        (
            "error",
            "liecbench check",
            "FAIL: 2 of 5 failed, 1 inconclusive, 1 not compared, 1 cell could not be measured",
        ),
        ("error", f"FAIL: {cell} · test accuracy", "why it is fail"),
        ("error", "FAIL: cser(top_k) · 2 workers · 20mbit · seed 0 · payload bytes", "why it is fail"),
        ("error", "CELL FAILED: psgd · 4 workers", "rank 1 was lost\nand more"),
        ("warning", f"INCONCLUSIVE: {cell} · averaging step seconds", "why it is inconclusive"),
        ("notice", "NOT COMPARED: cser(top_k) · 2 workers · 20mbit · seed 0 · train loss", "why it is not compared"),
    ]


@pytest.mark.parametrize(("outcome", "code"), [*OUTCOMES.values(), (EMPTY, ExitCode.NOTHING_TO_COMPARE)])
def test_a_headline_has_the_level_of_its_exit_code(outcome: Outcome, code: ExitCode) -> None:
    levels = {ExitCode.DONE: "notice", ExitCode.INCONCLUSIVE: "warning"}

    assert (levels.get(code, "error"), "liecbench check") == commands(outcome)[0][:2]


def test_only_the_nine_worst_are_annotated() -> None:
    unsure = [paired(Verdict.INCONCLUSIVE, cell=f"unsure {i}", change=i / 100) for i in range(20)]
    failed = [paired(Verdict.FAIL, cell=f"failed {i}", change=i / 100) for i in range(5)]
    titles = [title for _, title, _ in commands(Outcome(results=(*unsure, *failed)))]
    worst = [f"FAIL: failed {i}" for i in (4, 3, 2, 1, 0)] + [f"INCONCLUSIVE: unsure {i}" for i in (19, 18, 17, 16)]

    assert ["liecbench check", *(f"{each} · step seconds" for each in worst)] == titles


def test_a_name_injects_no_command() -> None:
    name = "x,file=a::y\n::stop-commands::z%0A"
    _, line = github.annotations(Outcome(results=(result(Verdict.FAIL, name, reason=name),)))

    assert line == (
        "::error title=FAIL%3A x%2Cfile=a%3A%3Ay %3A%3Astop-commands%3A%3Az%250A · payload bytes"
        "::x,file=a::y%0A::stop-commands::z%250A"
    )


@settings(max_examples=50, deadline=None)
@given(outcome=ANY_OUTCOME)
def test_no_text_starts_a_second_command(outcome: Outcome) -> None:
    lines = "\n".join(github.annotations(outcome)).encode().decode().splitlines()
    skipped = {(each.cell, each.reason) for each in outcome.results if each.verdict is Verdict.NOT_COMPARED}
    bad = [each for each in outcome.results if each.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE)] + [*skipped]

    assert (1 + min(9, len(bad) + len(outcome.failed_cells)), True) == (
        len(lines),
        all(COMMAND.fullmatch(line) for line in lines),
    )
