import math

import pytest
import torch
from pydantic import ValidationError
from torch.nn.functional import layer_norm, softmax
from torch.nn.parallel import DistributedDataParallel

from liecbench.errors import LiecbenchError
from liecbench.tasks.base import cross_entropy
from liecbench.tasks.gpt import GPT, Attention
from tests.distributed import run_ranks

SMALL = GPT(width=32, layers=2, heads=4)


def distributed_steps() -> int:
    """Train for two steps, of which DDP would refuse the second if a parameter had no gradient."""
    ddp = DistributedDataParallel(SMALL.build((8,), 11))
    for _ in range(2):
        tokens = torch.randint(11, (2, 6))
        cross_entropy(ddp(tokens[:, :-1]), tokens[:, 1:]).backward()
    return sum(parameter.grad is None for parameter in ddp.parameters())


def numel_by_hand(vocabulary: int, context: int, width: int, layers: int) -> int:
    attention = (3 * width * width + 3 * width) + (width * width + width)
    mlp = (4 * width * width + 4 * width) + (4 * width * width + width)
    norm = 2 * width
    return vocabulary * width + context * width + layers * (attention + mlp + 2 * norm) + norm


@pytest.mark.parametrize(
    ("model", "context", "vocabulary", "expected"),
    [
        (GPT(), 64, 65, 809_856),
        (GPT(width=32, layers=2, heads=1), 16, 10, 26_304),
        (GPT(width=768, layers=12, heads=12), 1024, 50_257, 124_439_808),  # GPT-2 small
    ],
)
def test_parameters_are_counted_by_hand(model: GPT, context: int, vocabulary: int, expected: int) -> None:
    with torch.device("meta"):
        network = model.build((context,), vocabulary)
    numel = sum(parameter.numel() for parameter in network.parameters())

    assert (expected, expected) == (numel, numel_by_hand(vocabulary, context, model.width, model.layers))


def test_weights_start_as_gpt_2s() -> None:
    torch.manual_seed(0)
    weights = dict(GPT(layers=8).build((256,), 65).named_parameters())
    stds = {name: weight.std().item() for name, weight in weights.items() if weight.dim() == 2}
    residual = ("attention.projection.weight", "mlp.2.weight")

    assert stds == {name: pytest.approx(0.02 / 4 if name.endswith(residual) else 0.02, rel=0.05) for name in stds}
    assert len([name for name in stds if name.endswith(residual)]) == 16
    assert not any(weight.any() for name, weight in weights.items() if name.endswith("bias"))


def test_the_loss_starts_at_chance() -> None:
    torch.manual_seed(0)
    tokens = torch.randint(65, (8, 65))

    loss = cross_entropy(GPT().build((64,), 65)(tokens[:, :-1]), tokens[:, 1:])
    assert loss.item() == pytest.approx(math.log(65), abs=0.05)


@pytest.mark.parametrize("changed", [0, 5, 15])
def test_logits_see_no_later_token(changed: int) -> None:
    network = SMALL.build((16,), 11)
    tokens = torch.randint(11, (2, 16))
    others = tokens.clone()
    others[:, changed] = (others[:, changed] + 1) % 11
    difference = (network(tokens) - network(others)).abs().amax(dim=(0, 2))

    assert difference[:changed].sum().item() <= 1e-6
    assert (difference[changed:] > 1e-6).all()


def test_attention_is_the_formula() -> None:
    attention, x = Attention(width=6, heads=2, residual_std=0.1), torch.randn(3, 5, 6)
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter)
    query, key, value = (x @ attention.qkv.weight.T + attention.qkv.bias).split(6, dim=-1)
    later = torch.ones(5, 5, dtype=torch.bool).triu(1)

    heads = []
    for part in (slice(0, 3), slice(3, 6)):
        scores = query[..., part] @ key[..., part].transpose(1, 2) / math.sqrt(3)
        heads.append(softmax(scores.masked_fill(later, -math.inf), dim=-1) @ value[..., part])
    expected = torch.cat(heads, dim=-1) @ attention.projection.weight.T + attention.projection.bias
    torch.testing.assert_close(attention(x), expected)


def test_the_head_is_the_embedding() -> None:
    torch.manual_seed(0)
    network = GPT(width=32, layers=1, heads=1).build((4,), 11)
    parameters = dict(network.named_parameters())
    for name, parameter in parameters.items():
        if name.startswith("blocks"):
            torch.nn.init.zeros_(parameter)  # what is left of the network adds nothing
    tokens = torch.tensor([[3, 1, 4]])

    embedded = parameters["tokens"][tokens] + parameters["positions"][:3]
    torch.testing.assert_close(network(tokens), layer_norm(embedded, (32,)) @ parameters["tokens"].T)


def test_the_random_state_decides_the_network() -> None:
    torch.manual_seed(3)
    first = SMALL.build((16,), 11)
    torch.manual_seed(3)
    second = SMALL.build((16,), 11)

    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_it_learns_a_text_by_heart() -> None:
    torch.manual_seed(0)
    text = torch.tensor(list(b"the quick brown fox ") * 5) % 32
    network = SMALL.build((40,), 32)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    windows = text.unfold(0, 41, 10)
    for _ in range(60):
        optimizer.zero_grad()
        loss = cross_entropy(network(windows[:, :-1]), windows[:, 1:])
        loss.backward()
        optimizer.step()

    assert loss < 0.1


def test_it_runs_without_storage() -> None:
    with torch.device("meta"):
        logits = GPT().build((64,), 65)(torch.zeros(2, 64, dtype=torch.int64))

    assert (logits.shape, logits.device.type) == ((2, 64, 65), "meta")


def test_it_runs_in_bf16() -> None:
    network = SMALL.build((16,), 11)
    tokens = torch.randint(11, (2, 17))
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(tokens[:, :-1])
        cross_entropy(logits, tokens[:, 1:]).backward()

    assert logits.dtype == torch.bfloat16
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_evaluation_changes_nothing() -> None:
    network = SMALL.build((16,), 11)
    tokens = torch.randint(11, (2, 9))

    assert torch.equal(network(tokens), network.eval()(tokens))


def test_every_parameter_gets_a_gradient_under_ddp() -> None:
    assert run_ranks(distributed_steps, 2) == [0, 0]


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValidationError, match=r"width of 100 does not divide into 3 heads; choose .* multiple of 3"):
        GPT(width=100, heads=3)


def test_other_inputs_than_texts_are_refused() -> None:
    with pytest.raises(LiecbenchError, match=r"\(1, 8, 8\); choose another model"):
        GPT().build((1, 8, 8), 10)
