import os

import hypothesis
import pytest
import torch

# Before any kernel is decorated: without a GPU they run in the interpreter.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

# A noisy machine makes no example wrong.
hypothesis.settings.register_profile("liecbench", deadline=None)
hypothesis.settings.load_profile("liecbench")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=2, help="how often test_chaos.py kills a run at a random moment")


# What takes minutes comes first: at the end nobody waits for one file alone.
_LONG = ("test_pairs", "test_crash", "test_versus", "test_chaos", "test_end_to_end", "test_checks", "test_gpu_compiles")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem not in _LONG)
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):  # what a GPU alone can show; README says what that leaves unseen
                item.add_marker(pytest.mark.skip(reason="no GPU"))
