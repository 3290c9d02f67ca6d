"""Hugging Face's own Trainer with a tiny BERT, on two ranks."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from liecbench.algorithms import LIEC, Algorithm, AllReduce, DoubleSqueeze, MemSGD, SignSGD
from liecbench.compressors import Sign
from tests.integrations.ranks import (
    assert_detached_with_one_model,
    assert_fewer_bytes,
    assert_own_memories,
    assert_script_has_trained,
    assert_trained_as_alone,
    local_parameters,
    look_like_torchrun,
    memories,
    needs,
    run_script,
    sent_by_kernel,
    values,
)

pytestmark = needs("transformers")

NUM_STEPS = 6
SAVED_AT = 3
SAVING = {
    "save_strategy": "steps", "save_steps": SAVED_AT, "eval_strategy": "steps", "eval_steps": SAVED_AT,
    "load_best_model_at_end": True,
}  # fmt: skip


def tiny_bert() -> nn.Module:
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=32, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=8,
    )  # fmt: skip
    model: nn.Module = BertForSequenceClassification(config)
    return model


def examples() -> list[dict[str, Tensor]]:
    tokens = torch.randint(0, 32, (96, 8), generator=torch.Generator().manual_seed(2))
    return [{"input_ids": row, "labels": (row[0] < 16).long()} for row in tokens]


def make_trainer(directory: str, algorithm: Algorithm | None, **options: Any) -> Any:
    from transformers import Trainer, TrainingArguments

    from liecbench.integrations.huggingface import TrainerCompression

    arguments = {
        "per_device_train_batch_size": 4, "gradient_accumulation_steps": 2, "max_steps": NUM_STEPS, "logging_steps": 1,
        "learning_rate": 0.01, "max_grad_norm": 0.1, "save_strategy": "no", "use_cpu": True, "report_to": "none",
        "disable_tqdm": True, **options,
    }  # fmt: skip
    settings, data = TrainingArguments(directory, **arguments), examples()
    trainer = Trainer(model=tiny_bert(), args=settings, train_dataset=data, eval_dataset=data[:16])
    if algorithm is not None:
        trainer.add_callback(TrainerCompression(trainer, algorithm))
    return trainer


def trained(directory: str, algorithm: Algorithm | None, resume: str | None = None, **options: Any) -> dict[str, Any]:
    trainer = make_trainer(directory, algorithm, **options)
    sent = sent_by_kernel()
    trainer.train(resume_from_checkpoint=resume)
    history = trainer.state.log_history
    return {
        "sent": sent_by_kernel() - sent,
        "parameters": values(trainer.model),
        "losses": [line["loss"] for line in history if "loss" in line],
        "norms": [line["grad_norm"] for line in history if "loss" in line],
        "evaluations": [line["eval_loss"] for line in history if "eval_loss" in line],
        "best": trainer.state.best_model_checkpoint,
        "attached": algorithm is not None and algorithm.is_attached,
    }


def loss_of_saved_model(directory: str, checkpoint: str) -> float:
    from safetensors.torch import load_file

    trainer = make_trainer(directory, None)
    trainer.model.load_state_dict(load_file(f"{checkpoint}/model.safetensors"))
    loss: float = trainer.evaluate()["eval_loss"]
    return loss


def trained_again(directory: str) -> list[bool]:
    """Train twice with one trainer, the second time after an interruption of the first."""
    trainer = make_trainer(directory, MemSGD(compressor=Sign()))
    get_batch_samples = trainer.get_batch_samples

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    trainer.get_batch_samples = interrupted
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    trainer.get_batch_samples = get_batch_samples
    trainer.train()
    return [trainer.state.global_step == NUM_STEPS, "clip_grad_norm_" in vars(trainer.accelerator)]


def refusal_of_clipping(directory: str) -> str:
    with pytest.raises(ValueError, match="clipped") as caught:
        make_trainer(directory, SignSGD()).train()
    return str(caught.value)


def all_trainings(directory: str) -> dict[str, Any]:
    look_like_torchrun()
    logging.disable(logging.WARNING)
    results: dict[str, Any] = {
        "alone": trained(directory, None),
        "clipped": refusal_of_clipping(directory),
        "ddp": trained(directory, AllReduce()),
        "bf16": trained(directory, DoubleSqueeze(compressor=Sign()), bf16=True),
        "again": trained_again(directory),
    }
    for name in ("memsgd", "liec"):
        folder = f"{directory}/{name}"
        for kind, resume in (("", None), (" resumed", f"{folder}/checkpoint-{SAVED_AT}")):
            method = MemSGD(compressor=Sign()) if name == "memsgd" else LIEC(compressor=Sign(), average_period=4)
            results[name + kind] = trained(folder + kind, method, resume, **SAVING)
    results["loss of mean"] = loss_of_saved_model(directory, f"{directory}/liec/checkpoint-{SAVED_AT}")
    names = run_script("Hugging Face Trainer", directory)
    results["script"] = {"accuracy": names["metrics"]["eval_accuracy"], "parameters": values(names["model"])}
    return results


def saved(directory: Path, run: str, step: int) -> list[dict[str, Any]]:
    files = [directory / run / f"checkpoint-{step}" / f"liecbench_rank_{rank}_of_2.pt" for rank in (0, 1)]
    return [torch.load(file, weights_only=True) for file in files]


def test_ddp_trains_as_the_trainer_alone_does(ranks: list[dict[str, Any]]) -> None:
    assert_trained_as_alone(ranks)


def test_a_compressed_training_sends_fewer_bytes(ranks: list[dict[str, Any]]) -> None:
    assert_fewer_bytes(ranks, "bf16", NUM_STEPS)


@pytest.mark.parametrize("method", ["ddp", "bf16", "memsgd", "liec"])
def test_all_ranks_end_with_one_model_of_plain_ddp(ranks: list[dict[str, Any]], method: str) -> None:
    assert_detached_with_one_model(ranks, method)


@pytest.mark.parametrize("method", ["memsgd", "liec"])
def test_a_resumed_training_equals_the_uninterrupted_one(
    ranks: list[dict[str, Any]], directory: Path, method: str
) -> None:
    for rank in ranks:
        whole, resumed = rank[method], rank[f"{method} resumed"]
        assert (resumed["losses"], resumed["evaluations"]) == (whole["losses"], whole["evaluations"])
        assert np.array_equal(resumed["parameters"], whole["parameters"])
    both = [saved(directory, run, NUM_STEPS) for run in (method, f"{method} resumed")]
    for number, states in enumerate(zip(*both, strict=True)):
        assert np.array_equal(*(memories(state, number) for state in states))


@pytest.mark.usefixtures("ranks")
def test_a_checkpoint_has_every_ranks_own_memories(directory: Path) -> None:
    first, second = (memories(state, rank) for rank, state in enumerate(saved(directory, "memsgd", SAVED_AT)))

    assert_own_memories(first, second)


def test_the_mean_of_local_models_is_evaluated_and_saved(ranks: list[dict[str, Any]], directory: Path) -> None:
    from safetensors.torch import load_file

    states = saved(directory, "liec", SAVED_AT)
    mean = load_file(directory / "liec" / f"checkpoint-{SAVED_AT}" / "model.safetensors")
    local = [state["local"][f"rank_{rank}_of_2"]["model"] for rank, state in enumerate(states)]

    assert not np.array_equal(*(local_parameters(state, rank) for rank, state in enumerate(states)))
    for name, value in mean.items():
        torch.testing.assert_close(value, (local[0][name] + local[1][name]) / 2)
    for rank in ranks:
        assert rank["liec"]["evaluations"][0] == rank["loss of mean"]


def test_the_best_model_stays_at_the_end(ranks: list[dict[str, Any]]) -> None:
    from safetensors.torch import load_file

    for rank in ranks:
        best = load_file(Path(rank["liec"]["best"], "model.safetensors"))
        assert np.isclose(rank["liec"]["parameters"].sum(), sum(float(v.sum()) for v in best.values()), rtol=1e-4)


def test_clipping_sees_the_largest_norm_of_all_ranks(ranks: list[dict[str, Any]]) -> None:
    assert ranks[0]["liec"]["norms"] == ranks[1]["liec"]["norms"]


def test_a_trainer_can_train_again_after_an_interruption(ranks: list[dict[str, Any]]) -> None:
    assert [rank["again"] for rank in ranks] == [[True, False]] * 2


def test_the_documented_script_trains(ranks: list[dict[str, Any]]) -> None:
    assert_script_has_trained(ranks)


def test_clipping_is_refused_if_the_update_is_no_gradient(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert rank["clipped"].startswith("SignSGD is not defined with clipped updates: ")
        assert rank["clipped"].endswith("; set max_grad_norm=0")
