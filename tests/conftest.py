import hypothesis
import pytest

# A noisy machine makes no example wrong.
hypothesis.settings.register_profile("liecbench", deadline=None)
hypothesis.settings.load_profile("liecbench")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=2, help="how often test_chaos.py kills a run at a random moment")
