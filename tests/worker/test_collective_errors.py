import pytest

from liecbench.algorithms.base import NonFiniteError
from liecbench.worker.collective_errors import LinkError, afterwards


def test_what_comes_afterwards_comes_after_the_body() -> None:
    order: list[str] = []
    with afterwards(lambda: order.append("after")):
        order.append("body")

    assert order == ["body", "after"]


@pytest.mark.parametrize("error", [NonFiniteError("nan"), LinkError("off")])
def test_it_comes_after_errors_that_every_rank_raises(error: Exception) -> None:
    order: list[str] = []
    with pytest.raises(type(error)), afterwards(lambda: order.append("after")):
        raise error

    assert order == ["after"]


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), KeyboardInterrupt()])
def test_nobody_is_waited_for_where_one_rank_failed_alone(error: BaseException) -> None:
    order: list[str] = []
    with pytest.raises(type(error)), afterwards(lambda: order.append("after")):
        raise error

    assert order == []
