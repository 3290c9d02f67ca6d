"""Check that a scenario's target suits its models: a test loss for language models, an accuracy for all others."""

from collections.abc import Iterator, Sequence

from liecbench.config import workload_sizes
from liecbench.config.cell import Cell
from liecbench.config.mistakes import Mistake
from liecbench.config.scenario import Scenario

_INSTEAD = {"target_accuracy": "target_loss: 2.0", "target_loss": "target_accuracy: 0.9"}


def check_target(scenario: Scenario, chosen: Sequence[Cell]) -> Iterator[Mistake]:
    """Yield a mistake for each target of the scenario that suits none of the scenario's models.

    ``target_loss`` suits language models, and ``target_accuracy`` suits all other models. The check is skipped if this
    run does not train all combinations of dataset and model in the scenario.

    Args:
        scenario: The scenario.
        chosen: The cells of this run that train a model.
    """
    tasks = {(cell.task.dataset.model_dump_json(), cell.task.model.model_dump_json()): cell.task for cell in chosen}
    every = {(cell.task.dataset.model_dump_json(), cell.task.model.model_dump_json()) for cell in scenario.cells()}
    if every - tasks.keys():  # the data of the other cells may be missing on this machine
        return
    are_language_models = {workload_sizes.sizes(task).is_language_model for task in tasks.values()}
    names = ", ".join(dict.fromkeys(task.model.name for task in tasks.values()))
    refused = {
        "target_accuracy": (are_language_models == {True}, "a language model, which is judged by its test loss"),
        "target_loss": (are_language_models == {False}, "no language model: it is judged by its accuracy"),
    }
    for key, (is_refused, why) in refused.items():
        if is_refused and getattr(scenario, key) is not None:
            other = _INSTEAD[key].partition(":")[0]
            remedy = "remove it" if getattr(scenario, other) is not None else f"write {_INSTEAD[key]}, for example"
            yield Mistake((key,), f"{names} is {why}; {remedy}", at_key=True)
