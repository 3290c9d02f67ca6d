"""The methods written from their equations, for one process, in float64: nothing of the package but names is used."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
Compress = Callable[[Vector], Vector]


def scaled_sign(v: Vector) -> Vector:
    signs: Vector = np.where(v >= 0, 1.0, -1.0)
    signs *= np.abs(v).mean()
    return signs


def top_tenth(v: Vector) -> Vector:
    kept = np.argsort(-np.abs(v), kind="stable")[: int(np.ceil(0.1 * v.size))]
    result = np.zeros_like(v)
    result[kept] = v[kept]
    return result


def identity(v: Vector) -> Vector:
    return v.copy()


def blocks_of(sizes: list[int], block_bytes: int | Literal["whole"]) -> list[list[int]]:
    """Whole tensors from the last to the first, up to ``block_bytes`` of float32."""
    blocks: list[list[int]] = [[]]
    filled = 0
    for index in range(len(sizes) - 1, -1, -1):
        if blocks[-1] and block_bytes != "whole" and filled + 4 * sizes[index] > block_bytes:
            blocks.append([])
            filled = 0
        blocks[-1].append(index)
        filled += 4 * sizes[index]
    return blocks


def shards_of(d: int, n: int, server: str) -> list[slice]:
    if server == "root":
        return [slice(0, d)]
    m = (d + n - 1) // n
    m = (m + 7) // 8 * 8
    return [slice(s * m, min((s + 1) * m, d)) for s in range(n) if s * m < d]


def per_piece(compress: Compress, pieces: list[slice]) -> Compress:
    def apply(v: Vector) -> Vector:
        return np.concatenate([compress(v[piece]) for piece in pieces])

    return apply


def average(vectors: list[Vector]) -> Vector:
    mean: Vector = np.stack(vectors).mean(axis=0)
    return mean


@dataclass
class Block:
    """State of one block: every worker's error memory, and the server's."""

    worker_errors: list[Vector]
    server_error: Vector


def updates(method: str, block: Block, gradients: list[Vector], step: int, period: int, c: Compress) -> list[Vector]:
    """Each worker's update for one block; the block's memories move on."""
    n = len(gradients)
    if method == "psgd":
        return [average(gradients)] * n
    if method == "liec":
        if (step + 1) % period == 0:
            dense = average(gradients) + block.server_error
            block.server_error = np.zeros_like(dense)
            return [dense] * n
        sent = [c(g) for g in gradients]
        v = average(sent) + block.server_error
        q = c(v)
        block.server_error = v - q
        return [q + g - s for g, s in zip(gradients, sent, strict=True)]
    wanted = [g + e for g, e in zip(gradients, block.worker_errors, strict=True)]
    sent = [c(p) for p in wanted]
    block.worker_errors = [p - s for p, s in zip(wanted, sent, strict=True)]
    if method == "memsgd":
        return [average(sent)] * n
    assert method == "doublesqueeze"
    v = average(sent) + block.server_error
    q = c(v)
    block.server_error = v - q
    return [q] * n
