from collections import Counter

import numpy as np
import pytest
import torch
from torch import Tensor

from liecbench.tasks.images import CropAndFlip, Normalise, image_examples
from liecbench.tasks.prepared import Labelled

MEAN, STD = (0.491, 0.482, 0.447), (0.247, 0.243, 0.262)


def images(n: int, height: int = 32, width: int = 32) -> Tensor:
    drawn = np.random.default_rng(1).integers(0, 256, (n, 3, height, width), np.uint8)
    return torch.from_numpy(drawn)


def normalised(image: Tensor) -> Tensor:
    """Return normalised images, in double precision by the definition."""
    channels = [(image[c].double() / 255 - MEAN[c]) / STD[c] for c in range(3)]
    return torch.stack(channels)


def crop(image: Tensor, down: int, right: int, mirrored: bool, padding: int) -> Tensor:
    """Return the crop of an image, pixel by pixel."""
    _, height, width = image.shape
    out = torch.zeros_like(image)
    for y in range(height):
        for x in range(width):
            from_y = y + down - padding
            from_x = (width - 1 - x if mirrored else x) + right - padding
            if 0 <= from_y < height and 0 <= from_x < width:
                out[:, y, x] = image[:, from_y, from_x]
    return out


def every_crop(image: Tensor, padding: int) -> dict[tuple[int, int, bool], Tensor]:
    offsets = range(2 * padding + 1)
    return {
        (down, right, mirrored): normalised(crop(image, down, right, mirrored, padding))
        for down in offsets
        for right in offsets
        for mirrored in (False, True)
    }


def test_images_are_normalised_by_channel() -> None:
    batch = images(5)
    expected = torch.stack([normalised(image) for image in batch])
    found = Normalise(MEAN, STD)(batch, np.random.default_rng(0))

    assert (found.dtype, found.shape) == (torch.float32, batch.shape)
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("height", "width", "padding"), [(6, 5, 2), (4, 4, 4), (8, 9, 1), (3, 2, 0)])
def test_each_image_is_one_of_its_crops_and_each_crop_is_as_likely(height: int, width: int, padding: int) -> None:
    (image,) = images(1, height, width)
    crops = every_crop(image, padding)
    expected = torch.stack(list(crops.values())).flatten(1)
    times = 60
    n = times * len(crops)
    found = CropAndFlip(MEAN, STD, padding)(image.expand(n, -1, -1, -1), np.random.default_rng(2))
    distances = (found.double().flatten(1)[:, None] - expected).abs().amax(dim=2)
    nearest = distances.min(dim=1)

    assert (found.dtype, found.shape) == (torch.float32, (n, 3, height, width))
    assert float(nearest.values.max()) < 1e-6
    if padding < min(height, width):
        # Crops that show nothing but padding look the same; where there are none, each comes about `times` times.
        counts = Counter(nearest.indices.tolist())
        assert set(counts) == set(range(len(crops)))
        assert max(abs(count - times) for count in counts.values()) < 6 * times**0.5


def test_every_image_of_a_batch_is_cropped_from_itself() -> None:
    batch = images(40, 6, 6)
    found = CropAndFlip(MEAN, STD, 1)(batch, np.random.default_rng(3))
    for image, out in zip(batch, found, strict=True):
        assert min(float((out.double() - crop).abs().max()) for crop in every_crop(image, 1).values()) < 1e-6


def test_four_pixels_are_the_default() -> None:
    (image,) = images(1)
    n = 4000
    found = CropAndFlip(MEAN, STD)(image.expand(n, -1, -1, -1), np.random.default_rng(4))
    black = -torch.tensor(MEAN) / torch.tensor(STD)
    black_rows = ((found - black[:, None, None]).abs() < 1e-6).all(dim=(1, 3))

    assert int(black_rows.sum(dim=1).max()) == 4
    assert len(found.unique(dim=0)) == 2 * 9 * 9


def test_the_generator_alone_decides() -> None:
    batch, augment = images(64), CropAndFlip(MEAN, STD)
    first, second = np.random.default_rng(5), np.random.default_rng(5)
    torch.manual_seed(0)
    one = [augment(batch, first) for _ in range(2)]
    torch.manual_seed(1)
    other = [augment(batch, second) for _ in range(2)]

    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], other[1])
    assert not torch.equal(one[0], one[1])


@pytest.mark.parametrize("transform", [Normalise(MEAN, STD), CropAndFlip(MEAN, STD)])
def test_the_batch_is_left_as_it_is(transform: Normalise | CropAndFlip) -> None:
    batch = images(8)
    before = batch.clone()
    transform(batch, np.random.default_rng(6)).zero_()

    assert torch.equal(before, batch)


def test_an_empty_batch_stays_empty() -> None:
    assert CropAndFlip(MEAN, STD)(images(0), np.random.default_rng(7)).shape == (0, 3, 32, 32)


@pytest.mark.parametrize("augment", [True, False])
def test_only_training_images_are_augmented(augment: bool) -> None:
    part = Labelled(images(30).numpy(), np.arange(30))
    train, test = image_examples((part, part), augment)
    indices, random = torch.arange(5, 25), np.random.default_rng(8)
    plain = Normalise(MEAN, STD)(images(30)[5:25], random)
    inputs, labels = train.batch(indices, random)
    held_out, _ = test.batch(indices, random)

    assert torch.equal(indices, labels)
    assert torch.equal(plain, held_out)
    assert torch.equal(plain, inputs) != augment


@pytest.mark.parametrize("transform", [Normalise(MEAN, STD), CropAndFlip(MEAN, STD)])
def test_transforms_work_on_the_device_of_the_batch(transform: Normalise | CropAndFlip) -> None:
    # Torch refuses to mix the meta device with another, as it does a GPU.
    found = transform(images(8).to("meta"), np.random.default_rng(9))

    assert (found.device.type, found.shape) == ("meta", (8, 3, 32, 32))
