import torch

from liecbench.algorithms.comm.partition import Shard
from liecbench.algorithms.comm.shard_compressors import ShardCompressors, total_message_bytes
from liecbench.compressors import QSGD, Message, RandomK, Sign
from liecbench.compressors.base import Compressor

SHARDS = [Shard(0, 0, 100), Shard(1, 100, 300)]
VECTOR = torch.linspace(-1, 1, 200)


def bits(compressor: Compressor) -> bytes:
    message: Message = compressor.compress(VECTOR.clone())
    return bytes(message.payload.contiguous().view(torch.uint8).numpy())


def test_each_shard_and_each_push_has_random_numbers_of_its_own() -> None:
    messages = ShardCompressors(rank=1)
    found = []
    for step in (0, 0, 1):
        messages.rng.begin(step, block=0)
        for _ in range(2):
            messages.rng.begin_push()
            found.append([bits(one) for one in messages.of(QSGD(), SHARDS).values()])

    first, second, again, second_again, *next_step = found
    assert (first, second) == (again, second_again)
    assert len({one for push in (first, second, *next_step) for one in push}) == 8


def test_a_compressor_without_random_numbers_is_the_same_for_all_shards() -> None:
    sign, messages = Sign(), ShardCompressors(rank=0)

    assert list(messages.of(sign, SHARDS).values()) == [sign, sign]
    assert messages.decoder(sign, SHARDS[0], sender=3) is sign


def test_a_message_that_only_its_sender_s_numbers_decode_is_decoded_with_them() -> None:
    sender, receiver = ShardCompressors(rank=1), ShardCompressors(rank=0)
    compressor = RandomK(ratio=0.1, shared_mask=False)
    assert compressor.decodes_by_sender
    for messages in (sender, receiver):
        messages.rng.begin_push()

    message = sender.of(compressor, SHARDS)[SHARDS[0]].compress(VECTOR.clone())
    own = receiver.of(compressor, SHARDS)[SHARDS[0]]
    decoded = [one.decompress(message) for one in (receiver.decoder(own, SHARDS[0], sender=1), own)]

    chosen = decoded[0].nonzero().flatten()
    assert len(chosen) == 20
    assert torch.equal(decoded[0][chosen], VECTOR[chosen])
    assert not torch.equal(decoded[1], decoded[0])


def test_message_bytes_are_added_over_shards() -> None:
    # A sign per entry and a scale: 13 and 4 bytes for 100 entries, 25 and 4 for 200.
    found = total_message_bytes(ShardCompressors(rank=0).of(Sign(), [Shard(0, 0, 100), Shard(1, 100, 300)]))

    assert found == Sign().message_bytes(100) + Sign().message_bytes(200)
