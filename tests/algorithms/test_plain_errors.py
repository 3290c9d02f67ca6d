"""The words of errors when an algorithm is made with wrong options, or used before attach."""

from collections.abc import Callable
from typing import Any

import pytest

from liecbench import algorithms
from liecbench.compressors import QSGD, Sign, TopK

# Not typed, so that the wrong calls of a script without a type checker can be made.
LIEC: Any = algorithms.LIEC
MemSGD: Any = algorithms.MemSGD
AllReduce: Any = algorithms.AllReduce
CSGD: Any = algorithms.CSGD


OPTIONS = "block_bytes, block_order, server, compressor, rescale_memory"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: LIEC(Sign()), TypeError, "LIEC takes its options by name, such as LIEC(compressor=Sign())"),
        (lambda: AllReduce(3), TypeError, "AllReduce takes its options by name, such as AllReduce(block_bytes=3)"),
        (
            lambda: MemSGD(),
            TypeError,
            "MemSGD needs the option compressor; its options are " + OPTIONS,
        ),
        (
            lambda: MemSGD(compresor=Sign()),
            TypeError,
            "MemSGD needs the option compressor; its options are " + OPTIONS,
        ),
        (
            lambda: MemSGD(compressor=Sign(), period=2),
            TypeError,
            "MemSGD has no option 'period'; its options are " + OPTIONS,
        ),
        (
            lambda: LIEC(compressor="sgn"),
            ValueError,
            "LIEC: compressor: there is no compressor 'sgn'; did you mean 'sign'?",
        ),
        (lambda: LIEC(compressor=3), ValueError, "LIEC: compressor: should be a Compressor, not 3"),
        (
            lambda: LIEC(compressor={"name": "top_k", "rato": 1}),
            ValueError,
            "LIEC: compressor: compressor top_k has no option 'rato'; it has ratio",
        ),
        (
            lambda: LIEC(compressor={"name": "top_k", "ratio": 2}),
            ValueError,
            "LIEC: compressor: compressor top_k: ratio: should be at most 1",
        ),
        (
            lambda: LIEC(compressor="sign", average_period=0),
            ValueError,
            "LIEC: average_period: should be at least 1, not 0",
        ),
        (
            lambda: LIEC(compressor="sign", server="roof"),
            ValueError,
            "LIEC: server: should be 'root' or 'sharded', not 'roof'",
        ),
        (
            lambda: LIEC(compressor="sign").state_dict(),
            RuntimeError,
            "LIEC is not attached; call attach(ddp, optimizer) before state_dict()",
        ),
        (
            lambda: LIEC(compressor="sign").evaluation().__enter__(),
            RuntimeError,
            "LIEC is not attached; call attach(ddp, optimizer) before evaluation()",
        ),
        (
            lambda: AllReduce().clip_grad_norm_(1),
            RuntimeError,
            "AllReduce is not attached; call attach(ddp, optimizer) before clip_grad_norm_()",
        ),
    ],
)
def test_errors_say_what_is_wrong_and_what_is_right(
    make: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as raised:
        make()

    assert str(raised.value) == message


def test_compressors_are_taken_by_their_names_in_scenarios() -> None:
    assert LIEC(compressor="sign").compressor == Sign()
    assert LIEC(compressor={"name": "top_k", "ratio": 0.1}).compressor == TopK(0.1)
    assert LIEC(compressor=Sign()).compressor == Sign()
    assert CSGD(compressor=QSGD()).compressor == QSGD()


def test_a_wrong_combination_keeps_its_reason() -> None:
    with pytest.raises(ValueError, match=r"^LIEC: the method keeps an error memory.*take csgd"):
        LIEC(compressor=QSGD())
