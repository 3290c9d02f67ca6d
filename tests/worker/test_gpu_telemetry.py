import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from liecbench.host import gpu
from liecbench.worker import gpu_telemetry
from liecbench.worker.gpu_telemetry import Sampler
from tests.fake_nvml import FIRST, SECOND
from tests.process_tree import GONE_SECONDS, ROOT
from tests.waiting import TIMEOUT_SECONDS, wait_for


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
def _in_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_a_window_has_the_metrics_of_the_requested_gpus() -> None:
    # The second GPU twice, once in torch's notation: two ranks share it.
    with running("-m", "tests.fake_nvml", FIRST, SECOND.removeprefix("GPU-"), SECOND) as sampler:
        sampler.begin()
        time.sleep(0.5)
        actual = sampler.end() or {}

    assert actual["power_watts"] == pytest.approx(400.0, rel=0.3)
    assert (
        actual["utilisation"],
        actual["throttled_share"],
        actual["throttled_power_cap_share"],
        actual["peak_memory_bytes"],
    ) == (0.75, 1.0, 1.0, 2**30)


def test_a_window_right_after_the_start_has_metrics() -> None:
    with running("-m", "tests.fake_nvml", FIRST) as sampler:
        started = time.monotonic()
        sampler.begin()
        actual = sampler.end() or {}
        most_joules = 200 * (time.monotonic() - started) + 0.01

    assert (actual["utilisation"], actual["peak_memory_bytes"]) == (0.75, 2**30)
    assert actual["energy_joules"] < most_joules


def test_windows_are_independent() -> None:
    with running("-m", "tests.fake_nvml", FIRST) as sampler:
        sampler.begin()  # the process is ready
        sampler.end()
        found = []
        for seconds in (0.6, 0.05, 0.3):
            started = time.monotonic()
            sampler.begin()
            time.sleep(seconds)
            joules = (sampler.end() or {})["energy_joules"]
            found.append((joules > 0, joules < 200 * (time.monotonic() - started) + 0.01))

    assert found == [(True, True)] * 3


def test_sampling_takes_little_cpu_time() -> None:
    with running("-m", "tests.fake_nvml", FIRST) as sampler:
        sampler.begin()
        sampler.end()  # the process is ready
        sampler.begin()
        before = cpu_seconds(sampler)
        time.sleep(1.0)
        actual = cpu_seconds(sampler) - before

    assert actual < 0.5


def test_without_a_gpu_the_notice_says_why_there_are_no_metrics() -> None:
    why = gpu.installed().problem or "Not Found"
    with running("-m", "liecbench.host.gpu_sampler", "GPU-none") as sampler:
        sampler.begin()
        actual = sampler.end()

    assert (actual, sampler.missing_metrics_notice.partition("):")[0]) == (
        None,
        f"NVML gives no metrics of the GPUs ({why}",
    )


def test_a_dead_sampler_gives_no_metrics() -> None:
    with running("-m", "tests.fake_nvml", FIRST) as sampler:
        sampler.begin()
        sampler._process.kill()
        sampler._process.wait()
        actual = [sampler.end()]
        sampler.begin()
        actual.append(sampler.end())

    assert actual == [None, None]


def test_a_silent_sampler_costs_two_seconds_once() -> None:
    with running("-u", "-c", "import time; print('null'); time.sleep(100)") as sampler:
        started = time.monotonic()
        actual = []
        for _ in range(5):
            sampler.begin()
            actual.append(sampler.end())
        seconds = time.monotonic() - started

    assert (actual, 2.0 <= seconds < 10.0) == ([None] * 5, True)


def test_a_sampler_that_does_not_start_is_awaited_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_telemetry, "_START_TIMEOUT_SECONDS", 0.5)
    with running("-c", "import time; time.sleep(100)") as sampler:
        started = time.monotonic()
        actual = []
        for _ in range(20):
            sampler.begin()
            actual.append(sampler.end())
        seconds = time.monotonic() - started

    assert (actual, 0.5 <= seconds < 10.0) == ([None] * 20, True)
    assert "(its process did not start in 10 s)" in sampler.missing_metrics_notice


def test_a_late_answer_is_not_taken_for_the_next_window() -> None:
    late = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
print("null"); input(); input()
signal.sigwait([signal.SIGUSR1])
os.write(1, b'{"a": 1}\\n'); input(); input(); print('{"a": 2}')
"""
    with running("-u", "-c", late) as sampler:
        sampler.begin()
        first = sampler.end()
        sampler._process.send_signal(signal.SIGUSR1)
        assert sampler._process.stdout is not None
        assert select.select([sampler._process.stdout], [], [], TIMEOUT_SECONDS)[0]
        sampler.begin()
        second = sampler.end()

    assert (first, second) == (None, {"a": 2})


def test_the_sampler_ends_when_its_input_closes() -> None:
    with running("-m", "tests.fake_nvml", FIRST) as sampler:
        sampler.begin()
        assert sampler.end() is not None
        assert sampler._process.stdin is not None
        sampler._process.stdin.close()
        actual = sampler._process.wait(GONE_SECONDS)

    assert actual == 0


def test_the_sampler_ends_with_its_rank() -> None:
    rank = (
        "import os, sys, time; from liecbench.worker.gpu_telemetry import Sampler;"
        f" s = Sampler([sys.executable, '-m', 'tests.fake_nvml', '{FIRST}']); s.begin(); s.end();"
        " kept = os.dup(s._process.stdin.fileno()); os.set_inheritable(kept, True);"
        " held = os.spawnvp(os.P_NOWAIT, 'sleep', ['sleep', '200']);"  # another process holds its input open
        " print(s._process.pid, held, flush=True); os._exit(0)"
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
    with os.fdopen(reading) as pid_pipe:
        sampler, holder = map(int, pid_pipe.readline().split())

    try:
        wait_for(lambda: not Path(f"/proc/{sampler}").exists(), f"{sampler} ends", GONE_SECONDS)
    finally:
        os.kill(holder, signal.SIGKILL)
