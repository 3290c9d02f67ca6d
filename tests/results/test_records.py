import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liecbench.network.link_record import LinkRecord
from liecbench.network.link_tally import LinkTally
from liecbench.results.environment_record import Environment
from liecbench.results.record_json import from_json, to_json
from liecbench.results.records import End, Epoch, FirstSteps, Record, Start
from liecbench.results.timing_record import Timing
from tests import ledgers

TALLY = LinkTally(
    lost_sent_segments=(1, 0), lost_received_segments=(0, 0), dropped_frames=3, sent_frames=5, late_seconds=0.5
)
TEXT = st.text(max_size=6)
FLOATS = st.floats(-1e100, 1e100)
SIZES = st.floats(0, 1e100)
FRACTIONS = st.floats(0, 1)
SECONDS = st.floats(0, 1e10)
NUMBERS = st.lists(st.integers(0, 2**60), max_size=3)
BYTES = NUMBERS.flatmap(
    lambda sent: st.fixed_dictionaries(
        {"sent": st.just(sent), "received": st.lists(st.integers(0, 2**60), min_size=len(sent), max_size=len(sent))}
    )
)
PLAIN = st.dictionaries(TEXT, st.one_of(st.none(), st.booleans(), st.integers(), FLOATS, TEXT), max_size=3)
ENVIRONMENTS = st.builds(
    Environment,
    torch=st.none() | TEXT,
    num_cpus=st.none() | st.integers(1, 99),
    variables=st.none() | st.dictionaries(TEXT, TEXT, max_size=2),
    timing_precision=st.none() | st.floats(0.001, 0.5),
    link=st.none()
    | st.builds(LinkRecord, asked=st.sampled_from(["none", "10mbit", {"rate": "1gbit", "delay": "5ms"}])),
)
STARTS = st.builds(
    Start,
    cell=TEXT,
    attempt=st.integers(1, 2**63 - 1),
    at=TEXT,
    epochs_done=st.integers(0, 9),
    spec=PLAIN,
    environment=ENVIRONMENTS,
)
FIRST_STEPS = st.builds(
    FirstSteps,
    train_loss=st.lists(FLOATS, max_size=3),
    compression_error=st.none() | SIZES,
    residual_norm=st.none() | SIZES,
)
EPOCHS = st.builds(
    Epoch,
    cell=TEXT,
    attempt=st.integers(1, 2**63 - 1),
    epoch=st.integers(1, 2**63 - 1),
    steps=st.integers(1, 2**63 - 1),
    timed_steps=st.integers(0, 2**40),
    **dict.fromkeys(
        (
            "train_seconds",
            "compute_seconds",
            "exposed_seconds",
            "compress_seconds",
            "communicate_seconds",
            "cpu_seconds",
        ),
        SECONDS,
    ),
    **dict.fromkeys(("train_loss", "test_loss"), FLOATS),
    test_accuracy=FRACTIONS,
    divergence=SIZES,
    step_seconds=st.none() | st.fixed_dictionaries({"median": SECONDS, "p95": SECONDS}),
    payload_bytes=BYTES,
    wire_bytes=st.none() | BYTES,
    messages=NUMBERS,
    compression_error=st.none() | SIZES,
    residual_norm=st.none() | SIZES,
    peak_memory_bytes=st.integers(0, 2**60),
    gpu=st.none() | st.dictionaries(st.sampled_from(["power_watts", "utilisation"]), FRACTIONS, max_size=2),
    first_steps=st.none() | FIRST_STEPS,
    tokens=st.none() | st.integers(1, 2**60),
    optimizer_bytes=st.none() | st.integers(1, 2**60),
    samples=st.none() | st.integers(1, 2**60),
)
ENDS = st.builds(
    End,
    cell=TEXT,
    attempt=st.integers(1, 2**63 - 1),
    status=st.sampled_from(["completed", "failed", "diverged"]),
    error=st.none() | TEXT,
)
RECORDS: st.SearchStrategy[Record] = st.one_of(STARTS, EPOCHS, ENDS)


@given(RECORDS)
def test_a_record_is_one_line_that_reads_back(record: Record) -> None:
    line = to_json(record)

    assert (record, False) == (from_json(line), "\n" in line)


def test_lines_carry_their_type_and_schema() -> None:
    records: list[Record] = [ledgers.start("a"), ledgers.epoch("a"), ledgers.end("a")]
    lines = [json.loads(to_json(record)) for record in records]

    assert [(line["type"], line["schema"]) for line in lines] == [("start", 2), ("epoch", 2), ("end", 2)]


