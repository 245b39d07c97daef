"""Predict image files: write masks, overlays and scores. No ground truth is needed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kseg.card import ModelCard
from kseg.drawing import overlay as draw_overlay
from kseg.errors import ImageError, OutputError, abbreviate
from kseg.files import make_folder, write_bytes, write_json
from kseg.images import printable, read_image, write_jpeg, write_png
from kseg.inference.predictor import Predictor
from kseg.inference.prefetch import prefetch
from kseg.inference.sources import Target, find_pictures, name_targets
from kseg.parallel import Progress

__all__ = ["FilesPlan", "PredictReport", "PredictedFile", "predict_files"]

MANIFEST = "predictions.json"

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class PredictedFile:
    """A picture whose mask was written.

    Args:
        image: The path of the picture.
        mask: The path of its mask, which holds on-disk values.
        foreground: The share of foreground pixels in it, 0..1.
    """

    image: Path
    mask: Path
    foreground: float


@dataclass(frozen=True)
class PredictReport:
    """The result of `predict_files`.

    Args:
        out: The output folder.
        written: One entry for each picture that was predicted.
        failed: Picture → why it could not be read.
        renamed: Those of ``written`` whose mask is not named as the picture, since several pictures share the name.
    """

    out: Path
    written: tuple[PredictedFile, ...]
    failed: dict[Path, str]
    renamed: tuple[PredictedFile, ...]

    @property
    def background_only(self) -> int:
        """The number of masks that hold background only."""
        return sum(entry.foreground == 0 for entry in self.written)


@dataclass(frozen=True)
class FilesPlan:
    """Which pictures are predicted, and into which files; checked before a runtime is loaded, which takes seconds.

    Args:
        out: The output folder; it exists.
        targets: One entry for each picture.
        earlier: File → picture, of earlier predictions in the folder; these files may be overwritten.
    """

    out: Path
    targets: tuple[Target, ...]
    earlier: Mapping[str, str]

    @classmethod
    def make(
        cls, card: ModelCard, sources: Sequence[str], out: Path, *, overlay: bool = False, save_prob: bool = False
    ) -> FilesPlan:
        """Find the pictures, name their files and make the folder.

        Args:
            card: The model's card.
            sources: Files, folders (searched at any depth) and patterns.
            out: The output folder; created if it does not exist.
            overlay: Also write ``<stem>_overlay.jpg``.
            save_prob: Also write the scores: ``<stem>_prob.png`` (0..255; binary models) or ``<stem>_prob.npz``
                (float16 ``scores`` ``[H, W, C]``).

        Raises:
            UsageError: A source matches nothing.
            OutputError: The folder cannot be written, or a file in it that kseg did not write would be lost.
        """
        earlier = _read_manifest(out)
        images = find_pictures(sources, exclude={(out / file).resolve() for file in earlier})
        suffix = (".png" if card.channels == 1 else ".npz") if save_prob else None
        targets = name_targets(images, out, overlay=overlay, prob=suffix)
        _require_own(out, targets, earlier)
        make_folder(out)
        return cls(out, tuple(targets), earlier)


def predict_files(predictor: Predictor, plan: FilesPlan, *, on_progress: Progress | None = None) -> PredictReport:
    """Write a mask for every picture: a PNG of the picture's size that holds the data's own on-disk values.

    A picture that cannot be read is reported, and the others are predicted. Beside the masks, ``predictions.json``
    says which file belongs to which picture.

    Args:
        predictor: The network.
        plan: The pictures and the files to write.
        on_progress: Called with the number of finished pictures, and their total.

    Raises:
        OutputError: A file cannot be written.
    """
    _write_manifest(plan)
    written: list[PredictedFile] = []
    failed: dict[Path, str] = {}
    for done, (target, read_result) in enumerate(prefetch(_read, plan.targets), start=1):
        try:
            image = read_result()
        except ImageError as error:
            failed[target.picture.image] = str(error)
        else:
            written.append(_predict(predictor, image, target))
        if on_progress:
            on_progress(done, len(plan.targets))
    return PredictReport(plan.out, tuple(written), failed, _renamed(written, plan.targets))


def _read(target: Target) -> Pixels:
    return read_image(target.picture.image)


def _predict(predictor: Predictor, image: Pixels, target: Target) -> PredictedFile:
    labels = predictor.card.labels
    if target.prob is None:
        ids = predictor.predict(image)
    else:
        scores = predictor.scores(image)
        ids = predictor.ids(scores)
    if not target.mask.parent.is_dir():
        make_folder(target.mask.parent)
    write_png(target.mask, labels.decode(ids))
    if target.overlay:
        write_jpeg(target.overlay, draw_overlay(image, ids, labels))
    if target.prob:
        _write_scores(target.prob, scores)
    return PredictedFile(target.picture.image, target.mask, float(np.isin(ids, labels.foreground).mean()))


def _write_scores(path: Path, scores: npt.NDArray[np.float32]) -> None:
    if path.suffix == ".png":
        write_png(path, np.rint(scores[..., 0].clip(0, 1) * 255).astype(np.uint8))
        return
    data = io.BytesIO()
    np.savez_compressed(data, scores=scores.astype(np.float16))
    write_bytes(path, data.getvalue())


def _renamed(written: Iterable[PredictedFile], targets: Iterable[Target]) -> tuple[PredictedFile, ...]:
    same_name = {t.picture.image for t in targets if t.stem == str(t.picture.name.with_suffix(""))}
    return tuple(entry for entry in written if entry.image not in same_name)


def _files(targets: Sequence[Target]) -> dict[Path, Target]:
    return {path: target for target in targets for path in target.files()}


def _require_own(out: Path, targets: Sequence[Target], earlier: Mapping[str, str]) -> None:
    """Check that only files of earlier predictions are overwritten, no ground-truth masks. Raises OutputError."""
    foreign = [p for p in _files(targets) if p.exists() and p.relative_to(out).as_posix() not in earlier]
    if foreign:
        raise OutputError(
            f"{len(foreign)} files that kseg predict did not write would be overwritten", where=str(out),
            found=abbreviate(foreign), remedy="choose another --out",
        )  # fmt: skip


def _write_manifest(plan: FilesPlan) -> None:
    """Write ``predictions.json`` (before the first mask): a later prediction may overwrite the files that it lists."""
    names = {
        path.relative_to(plan.out).as_posix(): printable(target.picture.image)
        for path, target in _files(plan.targets).items()
    }
    write_json(plan.out / MANIFEST, {"schema": 1, "files": dict(sorted({**plan.earlier, **names}.items()))})


def _read_manifest(out: Path) -> dict[str, str]:
    """File → picture, of earlier predictions in the folder; empty where there are none. Raises OutputError."""
    try:
        files = json.loads((out / MANIFEST).read_text(encoding="utf-8"))["files"]
        return {str(file): str(image) for file, image in files.items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OutputError(
            "not a list of predictions that kseg wrote", where=str(out / MANIFEST), remedy="choose another --out"
        ) from error
