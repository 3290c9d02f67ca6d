"""Lightning's own Trainer, on two ranks."""

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from liecbench.algorithms import LIEC, Algorithm, AllReduce, DoubleSqueeze, MemSGD, SignSGD
from liecbench.compressors import Sign
from tests.integrations.ranks import (
    assert_clipped_by_one_factor,
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

pytestmark = needs("lightning")

NUM_EPOCHS = 2
NUM_STEPS = 8
MAX_NORM = 0.05


def make_module(*, automatic: bool = True) -> Any:
    from lightning.pytorch import LightningModule

    class Classifier(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(1)
            self.network = nn.Sequential(nn.Linear(16, 256), nn.Tanh(), nn.Linear(256, 4))
            self.automatic_optimization = automatic
            self.losses: list[float] = []
            self.validated: list[float] = []
            self.norms: list[tuple[float, float]] = []

        def training_step(self, batch: list[Tensor], index: int) -> Tensor:
            loss = cross_entropy(self.network(batch[0]), batch[1])
            self.losses.append(float(loss))
            if not automatic:
                optimizer = self.optimizers()
                optimizer.zero_grad()
                self.manual_backward(loss)
                optimizer.step()
            return loss

        def validation_step(self, batch: list[Tensor], index: int) -> None:
            if not self.trainer.sanity_checking:
                self.validated.append(float(values(self).sum()))

        def configure_gradient_clipping(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
            before = self.norm()
            super().configure_gradient_clipping(optimizer, *args, **kwargs)
            self.norms.append((before, self.norm()))

        def norm(self) -> float:
            return float(torch.nn.utils.get_total_norm([p.grad for p in self.parameters() if p.grad is not None]))

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), lr=0.01)

    return Classifier()


def loader() -> Any:
    generator = torch.Generator().manual_seed(2)
    inputs, labels = torch.randn(64, 16, generator=generator), torch.randint(0, 4, (64,), generator=generator)
    return DataLoader(TensorDataset(inputs, labels), batch_size=4)


def make_trainer(directory: str, algorithm: Algorithm | None, **options: Any) -> Any:
    from lightning.pytorch import Trainer
    from lightning.pytorch.callbacks import ModelCheckpoint

    from liecbench.integrations.lightning import LightningCompression

    saves = options.get("enable_checkpointing", True)
    callbacks: list[Any] = [ModelCheckpoint(directory, "{epoch}", save_top_k=-1)] if saves else []
    if algorithm is not None:
        callbacks.append(LightningCompression(algorithm))
    settings: dict[str, Any] = {"max_epochs": NUM_EPOCHS, "accumulate_grad_batches": 2, "gradient_clip_val": MAX_NORM}
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    settings |= {"accelerator": "cpu", "devices": 2, "strategy": "ddp", "callbacks": callbacks, **quiet, **options}
    return Trainer(**settings)


def trained(
    directory: str, algorithm: Algorithm | None, resume: str | None = None, *, automatic: bool = True, **options: Any
) -> dict[str, Any]:
    module, trainer = make_module(automatic=automatic), make_trainer(directory, algorithm, **options)
    sent = sent_by_kernel()
    trainer.fit(module, loader(), loader(), ckpt_path=resume)
    return {
        "sent": sent_by_kernel() - sent,
        "parameters": values(module),
        "losses": module.losses,
        "norms": module.norms,
        "validated": module.validated,
        "attached": algorithm is not None and algorithm.is_attached,
    }


def refusal_of_clipping(directory: str) -> str:
    with pytest.raises(ValueError, match="clipped") as caught:
        make_trainer(directory, SignSGD(), enable_checkpointing=False).fit(make_module(), loader())
    return str(caught.value)


def all_trainings(directory: str) -> dict[str, Any]:
    look_like_torchrun()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    plain: dict[str, Any] = {"accumulate_grad_batches": 1, "gradient_clip_val": None}
    unsaved: dict[str, Any] = {"enable_checkpointing": False}
    results: dict[str, Any] = {
        "alone": trained(f"{directory}/alone", None),
        "clipped": refusal_of_clipping(directory),
        "ddp": trained(f"{directory}/ddp", AllReduce(), **unsaved),
        "doublesqueeze": trained(f"{directory}/squeeze", DoubleSqueeze(compressor=Sign()), **unsaved),
        "bf16": trained(f"{directory}/bf16", MemSGD(compressor=Sign()), precision="bf16-mixed"),
        "automatic": trained(f"{directory}/automatic", MemSGD(compressor=Sign()), **plain),
        "manual": trained(f"{directory}/manual", MemSGD(compressor=Sign()), automatic=False, **plain),
    }
    for name in ("memsgd", "liec"):
        folder = f"{directory}/{name}"
        for kind, resume in (("", None), (" resumed", f"{folder}/epoch=0.ckpt")):
            method = MemSGD(compressor=Sign()) if name == "memsgd" else LIEC(compressor=Sign(), average_period=3)
            results[name + kind] = trained(folder + kind, method, resume)
    names = run_script("Lightning", directory)
    accuracy = float(names["trainer"].callback_metrics["accuracy"])
    results["script"] = {"accuracy": accuracy, "parameters": values(names["model"])}
    return results


def saved(directory: Path, run: str, epoch: int) -> Any:
    return torch.load(directory / run / f"epoch={epoch}.ckpt", weights_only=True)


def test_ddp_trains_as_lightning_alone_does(ranks: list[dict[str, Any]]) -> None:
    assert_trained_as_alone(ranks)


def test_a_compressed_training_sends_fewer_bytes(ranks: list[dict[str, Any]]) -> None:
    assert_fewer_bytes(ranks, "doublesqueeze", NUM_STEPS)


@pytest.mark.parametrize("method", ["ddp", "bf16", "manual", "memsgd", "liec"])
def test_all_ranks_end_with_one_model_of_plain_ddp(ranks: list[dict[str, Any]], method: str) -> None:
    assert_detached_with_one_model(ranks, method)


def test_manual_optimization_gives_the_same_numbers(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert rank["manual"]["losses"] == rank["automatic"]["losses"]


@pytest.mark.parametrize("method", ["memsgd", "liec"])
def test_a_resumed_training_equals_the_uninterrupted_one(ranks: list[dict[str, Any]], method: str) -> None:
    for rank in ranks:
        whole, resumed = rank[method], rank[f"{method} resumed"]
        assert resumed["losses"] == whole["losses"][len(whole["losses"]) // 2 :]
        assert np.array_equal(resumed["parameters"], whole["parameters"])


@pytest.mark.usefixtures("ranks")
def test_a_checkpoint_has_every_ranks_own_memories(directory: Path) -> None:
    first, second = (memories(saved(directory, "memsgd", 0)["liecbench"], rank) for rank in (0, 1))

    assert_own_memories(first, second)


def test_the_mean_of_local_models_is_validated_and_saved(ranks: list[dict[str, Any]], directory: Path) -> None:
    checkpoint = saved(directory, "liec", 0)
    local = [local_parameters(checkpoint["liecbench"], rank) for rank in (0, 1)]
    mean = np.concatenate([value.numpy().ravel() for value in checkpoint["state_dict"].values()])

    assert not np.array_equal(*local)
    np.testing.assert_allclose(mean, (local[0] + local[1]) / 2, rtol=1e-5, atol=1e-7)
    for rank in ranks:
        assert rank["liec"]["validated"][0] == pytest.approx(float(mean.sum()), rel=1e-5)


def test_all_ranks_clip_local_models_by_one_factor(ranks: list[dict[str, Any]]) -> None:
    assert_clipped_by_one_factor(ranks, MAX_NORM)


def test_the_documented_script_trains(ranks: list[dict[str, Any]]) -> None:
    assert_script_has_trained(ranks)


def test_clipping_is_refused_if_the_update_is_no_gradient(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert rank["clipped"].startswith("SignSGD is not defined with clipped updates: ")
        assert rank["clipped"].endswith("; set gradient_clip_val=None")
