import pytest

from liecbench.algorithms.base import NonFiniteError
from liecbench.worker.collective_errors import LinkError, collective_cleanup


def test_cleanup_follows_the_body() -> None:
    order: list[str] = []
    with collective_cleanup(lambda: order.append("cleanup")):
        order.append("body")

    assert order == ["body", "cleanup"]


@pytest.mark.parametrize("error", [NonFiniteError("nan"), LinkError("off")])
def test_cleanup_follows_errors_of_all_ranks(error: Exception) -> None:
    order: list[str] = []
    with pytest.raises(type(error)), collective_cleanup(lambda: order.append("cleanup")):
        raise error

    assert order == ["cleanup"]


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), KeyboardInterrupt()])
def test_cleanup_is_skipped_if_one_rank_fails_alone(error: BaseException) -> None:
    order: list[str] = []
    with pytest.raises(type(error)), collective_cleanup(lambda: order.append("cleanup")):
        raise error

    assert order == []
