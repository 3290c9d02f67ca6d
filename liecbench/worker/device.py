"""The device of a rank: its choice, its RNG states and its memory."""

import gc
import os

import torch
from torch import Tensor


def rank_device(kind: str) -> torch.device:
    """Return the CPU if ``kind`` is ``cpu``, or this rank's GPU if ``kind`` is ``cuda``.

    Ranks share GPUs if the machine has fewer GPUs than ranks.
    """
    if kind == "cpu":
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())


def rng_states(device: torch.device) -> list[Tensor]:
    """Return the RNG states of the CPU and, on a GPU, of ``device``."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]


def set_rng_states(states: list[Tensor], device: torch.device) -> None:
    """Restore the RNG states that ``rng_states`` returned for the same ``device``."""
    torch.set_rng_state(states[0])
    for state in states[1:]:
        torch.cuda.set_rng_state(state, device)


def on_device(batch: tuple[Tensor, Tensor], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the inputs and labels of ``batch`` on ``device``. The inputs require gradients if ``batch``'s do."""
    if device.type == "cpu":
        return batch
    # Pin the memory, because a copy to the GPU from pageable memory would block the host.
    inputs, labels = (part.detach().pin_memory().to(device, non_blocking=True) for part in batch)
    return inputs.requires_grad_(batch[0].requires_grad), labels


def release_memory(device: torch.device) -> None:
    """Release the GPU memory that torch caches but no tensor uses; do nothing on the CPU.

    Cached memory counts as used, and other ranks on the same GPU may need it.
    """
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()


def gpu_uuids() -> list[str]:
    """Return the UUIDs of the GPUs that this machine's ranks use."""
    used = range(min(int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()))
    return [str(torch.cuda.get_device_properties(index).uuid) for index in used]
