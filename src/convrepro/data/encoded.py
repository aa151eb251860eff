"""One encoded image, as packs and folders hold them, decoded to pixels of a given shape."""

import io
import warnings
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

# A forged header must not take more than 192 MiB (as RGB) of each process that decodes. 2**24 would do for packs, whose
# images were made small; folders hold photographs as cameras take them, which have 12 to 50 megapixels.
_MAX_PIXELS = 1 << 26
_NEAREST = Image.Resampling.NEAREST
MODE = {1: "L", 3: "RGB"}  # Pillow's name for a number of channels
# What Pillow raises on files that are cut, forged or no images.
_BROKEN = (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning)


def decode(
    content: bytes,
    shape_HWC: tuple[int, int, int],
    *,
    resize: bool,
    stretch: bool = False,
    crop: Sequence[int] | None = None,
    is_mask: bool = False,
    formats: tuple[str, ...] = ("JPEG", "PNG"),
    other_modes: tuple[str, ...] = (),
) -> np.ndarray:
    """Pixels of an image, ``uint8`` of ``shape_HWC`` with 1 or 3 channels.

    Args:
        content: the file's bytes.
        shape_HWC: what the image must be, or become.
        resize: whether it is scaled until it covers that size, keeping its aspect ratio, and cropped around the centre
            (Lanczos).
        stretch: whether it is scaled to exactly that size instead, whatever its aspect ratio (bilinear).
        crop: top, left, height and width of the part that is taken before it is scaled; None takes all.
        is_mask: whether pixels are classes: scaling then takes the nearest.
        formats: that are read, as Pillow names them.
        other_modes: Pillow's colour modes that are converted to the one of ``shape_HWC``.

    Raises:
        ValueError: if it is broken or not what it must be; one line that does not name it.
    """
    height, width, channels = shape_HWC
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            image = _open(content, MODE[channels], formats, other_modes)
            if crop is not None:
                image = _part_of(image, *crop)
            if stretch:
                image = image.resize((width, height), _NEAREST if is_mask else Image.Resampling.BILINEAR)
            elif resize:
                image = ImageOps.fit(image, (width, height), _NEAREST if is_mask else Image.Resampling.LANCZOS)
        except _BROKEN as error:
            raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error
    if image.size != (width, height):
        raise ValueError(f"it must be {width}x{height} pixels, got {image.width}x{image.height}")
    return np.asarray(image).reshape(shape_HWC)


def _part_of(image: Image.Image, top: int, left: int, height: int, width: int) -> Image.Image:
    if not (0 <= top < top + height <= image.height and 0 <= left < left + width <= image.width):
        raise ValueError(
            f"its part of {width}x{height} pixels at ({left}, {top}) lies outside {image.width}x{image.height}"
        )
    return image.crop((left, top, left + width, top + height))


def _open(content: bytes, mode: str, formats: tuple[str, ...], other_modes: tuple[str, ...]) -> Image.Image:
    try:
        image: Image.Image = Image.open(io.BytesIO(content), formats=formats)
    except UnidentifiedImageError as error:
        raise ValueError(f"it is neither {' nor '.join(formats)}") from error
    if image.width * image.height > _MAX_PIXELS:
        raise ValueError(f"it has more than {_MAX_PIXELS:,} pixels")
    modes = dict.fromkeys((mode, *other_modes))
    if image.mode not in modes:
        raise ValueError(f"its mode must be {' or '.join(modes)}, got {image.mode}")
    image.load()
    return image if image.mode == mode else image.convert(mode)
