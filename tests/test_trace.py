import json
from pathlib import Path

from tests.commands import run_command
from tests.process_tree import Tree

SCENARIO = """\
name: traced
task: {dataset: digits, model: {name: mlp, width: 16}, batch_size: 32, epochs: 1, learning_rate: 0.1}
matrix: {algorithm: [ddp, {name: liec, average_period: 8}], compressor: [sign], workers: [2]}
"""


def test_a_run_keeps_a_timeline_of_every_cell(tmp_path: Path) -> None:
    path, directory = tmp_path / "s.yaml", tmp_path / "r"
    path.write_text(SCENARIO)
    ran = run_command(Tree(), "run", str(path), "--out", str(directory), "--trace")
    traces = [json.loads(file.read_text())["traceEvents"] for file in sorted((directory / "traces").iterdir())]
    timed = [[event for event in events if event["ph"] == "X"] for events in traces]

    assert ran.returncode == 0, ran.stderr
    assert "ui.perfetto.dev" in ran.stderr
    assert sorted(len({e["args"]["step"] for e in events}) for events in timed) == [3, 6]
    assert all({event["pid"] for event in events} == {0, 1} for events in timed)
    names = [{event["name"] for event in events} for events in timed]
    training = {"load", "forward and backward", "wait for the update", "optimizer"}
    assert all(training <= found for found in names)
    assert any({"compress", "decompress", "send", "wait"} <= found for found in names)
    for events in timed:
        lanes: dict[tuple[int, int], float] = {}
        for event in events:
            # What one thread does does not overlap.
            assert event["ts"] >= lanes.get((event["pid"], event["tid"]), 0.0) - 1.0
            lanes[event["pid"], event["tid"]] = event["ts"] + event["dur"]
