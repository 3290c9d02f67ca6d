"""Print ``docs/methods.md``, a page about all methods and compressors, from their classes.

``python scripts/methods_page.py > docs/methods.md`` brings the page up to date; a test compares the two.
"""

import dataclasses
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import torch

from liecbench.algorithms import Algorithm
from liecbench.compressors import Compressor, Sign
from liecbench.config import registry

INTRODUCTION = """\
# The methods and compressors

This page is made from the classes by `scripts/methods_page.py`; do not edit it. In its formulas, i is a worker, g_i its
gradient, e_i its error memory, e a server's error memory, C the compressor, and u the update that the optimizer gets in
place of the gradient. Memories are 0 at the start. θ are parameters, and Δ_i is a pseudo-gradient: how far worker i has
moved its parameters since the last exchange.

A server is a rank that averages: with `server: sharded` every rank serves one shard of every block, with `server: root`
rank 0 serves all. Methods without a server send to all other workers.

Every method also takes `block_bytes`. In a scenario, `block_bytes` and `block_order` stand at the top level, all other
options with the method's name, and the server in the matrix or at the top level.

## One step, entry by entry

To compute a step yourself, cut the gradient as the methods do:

1. **Order.** The gradient is one vector: the trainable tensors from the last of `model.parameters()` to the first.
   The entries of a tensor keep their order (row by row). Tensors without entries are left out.
2. **Blocks.** The vector is cut between tensors. With `block_order: backward`, blocks are filled from the last
   tensor: a tensor that no longer fits into `block_bytes` (4 bytes per entry; 26214400 by default) begins the next
   block, and one that is larger has a block of its own. With `block_order: forward`, blocks are filled from the first
   tensor, which moves the cuts only: the entries of a block still run from its last tensor to its first.
3. **Shards.** With `server: sharded`, a block of d entries on n ranks is cut into shards of m entries, m = ⌈d/n⌉
   rounded up to a multiple of 8. Rank s is the server of the entries from s·m up to min((s + 1)·m, d). The last shard
   can be shorter, and the last ranks can have none. With `server: root`, the block is one shard, served by rank 0.
4. **Compression.** C is applied to every shard of every block by itself, by the workers and by the server: `sign` has
   a scale per shard, and `top_k` keeps ⌈ratio · n⌉ of the n entries of each shard. So other servers, numbers of
   workers and blocks give other updates. A rank that is a server compresses its own gradient, too. A method without a
   server compresses whole blocks; `sparseloco` compresses tensors, and `demo` chunks.
5. **Update.** The u of all blocks replaces the gradient, and the optimizer makes its step with it. Everything is
   computed in float32.

For example, `liec` with `sign` and `server: sharded` on 2 ranks, in the first step, where e is 0. The model's tensors
are `first` and `second`, of 6 entries each. The block has 12 entries, m = ⌈12/2⌉ = 6 becomes 8, and the shards have 8
and 4 entries:

| | shard of rank 0: `second`, `first[0:2]` | shard of rank 1: `first[2:6]` |
|---|---|---|
| g_0 | 1, −1, 3, −3, 2, 2, −2, 2 | 1, 1, −3, 3 |
| g_1 | 4, 4, −4, −6, 2, −4, −4, 4 | 1, −2, −0.5, 0.5 |
| C(g_0) | 2, −2, 2, −2, 2, 2, −2, 2 | 2, 2, −2, 2 |
| C(g_1) | 4, 4, −4, −4, 4, −4, −4, 4 | 1, −1, −1, 1 |
| v = mean(C(g_i)) + e | 3, 1, −1, −3, 3, −1, −3, 3 | 1.5, 0.5, −1.5, 1.5 |
| q = C(v) | 2.25, 2.25, −2.25, −2.25, 2.25, −2.25, −2.25, 2.25 | 1.25, 1.25, −1.25, 1.25 |
| e = v − q | 0.75, −1.25, 1.25, −0.75, 0.75, 1.25, −0.75, 0.75 | 0.25, −0.75, −0.25, 0.25 |
| u_0 = q + g_0 − C(g_0) | 1.25, 3.25, −1.25, −3.25, 2.25, −2.25, −2.25, 2.25 | 0.25, 0.25, −2.25, 2.25 |
| u_1 = q + g_1 − C(g_1) | 2.25, 2.25, −2.25, −4.25, 0.25, −2.25, −2.25, 2.25 | 1.25, 0.25, −0.75, 0.75 |

## Bits

Payload bits per parameter that a worker sends and receives in a step of each kind, with 8 workers, a matrix of 1024 ×
1024 parameters and, where the method has a compressor, `sign`; mean over the workers.

| method | bits |
|---|---|
"""
SHAPES, WORLD_SIZE = [torch.Size([1024, 1024])], 8
# Steps of a run, for methods whose options are fractions of it.
FREEZE_STEP, STEPS_PER_EPOCH, NUM_STEPS = 10, 10, 100
OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    "sgd with momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
    "adamw": torch.optim.AdamW,
    "muon": torch.optim.Muon,
}


