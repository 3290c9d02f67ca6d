import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d
from torch.nn.parallel import DistributedDataParallel

from liecbench.errors import LiecbenchError
from liecbench.tasks.base import Model, cross_entropy
from liecbench.tasks.resnet import Block, ResNet18, ResNet34
from tests.distributed import run_ranks


def numel(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def missing_gradients(network: nn.Module) -> int:
    return sum(parameter.grad is None for parameter in network.parameters())


def numel_by_hand(num_blocks: tuple[int, ...], in_channels: int, num_classes: int) -> int:
    """Count weights of 3×3 convolutions, weight and bias of each BatchNorm, 1×1 shortcuts where the channels double."""
    total = 9 * in_channels * 64
    for channels, blocks in zip((64, 128, 256, 512), num_blocks, strict=True):
        before = max(64, channels // 2)
        first = 2 * before + 9 * before * channels + 2 * channels + 9 * channels * channels
        shortcut = before * channels if before != channels else 0
        total += first + shortcut + (blocks - 1) * (2 * 2 * channels + 2 * 9 * channels * channels)
    return total + 512 * num_classes + num_classes


def distributed_steps() -> int:
    """Train for two steps, of which DDP would refuse the second if a parameter had no gradient."""
    ddp = DistributedDataParallel(ResNet18().build((3, 8, 8), 10))
    for _ in range(2):
        cross_entropy(ddp(torch.randn(2, 3, 8, 8)), torch.tensor([0, 1])).backward()
    return missing_gradients(ddp)


def normalised(x: Tensor) -> Tensor:
    """Apply BatchNorm in training, as it is before its first step, and ReLU."""
    return batch_norm(x, None, None, training=True).clamp(min=0)


@pytest.mark.parametrize(
    ("model", "num_blocks", "num_classes", "expected"),
    [
        (ResNet18(), (2, 2, 2, 2), 10, 11_171_146),
        (ResNet34(), (3, 4, 6, 3), 10, 21_279_306),
        (ResNet34(), (3, 4, 6, 3), 100, 21_325_476),
    ],
)
def test_parameters_are_counted_by_hand(
    model: Model, num_blocks: tuple[int, ...], num_classes: int, expected: int
) -> None:
    with torch.device("meta"):
        network = model.build((3, 32, 32), num_classes)

    assert (expected, expected) == (numel(network), numel_by_hand(num_blocks, 3, num_classes))


@pytest.mark.parametrize("model", [ResNet18(), ResNet34()])
@pytest.mark.parametrize("input_shape", [(1, 8, 8), (3, 32, 32), (3, 64, 64), (3, 9, 17)])
def test_it_runs_without_storage(model: Model, input_shape: tuple[int, ...]) -> None:
    with torch.device("meta"):
        logits = model.build(input_shape, 10)(torch.empty(2, *input_shape))

    assert (logits.shape, logits.device.type) == ((2, 10), "meta")


def test_a_block_of_the_same_shape_adds_to_its_input() -> None:
    block, x = Block(4, 4, stride=1), torch.randn(2, 4, 6, 6)
    conv1, conv2 = block.conv1.weight, block.conv2.weight

    expected = x + conv2d(normalised(conv2d(normalised(x), conv1, padding=1)), conv2, padding=1)
    torch.testing.assert_close(block(x), expected)


def test_a_block_of_another_shape_adds_to_a_convolution() -> None:
    block, x = Block(4, 8, stride=2), torch.randn(2, 4, 6, 6)
    assert isinstance(block.shortcut, nn.Conv2d)
    conv1, conv2, shortcut = block.conv1.weight, block.conv2.weight, block.shortcut.weight

    out = normalised(x)
    residual = conv2d(normalised(conv2d(out, conv1, stride=2, padding=1)), conv2, padding=1)
    torch.testing.assert_close(block(x), residual + conv2d(out, shortcut, stride=2))


def test_images_shrink_from_the_second_stage_on() -> None:
    shapes = []
    with torch.device("meta"):
        x = torch.empty(2, 3, 32, 32)
        for layer in ResNet18().build((3, 32, 32), 10).children():
            x = layer(x)
            shapes.append(tuple(x.shape[1:]))

    assert shapes == [
        (64, 32, 32),
        (64, 32, 32),
        (128, 16, 16),
        (256, 8, 8),
        (512, 4, 4),
        (512, 1, 1),
        (512,),
        (10,),
    ]


def test_the_random_state_decides_the_network() -> None:
    torch.manual_seed(3)
    first = ResNet18().build((3, 8, 8), 10)
    torch.manual_seed(3)
    second = ResNet18().build((3, 8, 8), 10)

    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_it_overfits_a_batch() -> None:
    torch.manual_seed(0)
    network = ResNet18().build((3, 8, 8), 4)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    inputs, labels = torch.randn(8, 3, 8, 8), torch.arange(8) % 4
    for _ in range(15):
        optimizer.zero_grad()
        loss = cross_entropy(network(inputs), labels)
        loss.backward()
        optimizer.step()

    assert loss < 0.1


def test_evaluation_takes_each_image_alone() -> None:
    network = ResNet18().build((3, 8, 8), 10)
    network(torch.randn(4, 3, 8, 8))
    inputs = torch.randn(4, 3, 8, 8)

    torch.testing.assert_close(network.eval()(inputs)[:1], network(inputs[:1]))


def test_it_runs_in_bf16() -> None:
    network = ResNet18().build((3, 8, 8), 10)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(torch.randn(4, 3, 8, 8))
        cross_entropy(logits, torch.tensor([0, 1, 2, 3])).backward()

    assert logits.dtype == torch.bfloat16
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


@pytest.mark.parametrize("model", [ResNet18(), ResNet34()])
def test_every_parameter_gets_a_gradient(model: Model) -> None:
    network = model.build((3, 8, 8), 10)
    cross_entropy(network(torch.randn(2, 3, 8, 8)), torch.tensor([0, 1])).backward()

    assert missing_gradients(network) == 0


def test_ddp_finds_every_gradient() -> None:
    assert run_ranks(distributed_steps, 2) == [0, 0]


def test_examples_that_are_no_images_are_refused() -> None:
    with pytest.raises(LiecbenchError, match=r"\(64,\); choose another model"):
        ResNet18().build((64,), 10)
