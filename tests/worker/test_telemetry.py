import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from liecbench.worker.telemetry import Sampler
from tests.fake_nvml import FIRST, SECOND
from tests.processes import GONE_SECONDS, ROOT, wait_for


@contextmanager
def running(*command: str) -> Iterator[Sampler]:
    sampler = Sampler([sys.executable, *command])
    try:
        yield sampler
    finally:
        sampler.close()


def cpu_seconds(sampler: Sampler) -> float:
    fields = Path(f"/proc/{sampler._process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_a_window_has_the_figures_of_the_gpus_that_were_asked_for() -> None:
    # The second as torch names it, and again: two ranks share it.
    with running("-m", "tests.fake_nvml", FIRST, SECOND.removeprefix("GPU-"), SECOND) as sampler:
        sampler.begin()
        time.sleep(1.5)
        actual = sampler.end() or {}

    assert actual["power_watts"] == pytest.approx(400.0, rel=0.3)
    assert (
        actual["utilisation"],
        actual["throttled_share"],
        actual["throttled_power_cap_share"],
        actual["peak_memory_bytes"],
    ) == (0.75, 1.0, 1.0, 2**30)


def test_each_window_is_its_own() -> None:
    joules = []
    with running("-m", "tests.fake_nvml", FIRST) as sampler:
        for seconds in (0.6, 0.05, 0.3):
            sampler.begin()
            started = time.monotonic()
            time.sleep(seconds)
            joules.append((sampler.end() or {})["energy_joules"] / (time.monotonic() - started))

    # 200 W, but for what starting took of the first window, and on a busy machine of the others.
    assert (max(joules) < 205, joules[2] > 20) == (True, True)


def test_it_waits_without_a_processor() -> None:
    with running("-m", "tests.fake_nvml", FIRST) as sampler:
        sampler.begin()
        sampler.end()  # it has started
        sampler.begin()
        before = cpu_seconds(sampler)
        time.sleep(1.0)
        actual = cpu_seconds(sampler) - before

    assert actual < 0.5


def test_no_library_is_no_figure() -> None:
    with running("-m", "liecbench.sampler", "GPU-none") as sampler:
        sampler.begin()
        actual = sampler.end()

    assert actual is None


def test_a_sampler_that_dies_is_no_figure() -> None:
    with running("-m", "tests.fake_nvml", FIRST) as sampler:
        sampler.begin()
        sampler._process.kill()
        sampler._process.wait()
        actual = [sampler.end()]
        sampler.begin()
        actual.append(sampler.end())

    assert actual == [None, None]


def test_a_sampler_that_does_not_answer_costs_two_seconds_once() -> None:
    started = time.monotonic()
    with running("-c", "import time; time.sleep(100)") as sampler:
        actual = []
        for _ in range(3):
            sampler.begin()
            actual.append(sampler.end())

    assert actual == [None] * 3
    assert time.monotonic() - started == pytest.approx(2.0, abs=1.9)


def test_a_late_answer_is_not_the_next_windows() -> None:
    late = "import time; input(); input(); time.sleep(2.5); print('{\"a\": 1}'); input(); input(); print('{\"a\": 2}')"
    with running("-u", "-c", late) as sampler:
        sampler.begin()
        first = sampler.end()
        time.sleep(3.0)
        sampler.begin()
        second = sampler.end()

    assert (first, second) == (None, {"a": 2})


def test_it_ends_with_its_input() -> None:
    with running("-m", "tests.fake_nvml", FIRST) as sampler:
        sampler.begin()
        assert sampler.end() is not None
        assert sampler._process.stdin is not None
        sampler._process.stdin.close()
        actual = sampler._process.wait(GONE_SECONDS)

    assert actual == 0


def test_it_ends_with_the_rank() -> None:
    rank = (
        "import os, sys, time; from liecbench.worker.telemetry import Sampler;"
        f" s = Sampler([sys.executable, '-m', 'tests.fake_nvml', '{FIRST}']); s.begin(); s.end();"
        " kept = os.dup(s._process.stdin.fileno()); os.set_inheritable(kept, True);"
        " os.spawnvp(os.P_NOWAIT, 'sleep', ['sleep', '20']);"  # somebody else holds its input open
        " print(s._process.pid, flush=True); os._exit(0)"
    )
    reading, writing = os.pipe()
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", rank],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1)],
    )
    os.close(writing)
    os.waitpid(pid, 0)
    with os.fdopen(reading) as told:
        sampler = int(told.readline())

    wait_for(lambda: not Path(f"/proc/{sampler}").exists(), f"{sampler} ends", GONE_SECONDS)
