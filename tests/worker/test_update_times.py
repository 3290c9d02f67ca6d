from typing import Any

import torch

from liecbench.config.optimizer_fields import update_of
from liecbench.profiles.profile import Duration, Profile
from liecbench.worker.plain_steps import PlainSteps, built_task
from liecbench.worker.update_times import measure_update, other_updates
from tests.worker.small_cells import cell

ADAMW: dict[str, Any] = {"optimizer": {"name": "adamw"}, "weight_decay": 0.1, "clip_grad_norm": 1.0}


def test_each_other_optimizer_is_measured_once_and_found_again() -> None:
    plain, adamw = cell({"name": "ddp"}), cell({"name": "ddp"}, **ADAMW)
    again = cell({"name": "liec"}, **ADAMW, learning_rate=0.7)
    assert other_updates(plain, [plain, adamw, again, cell({"name": "psgd"}, schedule="cosine")]) == [adamw]

    steps = PlainSteps.create(plain, built_task(plain, torch.device("cpu")), torch.device("cpu"))
    before = [parameter.detach().clone() for _, parameter in steps.parameters]
    times = measure_update(adamw, steps)

    assert all(torch.equal(old, new) for old, (_, new) in zip(before, steps.parameters, strict=True))
    assert times.clip.median > 0
    assert times.optimizer.median > 0
    profile = Profile(
        forward=Duration(median=1.0),
        backward=Duration(median=1.0),
        clip=Duration(median=0.25),
        optimizer=Duration(median=0.5),
        parameters=({"name": "p", "shape": (1,), "ready_seconds": 0.0},),  # type: ignore[arg-type]
        updates=(times,),
    )
    assert profile.update_seconds(update_of(again.task)) == times.clip.median + times.optimizer.median
    assert profile.update_seconds(update_of(plain.task)) == profile.update_seconds(None) == 0.75
