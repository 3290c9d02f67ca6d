import atexit
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import hypothesis
import pytest
import torch

from liecbench.launch import template_client
from tests.finished_run import FinishedRun
from tests.namespace_support import skip_without_namespaces

TESTS: Final = Path(__file__).parent

# Before any kernel is decorated: without a GPU they run in the interpreter.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

# With two threads, small operations take over ten times as long if all cores are busy: each waits in a loop for a
# thread that has no core. Ranks compute in one thread, too.
torch.set_num_threads(1)

# Tests run commands of every kind in one process. A template process imports for seconds: keep one of each kind.
setattr(template_client, "_MOST_TEMPLATES", 5)  # noqa: B010 - it is final

# The runs of one test session share their profiles, and leave none in the user's cache.
if "LIECBENCH_PROFILES" not in os.environ:
    os.environ["LIECBENCH_PROFILES"] = tempfile.mkdtemp(prefix="liecbench-profiles-")
    atexit.register(shutil.rmtree, os.environ["LIECBENCH_PROFILES"], ignore_errors=True)

# A noisy machine makes no example wrong.
hypothesis.settings.register_profile("liecbench", deadline=None)
hypothesis.settings.load_profile("liecbench")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, help="how often each test of test_chaos.py kills a run at a random moment")
    parser.addoption("--long", action="store_true", help="also run the tests marked 'long', which take minutes each")


# Files that take longest, the slowest first: otherwise one worker runs the last of them alone.
SLOWEST_FILES: Final = (
    "test_end_to_end.py",
    "test_crash.py",
    "launch/test_template.py",
    "check/paired/test_session.py",
    "compressors/kernels/triton/test_compilation.py",
    "test_two_machines.py",
    "algorithms/test_loop_variants.py",
    "test_sessions.py",
    "check/test_regressions.py",
    "check/paired/test_paired_check.py",
    "bench/test_exchange_benchmark.py",
    "cli/test_check.py",
    "report/test_html.py",
    "compressors/kernels/triton/test_selection.py",
    "algorithms/test_trajectories.py",
    "test_chaos.py",
    "test_link_runs.py",
    "algorithms/test_memory.py",
    "report/figures/test_vector_files.py",
    "network/test_emulation.py",
    "launch/test_supervisor.py",
    "worker/test_checkpoint.py",
    "network/test_delay_line.py",
    "test_disk.py",
    "test_contributing.py",
    "test_layers.py",
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect without garbage collections, and leave all that stays to the end out of later ones: both take seconds."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _place(item: pytest.Item) -> int:
    path = item.path.relative_to(TESTS).as_posix()
    return SLOWEST_FILES.index(path) if path in SLOWEST_FILES else len(SLOWEST_FILES)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=_place)
    # docs/gpus.md says what was seen on which GPU.
    reasons = {} if torch.cuda.is_available() else {"gpu": "no GPU"}
    if not config.getoption("--long"):
        reasons["long"] = "takes minutes: pytest --long runs it"
    _skip_one_per_file(config, items, reasons)


def _skip_one_per_file(config: pytest.Config, items: list[pytest.Item], reasons: dict[str, str]) -> None:
    """Skip the first test of each file with a mark in ``reasons``, and deselect its others: skips take time, too."""
    seen: set[tuple[Path, str]] = set()
    kept, others = [], []
    for item in items:
        mark = next((name for name in reasons if item.get_closest_marker(name)), None)
        if mark is not None and (item.path, mark) in seen:
            others.append(item)
            continue
        if mark is not None:
            seen.add((item.path, mark))
            item.add_marker(pytest.mark.skip(reason=reasons[mark]))
        kept.append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=others)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Return one finished run for all tests that only read results: see tests/finished_run.py."""
    skip_without_namespaces()
    return FinishedRun.shared(tmp_path_factory)
