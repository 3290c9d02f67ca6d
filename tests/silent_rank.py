"""A rank that sends two notices and then hangs."""

import os
import time
from pathlib import Path

from liecbench.host.linux import die_with_parent
from liecbench.launch.channel import encode
from liecbench.launch.events import Notice
from liecbench.launch.supervisor import EVENTS_VARIABLE

if __name__ == "__main__":
    die_with_parent()
    with Path(os.environ[EVENTS_VARIABLE]).open("w") as events:
        for text in ("one", "two"):
            events.write(f"{encode(Notice(text=text))}\n")
            events.flush()
            time.sleep(0.2)
        time.sleep(600)
