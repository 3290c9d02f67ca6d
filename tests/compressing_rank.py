"""A rank that compresses and takes an optimizer's step, and sends the names of the modules that it imported."""

import os
import sys
from pathlib import Path

from liecbench.launch.channel import encode
from liecbench.launch.events import CaseMeasured
from liecbench.launch.supervisor import EVENTS_VARIABLE

if __name__ == "__main__":
    before = set(sys.modules)
    import torch

    import liecbench.worker.loop  # noqa: F401 - the training ranks import it
    from liecbench.algorithms.liec import LIEC
    from liecbench.compressors.sign import Sign

    Sign().compress(torch.ones(8), torch.empty(8))
    LIEC(compressor=Sign())
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    optimizer.zero_grad()
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    figures = {"imported": sorted(set(sys.modules) - before)}
    with Path(os.environ[EVENTS_VARIABLE]).open("a") as events:
        events.write(encode(CaseMeasured(case=0, figures=figures, link={})) + "\n")
