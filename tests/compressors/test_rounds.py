import pytest
import torch
from hypothesis import given

from liecbench.compressors import Compressor, Identity, Int8, RandomK, RngKey, Rounds, Sign, TopK
from tests.compressors.vectors import normal, vectors

INNER: list[Compressor] = [Identity(), Sign(), TopK(0.1), Int8()]
inner = pytest.mark.parametrize("compressor", INNER, ids=str)


@inner
@given(vector=vectors())
def test_each_round_compresses_the_residual_of_the_round_before(compressor: Compressor, vector: torch.Tensor) -> None:
    left, sent = vector.clone(), torch.zeros_like(vector)
    payloads = []
    for _ in range(3):
        message = compressor.compress(left, left)
        compressor.decompress(message, sent, accumulate=True)
        payloads.append(message.payload)
    residual = torch.empty_like(vector)

    message = Rounds(compressor, 3).compress(vector, residual)

    assert torch.equal(message.payload, torch.cat(payloads))
    assert torch.equal(residual, left)
    torch.testing.assert_close(Rounds(compressor, 3).decompress(message), sent)


@inner
def test_a_message_holds_those_of_all_rounds(compressor: Compressor) -> None:
    assert Rounds(compressor, 3).payload_bytes(1001) == 3 * compressor.payload_bytes(1001)


def test_one_round_is_the_compressor_alone() -> None:
    vector = normal(77)

    assert torch.equal(Rounds(Sign(), 1).compress(vector).payload, Sign().compress(vector).payload)


@pytest.mark.parametrize("stage", [0, 1])
def test_every_round_of_every_stage_has_its_own_random_numbers(stage: int) -> None:
    rounds, vector = Rounds(RandomK(0.5), 2), torch.ones(4000)

    sent = rounds.with_rng(RngKey(stage=stage))
    other = rounds.with_rng(RngKey(stage=1 - stage))

    kept = [4000 - int(c.decompress(c.compress(vector)).sum()) for c in (sent, other)]
    both = (sent.decompress(sent.compress(vector)) + other.decompress(other.compress(vector)) == 0).sum()
    assert [abs(left - 1000) < 150 for left in kept] == [True, True]
    assert abs(int(both) - 250) < 90


def test_a_value_that_is_not_finite_shows_in_any_round() -> None:
    rounds = Rounds(Sign(), 2)
    message = rounds.compress(normal(12))
    message.payload[message.payload_bytes // 2 :][:4] = 255

    assert not rounds.is_finite(message)
