from typing import Any

import pytest
from pydantic import ValidationError

from liecbench.config.cell import Cell
from liecbench.config.known_specs import alike_key, complete_spec
from tests.ledgers import spec


@pytest.mark.parametrize("fields", [{}, {"seed": 7}, {"algorithm": "liec", "server": "root", "link": "none"}])
def test_a_spec_is_completed_as_the_cell_does(fields: dict[str, Any]) -> None:
    known = Cell.from_spec(spec(**fields)).spec()

    assert complete_spec(spec(**fields)) == known
    assert list(complete_spec(spec(**fields))) == list(known)


@pytest.mark.parametrize(
    "wrong", [{"workers": 0}, {"seed": -1}, {"seed": True}, {"seed": 2**63}, {"seed": "0"}, {"link": "10 parsecs"}]
)
def test_what_is_no_spec_is_refused(wrong: dict[str, Any]) -> None:
    complete_spec(spec())
    with pytest.raises(ValidationError):
        complete_spec(spec(**wrong))


def test_seeds_are_alike_and_nothing_else() -> None:
    assert alike_key(spec(seed=1)) == alike_key(spec(seed=2))
    assert alike_key(spec(workers=3)) != alike_key(spec(workers=2))