def test_an_end_is_written_as_the_interface_says() -> None:
    actual = json.loads(to_json(End(cell="a", attempt=2, status="failed", error="lost")))

    assert actual == {"type": "end", "schema": 2, "cell": "a", "attempt": 2, "status": "failed", "error": "lost"}


def test_what_the_delay_line_counted_is_kept() -> None:
    end = End(cell="a", attempt=1, status="completed", error=None, link=TALLY)

    assert from_json(to_json(end)) == end


def test_an_epoch_has_what_the_interface_names() -> None:
    named = [
        "cell",
        "attempt",
        "epoch",
        "steps",
        "train_loss",
        "test_loss",
        "test_accuracy",
        "train_seconds",
        "step_seconds",
        "compute_seconds",
        "exposed_seconds",
        "compress_seconds",
        "communicate_seconds",
        "payload_bytes",
        "wire_bytes",
        "compression_error",
        "residual_norm",
        "divergence",
        "cpu_seconds",
        "peak_memory_bytes",
        "gpu",
        "type",
        "schema",
    ]
    line = json.loads(to_json(ledgers.epoch("a")))

    assert set() == set(named) - line.keys()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_lacks_are_refused(value: float) -> None:
    record = dataclasses.replace(ledgers.epoch("a"), train_loss=value)

    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(record)


def test_fields_of_a_later_version_are_ignored() -> None:
    line = json.loads(to_json(ledgers.end("a")))
    actual = from_json(json.dumps({**line, "weather": "fine"}))

    assert ledgers.end("a") == actual


def test_a_burst_reads_back() -> None:
    burst = ledgers.timing(
        wire_bytes={"sent": [1, 2], "received": [2, 1]}, payload_bytes={"sent": [1, 1], "received": [1, 1]}
    )

    assert from_json(to_json(burst)) == burst


@pytest.mark.parametrize(
    ("dilation", "raw_seconds", "problem"),
    [
        (4.0, 4.0 * (1 + 1e-8), None),
        (1.0, None, None),
        (4.0, None, "dilation is 4, and raw_seconds None"),
        (1.0, 1.0, "dilation is 1, and raw_seconds 1.0"),
        (4.0, 4.1, "seconds is 1, and raw_seconds ÷ dilation is 1.025"),
        (0.5, 0.5, "at least 1"),
        (4.0, -4.0, "above 0"),
    ],
)
def test_raw_seconds_are_those_before_the_division(
    dilation: float, raw_seconds: float | None, problem: str | None
) -> None:
    fields = json.loads(to_json(ledgers.timing(seconds=1.0, dilation=2.0, raw_seconds=2.0)))
    line = json.dumps({**fields, "dilation": dilation, "raw_seconds": raw_seconds})

    if problem is None:
        read = from_json(line)
        assert isinstance(read, Timing)
        assert (read.dilation, read.raw_seconds) == (dilation, raw_seconds)
    else:
        with pytest.raises(ValueError, match=problem):
            from_json(line)


def test_the_dilation_of_a_burst_in_real_time_is_left_out() -> None:
    usual, dilated = ledgers.timing(), ledgers.timing(seconds=2.0, dilation=3.0, raw_seconds=6.0)

    assert not {"dilation", "raw_seconds"} & json.loads(to_json(usual)).keys()
    assert {"seconds": 2.0, "dilation": 3.0, "raw_seconds": 6.0}.items() <= json.loads(to_json(dilated)).items()
    assert [from_json(to_json(burst)) for burst in (usual, dilated)] == [usual, dilated]


def test_the_scale_of_full_messages_is_left_out() -> None:
    usual, scaled = ledgers.timing(), ledgers.timing(message_divisor=4)

    assert "message_divisor" not in json.loads(to_json(usual))
    assert json.loads(to_json(scaled))["message_divisor"] == 4
    assert [from_json(to_json(burst)) for burst in (usual, scaled)] == [usual, scaled]


def test_the_samples_of_a_step_are_left_out_if_unknown() -> None:
    usual, of_profile = ledgers.timing(), ledgers.timing(step_samples=64)

    assert "step_samples" not in json.loads(to_json(usual))
    assert json.loads(to_json(of_profile))["step_samples"] == 64
    assert [from_json(to_json(burst)) for burst in (usual, of_profile)] == [usual, of_profile]


@pytest.mark.parametrize("sha256", ["0" * 63, "0" * 64 + "\n", "../x", 7])
def test_the_hash_of_a_profile_is_checked(sha256: object) -> None:
    environment = {"profile_sha256": "0123456789abcdef" * 4}

    assert Environment.of(environment).as_dict() == environment
    with pytest.raises(ValueError, match="profile_sha256"):
        Environment.of({"profile_sha256": sha256})
