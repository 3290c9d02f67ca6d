"""A rank that says two words and then hangs; its plan is none."""

import os
import time
from pathlib import Path

from liecbench.host.linux import die_with_parent
from liecbench.launch.supervisor import EVENTS_VARIABLE

if __name__ == "__main__":
    die_with_parent()
    with Path(os.environ[EVENTS_VARIABLE]).open("w") as events:
        for word in ("one", "two"):
            events.write(f'{{"type": "word", "said": "{word}"}}\n')
            events.flush()
            time.sleep(0.2)
        time.sleep(600)
