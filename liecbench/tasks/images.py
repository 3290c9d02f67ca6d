"""Turn stored images into batches for networks: normalise images and, for training, crop and mirror them at random."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from liecbench.tasks.base import Examples
from liecbench.tasks.prepared import Parts


@dataclass(frozen=True, slots=True)
class Normalise:
    """Normalise images: (pixel / 255 − ``mean``) / ``std`` per channel, from uint8 ``[n, c, h, w]`` to float32."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: Tensor, random: np.random.Generator) -> Tensor:
        """Return the normalised images, float32 ``[n, c, h, w]``. ``random`` is not used."""
        return _normalised(images, self.mean, self.std)


@dataclass(frozen=True, slots=True)
class CropAndFlip:
    """A random augmentation of images, as in He et al. 2016 (arXiv:1512.03385, section 4.2).

    Each image is padded with black pixels, cropped back to its size at a random offset, mirrored with probability 1/2,
    and normalised. The images are uint8, of shape ``[n, c, h, w]``. The augmented images are float32, of equal shape.

    Attributes:
        mean: The mean of each channel, for pixels from 0 to 1. The augmentation subtracts this mean.
        std: The standard deviation of each channel, for pixels from 0 to 1. The augmentation divides by this deviation.
        padding: The number of black pixels that are added on each side of an image.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    padding: int = 4

    def __call__(self, images: Tensor, random: np.random.Generator) -> Tensor:
        """Return the augmented images. ``random`` draws each image's crop offset, and whether the image is mirrored."""
        n, channels, height, width = images.shape
        draws = np.concatenate([random.integers(2 * self.padding + 1, size=(2, n)), random.integers(2, size=(1, n))])
        down, right, mirrored = torch.from_numpy(draws).to(images.device).unsqueeze(2)
        across = torch.arange(width, device=images.device)
        rows = down + torch.arange(height, device=images.device)
        columns = right + torch.where(mirrored.bool(), across.flip(0), across)
        # One gather with an index that all channels share was the fastest of seven ways tried; unfolded windows were
        # one of them.
        pixels = rows.unsqueeze(2) * (width + 2 * self.padding) + columns.unsqueeze(1)
        padded = pad(images, (self.padding,) * 4).flatten(2)
        taken = padded.gather(2, pixels.view(n, 1, height * width).expand(n, channels, height * width))
        return _normalised(taken.view_as(images), self.mean, self.std)


def _normalised(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    factors = [[1 / (255 * deviation)] for deviation in std]
    shifts = [[-average / deviation] for average, deviation in zip(mean, std, strict=True)]
    scale = torch.tensor(factors, device=images.device).unsqueeze(2)
    shift = torch.tensor(shifts, device=images.device).unsqueeze(2)
    return images.to(torch.float32, copy=True).mul_(scale).add_(shift)


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """The mean and the standard deviation of each channel of training images, whose pixels are from 0 to 1."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


# CIFAR-10's are customary for other datasets, too. Tiny ImageNet's are those of the LIEC-SGD authors' runs.
CIFAR10: Final = ChannelStatistics(mean=(0.491, 0.482, 0.447), std=(0.247, 0.243, 0.262))
TINY_IMAGENET: Final = ChannelStatistics(mean=(0.4169, 0.3874, 0.3430), std=(0.2862, 0.2728, 0.2751))


def image_examples(parts: Parts, augment: bool, statistics: ChannelStatistics = CIFAR10) -> tuple[Examples, Examples]:
    """Return training and test examples. If ``augment``, training images are cropped and mirrored at random.

    ``parts`` are the training and the test images. Batches of both are normalised by ``statistics``.
    """
    train, test = parts
    mean, std = statistics.mean, statistics.std
    normalise = Normalise(mean, std)
    return (
        Examples(
            inputs=torch.from_numpy(train.images),
            labels=torch.from_numpy(train.labels),
            transform=CropAndFlip(mean, std) if augment else normalise,
        ),
        Examples(inputs=torch.from_numpy(test.images), labels=torch.from_numpy(test.labels), transform=normalise),
    )
