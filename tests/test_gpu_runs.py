"""Whole runs on a GPU."""

import json
from pathlib import Path

import pytest
import torch

from liecbench.results.records import Epoch, Start
from tests.commands import run_command
from tests.namespace_support import skip_without_namespaces
from tests.process_tree import Tree
from tests.recorded import records

pytestmark = pytest.mark.gpu
SCENARIO = """
name: on-a-gpu
timing: end_to_end
task:
  dataset: digits
  model: cnn
  batch_size: 32
  epochs: 2
  learning_rate: 0.1
matrix:
  algorithm: [ddp, ddp_bf16, powersgd, psgd, memsgd, {name: liec, average_period: 4}]
  compressor: [sign, {name: top_k, ratio: 0.05}]
  workers: [2]
  link: [LINK]
device: DEVICE
"""


def run(directory: Path, device: str, link: str, *options: str) -> list[Epoch | Start]:
    path, out = directory / "on-a-gpu.yaml", directory / "-".join([device, link, *options])
    path.write_text(SCENARIO.replace("LINK", link).replace("DEVICE", device))
    done = run_command(Tree(), "run", str(path), "--out", str(out), "--quiet", *options)
    assert done.returncode == 0, done.stderr
    return [record for record in records(out) if isinstance(record, Epoch | Start)]


def last_losses(found: list[Epoch | Start]) -> list[float]:
    return [record.train_loss for record in found if isinstance(record, Epoch) and record.epoch == 2]


def test_a_run_over_gloo_trains_like_the_cpu_and_records_gpu_metrics(tmp_path: Path) -> None:
    on_cpu, on_gpu = (run(tmp_path, device, "none") for device in ("cpu", "cuda"))

    assert last_losses(on_gpu) == pytest.approx(last_losses(on_cpu), rel=0.1)
    for record in on_gpu:
        if isinstance(record, Start):
            gpu = record.environment.gpu
            assert gpu is not None
            alone = torch.cuda.device_count() == 1
            assert (gpu.names[0], gpu.ranks_per_gpu) == (
                torch.cuda.get_device_name(0),
                ((2,) if alone else (1, 1),),
            )
            assert gpu.tf32 == {"convolutions": True, "matrix_products": False}
        else:
            assert record.gpu is not None
            assert record.gpu["peak_memory_bytes"] > 0
            assert 0 < record.exposed_seconds < record.train_seconds
            assert 0 < record.compute_seconds < record.train_seconds


def test_a_shaped_link_counts_the_payload(tmp_path: Path) -> None:
    skip_without_namespaces()
    for record in run(tmp_path, "cuda", "1gbit"):
        if isinstance(record, Epoch):
            assert record.wire_bytes is not None
            for payload, wire in zip(record.payload_bytes["sent"], record.wire_bytes["sent"], strict=True):
                assert wire > payload


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="NCCL needs one GPU per rank")
@pytest.mark.parametrize("link", ["none", "1gbit"])
def test_nccl_trains_like_gloo(tmp_path: Path, link: str) -> None:
    over_gloo, over_nccl = run(tmp_path, "cuda", link), run(tmp_path, "cuda", link, "--set", "backend=nccl")

    assert last_losses(over_nccl) == pytest.approx(last_losses(over_gloo), rel=0.1)


def test_a_trace_has_the_gpus_spans(tmp_path: Path) -> None:
    run(tmp_path, "cuda", "none", "--trace", "--only", "algorithm=liec")
    (trace, *_) = sorted(tmp_path.glob("cuda-none*/traces/*.json"))
    names = {event["name"] for event in json.loads(trace.read_text())["traceEvents"]}

    assert {"forward and backward", "wait for the update", "compress", "copy", "send", "wait"} <= names
