"""Accelerate's own training loop, on two ranks."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from liecbench.algorithms import LIEC, Algorithm, AllReduce, DoubleSqueeze, MemSGD, SignSGD
from liecbench.compressors import Sign
from tests.integrations.ranks import (
    assert_clipped_by_one_factor,
    assert_fewer_bytes,
    assert_own_memories,
    assert_script_has_trained,
    assert_trained_as_alone,
    look_like_torchrun,
    memories,
    needs,
    run_script,
    sent_by_kernel,
    values,
)

pytestmark = needs("accelerate")

NUM_STEPS = 6
SAVED_AT = 3
MAX_NORM = 0.05


def prepared(precision: str = "no") -> list[Any]:
    from accelerate import Accelerator

    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(16, 256), nn.Tanh(), nn.Linear(256, 4))
    generator = torch.Generator().manual_seed(2)
    data = TensorDataset(
        torch.randn(NUM_STEPS * 16, 16, generator=generator),
        torch.randint(0, 4, (NUM_STEPS * 16,), generator=generator),
    )
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2, mixed_precision=precision)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    return [accelerator, model, *accelerator.prepare(model, optimizer, DataLoader(data, batch_size=4))]


def trained(
    algorithm: Algorithm | None, *, save_to: str = "", resume_from: str = "", precision: str = "no"
) -> dict[str, Any]:
    from liecbench.integrations.accelerate import attach

    accelerator, model, ddp, optimizer, loader = prepared(precision)
    training = attach(algorithm, accelerator, ddp, optimizer) if algorithm is not None else None
    if resume_from:
        accelerator.load_state(resume_from)
        loader = accelerator.skip_first_batches(loader, 2 * SAVED_AT)
    sent, losses, norms = sent_by_kernel(), [], []
    for step, (inputs, labels) in enumerate(loader, 2 * SAVED_AT if resume_from else 0):
        with accelerator.accumulate(ddp):
            loss = cross_entropy(ddp(inputs), labels)
            accelerator.backward(loss)
            if accelerator.sync_gradients:
                before = torch.nn.utils.get_total_norm([p.grad for p in model.parameters()])
                accelerator.clip_grad_norm_(ddp.parameters(), MAX_NORM)
                norms.append(
                    (float(before), float(torch.nn.utils.get_total_norm([p.grad for p in model.parameters()])))
                )
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.item())
        if save_to and step + 1 == 2 * SAVED_AT:
            accelerator.save_state(save_to)
    sent = sent_by_kernel() - sent
    result = {"losses": losses, "norms": norms, "local": values(model)}
    if training is not None:
        training.detach()
    return {
        **result,
        "parameters": values(model),
        "sent": sent,
        "own": sorted({"load_state"} & vars(accelerator).keys()),
    }


def refusal_of_fp16() -> str:
    from liecbench.integrations.accelerate import attach

    accelerator, _, ddp, optimizer, _ = prepared()
    accelerator.scaler = torch.amp.GradScaler("cpu")
    with pytest.raises(ValueError, match="bf16") as caught:
        attach(AllReduce(), accelerator, ddp, optimizer)
    return str(caught.value)


def refusal_of_fsdp() -> str:
    from liecbench.integrations.accelerate import attach

    accelerator, network, _, optimizer, _ = prepared()
    sharded = fully_shard(network, mesh=init_device_mesh("cpu", (2,)))
    with pytest.raises(TypeError) as caught:
        attach(AllReduce(), accelerator, sharded, optimizer)
    return str(caught.value)


def refusal_of_a_second_model() -> str:
    from accelerate import Accelerator

    from liecbench.integrations.accelerate import attach

    accelerator = Accelerator(cpu=True)
    networks = [nn.Linear(2, 2) for _ in range(2)]
    prepared = [accelerator.prepare(one, torch.optim.SGD(one.parameters(), lr=0.1)) for one in networks]
    training = attach(MemSGD(compressor=Sign()), accelerator, *prepared[0])
    with pytest.raises(RuntimeError) as caught:
        attach(MemSGD(compressor=Sign()), accelerator, *prepared[1])
    training.detach()
    attach(MemSGD(compressor=Sign()), accelerator, *prepared[1]).detach()
    return str(caught.value)


def refusal_of_one_process() -> str:
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    from liecbench.integrations.accelerate import attach

    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        del os.environ[name]
    AcceleratorState._reset_state(reset_partial_state=True)
    accelerator, network = Accelerator(), nn.Linear(2, 2)
    model, optimizer = accelerator.prepare(network, torch.optim.SGD(network.parameters(), lr=0.1))
    with pytest.raises(RuntimeError, match="one process") as caught:
        attach(LIEC(compressor=Sign()), accelerator, model, optimizer)
    return str(caught.value)


def refusal_of_clipping() -> str:
    with pytest.raises(ValueError, match="clipped") as caught:
        trained(SignSGD())
    return str(caught.value)


def all_trainings(directory: str) -> dict[str, Any]:
    look_like_torchrun()
    results: dict[str, Any] = {
        "alone": trained(None),
        "clipped": refusal_of_clipping(),
        "ddp": trained(AllReduce()),
        "fp16": refusal_of_fp16(),
        "fsdp": refusal_of_fsdp(),
        "second model": refusal_of_a_second_model(),
    }
    results["doublesqueeze"] = trained(DoubleSqueeze(compressor=Sign()))
    for name in ("memsgd", "liec"):
        folder = f"{directory}/{name}"
        for kind, folders in (("", {"save_to": folder}), (" resumed", {"resume_from": folder})):
            method = MemSGD(compressor=Sign()) if name == "memsgd" else LIEC(compressor=Sign(), average_period=4)
            results[name + kind] = trained(method, **folders)
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state()
    results["bf16"] = trained(MemSGD(compressor=Sign()), precision="bf16")
    AcceleratorState._reset_state()
    names = run_script("Accelerate", directory)
    accuracy = float((names["found"] == names["labels"]).float().mean())
    results["script"] = {"accuracy": accuracy, "parameters": values(names["model"])}
    results["one process"] = refusal_of_one_process()
    return results


def saved(directory: Path, run: str) -> list[dict[str, Any]]:
    return [torch.load(directory / run / f"liecbench_rank_{rank}_of_2.pt", weights_only=True) for rank in (0, 1)]


def test_ddp_trains_as_accelerate_alone_does(ranks: list[dict[str, Any]]) -> None:
    assert_trained_as_alone(ranks)


def test_a_compressed_training_sends_fewer_bytes(ranks: list[dict[str, Any]]) -> None:
    assert_fewer_bytes(ranks, "doublesqueeze", NUM_STEPS)


@pytest.mark.parametrize("method", ["doublesqueeze", "memsgd", "bf16"])
def test_models_stay_equal_without_local_models(ranks: list[dict[str, Any]], method: str) -> None:
    assert np.array_equal(ranks[0][method]["local"], ranks[1][method]["local"])
    assert np.array_equal(ranks[0][method]["parameters"], ranks[0][method]["local"])


def test_local_models_are_averaged_at_the_end(ranks: list[dict[str, Any]]) -> None:
    first, second = (rank["liec"] for rank in ranks)

    assert not np.array_equal(first["local"], second["local"])
    assert np.array_equal(first["parameters"], second["parameters"])
    np.testing.assert_allclose(first["parameters"], (first["local"] + second["local"]) / 2, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("method", ["memsgd", "liec"])
def test_a_resumed_training_equals_the_uninterrupted_one(ranks: list[dict[str, Any]], method: str) -> None:
    for rank in ranks:
        whole, resumed = rank[method], rank[f"{method} resumed"]
        assert resumed["losses"] == whole["losses"][2 * SAVED_AT :]
        assert np.array_equal(resumed["local"], whole["local"])


@pytest.mark.usefixtures("ranks")
def test_a_checkpoint_has_every_ranks_own_memories(directory: Path) -> None:
    first, second = (memories(state, rank) for rank, state in enumerate(saved(directory, "memsgd")))

    assert_own_memories(first, second)


@pytest.mark.usefixtures("ranks")
def test_a_checkpoint_has_the_mean_of_local_models(directory: Path) -> None:
    from safetensors.torch import load_file

    mean = load_file(directory / "liec" / "model.safetensors")
    local = [state["local"][f"rank_{rank}_of_2"]["model"] for rank, state in enumerate(saved(directory, "liec"))]

    assert mean.keys() == local[0].keys()
    for name, value in mean.items():
        torch.testing.assert_close(value, (local[0][name] + local[1][name]) / 2)


def test_all_ranks_clip_local_models_by_one_factor(ranks: list[dict[str, Any]]) -> None:
    assert_clipped_by_one_factor(ranks, MAX_NORM)


def test_detach_gives_the_accelerator_back(ranks: list[dict[str, Any]]) -> None:
    assert [rank["liec"]["own"] for rank in ranks] == [[], []]


def test_fp16_is_refused_before_the_training(ranks: list[dict[str, Any]]) -> None:
    assert ranks[0]["fp16"].startswith("mixed precision fp16 scales the gradients")


def test_a_second_model_of_an_accelerator_is_refused_whose_memories_would_be_saved_over_the_first_ones(
    ranks: list[dict[str, Any]],
) -> None:
    assert ranks[0]["second model"].startswith("this accelerator trains another model with an algorithm already")


def test_fsdp_is_refused_by_name(ranks: list[dict[str, Any]]) -> None:
    assert ranks[0]["fsdp"].startswith("FSDPModule (fully_shard) shards the parameters over the ranks")


def test_a_training_in_one_process_is_told_how_to_start_several(ranks: list[dict[str, Any]]) -> None:
    message = ranks[0]["one process"]

    assert "the framework trains it in one process, which exchanges nothing that LIEC could compress" in message
    assert "start one process per worker: torchrun --nproc-per-node 2" in message


def test_the_documented_script_trains(ranks: list[dict[str, Any]]) -> None:
    assert_script_has_trained(ranks)


def test_clipping_is_refused_if_the_update_is_no_gradient(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert rank["clipped"].startswith("SignSGD is not defined with clipped updates: ")
