"""Data sets of drawn discs in many layouts and encodings, with the classes of every pixel known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

__all__ = ["LAYOUTS", "SIZE", "disc", "photo"]

SIZE = (32, 40)
NAMES = [f"p{number:02d}" for number in range(12)]


def disc(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A disc away from the edges, at a place of its own: bool ``[H, W]``."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    center = (size[0] // 2 + number % 5 - 2, size[1] // 2 + number % 7 - 3)
    return (rows - center[0]) ** 2 + (columns - center[1]) ** 2 < (min(size) // 3) ** 2


def photo(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Noise on which the disc is brighter."""
    image = np.random.default_rng(number).integers(0, 110, (*size, 3), np.uint8)
    image[disc(number, size)] += 100
    return image


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def pairs(
    root: Path, image: str, mask: str, names: list[str] = NAMES,
    encode: Callable[[np.ndarray], np.ndarray] = lambda inside: inside.astype(np.uint8),
) -> Path:  # fmt: skip
    """Files named by ``image`` and ``mask``, in which ``{}`` is the name."""
    for name in names:
        number = NAMES.index(name)
        save(root / image.format(name), photo(number))
        save(root / mask.format(name), encode(disc(number)))
    return root


def _gray(inside: np.ndarray) -> np.ndarray:
    return inside.astype(np.uint8) * 255


def _colored(inside: np.ndarray) -> np.ndarray:
    return np.where(inside[..., None], (255, 0, 0), (0, 0, 0)).astype(np.uint8)


def folders(root: Path) -> Path:
    return pairs(root, "images/{}.png", "masks/{}.png")


def objects_of_255(root: Path) -> Path:
    return pairs(root, "img/{}.png", "gt/{}.png", encode=_gray)


def inverted(root: Path) -> Path:
    return pairs(root, "images/{}.png", "masks/{}.png", encode=lambda inside: _gray(~inside))


def jpeg_masks(root: Path) -> Path:
    return pairs(root, "images/{}.png", "masks/{}.jpg", encode=_gray)


def void_border(root: Path) -> Path:
    def encode(inside: np.ndarray) -> np.ndarray:
        ids = inside.astype(np.uint8)
        ids[cv2.dilate(ids, np.ones((3, 3), np.uint8)) != ids] = 255
        return ids

    return pairs(root, "images/{}.png", "masks/{}.png", encode=encode)


def legend(root: Path) -> Path:
    pairs(root, "JPEG/{}.png", "SegmentationMasks/{}.png", encode=_colored)
    text = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ndisc:255,0,0::\n"
    (root / "labelmap.txt").write_text(text)
    return root


def one_folder(root: Path) -> Path:
    return pairs(root, "{}.png", "{}_mask.png")


def roboflow(root: Path) -> Path:
    for split, names in (("train", NAMES[:8]), ("valid", NAMES[8:10]), ("test", NAMES[10:])):
        pairs(root, f"{split}/{{}}.jpg", f"{split}/{{}}_mask.png", names)
        (root / split / "_classes.csv").write_text("Pixel Value, Class\n0, background\n1, disc\n")
    return root


def parts(root: Path) -> Path:
    for part, names in (("part1", NAMES[:6]), ("part2", NAMES[6:])):
        pairs(root, f"{part}/images/{{}}.png", f"{part}/masks/{{}}.png", names)
    return root


def without_validation(root: Path) -> Path:
    for split, names in (("Train", NAMES[:9]), ("Test", NAMES[9:])):
        pairs(root, f"{split}/images/{{}}.png", f"{split}/masks/{{}}.png", names)
    return root


