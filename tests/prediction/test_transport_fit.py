import json
from pathlib import Path
from typing import Any

import pytest

from liecbench.errors import LiecbenchError
from liecbench.prediction.transport_fit import fit_transport

MESSAGE, EFFICIENCY = 300e-6, 0.96


def row(rate: float, payload: int, workers: int = 2, **changes: Any) -> dict[str, Any]:
    """Return a row of ``bench exchange``: a push and a pull of one block, with 0.01 s of compression."""
    wire = 8 * (payload + 99 * -(-payload // 1448)) / rate
    messages = 2 * (workers - 1)
    return {
        "name": "psgd",
        "operation": "dense_step",
        "size": 1000,
        "server": "sharded",
        "workers": workers,
        "link": "x",
        "payload_bytes": payload,
        "compress_seconds": 0.01,
        "seconds": wire / EFFICIENCY + messages * MESSAGE + 0.01,
        "asked_bits_per_second": round(rate),
        **changes,
    }


def written(path: Path, rows: Any) -> Path:
    path.write_text(json.dumps({"rows": rows}))
    return path


def test_the_cost_of_a_message_and_the_rate_are_found(tmp_path: Path) -> None:
    rows = [row(rate, payload, workers) for rate in (2e7, 1e9) for payload in (5_000, 500_000) for workers in (2, 4)]

    costs = fit_transport(written(tmp_path / "exchange.json", [*rows, row(2e7, 500, link="20mbit delay 5ms")]))

    assert costs.message_seconds == pytest.approx(MESSAGE, rel=1e-6)
    assert costs.efficiency == pytest.approx(EFFICIENCY, rel=1e-6)
    assert (costs.workers, costs.rates) == ((2, 4), (20_000_000, 10**9))
    assert costs.largest_bytes == 250_000
    assert "8 rows of exchange.json" in costs.source


def link_row(name: str, rate: float, size: int, messages: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a row of ``bench link``, whose operation sends ``messages`` messages of ``size`` bytes one by one."""
    wire = messages * 8 * (size + 99 * -(-size // 1448)) / rate
    return {
        "name": name,
        "operation": "send",
        "size": size,
        "workers": 4,
        "link": "x",
        "payload_bytes": size,
        "seconds": wire / EFFICIENCY + messages * MESSAGE,
        "asked_bits_per_second": round(rate),
        **changes,
    }


def test_of_a_link_benchmark_only_streams_and_round_trips_are_used(tmp_path: Path) -> None:
    rows = []
    for rate in (2e7, 1e9):
        # 64 MiB are one message of a stream, but several blocks of 25 MiB.
        rows += [link_row("stream", rate, size) for size in (2**16, 2**26)]
        rows += [link_row("round_trip", rate, 1, messages=2)]
        rows += [link_row("after_idle", rate, 821, messages=3, payload_bytes=3 * 821, seconds=8 * 3 * 920 / rate)]
        rows += [link_row("broadcast", rate, 2**16, messages=2, operation="collective")]

    costs = fit_transport(written(tmp_path / "link.json", rows))

    assert costs.message_seconds == pytest.approx(MESSAGE, rel=1e-6)
    assert costs.efficiency == pytest.approx(EFFICIENCY, rel=1e-6)
    assert costs.largest_bytes == 2**26
    assert "6 rows of link.json" in costs.source


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON; measure with liecbench bench exchange"),
        ("[]", "it has no rows of a benchmark"),
        ('{"rows": [1]}', "it has no rows of a benchmark"),
        (json.dumps({"rows": [row(2e7, 5_000)]}), "1 link rates and 1 sizes"),
        (json.dumps({"rows": [row(2e7, 5_000), row(1e9, 5_000)]}), "2 link rates and 1 sizes"),
        (json.dumps({"rows": [{"seconds": "x"}]}), "0 link rates and 0 sizes"),
    ],
)
def test_files_that_do_not_suffice_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)

    with pytest.raises(LiecbenchError, match=message):
        fit_transport(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LiecbenchError, match=r"missing.json: No such file"):
        fit_transport(tmp_path / "missing.json")
