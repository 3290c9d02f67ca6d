from pathlib import Path
from typing import Any

import pytest

from tests.distributed import run_ranks


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory in which the trainings of a test module save their checkpoints."""
    return tmp_path_factory.mktemp("trainings")


@pytest.fixture(scope="module")
def ranks(request: pytest.FixtureRequest, directory: Path) -> list[dict[str, Any]]:
    """Run the function ``all_trainings`` of the test module on two ranks, and return what each rank returned."""
    return run_ranks(request.module.all_trainings, 2, str(directory))