def half_size(root: Path) -> Path:
    def encode(inside: np.ndarray) -> np.ndarray:
        return cv2.resize(inside.astype(np.uint8), (SIZE[1] // 2, SIZE[0] // 2), interpolation=cv2.INTER_NEAREST)

    return pairs(root, "images/{}.png", "masks/{}.png", encode=encode)


def depth_beside(root: Path) -> Path:
    folders(root)
    for number, name in enumerate(NAMES):
        save(root / "depth" / f"{name}.png", photo(number)[..., 0])
    return root


def few(root: Path) -> Path:
    return pairs(root, "images/{}.png", "masks/{}.png", NAMES[:5])


def damaged(root: Path) -> Path:
    pairs(root, "images/{}.jpg", "masks/{}.png")
    mask = root / "masks" / "p04.png"
    mask.write_bytes(mask.read_bytes()[:-12])  # no IEND: Pillow reads it, TensorFlow does not
    return root


def coco(root: Path) -> Path:
    images, annotations = [], []
    for number, name in enumerate(NAMES):
        save(root / "images" / f"{name}.png", photo(number))
        images.append({"id": number, "file_name": f"{name}.png", "height": SIZE[0], "width": SIZE[1]})
        outline = _outline(number)
        annotations.append(
            {"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, "segmentation": [outline]}
        )
    document = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "disc"}]}
    (root / "annotations.json").write_text(json.dumps(document))
    return root


def yolo(root: Path) -> Path:
    for number, name in enumerate(NAMES):
        split = "train" if number < 8 else "val"
        save(root / "images" / split / f"{name}.png", photo(number))
        label = root / "labels" / split / f"{name}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        sides = (SIZE[1], SIZE[0]) * 100
        points = [value / side for value, side in zip(_outline(number), sides, strict=False)]
        label.write_text("0 " + " ".join(f"{point:.4f}" for point in points) + "\n")
    (root / "data.yaml").write_text("path: .\ntrain: images/train\nval: images/val\nnames: {0: disc}\n")
    return root


def labelme(root: Path) -> Path:
    for number, name in enumerate(NAMES):
        save(root / "photos" / f"{name}.png", photo(number))
        points = np.array(_outline(number), float).reshape(-1, 2).tolist()
        shape = {"label": "disc", "points": points, "shape_type": "polygon"}
        document = {"shapes": [shape], "imagePath": f"{name}.png", "imageHeight": SIZE[0], "imageWidth": SIZE[1]}
        (root / "photos" / f"{name}.json").write_text(json.dumps(document))
    return root


def voc(root: Path) -> Path:
    pairs(root, "JPEGImages/{}.jpg", "SegmentationClass/{}.png", encode=lambda inside: inside.astype(np.uint8) * 15)
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    for split, names in (("train", NAMES[:8]), ("val", NAMES[8:])):
        (lists / f"{split}.txt").write_text("\n".join(names))
    return root


def manifest(root: Path) -> Path:
    pairs(root, "a/{}.png", "b/{}-truth.png")
    rows = [f"a/{name}.png,b/{name}-truth.png,{'train' if i < 9 else 'test'}" for i, name in enumerate(NAMES)]
    (root / "all.csv").write_text("\n".join(["image,mask,split", *rows]))
    return root


def instances(root: Path) -> Path:
    rng = np.random.default_rng(0)
    for number, name in enumerate(NAMES):
        mask = np.zeros(SIZE, np.uint8)
        for instance in range(1, 2 + number % 5):
            top, across = 2 + 6 * (instance - 1), int(rng.integers(4, 28))
            mask[top : top + 4, across : across + 8] = instance
        image = rng.integers(0, 110, (*SIZE, 3)).astype(np.uint8)
        image[mask > 0] += 100
        save(root / "images" / f"{name}.png", image)
        save(root / "masks" / f"{name}.png", mask)
    return root


def _outline(number: int) -> list[int]:
    contours, _ = cv2.findContours(disc(number).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [int(value) for value in contours[0].ravel()]


LAYOUTS: dict[str, Callable[[Path], Path]] = {
    layout.__name__: layout
    for layout in (
        folders, objects_of_255, inverted, jpeg_masks, void_border, legend, one_folder, roboflow, parts,
        without_validation, half_size, depth_beside, few, damaged, coco, yolo, labelme, voc, manifest, instances,
    )
}  # fmt: skip
"""Name → writes the data set into a folder, and returns it."""
