"""What is said where images and masks do not pair; the remedies are followed literally."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from kseg.data.spec import Folders
from kseg.errors import ConfigError, DataError, KsegError
from tests.data.formats.named_files import pairs, remedies, samples, touch

# --- nothing pairs ----------------------------------------------------------------------------------------------------

UNPAIRED = {
    "a suffix": ("{}", "{}_seg", {"mask_suffix": "_seg"}),
    "a prefix": ("{}", "mask_{}", {"images": "photos/*.jpg", "masks": "labels/mask_*.png"}),
    "a prefix with dots": ("{}", "v1.2.{}", {"images": "photos/*.jpg", "masks": "labels/v1.2.*.png"}),
    "two prefixes": ("IMG_{}", "mask_{}", {"images": "photos/IMG_*.jpg", "masks": "labels/mask_*.png"}),
    "around": ("img {}_rgb", "{}-[gt]", {"images": "photos/img *_rgb.jpg", "masks": "labels/*-[[]gt].png"}),
}


@pytest.mark.parametrize("kind", UNPAIRED)
@pytest.mark.parametrize("folder", ["", "train/"])
def test_the_remedy_pairs_what_did_not_pair(tmp_path: Path, kind: str, folder: str) -> None:
    image, mask, expected = UNPAIRED[kind]
    numbers = [f"{number:03d}" for number in range(95, 105)]
    files = {f"photos/{folder}{image.format(n)}.jpg": f"labels/{folder}{mask.format(n)}.png" for n in numbers}
    touch(tmp_path, [*files, *files.values()])
    split = {"split": Folders("train", "", "")} if folder else {}
    with pytest.raises(DataError) as error:
        samples(tmp_path, images="photos", masks="labels", **split)
    settings = remedies(error.value)
    in_split = {key: value.replace("photos/", "photos/{split}/").replace("labels/", "labels/{split}/")
                for key, value in expected.items()}  # fmt: skip
    assert settings == (in_split if folder else expected)
    assert pairs(tmp_path, **{"images": "photos", "masks": "labels", **split, **settings}) == files


def test_the_remedy_in_nested_folders(tmp_path: Path) -> None:
    files = {f"photos/{d}/IMG_{n}.jpg": f"labels/{d}/mask_{n}.png" for d in "ab" for n in range(3)}
    touch(tmp_path, [*files, *files.values()])
    with pytest.raises(DataError) as error:
        samples(tmp_path, images="photos", masks="labels")
    settings = remedies(error.value)
    assert settings == {"images": "photos/**/IMG_*.jpg", "masks": "labels/**/mask_*.png"}
    assert pairs(tmp_path, **settings) == files


def test_the_compared_names_are_shown(tmp_path: Path) -> None:
    touch(tmp_path, [*(f"photos/IMG_{i}.jpg" for i in range(4)), "labels/mask_0.png", "labels/mask_7.png"])
    with pytest.raises(DataError) as error:
        samples(tmp_path, images="photos", masks="labels", mask_suffix="_m", unpaired="skip")
    assert (
        "compared: images 'IMG_0_m', 'IMG_1_m', 'IMG_2_m', … (photos, with data.mask_suffix _m); "
        "masks 'mask_0', 'mask_7' (labels)"
    ) in str(error.value)
    assert error.value.exit_code == 1


@pytest.mark.parametrize("numbers", [range(20, 29), range(10, 100, 10), range(201, 210)])
def test_a_remedy_that_does_not_pair_is_not_proposed(tmp_path: Path, numbers: range) -> None:
    """A part of a number is nothing in common."""
    touch(tmp_path, [*(f"images/{i}.jpg" for i in range(1, 10)), *(f"masks/{i}.png" for i in numbers)])
    with pytest.raises(DataError, match=r"9 of 9 images have no mask") as error:
        samples(tmp_path)
    assert error.value.remedy == "add or remove files; with data.unpaired: skip none would remain"


def test_unpaired_files_are_skipped_only_where_pairs_remain(tmp_path: Path) -> None:
    touch(tmp_path, ["images/a.jpg", "images/b.jpg", "masks/a.png"])
    with pytest.raises(DataError) as error:
        samples(tmp_path)
    assert error.value.remedy == "add or remove files, or set data.unpaired: skip"
    assert len(samples(tmp_path, unpaired="skip")) == 1


def test_a_remedy_for_a_few_images_is_not_proposed(tmp_path: Path) -> None:
    touch(tmp_path, [*(f"images/{i}.jpg" for i in "abcdef"), "masks/a_m.png", *(f"masks/q{i}.png" for i in range(5))])
    with pytest.raises(DataError, match=r"add or remove files; with data\.unpaired: skip none would remain$"):
        samples(tmp_path)


def test_globs_with_different_numbers_of_wildcards(tmp_path: Path) -> None:
    touch(tmp_path, ["a/images/x.jpg", "b/images/x.jpg", "a/masks/x.png", "b/masks/x.png"])
    with pytest.raises(DataError, match=r"use as many wildcards in data\.masks as in data\.images"):
        samples(tmp_path, images="*/images", masks="*/masks/*")


def test_a_remedy_for_most_of_the_images_says_so(tmp_path: Path) -> None:
    touch(tmp_path, [*(f"images/{i}.jpg" for i in range(9)), *(f"masks/{i}_m.png" for i in range(8))])
    with pytest.raises(DataError, match=r"; set data\.mask_suffix: _m, which pairs 8 of 9$"):
        samples(tmp_path)
    assert len(samples(tmp_path, mask_suffix="_m", unpaired="skip")) == 8


@pytest.mark.parametrize(("images", "masks"), [("images/*", "masks/mask_*"), ("images/*.*", "masks/mask_*.*")])
def test_globs_for_a_prefix(tmp_path: Path, images: str, masks: str) -> None:
    touch(tmp_path, ["images/1.jpg", "images/a.b.jpg", "masks/mask_1.png", "masks/mask_a.b.png"])
    expected = {"images/1.jpg": "masks/mask_1.png", "images/a.b.jpg": "masks/mask_a.b.png"}
    assert pairs(tmp_path, images=images, masks=masks) == expected


def test_globs_whose_last_wildcard_reaches_into_the_suffix(tmp_path: Path) -> None:
    touch(tmp_path, ["frame.01.png", "frame.02.png", "mask.01.png", "mask.02.png"])
    expected = {"frame.01.png": "mask.01.png", "frame.02.png": "mask.02.png"}
    assert pairs(tmp_path, images="frame.*", masks="mask.*") == expected


# --- stems that occur twice -------------------------------------------------------------------------------------------

TWICE: dict[str, tuple[list[str], dict[str, Any], dict[str, str]]] = {
    "images": (["images/{}.jpg", "images/{}.png", "masks/{}.png"], {}, {"images": "images/*.jpg"}),
    "masks": (["images/{}.jpg", "masks/{}.jpg", "masks/{}.png"], {}, {"masks": "masks/*.png"}),
    "nested": (["images/deep/{}.jpg", "images/deep/{}.png", "masks/deep/{}.png"], {}, {"images": "images/**/*.jpg"}),
    "a glob": (["images/{}.jpg", "images/{}.png", "masks/{}.png"], {"images": "images/*"}, {"images": "images/*.jpg"}),
    "a deep glob": (
        ["images/d/{}.jpg", "images/d/{}.png", "masks/d/{}.png"],
        {"images": "images/**", "masks": "masks/**"},
        {"images": "images/**/*.jpg"},
    ),
    "folders by a glob": (
        ["p/images/{}.jpg", "p/images/{}.png", "p/masks/{}.png"],
        {"images": "*/images", "masks": "*/masks"},
        {"images": "*/images/**/*.jpg"},
    ),
    "a split below": (
        ["images/train/{}.jpg", "images/train/{}.png", "masks/train/{}.png"],
        {"split": Folders("train", "", "")},
        {"images": "images/{split}/*.jpg"},
    ),
    "a split above, nested": (
        ["train/images/d/{}.jpg", "train/images/d/{}.png", "train/masks/d/{}.png"],
        {"images": "{split}/images", "masks": "{split}/masks", "split": Folders("train", "", "")},
        {"images": "{split}/images/**/*.jpg"},
    ),
    "one folder": (
        ["im[1]/{}.jpg", "im[1]/{}.png"],
        {"images": "im[1]", "masks": "im[1]"},
        {"images": "im[[]1]/*.jpg", "masks": "im[[]1]/*.png"},
    ),
}


@pytest.mark.parametrize("kind", TWICE)
def test_two_files_of_a_stem_and_the_remedy(tmp_path: Path, kind: str) -> None:
    files, settings, expected = TWICE[kind]
    touch(tmp_path, [file.format(name) for file in files for name in ("a", "b's")])
    with pytest.raises(KsegError) as error:
        samples(tmp_path, **settings)
    message = str(error.value)
    assert kind == "one folder" or re.search(r"data\.\w+: 2 stems occur twice; .*/a\.jpg and a\.png", message)
    assert remedies(error.value) == expected
    image = next(file for file in files if file.endswith(".jpg") and "masks" not in file)
    mask = next(file for file in reversed(files) if file.endswith(".png"))
    assert pairs(tmp_path, **{**settings, **expected}) == {
        image.format(name): mask.format(name) for name in ("a", "b's")
    }


def test_no_suffix_is_named_that_would_lose_images(tmp_path: Path) -> None:
    touch(tmp_path, ["images/a.jpg", "images/a.png", "images/b.png", "images/c.jpg", "masks/a.png"])
    with pytest.raises(DataError, match=r"images/a\.jpg and a\.png; remove one of each$"):
        samples(tmp_path)


# --- braces -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["{part1,part2}/images", "p*/{images,pictures}"])
def test_braces_are_refused_with_a_glob_that_works(tmp_path: Path, spec: str) -> None:
    touch(tmp_path, ["part1/images/x.jpg", "part2/images/x.jpg", "part1/masks/x.png", "part2/masks/x.png"])
    with pytest.raises(
        KsegError, match=r"data\.images: braces are not expanded; .*found .*\{.*set data\.images: "
    ) as e:
        samples(tmp_path, images=spec, masks="*/masks")
    assert e.value.exit_code == 2
    assert "\n" not in str(e.value)
    with pytest.raises(KsegError, match=r"data\.masks: braces are not expanded"):
        samples(tmp_path, images="*/images", masks="{part1,part2}/masks")


def test_the_glob_for_braces_works(tmp_path: Path) -> None:
    files = {f"part{p}/images/x.jpg": f"part{p}/masks/x.png" for p in (1, 2)}
    touch(tmp_path, [*files, *files.values()])
    settings = {"images": "{part1,part2}/images", "masks": "{part1,part2}/masks"}
    for _ in range(2):
        with pytest.raises(ConfigError) as error:
            samples(tmp_path, **settings)
        settings |= remedies(error.value)
    assert pairs(tmp_path, **settings) == files


def test_a_folder_with_braces_in_its_name(tmp_path: Path) -> None:
    touch(tmp_path, ["{a,b}/x.jpg", "masks/x.png"])
    assert pairs(tmp_path, images="{a,b}") == {"{a,b}/x.jpg": "masks/x.png"}
