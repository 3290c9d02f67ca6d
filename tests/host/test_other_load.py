import hashlib
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil

from liecbench.host.other_load import OtherLoad

BUSY = "import time\nprint(flush=True)\nwhile time.monotonic() > 0: pass"


def test_a_process_that_computes_counts() -> None:
    process = subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        load, start, before = OtherLoad(), psutil.cpu_times(), psutil.Process(process.pid).cpu_times().user
        while (used := psutil.Process(process.pid).cpu_times().user - before) < 0.3:
            time.sleep(0.1)
        share, total = load.share(), sum(psutil.cpu_times()[:8]) - sum(start[:8])
    finally:
        process.kill()
        process.communicate()

    assert 0.5 * used / total < share <= 1.0


def test_own_computing_does_not_count_as_other_load() -> None:
    load, before, start = OtherLoad(), psutil.Process().cpu_times().user, psutil.cpu_times()
    with ThreadPoolExecutor(psutil.cpu_count()) as pool:
        list(pool.map(hashlib.sha256, [bytes(200_000_000)] * (psutil.cpu_count() or 1)))
    share, own = load.share(), psutil.Process().cpu_times().user - before
    total = sum(psutil.cpu_times()[:8]) - sum(start[:8])

    assert share <= 1 - own / total + 0.1
