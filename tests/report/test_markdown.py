import dataclasses

from liecbench.report import markdown
from liecbench.results.records import Record
from tests.ledgers import comparison_of, end, run_of, run_of_parts, start

CAPTION = """
2 workers · link 20mbit · dataset digits · model mlp · batch size 32 · epochs 2 · learning rate 0.1
\\* the baseline, ddp; s/epoch: training time of an epoch in seconds, of the slowest rank; \
speed-up: the baseline's training time ÷ the row's, for as many samples
"""


METRICS = ["test_accuracy", "seconds_per_epoch", "wire_bytes_per_epoch", "speedup"]


def table_of(*runs: list[Record]) -> str:
    """Return the rendered comparison without the verdict, which has tests of its own."""
    comparison = comparison_of(*runs, metrics=METRICS)
    vars(comparison)["verdict"] = ()
    return markdown.render(comparison)


def test_a_table_reads_as_by_hand() -> None:
    actual = table_of(
        run_of("d", [{"seconds": 2.0, "accuracy": 0.9}]),
        run_of("l", [{"seconds": 0.5, "accuracy": 0.8}], algorithm="liec", compressor={"name": "top_k", "ratio": 0.1}),
        run_of("m", [{"seconds": 1.0, "accuracy": 0.7}], algorithm="liec", compressor={"name": "sign"}),
    )
    table = """\
| algorithm | compressor | accuracy | s/epoch | speed-up |
| --- | --- | ---: | ---: | ---: |
| liec | top_k | 80.0% | 0.5 | 4.00× ±? |
| liec | sign | 70.0% | 1 | 2.00× ±? |
| ddp * | – | 90.0% | 2 | 1.00× |
"""

    assert table + CAPTION == actual


def test_failures_have_a_column() -> None:
    failed: list[Record] = [start("p", algorithm="psgd"), end("p", status="failed", error="lost")]
    actual = table_of(run_of("d", [{"seconds": 2.0, "accuracy": 0.9}]), failed)
    table = """\
| algorithm | accuracy | s/epoch | speed-up | state |
| --- | ---: | ---: | ---: | --- |
| ddp * | 90.0% | 2 | 1.00× |  |
| psgd | – | – | – | 1/1 failed |
"""

    assert f"{table}{CAPTION}\n- psgd: failed: lost\n" == actual


def test_markup_in_names_and_errors_is_text() -> None:
    markup = "<img src=x onerror=alert(1)> [a](javascript:b)"
    failed: list[Record] = [start("p", algorithm=markup), end("p", status="failed", error=f"{markup}\nmore")]
    text = table_of(run_of("d"), failed)

    assert text.count("&lt;img src=x onerror=alert(1)&gt; \\[a\\](javascript:b)") == 3
    assert "<img" not in text


def test_the_bandwidth_needed_comes_last_if_several_links_were_measured_or_it_is_asked_for() -> None:
    slow = run_of_parts("a", 1.1, 2.2, 0.0, 0.0, link="50mbit")
    both = [slow, run_of_parts("b", 1.1, 0.55, 0.0, 0.0, link="200mbit")]
    title = "link rate from which computing takes 50 % to 99 % of each step, for steps that compute 50 ms"
    rates = "100mbit | 300mbit extrapolated | 900mbit extrapolated | 1.9gbit extrapolated | 9.9gbit extrapolated"
    expected = f"""
{title}, as measured here:

| method | workers | 50% | 75% | 90% | 95% | 99% | at most |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| ddp | 2 | {rates} | 100.0% |

- extrapolated: above the highest measured rate, as if only the time for transfer changes there
"""

    assert markdown.render(comparison_of(*both)).endswith(expected)
    assert "link rate" not in markdown.render(comparison_of(slow))
    assert "| 100mbit estimated |" in markdown.render(comparison_of(slow, wide=True))


def test_a_bar_in_a_value_does_not_break_the_table() -> None:
    lines = table_of(run_of("d", algorithm="a|b")).splitlines()

    assert ("a\\|b", lines[0].count("|")) == (lines[2].split(" ")[1], lines[2].replace("\\|", "").count("|"))


def test_a_warning_tells_that_a_short_run_never_averaged() -> None:
    liec = {"algorithm": {"name": "liec", "average_period": 32}}
    record = start("x")
    short = [dataclasses.replace(record, spec={**record.spec, **liec}), *run_of("x")[1:]]

    assert table_of(short).splitlines()[-1] == (
        "- liec: its 22 steps are fewer than average_period 32: no averaging is in its time and bytes"
    )


def test_without_a_baseline_nothing_is_compared_with_it() -> None:
    assert "no ddp to compare with" in table_of(run_of("x", algorithm="psgd"))


def test_control_codes_are_written_out() -> None:
    name = "x\x1b]0;t\x07\x9b\u202e\n| y"
    failed: list[Record] = [start("p", algorithm=name), end("p", status="failed", error="\x1b[31mlost")]
    text = table_of(run_of("d"), failed)

    assert "| x\\\\u001b\\]0;t\\\\u0007\\\\u009b\\\\u202e \\| y |" in text
    assert text.replace("\n", "").isprintable()
