"""Random images in the place of a data set: for what needs its shape, and not what it shows."""

# Shapes: N images, C channels, H W image.

import torch

from convrepro.data import ImageSplit
from convrepro.protocols.schema import Config


def generated(config: Config, num_images: int) -> ImageSplit:
    """Images with random pixels and labels, and masks where the task needs them, of a config's data set.

    Args:
        config: of the data set and the task.
        num_images: how many, at least one; the same ones for the same number.
    """
    dataset, generator = config.dataset, torch.Generator().manual_seed(0)
    height, width = dataset.stored_size or dataset.image_size
    images_NCHW = torch.randint(
        256, (num_images, dataset.in_channels, height, width), generator=generator, dtype=torch.uint8
    )
    labels_N = torch.randint(dataset.num_classes, (num_images,), generator=generator)
    if config.protocol.task != "segmentation":
        return ImageSplit(images_NCHW, labels_N)
    shape = (num_images, 1, height, width)
    masks_N1HW = torch.randint(dataset.num_classes, shape, generator=generator, dtype=torch.uint8)
    return ImageSplit(images_NCHW, labels_N, masks=ImageSplit(masks_N1HW, labels_N))
