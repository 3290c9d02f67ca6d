import hashlib
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil

from liecbench.host.other_load import OtherLoad

BUSY = "import time\nprint(flush=True)\nwhile time.monotonic() > 0: pass"


def test_a_process_that_computes_counts() -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        load, before = OtherLoad(), psutil.Process(process.pid).cpu_times().user
        time.sleep(1.0)
        used, share = psutil.Process(process.pid).cpu_times().user - before, load.share()
        process.kill()

    # The clocks tick every 10 ms. The share is of all processors, in about one second.
    assert used > 0.05
    assert 0.5 * used / (psutil.cpu_count() or 1) < share <= 1.0


def test_own_computing_does_not_count_as_other_load() -> None:
    load, before, start = OtherLoad(), psutil.Process().cpu_times().user, psutil.cpu_times()
    with ThreadPoolExecutor(psutil.cpu_count()) as pool:
        list(pool.map(hashlib.sha256, [bytes(200_000_000)] * (psutil.cpu_count() or 1)))
    share, own = load.share(), psutil.Process().cpu_times().user - before
    total = sum(psutil.cpu_times()[:8]) - sum(start[:8])

    assert share <= 1 - own / total + 0.1
