"""`Model`, which `kseg.load` returns, and `Prediction`, which a model returns for a picture."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from kseg.card import ModelCard
from kseg.drawing import overlay
from kseg.errors import UsageError
from kseg.files import expand_home, make_folder, require_new
from kseg.images import page_count, png_bytes, printable, read_image, resize_scores, rgb_pixels
from kseg.inference.copies import for_threads
from kseg.inference.predictor import Predictor
from kseg.inference.sources import COMMAND
from kseg.labels import LabelMap
from kseg.parallel import parallel_results
from kseg.provenance import Origin, write_marked

__all__ = ["Model", "PictureLike", "Prediction"]

_log = logging.getLogger("kseg")

Pixels = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float32]

PictureLike: TypeAlias = "str | os.PathLike[str] | Pixels | Image.Image"
"""A path, a uint8 array (RGB ``[H, W, 3]`` or grey ``[H, W]``), or a Pillow image."""


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """The segmentation of a picture. A notebook shows it as the picture with the mask over it.

    Args:
        image: The picture: RGB uint8 ``[H, W, 3]``.
        mask: The class id of each pixel: uint8 ``[H, W]``, at the picture's size.
        labels: The classes, their values on disk and their colours.
        native: The scores at the network's own size: float32 ``[h, w, C]``.
    """

    image: Pixels
    mask: Pixels
    labels: LabelMap
    native: Scores

    @cached_property
    def scores(self) -> Scores:
        """The scores at the picture's size: float32 ``[H, W, C]`` in 0..1; C is 1 for background and one class."""
        return resize_scores(self.native, (self.image.shape[0], self.image.shape[1]))

    @property
    def shares(self) -> dict[str, float]:
        """Class name → the share of its pixels in the mask, 0..1."""
        counts = np.bincount(self.mask.ravel(), minlength=self.labels.num_classes)
        return {name: float(count / self.mask.size) for name, count in zip(self.labels.names, counts, strict=True)}

    def overlay(self) -> Image.Image:
        """The picture with the mask over it, in the classes' colours."""
        return Image.fromarray(overlay(self.image, self.mask, self.labels))

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the mask as a PNG with the data set's own mask values (0 and 255, say), as `kseg predict` does.

        Args:
            path: The file, ending in ``.png``; its folder is created if it does not exist.
            overwrite: Replace an existing file. Defaults to False.

        Returns:
            The path.

        Raises:
            UsageError: The name does not end in ``.png``; JPEG, for one, would change the values.
            OutputError: The file exists already, or cannot be written.
        """
        file = expand_home(path)
        if file.suffix.lower() != ".png":
            raise UsageError("masks are written as PNG", where=str(file), remedy=f"name it {file.with_suffix('.png')}")
        if not overwrite:
            require_new(file, remedy="choose another name, or pass overwrite=True")
        make_folder(file.absolute().parent)
        write_marked(file, png_bytes(self.labels.decode(self.mask)), Origin.of(COMMAND))
        return file

    def __repr__(self) -> str:
        height, width = self.mask.shape
        shares = ", ".join(f"{name} {share:.1%}" for name, share in self.shares.items())
        return f"Prediction({height} × {width}: {shares})"

    def _repr_png_(self) -> bytes:
        data = io.BytesIO()
        self.overlay().save(data, "PNG")
        return data.getvalue()


class Model:
    """A trained model for pictures of any size.

    Args:
        predictor: The network, with the options of the prediction.
        path: The file or folder that it was loaded from.

    Example:

    ::

        model = kseg.load("runs/fit/photos")
        result = model("photo.jpg")
        result.mask.shape, result.shares
    """

    def __init__(self, predictor: Predictor, path: Path) -> None:
        self.predictor = predictor
        self.path = path

    @property
    def card(self) -> ModelCard:
        """The model card: size, classes, threshold, and the origin of the model."""
        return self.predictor.card

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of their ids."""
        return self.card.labels.names

    @overload
    def __call__(self, picture: PictureLike) -> Prediction: ...

    @overload
    def __call__(self, picture: list[Any] | tuple[Any, ...]) -> list[Prediction]: ...

    def __call__(self, picture: PictureLike | Sequence[PictureLike]) -> Prediction | list[Prediction]:
        """Segment a picture, or each of a list.

        Args:
            picture: A path, a uint8 array (RGB ``[H, W, 3]`` or grey ``[H, W]``), a Pillow image, or a list of these.

        Returns:
            A `Prediction`, or a list of them for a list.

        Raises:
            ImageError: A file is missing, not an image, or transparent.
            UsageError: The argument is none of these.
            ArtifactError: The network returns scores of another shape than its card says, or NaN.
        """
        if isinstance(picture, (list, tuple)):
            predict = partial(_predict, for_threads(self.predictor))
            return [result() for _, result in parallel_results(predict, picture)]
        return _predict(self.predictor, picture)

    def __repr__(self) -> str:
        size = f"{self.card.height} × {self.card.width}"
        return f"Model({str(self.path)!r}, {size}, classes: {', '.join(self.classes)})"


def _predict(predictor: Predictor, picture: Any) -> Prediction:
    image = _pixels(picture)
    native = predictor.native_scores(image)
    mask = predictor.native_ids(native, (image.shape[0], image.shape[1]))
    return Prediction(image, mask, predictor.card.labels, native)


def _read(path: Path) -> Pixels:
    pages = page_count(path)
    if pages > 1:
        _log.warning("%s has %d pages: the first is segmented; kseg predict segments each", printable(path), pages)
    return read_image(path)


def _pixels(picture: Any) -> Pixels:
    """The pixels of a picture, RGB uint8 ``[H, W, 3]``. Raises ImageError, UsageError."""
    if isinstance(picture, (str, os.PathLike)):
        return _read(expand_home(picture))
    if isinstance(picture, Image.Image):
        return rgb_pixels(picture)
    if not isinstance(picture, np.ndarray):
        raise UsageError(
            "not a picture", where="model(…)", expected="a path, a NumPy array, a Pillow image, or a list of them",
            found=type(picture).__name__,
        )  # fmt: skip
    if picture.dtype == np.uint8 and picture.ndim == 2 and picture.size:
        return np.repeat(picture[..., None], 3, axis=2)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise UsageError(
            "not a picture", where="model(…)", expected="an RGB array uint8 [H, W, 3], or grey [H, W]",
            found=f"{picture.dtype} {list(picture.shape)}", remedy=_remedy(picture),
        )  # fmt: skip
    return picture


def _remedy(array: npt.NDArray[Any]) -> str | None:
    if array.ndim == 4:
        return "pass a batch as a list: model(list(images))"
    if array.dtype.kind == "f":
        return "if the values lie in 0..1, pass (255 * image).round().astype('uint8')"
    return None
