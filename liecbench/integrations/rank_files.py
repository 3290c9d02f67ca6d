"""One file per rank, beside a framework's own checkpoint, with that rank's part of the training's state."""

import warnings
from pathlib import Path

import torch

from liecbench.integrations.framework_training import FrameworkTraining


def save_rank_file(directory: str | Path, training: FrameworkTraining) -> None:
    """Write this rank's state of ``training`` to a file in ``directory``. Collective.

    The state is that of the algorithm and, if the algorithm keeps local models, of this rank's model and optimizers.
    The file of rank 0 of 4 is ``liecbench_rank_0_of_4.pt``.
    """
    state = training.state_dict()
    (key,) = state["algorithm"]
    path = Path(directory, f"liecbench_{key}.pt")
    path.parent.mkdir(parents=True, exist_ok=True)  # the framework may write nothing on this node
    torch.save(state, path)


def load_rank_file(directory: str | Path, training: FrameworkTraining) -> None:
    """Restore this rank's state from the rank's file in ``directory``. If no rank has a file, warn and change nothing.

    Raises:
        ValueError: If the files are those of another number of ranks, another method or another model.
    """
    (key,) = training.algorithm.state_dict()
    files = sorted(Path(directory).glob("liecbench_rank_*_of_*.pt"))
    if not files:
        warnings.warn(
            f"{directory} was saved without {type(training.algorithm).__name__}, whose memories start from zero",
            stacklevel=2,
        )
        return
    own = Path(directory, f"liecbench_{key}.pt")
    # If this rank has no file, load that of another rank, so that the error says what differs.
    training.load_state_dict(torch.load(own if own in files else files[0], map_location="cpu", weights_only=True))