def built_in(kind: registry.Kind) -> dict[str, type[Any]]:
    """Return the classes of liecbench itself by name, sorted."""
    classes = {name: registry.load(kind, name) for name in registry.names(kind)}
    return {name: cls for name, cls in classes.items() if cls.__module__.startswith("liecbench.")}


def made(cls: type[Algorithm]) -> Algorithm:
    """Return a method with its default options, the compressor sign if it needs one, and a run's length."""
    fields = {field.name for field in dataclasses.fields(cls)}
    options: dict[str, Any] = {"compressor": Sign()} if registry.needs_compressor(cls) else {}
    if "freeze_step" in fields:
        options["freeze_step"] = FREEZE_STEP
    if "steps_per_epoch" in fields:
        options["steps_per_epoch"] = STEPS_PER_EPOCH
    return cls(**options)


def bits(cls: type[Algorithm]) -> str:
    """Return the payload bits per parameter of each kind of step, by the method's schedule."""
    algorithm = made(cls)
    steps = {algorithm.step_kind(step): step for step in reversed(range(NUM_STEPS))}
    numel = sum(shape.numel() for shape in SHAPES)
    found = {}
    for kind, step in sorted(steps.items(), key=lambda item: item[1]):
        moved = algorithm.schedule(SHAPES, world_size=WORLD_SIZE, step=step).payload_bytes()
        found[kind] = sum(sent + received for sent, received in moved) * 8 / WORLD_SIZE / numel
    if len(found) == 1:
        return f"{next(iter(found.values())):.4g}"
    return ", ".join(f"{kind} {number:.4g}" for kind, number in found.items())


def optimizers(cls: type[Algorithm]) -> str:
    """Return the optimizers with which the method works, and why it refuses the others."""
    algorithm, accepted, refusals = made(cls), [], []
    for name, make in OPTIMIZERS.items():
        defaults = make([torch.nn.Parameter(torch.zeros(2, 2))]).defaults
        reason = algorithm.incompatible_optimizer(name.partition(" ")[0], defaults)
        if reason is None:
            accepted.append(name)
        else:
            refusals.append(f"{name}: {reason}")
    if not refusals:
        return "any optimizer"
    return f"{', '.join(accepted)}. Refused: {'; '.join(refusals)}"


def compressors(cls: type[Algorithm]) -> str:
    """Return which compressors the method takes."""
    if not registry.takes(cls, "compressor"):
        return "no compressor option"
    refused = [name for name, one in built_in("compressor").items() if cls.incompatibility(one())]
    need = "a compressor" if registry.needs_compressor(cls) else "a compressor, if one is wanted"
    return f"{need}, but not {', '.join(f'`{name}`' for name in refused)}" if refused else f"{need}, any"


