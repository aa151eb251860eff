"""One encoded image, as packs and folders hold them, decoded to pixels of a given shape."""

import contextlib
import io
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

# A forged header must not take more than 256 MiB (as RGB) of each process that decodes. 2**24 would do for packs, whose
# images were made small; folders hold photographs as cameras take them, which have 12 to 50 megapixels.
_MAX_PIXELS = 1 << 26
_NEAREST = Image.Resampling.NEAREST
MODE = {1: "L", 3: "RGB"}  # Pillow's name for a number of channels
# What Pillow raises on files that are cut, forged or no images.
_BROKEN = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, ArithmeticError, TypeError, AttributeError, RuntimeError,
    MemoryError, struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip


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
    with _refusals():
        image = _loaded(_opened(content, formats), MODE[channels], other_modes)
        if crop is not None:
            image = _part_of(image, *crop)
        if stretch:
            image = image.resize((width, height), _NEAREST if is_mask else Image.Resampling.BILINEAR)
        elif resize:
            image = ImageOps.fit(image, (width, height), _NEAREST if is_mask else Image.Resampling.LANCZOS)
    if image.size != (width, height):
        raise ValueError(f"it must be {width}x{height} pixels, got {image.width}x{image.height}")
    return np.asarray(image).reshape(shape_HWC)


def decode_as_it_is(content: bytes, formats: tuple[str, ...]) -> np.ndarray:
    """Pixels of an image of whatever size, ``uint8``, with 1 channel if it is grey and 3 if it is coloured.

    Raises:
        ValueError: if it is broken, has another mode or is of another format; one line that does not name it.
    """
    with _refusals():
        image = _opened(content, formats)
        if image.mode not in MODE.values():
            raise ValueError(f"it must be grey or RGB with 8 bits, got mode {image.mode}")
        image.load()
        return np.asarray(image).reshape(image.height, image.width, -1)


def check_size(content: bytes, size: tuple[int, int], formats: tuple[str, ...]) -> None:
    """Raises ValueError, one line that does not name the image, unless its header says this width and height."""
    with _refusals():
        if (found := _opened(content, formats).size) != size:
            raise ValueError(f"it must be {size[0]}x{size[1]} pixels, got {found[0]}x{found[1]}")


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Within it, whatever Pillow raises on a broken image is a ValueError of one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except _BROKEN as error:
            raise ValueError(" ".join(str(error).split()).rstrip(".") or type(error).__name__) from error


def _part_of(image: Image.Image, top: int, left: int, height: int, width: int) -> Image.Image:
    if not (0 <= top < top + height <= image.height and 0 <= left < left + width <= image.width):
        raise ValueError(
            f"its part of {width}x{height} pixels at ({left}, {top}) lies outside {image.width}x{image.height}"
        )
    return image.crop((left, top, left + width, top + height))


def _opened(content: bytes, formats: tuple[str, ...]) -> Image.Image:
    """An image of which no more than the header was read."""
    try:
        image: Image.Image = Image.open(io.BytesIO(content), formats=formats)
    except UnidentifiedImageError as error:
        raise ValueError(f"it is {'neither ' if formats[1:] else 'no '}{' nor '.join(formats)}") from error
    if image.width * image.height > _MAX_PIXELS:
        raise ValueError(f"it has more than {_MAX_PIXELS:,} pixels")
    return image


def _loaded(image: Image.Image, mode: str, other_modes: tuple[str, ...]) -> Image.Image:
    modes = dict.fromkeys((mode, *other_modes))
    if image.mode not in modes:
        raise ValueError(f"its mode must be {' or '.join(modes)}, got {image.mode}")
    image.load()
    return image if image.mode == mode else image.convert(mode)
