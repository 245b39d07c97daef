"""Generated layouts with the truth known: each image is read with its own mask, or there is a question or an error.

Never is a picture lost in silence, and never is another picture read as a mask where names or contents say what it is.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from kseg.data.formats.common import UnpairedError
from tests.data.formats.tree_maker import Reading, add, add_text, read

SEEDS: Final = range(60)
"""1500 were tried."""
IMAGES: Final = ("images", "img", "photos", "JPEGImages", "rgb", "input", "source")
MASKS: Final = ("masks", "labels", "gt", "annotations", "SegmentationClass", "ground_truth", "target")
EXTRA: Final = ("depth", "overlays", "pred", "vis", "edges", "thumbs", "predictions")
SPLITS: Final = (
    ("train", "val"), ("train", "val", "test"), ("Train", "Test"), ("training", "validation"), ("train", "valid"),
    ("train2017", "val2017"),
)  # fmt: skip
PARTS: Final = (
    ("part1", "part2"),
    ("day", "night", "dusk"),
    ("site_a", "site_b"),
    ("x [1]", "x [2]"),
    ("interval", "latest"),
)
WRAPPERS: Final = ("", "", "data/", "segmentation/", "my masks/v2/")
NAMES: Final = (
    [f"{number:03}" for number in range(6)], ["cat", "dog", "cow", "cat2", "ant", "fox"],
    [f"IMG_{number}" for number in (1, 2, 10, 11, 20, 21)], ["a b", "a", "b", "c.d", "e-f", "é"],
)  # fmt: skip
DECORATIONS: Final = (("{}", "{}"), ("{}", "{}_mask"), ("image_{}", "mask_{}"), ("{}_img", "{}_gt"), ("{}", "{}.jpg"))
SIDE_BY_SIDE: Final = (
    ("{}.jpg", "{}.png"), ("{}.png", "{}_mask.png"), ("{}.jpg", "{}.jpg.png"), ("image_{}.png", "mask_{}.png"),
    ("{}_img.jpg", "{}_seg.png"),
)  # fmt: skip
JUNK: Final = (".DS_Store", "Thumbs.db", "README.md", "notes.txt", "._x.json", ".hidden/x.png", "__MACOSX/a.png")


@dataclass(frozen=True)
class Case:
    """A layout.

    Args:
        pairs: Image → its mask.
        bare: Images without a mask.
        extra: Pictures beside them that are neither.
        junk: Other files.
    """

    pairs: dict[str, str]
    bare: Sequence[str]
    extra: Sequence[str]
    junk: Sequence[str]


def draw(seed: int) -> Case:
    """A layout of random depth, names, splits, parts and decorations, with folders and files beside it."""
    rng = random.Random(seed)
    wrapper, names = rng.choice(WRAPPERS), rng.choice(NAMES)
    order = rng.sample(["part", "split", "role"], 3)
    parts = rng.choice(PARTS) if rng.random() < 0.4 else ("",)
    splits = rng.choice(SPLITS) if rng.random() < 0.5 else ("",)
    extras = rng.sample(EXTRA, rng.choice((0, 0, 1, 2)))
    roles = (rng.choice(IMAGES), rng.choice(MASKS), *extras)
    decoration = rng.choice(DECORATIONS)
    kind = "jpg" if decoration[1].endswith(".jpg") else rng.choice(("png", "jpg"))
    patterns = f"{decoration[0]}.{kind}", f"{decoration[1]}.png"
    if rng.random() < 0.2:
        patterns, roles = rng.choice(SIDE_BY_SIDE), ("all", "all", *extras)
    pairs: dict[str, str] = {}
    extra: list[str] = []
    for part in parts:
        for split in splits:
            for name in names:
                levels = ({"part": part, "split": split, "role": role} for role in roles)
                folders = [wrapper + "/".join(filter(None, map(level.__getitem__, order))) for level in levels]
                pairs[f"{folders[0]}/{patterns[0].format(name)}"] = f"{folders[1]}/{patterns[1].format(name)}"
                extra += [f"{folder}/{name}.png" for folder in folders[2:]]
    bare = rng.sample(sorted(pairs), rng.choice((0, 0, 0, 1, len(pairs) // 3)))
    return Case({image: mask for image, mask in pairs.items() if image not in bare}, bare, extra, rng.sample(JUNK, 3))


def write(root: Path, case: Case) -> None:
    for paths, masks in ((case.pairs, False), (case.bare, False), (case.pairs.values(), True), (case.extra, False)):
        for number, path in enumerate(paths):
            add(root, path, names=[str(number)], masks=masks)
    add_text(root, **dict.fromkeys(case.junk, "x"))


def require_accounted(actual: Reading, case: Case) -> None:
    """Check that no picture is lost, and none is counted twice."""
    account = actual.account
    left = sum(account.folders.values()) + len(account.stray)
    assert account.images + account.masks + left + account.explained_pictures == account.pictures
    assert account.pictures == 2 * len(case.pairs) + len(case.bare) + len(case.extra)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_image_is_read_with_its_own_mask_and_every_picture_is_accounted_for(tmp_path: Path, seed: int) -> None:
    case = draw(seed)
    write(tmp_path, case)
    if case.bare:
        with pytest.raises(UnpairedError, match=r"\d of \d+ images have no mask"):
            read(tmp_path)
    actual = read(tmp_path, unpaired="skip" if case.bare else "error")
    assert actual.pairs == case.pairs, (actual.spec, actual.questions)
    require_accounted(actual, case)
    questions = {key for key in actual.questions if key != "data.unused"}
    assert (questions, "data.unused" in actual.questions) == (set(), bool(case.extra)), actual.layout.questions
    if actual.left is not None and actual.left.guess:
        unused = tuple(actual.left.guess["data.unused"])
        answered = read(tmp_path, unpaired="skip", unused=unused)
        assert (answered.pairs, answered.questions, answered.left) == (case.pairs, [], None)
