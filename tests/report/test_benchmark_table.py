import io
import json

from rich.console import Console

from liecbench.bench.benchmark_result import BenchmarkResult, BenchmarkRow
from liecbench.report import benchmark_table

MACHINE: dict[str, str | int] = {"cpu": "Abacus 9", "num_cpus": 2, "torch": "2.13.0", "threads": 1}
SIGN = BenchmarkRow(
    name="sign", operation="compress", size=4000, seconds=0.0042, limit_seconds=0.0035, bits_per_parameter=1.008
)
TOP_K = BenchmarkRow(
    name="top_k", operation="decompress", size=4000, seconds=7e-7, limit_seconds=3.5e-3, bits_per_parameter=0.64
)


def exchange(link: str, rate: int, seconds: float, **changes: str | None) -> BenchmarkRow:
    values: dict[str, str | None] = {"name": "liec", "operation": "compressed_step", "server": "sharded", **changes}
    return BenchmarkRow(
        name=str(values["name"]),
        operation=str(values["operation"]),
        server=values["server"],
        size=11_171_146,
        seconds=seconds,
        limit_seconds=0.1675,
        workers=4,
        link=link,
        payload_bytes=2_094_592,
        step_seconds=seconds + 0.05,
        asked_bits_per_second=rate,
        achieved_bits_per_second=rate - rate // 50,
    )


EXCHANGE = (
    exchange("100mbit", 10**8, 0.2),
    exchange("1gbit", 10**9, 0.1, server="root"),
    exchange("1gbit", 10**9, 1.02, name="ddp", operation="all_reduce", server=None),
)


def printed(result: BenchmarkResult, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(benchmark_table.render(result, MACHINE))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_limit_stands_beside_each_figure() -> None:
    head, rule, sign, section, top_k, *below = printed(BenchmarkResult(rows=(SIGN, TOP_K), legend="limit: a copy"))

    assert [head, sign, top_k, *below] == [
        "name   operation   bits/parameter    time   limit  ratio",
        "sign   compress              1.01  4.2 ms  3.5 ms  1.20×",
        "top_k  decompress            0.64  0.7 µs  3.5 ms  0.00×",
        "limit: a copy",
        "size 4,000 · Abacus 9, 2 CPUs, threads 1",
    ]
    assert {"─"} == set(rule + section.replace(" ", "─"))


def test_an_exchange_fits_80_columns() -> None:
    lines = printed(BenchmarkResult(rows=EXCHANGE, legend="limit: the wire"))

    assert [line for line in lines if set(line) - set("─ ")] == [
        "name  operation        server   link     payload    time   limit  ratio    step",
        "liec  compressed_step  sharded  100mbit  2.09 MB  200 ms  168 ms  1.19×  250 ms",
        "liec  compressed_step  root     1gbit    2.09 MB  100 ms  168 ms  0.60×  150 ms",
        "ddp   all_reduce       –        1gbit    2.09 MB  1.02 s  168 ms  6.09×  1.07 s",
        "limit: the wire",
        "the 100mbit links carried 98 Mbit/s, headers included",
        "the 1gbit links carried 980 Mbit/s, headers included",
        "size 11,171,146 · 4 workers · Abacus 9, 2 CPUs, threads 1",
    ]


def test_nothing_measured_is_an_empty_table() -> None:
    assert printed(BenchmarkResult(rows=(), legend="limit: a copy"))[-2:] == [
        "limit: a copy",
        "Abacus 9, 2 CPUs, threads 1",
    ]


def test_json_has_the_fields_that_apply() -> None:
    actual = json.loads(benchmark_table.to_json([SIGN], MACHINE))

    assert actual == {
        "rows": [
            {
                "name": "sign",
                "operation": "compress",
                "size": 4000,
                "seconds": 0.0042,
                "limit_seconds": 0.0035,
                "ratio": 0.0042 / 0.0035,
                "bits_per_parameter": 1.008,
            }
        ],
        "machine": MACHINE,
    }


def test_a_field_that_applies_to_one_row_is_in_all() -> None:
    actual = json.loads(benchmark_table.to_json(EXCHANGE, MACHINE))["rows"]

    assert [row["server"] for row in actual] == ["sharded", "root", None]