def options(kind: registry.Kind, name: str) -> str:
    """Return the options of a scenario with their defaults, or the word none."""
    fields = registry.options_model(kind, name).model_fields
    texts = [f"`{field}` {info.default!r}" for field, info in fields.items()]
    if registry.takes(registry.load(kind, name), "server"):
        texts.append("`server` sharded or root")
    if registry.takes(registry.load(kind, name), "block_order"):
        texts.append("`block_order` backward or forward")
    return ", ".join(texts) or "none"


def prose(kind: registry.Kind, name: str, cls: type) -> str:
    """Return a class's docstring in Markdown, with its attributes, and the options it inherits, as a list."""
    body, described = docstring(cls)
    fields = registry.options_model(kind, name).model_fields
    for base in cls.__mro__[1:]:
        inherited = docstring(base)[1]
        described |= {one: text for one, text in inherited.items() if one in fields and one not in described}
    items = [wrapped(f"- `{one}`: {text}") for one, text in described.items()]
    return "\n".join([body, *([""] if items else []), *items])


def docstring(cls: type) -> tuple[str, dict[str, str]]:
    """Return a class's own docstring in Markdown without its attributes, and the description of each attribute."""
    text = inspect.cleandoc(cls.__doc__ or "").replace("``", "`")
    text = re.sub(r"`[^`]*`|\*", lambda found: "\\*" if found[0] == "*" else found[0], text)
    body, _, attributes = text.partition("\n\nAttributes:\n")
    items = (item.partition(": ") for item in re.split(r"^    (?=\w+: )", attributes, flags=re.MULTILINE) if item)
    return body, {name: " ".join(meaning.split()) for name, _, meaning in items}


def facts(texts: dict[str, str]) -> str:
    """Return a list of titles and sentences without their full stops."""
    return "\n".join(wrapped(f"- **{title}**: {text}.") for title, text in texts.items())


def wrapped(item: str) -> str:
    """Return an item of a list in lines of at most 120 characters."""
    return textwrap.fill(item, 120, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def method(name: str, cls: type[Algorithm]) -> Iterator[str]:
    """Yield the paragraphs about one method."""
    assert cls.notes is not None, f"{cls.__name__} has no notes: give the class a MethodNotes"
    yield f"### `{name}`: `{cls.__name__}`"
    yield prose("algorithm", name, cls)
    yield facts(
        {
            "sends": cls.notes.sends,
            "remembers": cls.notes.remembers,
            "optimizer": optimizers(cls),
            "clipping": "by the norm of the update"
            if cls.clipping_refusal is None
            else f"refused: {cls.clipping_refusal}",
            "compressor": compressors(cls),
            "options": options("algorithm", name),
            "source": cls.notes.source,
            "differs from its source": cls.notes.differs,
        }
    )


def compressor(name: str, cls: type[Compressor]) -> Iterator[str]:
    """Yield the paragraphs about one compressor."""
    one = cls()
    numel = sum(shape.numel() for shape in SHAPES)
    yield f"### `{name}`: `{cls.__name__}`"
    yield prose("compressor", name, cls)
    refusal = f"no; methods with error feedback refuse it: {one.error_memory_refusal}"
    yield facts(
        {
            "bits per parameter": f"{one.payload_bytes(numel) * 8 / numel:.4g} with the defaults",
            "contraction": "yes" if one.is_contraction else refusal,
            "options": options("compressor", name),
        }
    )


def page() -> str:
    """Return the whole page."""
    methods = built_in("algorithm")
    rows = "".join(f"| `{name}` | {bits(cls)} |\n" for name, cls in methods.items())
    sections = [INTRODUCTION + rows, "## Methods\n"]
    sections += ["\n\n".join(method(name, cls)) + "\n" for name, cls in methods.items()]
    sections.append("## Compressors\n")
    sections += ["\n\n".join(compressor(name, cls)) + "\n" for name, cls in built_in("compressor").items()]
    return "\n".join(sections)


if __name__ == "__main__":
    sys.stdout.write(page())
