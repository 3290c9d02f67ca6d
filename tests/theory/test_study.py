import pytest
from pydantic import ValidationError

from liecbench.theory.study import Study, TheoryFile

STUDY = {
    "measure": "stationary_gradient",
    "task": "quadratic",
    "steps": 100,
    "learning_rate": 0.1,
    "matrix": {"algorithm": ["psgd", "liec"], "compressor": ["sign", "top_k"], "workers": [1, 4], "seed": 3},
}


def test_a_method_without_a_compressor_appears_once() -> None:
    study = Study.model_validate(STUDY)
    names = [(a.name, c.name if c is not None else None) for a, c in study.methods()]

    assert names == [("psgd", None), ("liec", "sign"), ("liec", "top_k")]
    assert [(cell.workers, cell.seed) for cell in study.cells("root")] == [(1, 3), (4, 3)] * 3


def test_seeds_are_replaced_in_every_study() -> None:
    file = TheoryFile.model_validate({"name": "x", "studies": [STUDY, STUDY]})

    assert [study.matrix.seed for study in file.with_seeds(3).studies] == [[0, 1, 2]] * 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": None}, "learning_rate is missing"),
        ({"measure": "largest_stable_rate"}, "remove learning_rate"),
    ],
)
def test_a_learning_rate_belongs_to_stationary_gradients(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Study.model_validate({**STUDY, **changes})
