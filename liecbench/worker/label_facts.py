"""Facts about the labels of a test set, such as the share of the commonest class.

They help to judge an accuracy or a test loss.
"""

import torch

from liecbench.config import workload
from liecbench.config.task import Task


def describe_test_set(task: Task) -> dict[str, float] | None:
    """Return facts about the labels of a task's test set.

    Returns:
        None if the data cannot be loaded, or if the model brings its own data. Otherwise, a dict with three keys.
        ``labels`` is the number of labels: one per image, or one per token in language models. ``commonest_share`` is
        the share of the commonest class, from 0 to 1. ``unigram_loss`` is the cross-entropy, in nats, of a model that
        knows only how often each class occurs.
    """
    try:
        with torch.random.fork_rng(devices=[]):
            data = workload.load(task)
    except workload.WorkloadError:
        return None  # ``cell_setup.set_up`` reports the error
    if data is None:
        return None
    counts = torch.bincount(data.test.labels.flatten()).double()
    shares = counts[counts > 0] / counts.sum()
    entropy = -(shares * shares.log()).sum()
    return {"labels": float(counts.sum()), "commonest_share": float(shares.max()), "unigram_loss": float(entropy)}
