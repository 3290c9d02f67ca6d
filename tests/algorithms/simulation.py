"""An independent simulation of the methods from their equations: one process, float64, no code of the package."""

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
    """Assign whole tensors to blocks of up to ``block_bytes`` of float32, from the last to the first."""
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
    """The memories of one block: each worker's, the server's, and the one that all of them share."""

    worker: list[Vector]
    server: Vector
    shared: Vector


def error_feedback(
    gradients: list[Vector], errors: list[Vector], compress: Compress
) -> tuple[list[Vector], list[Vector]]:
    """Return what every worker sends, and its new error."""
    wanted = [g + e for g, e in zip(gradients, errors, strict=True)]
    sent = [compress(p) for p in wanted]
    return sent, [p - c for p, c in zip(wanted, sent, strict=True)]


def updates(method: str, block: Block, gradients: list[Vector], averages: bool, c: Compress) -> list[Vector]:
    """Return each worker's update of one block, and update its memories. ``averages``: (t + 1) mod p = 0."""
    match method:
        case "psgd":
            return [average(gradients)] * len(gradients)
        case "local_sgd":
            return gradients
        case "signsgd":
            votes = sum(np.where(g >= 0, 1, -1) for g in gradients)
            return [np.sign(votes).astype(np.float64)] * len(gradients)
        case "csgd":
            return [c(average([c(g) for g in gradients]))] * len(gradients)
        case "cser":
            return cser(block, gradients, averages, c)
        case "liec":
            return liec(block, gradients, averages, c)
    rule = {"memsgd": memsgd, "doublesqueeze": doublesqueeze, "neolithic": neolithic, "ef21": ef21, "ef21_bc": ef21_bc}
    return rule[method](block, gradients, c)


def memsgd(block: Block, gradients: list[Vector], c: Compress) -> list[Vector]:
    sent, block.worker = error_feedback(gradients, block.worker, c)
    return [average(sent)] * len(gradients)


def doublesqueeze(block: Block, gradients: list[Vector], c: Compress) -> list[Vector]:
    sent, block.worker = error_feedback(gradients, block.worker, c)
    v = average(sent) + block.server
    q = c(v)
    block.server = v - q
    return [q] * len(gradients)


def neolithic(block: Block, gradients: list[Vector], c: Compress) -> list[Vector]:
    def twice(v: Vector) -> Vector:
        first = c(v)
        return first + c(v - first)

    return doublesqueeze(block, gradients, twice)


def cser(block: Block, gradients: list[Vector], averages: bool, c: Compress) -> list[Vector]:
    sent = [c(g) for g in gradients]
    left = [g - s for g, s in zip(gradients, sent, strict=True)]
    block.worker = [e - r for e, r in zip(block.worker, left, strict=True)]
    result = [average(sent) + r for r in left]
    if averages:
        agreed = [c(e) for e in block.worker]
        kept = [e - k for e, k in zip(block.worker, agreed, strict=True)]
        reset = [average(agreed) + s for s in kept]
        result = [u + e - e_new for u, e, e_new in zip(result, block.worker, reset, strict=True)]
        block.worker = kept
    return result


def liec(block: Block, gradients: list[Vector], averages: bool, c: Compress) -> list[Vector]:
    if averages:
        dense = average(gradients) + block.server
        block.server = np.zeros_like(dense)
        return [dense] * len(gradients)
    sent = [c(g) for g in gradients]
    v = average(sent) + block.server
    q = c(v)
    block.server = v - q
    return [q + g - s for g, s in zip(gradients, sent, strict=True)]


def ef21(block: Block, gradients: list[Vector], c: Compress) -> list[Vector]:
    block.worker = [h + c(g - h) for g, h in zip(gradients, block.worker, strict=True)]
    return [average(block.worker)] * len(gradients)


def ef21_bc(block: Block, gradients: list[Vector], c: Compress) -> list[Vector]:
    block.worker = [h + c(g - h) for g, h in zip(gradients, block.worker, strict=True)]
    block.shared = block.shared + c(average(block.worker) - block.shared)
    return [block.shared] * len(gradients)
