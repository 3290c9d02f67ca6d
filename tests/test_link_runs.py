"""Runs over links of every kind: their records, and cells whose link misses the request."""

import re
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from liecbench.diagnostics.link_support import probe_link
from liecbench.network.link_map import LinkMap
from liecbench.results.cells import replay
from liecbench.results.ledger_reader import read
from liecbench.results.records import CellRecord, End, Epoch, Start
from liecbench.worker.session_rounds import MIN_ROUNDS
from tests.cli.in_process import run_in_process
from tests.finished_run import LINK_IS_OFF
from tests.namespace_support import skip_without_namespaces
from tests.recorded import records
from tests.short_sessions import shorten

SCENARIO: dict[str, Any] = {
    "name": "links",
    "timing": "end_to_end",
    "task": {
        "dataset": "digits",
        "model": {"name": "mlp", "width": 128},
        "batch_size": 64,
        "epochs": 2,
        "learning_rate": 0.1,
    },
    "matrix": {"algorithm": ["memsgd"], "compressor": ["sign"], "workers": 2},
}
STEPS = 2 * (1437 // 128)
# The delay line takes at least 0.5 s of CPU time per Gbit. Without it, fast machines reach this rate.
UNREACHABLE = {"rate": "32gbit", "delay": "1us"}
FAST = "3gbit"  # which some machines reach, and others do not
DELAYED = {"rate": "1gbit", "delay": "10ms"}
UNEVEN = {"rate": "20mbit", "workers": {"1": {"up": "2mbit", "down": "10mbit"}}}


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished run: its output and its records."""

    done: CompletedProcess[str]
    records: list[CellRecord]

    def of(self, link: object) -> list[CellRecord]:
        wanted = LinkMap.parse(link)
        (cell,) = {r.cell for r in self.records if isinstance(r, Start) and LinkMap.parse(r.spec["link"]) == wanted}
        return [record for record in self.records if record.cell == cell]

    def start(self, link: object) -> Start:
        (start,) = (record for record in self.of(link) if isinstance(record, Start))
        return start

    def end(self, link: object) -> End:
        (end,) = (record for record in self.of(link) if isinstance(record, End))
        return end

    def epochs(self, link: object) -> list[Epoch]:
        return [record for record in self.of(link) if isinstance(record, Epoch)]


def run(directory: Path, links: list[Any], *options: str, **keys: Any) -> Ran:
    scenario = {**SCENARIO, **keys, "matrix": {**SCENARIO["matrix"], "link": links}}
    path = directory / "scenario.yaml"
    path.write_text(yaml.safe_dump(scenario))
    done = run_in_process("run", str(path), "--out", str(directory / "results"), *options)
    return Ran(done, records(directory / "results") if (directory / "results").exists() else [])


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    skip_without_namespaces()
    reachable = ["5mbit", UNEVEN, DELAYED, "none"]
    for _ in range(3):  # a busy machine may disturb a link so much that its cell fails
        ran = run(tmp_path_factory.mktemp("kernel"), [UNREACHABLE, FAST, *reachable])
        if not any(LINK_IS_OFF in (ran.end(link).error or "") for link in reachable):
            break
    return ran


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run(tmp_path_factory.mktemp("process"), ["5mbit"], enforcement="process")


def test_an_unreachable_rate_fails_its_cell_only(kernel: Ran) -> None:
    end = kernel.end(UNREACHABLE)

    assert (end.status, kernel.epochs(UNREACHABLE)) == ("failed", [])
    assert end.error is not None
    off = "the link is off by more than 15% of its rate or 30% of its round trip: "
    assert re.match(off + r"rank [01] (up|down): asked 32gbit, measured ", end.error)
    assert [kernel.end(link).status for link in ("5mbit", UNEVEN, DELAYED, "none")] == ["completed"] * 4
    assert kernel.done.returncode == 5
    assert "the link is off by more than 15%" in " ".join(kernel.done.stdout.split())


def test_the_measurement_of_a_failed_link_is_recorded(kernel: Ran) -> None:
    link = kernel.start(UNREACHABLE).environment.link

    assert link is not None
    assert link.measured is not None
    assert (link.enforcement, link.asked) == ("kernel", UNREACHABLE)
    rates = [rank.up_bits_per_second for rank in link.measured]
    assert 0 < min(rates) < 0.85 * 32e9, "the slowest rank's link is not the link that was asked for"


def test_a_workers_own_link_is_measured(kernel: Ran) -> None:
    link = kernel.start(UNEVEN).environment.link
    assert link is not None
    assert link.measured is not None
    rates = [rate for rank in link.measured for rate in (rank.up_bits_per_second, rank.down_bits_per_second)]

    assert rates == pytest.approx([20e6, 20e6, 2e6, 10e6], rel=0.15)


def test_an_unshaped_link_is_not_enforced(kernel: Ran) -> None:
    link = kernel.start("none").environment.link

    assert link is not None
    assert (link.enforcement, link.asked, link.measured) == ("none", "none", None)


def test_losses_do_not_depend_on_the_link(kernel: Ran, process: Ran) -> None:
    losses = [[e.train_loss for e in ran.epochs(link)] for ran in (kernel, process) for link in ("5mbit",)]
    losses += [[epoch.train_loss for epoch in kernel.epochs(link)] for link in (UNEVEN, DELAYED, "none")]

    assert losses == losses[:1] * 5


def test_pacing_is_recorded_and_reported(process: Ran) -> None:
    assert process.done.returncode == 0, process.done.stderr
    link = process.start("5mbit").environment.link
    assert link is not None
    assert (link.enforcement, link.asked, link.measured) == ("process", "5mbit", None)
    assert [epoch.wire_bytes for epoch in process.epochs("5mbit")] == [None, None]
    assert "its times are estimated" in " ".join(process.done.stdout.split())


def test_pacing_enforces_the_rate(process: Ran) -> None:
    for epoch in process.epochs("5mbit"):
        assert epoch.train_seconds > 8 * max(epoch.payload_bytes["sent"]) / 5e6


def test_delay_is_emulated_measured_and_recorded(kernel: Ran) -> None:
    link = kernel.start(DELAYED).environment.link

    assert link is not None
    assert link.measured is not None
    assert (link.enforcement, link.emulator) == ("kernel", "delay_line")
    for rank in link.measured:
        assert rank.round_trip_seconds == pytest.approx(0.02, rel=0.3)
    # Each step sends gradients up and updates down; both cross two links, each with a delay of 10 ms.
    for epoch in kernel.epochs(DELAYED):
        assert epoch.train_seconds > STEPS / 2 * 2 * 0.02


def test_the_emulator_is_recorded(kernel: Ran) -> None:
    links = {link: kernel.start(link).environment.link for link in (FAST, "5mbit", "none")}
    emulators = {asked: link and link.emulator for asked, link in links.items()}

    assert emulators == {FAST: "tbf", "5mbit": "delay_line", "none": None}


def test_what_the_delay_line_counts_is_recorded_per_cell(kernel: Ran) -> None:
    tally = kernel.end(DELAYED).link

    assert tally is not None
    assert tally.lost_sent_segments == tally.lost_received_segments == (0, 0)
    assert tally.dropped_frames == 0
    assert tally.sent_frames > 2 * STEPS
    assert [kernel.end(link).link for link in (FAST, "none")] == [None, None]


def test_netem_needs_a_kernel_that_has_it(tmp_path: Path) -> None:
    skip_without_namespaces()
    if probe_link()["netem"]:
        ran = run(tmp_path, [DELAYED], emulator="netem")
        link = ran.start(DELAYED).environment.link
        assert link is not None
        assert link.emulator == "netem"
        return

    for options in ([], ["--dry-run"]):
        ran = run(tmp_path, ["lte"], *options, emulator="netem")
        assert (ran.done.returncode, ran.records) == (2, [])
        assert ran.done.stderr.startswith(
            "liecbench: link lte (delay 25ms±5ms, round trip 100ms): emulator: netem needs the kernel's netem"
        )


def test_links_share_a_trajectory_and_one_that_is_unreachable_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch)
    # In dilated time, links would reach the rate.
    ran = run(tmp_path, [UNREACHABLE, "10mbit"], timing="interleaved", timing_precision=1.0, compute="measured")
    cells = replay(read(tmp_path / "results"))
    (trained,) = (cell for cell in cells.values() if cell.spec["timing"] == "trajectory")
    (timed,) = (cell for cell in cells.values() if cell.spec["link"] == "10mbit")

    assert ran.done.returncode == 5
    assert (ran.end(UNREACHABLE).status, ran.end("10mbit").status) == ("failed", "completed")
    assert "the link is off by more than 15%" in str(ran.end(UNREACHABLE).error)
    assert [epoch.wire_bytes for epoch in trained.epochs] == [None, None]
    for theirs, ours in zip(trained.epochs, timed.epochs, strict=True):
        assert (theirs.train_loss, theirs.test_accuracy) == (ours.train_loss, ours.test_accuracy)
        assert (theirs.timed_steps, ours.timed_steps) == (0, STEPS / 2)
        assert ours.train_seconds > 8 * max(ours.payload_bytes["sent"]) / 10e6
        assert ours.wire_bytes is not None
        assert min(ours.wire_bytes["sent"]) > min(ours.payload_bytes["sent"])
    assert len({(burst.placement, burst.round) for burst in timed.timings}) == MIN_ROUNDS
    assert len({burst.placement for burst in timed.timings}) >= 2
    assert all(burst.steps >= 3 for burst in timed.timings)
