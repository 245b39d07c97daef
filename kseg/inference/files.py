"""Predict files: masks, overlays and scores on disk, for pictures without any truth."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kseg.drawing import overlay as draw_overlay
from kseg.errors import ImageError, OutputError, some
from kseg.files import make_folder, write_bytes, write_json
from kseg.images import printable, read_image, write_jpeg, write_png
from kseg.inference.ahead import ahead
from kseg.inference.predictor import Predictor, check_threshold
from kseg.inference.sources import Target, find_sources, name_targets

__all__ = ["PredictReport", "Written", "predict_files"]

MANIFEST = "predictions.json"

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Written:
    """What one picture became.

    Args:
        image: The picture.
        mask: Its mask, in on-disk values.
        foreground: The share of its pixels that are no background, 0..1.
    """

    image: Path
    mask: Path
    foreground: float


@dataclass(frozen=True)
class PredictReport:
    """What `predict_files` did.

    Args:
        out: The output folder.
        written: One entry a picture that was predicted.
        failed: Picture → why it could not be read.
        renamed: Pictures whose files got another name than their own, since two shared it.
    """

    out: Path
    written: tuple[Written, ...]
    failed: dict[Path, str]
    renamed: tuple[Written, ...]

    @property
    def background_only(self) -> int:
        """How many masks hold nothing but background."""
        return sum(entry.foreground == 0 for entry in self.written)


def predict_files(
    predictor: Predictor,
    sources: Sequence[str],
    out: Path,
    *,
    overlay: bool = False,
    save_prob: bool = False,
    threshold: float | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> PredictReport:
    """Write the mask of every picture as a PNG in the data's own on-disk values, at the picture's own size.

    A picture that cannot be read is reported, and the others go on. Beside the masks, ``predictions.json`` says which
    file belongs to which picture.

    Args:
        predictor: The network.
        sources: Files, folders (searched at any depth) and patterns.
        out: The output folder; made where it does not exist.
        overlay: Also write ``<stem>_overlay.jpg``.
        save_prob: Also write the scores: ``<stem>_prob.png`` (0..255; binary models) or ``<stem>_prob.npz`` (float16
            ``scores`` ``[H, W, C]``).
        threshold: The score from which on a pixel is foreground; the model's own by default.
        on_progress: Called with the pictures done and in all.

    Raises:
        UsageError: A source matches nothing, or the threshold means nothing.
        OutputError: The folder cannot be written, or a file in it that kseg did not write would be lost.
    """
    check_threshold(predictor.card, threshold)
    suffix = (".png" if predictor.card.channels == 1 else ".npz") if save_prob else None
    make_folder(out)
    earlier = _earlier(out)
    found = find_sources(sources, exclude={(out / file).resolve() for file in earlier})
    targets = name_targets(found, out, overlay=overlay, prob=suffix)
    _claim(out, targets, earlier)
    written: list[Written] = []
    failed: dict[Path, str] = {}
    for done, (target, image_of) in enumerate(ahead(_read, targets), start=1):
        try:
            image = image_of()
        except ImageError as error:
            failed[target.source.image] = str(error)
        else:
            written.append(_predict(predictor, image, target, threshold))
        if on_progress:
            on_progress(done, len(targets))
    return PredictReport(out, tuple(written), failed, _renamed(written, targets))


def _read(target: Target) -> Pixels:
    return read_image(target.source.image)


def _predict(predictor: Predictor, image: Pixels, target: Target, threshold: float | None) -> Written:
    labels = predictor.card.labels
    if target.prob is None:
        ids = predictor.predict(image, threshold)
    else:
        scores = predictor.scores(image)
        ids = predictor.ids(scores, threshold)
    if not target.mask.parent.is_dir():
        make_folder(target.mask.parent)
    write_png(target.mask, labels.decode(ids))
    if target.overlay:
        write_jpeg(target.overlay, draw_overlay(image, ids, labels))
    if target.prob:
        _write_scores(target.prob, scores)
    return Written(target.source.image, target.mask, float(np.isin(ids, labels.foreground).mean()))


def _write_scores(path: Path, scores: npt.NDArray[np.float32]) -> None:
    if path.suffix == ".png":
        write_png(path, np.rint(scores[..., 0].clip(0, 1) * 255).astype(np.uint8))
        return
    data = io.BytesIO()
    np.savez_compressed(data, scores=scores.astype(np.float16))
    write_bytes(path, data.getvalue())


def _renamed(written: Iterable[Written], targets: Iterable[Target]) -> tuple[Written, ...]:
    own = {t.source.image for t in targets if t.stem == str(t.source.name.with_suffix(""))}
    return tuple(entry for entry in written if entry.image not in own)


def _claim(out: Path, targets: Sequence[Target], earlier: dict[str, str]) -> None:
    """Write the manifest before the first mask: what it lists is kseg's own, and a later prediction may replace it.

    Raises:
        OutputError: The folder cannot be written, or a target is a file that is not kseg's (someone's true masks).
    """
    planned = {p: t for t in targets for p in t.files()}
    foreign = [p for p in planned if p.exists() and p.relative_to(out).as_posix() not in earlier]
    if foreign:
        raise OutputError(
            f"{len(foreign)} files that kseg predict did not write would be lost", where=str(out), found=some(foreign),
            remedy="choose another --out",
        )  # fmt: skip
    entries = {p.relative_to(out).as_posix(): printable(t.source.image) for p, t in planned.items()}
    write_json(out / MANIFEST, {"schema": 1, "files": dict(sorted({**earlier, **entries}.items()))})


def _earlier(out: Path) -> dict[str, str]:
    """File → picture, as the manifest of an earlier prediction in the folder tells."""
    try:
        files = json.loads((out / MANIFEST).read_text(encoding="utf-8"))["files"]
        return {str(file): str(image) for file, image in files.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OutputError(
            "not a list of predictions that kseg wrote", where=str(out / MANIFEST), remedy="choose another --out"
        ) from error
