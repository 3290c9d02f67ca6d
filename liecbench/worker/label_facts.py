"""Facts about the labels of a test set, without which an accuracy or a loss cannot be judged."""

import torch

from liecbench.config import workload
from liecbench.config.cell import Task


def describe_test_set(task: Task) -> dict[str, float] | None:
    """Return facts about the labels of a task's test set; None if they cannot be loaded or belong to the model.

    Returns:
        ``labels``, their number; ``commonest_share``, the share of the commonest class, from 0 to 1; and
        ``unigram_loss``, the cross-entropy of a model that knows only how often each class comes, in nats.
    """
    try:
        with torch.random.fork_rng(devices=[]):
            data = workload.load(task)
    except workload.WorkloadError:
        return None  # setting up the cell reports it
    if data is None:
        return None
    counts = torch.bincount(data.test.labels.flatten()).double()
    shares = counts[counts > 0] / counts.sum()
    entropy = -(shares * shares.log()).sum()
    return {"labels": float(counts.sum()), "commonest_share": float(shares.max()), "unigram_loss": float(entropy)}
