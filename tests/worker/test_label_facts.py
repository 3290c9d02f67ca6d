import math
from collections import Counter

import pytest
from sklearn.datasets import load_digits

from liecbench.config.choice import Choice
from liecbench.config.task import Task
from liecbench.config.workload import load
from liecbench.worker.label_facts import describe_test_set


def task(dataset: str) -> Task:
    return Task(dataset=Choice(name=dataset), model=Choice(name="mlp"), batch_size=8, epochs=1, learning_rate=0.1)


def test_the_facts_are_those_of_the_labels() -> None:
    found = describe_test_set(task("digits"))
    data = load(task("digits"))
    assert found is not None
    assert data is not None
    counts = Counter(data.test.labels.tolist())
    total = sum(counts.values())

    assert found["labels"] == total == len(load_digits().target) - 1437
    assert found["commonest_share"] == pytest.approx(max(counts.values()) / total)
    assert found["unigram_loss"] == pytest.approx(-sum(n / total * math.log(n / total) for n in counts.values()))


def test_data_that_cannot_be_loaded_tell_nothing() -> None:
    assert describe_test_set(task("no_module:no_function")) is None
