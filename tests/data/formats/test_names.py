"""Images and masks of every kind of name: which are paired, and which files are no pictures."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

import pytest

from kseg.data.formats.finder import Finder
from kseg.data.spec import Folders, Lists
from kseg.errors import ConfigError, DataError
from tests.data.formats.named_files import pairs, samples, touch

NFC = "caf\u00e9"
NFD = unicodedata.normalize("NFD", NFC)


# --- spellings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("image", "mask"), [(NFC, NFD), (NFD, NFC), (f"{NFC}/a", f"{NFD}/a"), ("P00", "p00")])
def test_other_spellings_of_a_name_are_paired(tmp_path: Path, image: str, mask: str) -> None:
    touch(tmp_path, [f"images/{image}.JPG", "images/b.jpg", f"masks/{mask}.png", "masks/b.png"])
    assert pairs(tmp_path) == {f"images/{image}.JPG": f"masks/{mask}.png", "images/b.jpg": "masks/b.png"}
    assert {sample.key for sample in samples(tmp_path)} == {image, "b"}


def test_an_equal_name_comes_before_other_spellings(tmp_path: Path) -> None:
    names = ["P00", "p00", NFC, NFD]
    touch(tmp_path, [file for name in names for file in (f"images/{name}.jpg", f"masks/{name}.png")])
    assert pairs(tmp_path) == {f"images/{name}.jpg": f"masks/{name}.png" for name in names}


@pytest.mark.parametrize(
    ("images", "masks"), [(["P0", "p0"], ["P0"]), (["Pa", "PA"], ["pa"]), (["pa"], ["Pa", "PA"]), (["a", "A"], ["á"])]
)
def test_names_that_only_case_tells_apart_are_never_guessed(
    tmp_path: Path, images: list[str], masks: list[str]
) -> None:
    touch(tmp_path, [*(f"images/{name}.jpg" for name in images), *(f"masks/{name}.png" for name in masks)])
    unpaired = [*(f"{name}.jpg" for name in set(images) - set(masks)), *(f"{n}.png" for n in set(masks) - set(images))]
    with pytest.raises(DataError) as error:
        samples(tmp_path)
    assert all(name in str(error.value) for name in unpaired)


def test_the_suffix_of_masks_in_another_case(tmp_path: Path) -> None:
    touch(tmp_path, ["photos/A.jpg", "photos/A_MASK.png", "photos/b.jpg", "photos/b_mask.png"])
    expected = {"photos/A.jpg": "photos/A_MASK.png", "photos/b.jpg": "photos/b_mask.png"}
    assert pairs(tmp_path, images="photos", masks="photos", mask_suffix="_mask") == expected


def test_folders_of_the_settings_in_another_unicode_form(tmp_path: Path) -> None:
    touch(tmp_path, [f"{NFD}/a.jpg", f"{NFD}/truth/a.png"])
    assert pairs(tmp_path, images=f"{NFC}/*.jpg", masks=f"{NFC}/truth") == {f"{NFD}/a.jpg": f"{NFD}/truth/a.png"}


@pytest.mark.parametrize("written", [f"{NFC}/x.jpg", f"{NFC}/X.png", f"/other/machine/{NFC}/x.jpg", f"{NFC}\\x.jpg"])
def test_the_finder_finds_other_spellings(tmp_path: Path, written: str) -> None:
    touch(tmp_path, [f"{NFD}/x.jpg", f"{NFD}/y.jpg"])
    assert Finder(tmp_path).find(written, where="list") == tmp_path / NFD / "x.jpg"


def test_the_finder_prefers_the_very_name_in_any_folder(tmp_path: Path) -> None:
    touch(tmp_path, ["first/P0.jpg", "second/p0.jpg", "second/P1.jpg", "second/p1.jpg"])
    finder = Finder(tmp_path / "first", tmp_path / "second")
    assert finder.find("p0.jpg", where="list") == tmp_path / "second" / "p0.jpg"
    assert finder.find("P0.jpg", where="list") == tmp_path / "first" / "P0.jpg"
    assert finder.find("P1.png", where="list") == tmp_path / "second" / "P1.jpg"
    assert Finder(tmp_path).find("second/p1.jpg", where="list") == tmp_path / "second" / "p1.jpg"


def test_the_finder_does_not_choose_between_names_that_only_case_tells_apart(tmp_path: Path) -> None:
    touch(tmp_path, ["Pa.jpg", "PA.jpg"])
    assert Finder(tmp_path).find("pa.jpg", where="list") is None


def test_the_finder_stays_inside_whatever_the_separators(tmp_path: Path) -> None:
    touch(tmp_path, ["secret.jpg", "data/x.jpg", "data/a\\b.jpg"])
    finder = Finder(tmp_path / "data")
    assert finder.find("a\\b/../../secret.jpg", where="list") is None
    assert finder.find("a\\b.jpg", where="list") == tmp_path / "data" / "a\\b.jpg"
    for name in ("../secret.jpg", "..\\secret.jpg"):
        with pytest.raises(DataError, match="leads out"):
            finder.find(name, where="list")


def test_manifests_and_lists_in_another_unicode_form(tmp_path: Path) -> None:
    touch(tmp_path, [f"images/{NFD}.jpg", f"masks/{NFC}.png", "images/b.jpg", "masks/b.png"])
    (tmp_path / "manifest.csv").write_text(f"image,mask\nimages/{NFC}.jpg,masks/{NFD}.png\nimages/B.JPG,masks/b.png\n")
    expected = {f"images/{NFD}.jpg": f"masks/{NFC}.png", "images/b.jpg": "masks/b.png"}
    assert pairs(tmp_path, format="manifest") == expected
    for text in (f"images/{NFC}.jpg masks/{NFD}.png\nimages/b.jpg masks/b.png\n", f"{NFC}\nB\n"):
        (tmp_path / "all.txt").write_text(text)
        assert pairs(tmp_path, format="lists", split=Lists("all.txt")) == expected


# --- the image's full name --------------------------------------------------------------------------------------------


def test_masks_that_keep_the_suffix_of_their_image(tmp_path: Path) -> None:
    touch(tmp_path, ["images/x.jpg", "images/y.JPG", "images/z.png", "masks/x.jpg.png", "masks/y.jpg.png"])
    touch(tmp_path, ["masks/z.png.png", "images/sub/x.jpg", "masks/sub/x.jpg.png"])
    expected = {
        "images/x.jpg": "masks/x.jpg.png", "images/y.JPG": "masks/y.jpg.png", "images/z.png": "masks/z.png.png",
        "images/sub/x.jpg": "masks/sub/x.jpg.png",
    }  # fmt: skip
    assert pairs(tmp_path) == expected
    assert {sample.key for sample in samples(tmp_path)} == {"x", "y", "z", "sub/x"}
    assert pairs(tmp_path, images="images/**/*", masks="masks/**/*.png") == expected


def test_masks_that_keep_the_suffix_of_their_image_before_their_own(tmp_path: Path) -> None:
    touch(tmp_path, ["a/x.png", "a/y.png", "b/x.png.mask.png", "b/y.png.mask.png"])
    expected = {"a/x.png": "b/x.png.mask.png", "a/y.png": "b/y.png.mask.png"}
    assert pairs(tmp_path, images="a", masks="b", mask_suffix=".mask") == expected
    for file in (tmp_path / "b").iterdir():
        file.rename(tmp_path / "a" / file.name)
    expected = {"a/x.png": "a/x.png.mask.png", "a/y.png": "a/y.png.mask.png"}
    assert pairs(tmp_path, images="a", masks="a", mask_suffix=".mask") == expected


def test_full_names_count_only_where_they_explain_the_folder(tmp_path: Path) -> None:
    touch(tmp_path, [*(f"images/{i}.jpg" for i in range(10)), *(f"masks/{i}.png" for i in range(4))])
    touch(tmp_path, [f"masks/{i}.jpg.png" for i in range(4, 10)])
    with pytest.raises(DataError, match=r"6 of 10 images have no mask \(4\.jpg.*6 of 10 masks .*\(4\.jpg\.png"):
        samples(tmp_path)


def test_stems_come_before_full_names(tmp_path: Path) -> None:
    names = [f"x{'.jpg' * i}" for i in range(12)]
    touch(tmp_path, [*(f"images/{name}" for name in names[1:]), "masks/z.png"])
    touch(tmp_path, [f"masks/{name}.png" for name in names[1:-1]])
    expected = {f"images/{name}.jpg": f"masks/{name}.png" for name in names[1:-1]}
    assert pairs(tmp_path, unpaired="skip") == expected


def test_a_stem_with_a_suffix_inside_is_not_a_full_name(tmp_path: Path) -> None:
    touch(tmp_path, ["images/x.jpg", "images/x.jpg.jpg", "masks/x.png", "masks/x.jpg.png"])
    assert pairs(tmp_path) == {"images/x.jpg": "masks/x.png", "images/x.jpg.jpg": "masks/x.jpg.png"}
    (tmp_path / "masks" / "x.png").rename(tmp_path / "masks" / "x.jpg.jpg.png")
    assert pairs(tmp_path) == {"images/x.jpg": "masks/x.jpg.png", "images/x.jpg.jpg": "masks/x.jpg.jpg.png"}


# --- hidden files and links -------------------------------------------------------------------------------------------

HIDDEN = (
    "{}/._a.png", "{}/.ipynb_checkpoints/a-checkpoint.png", "{}/__MACOSX/{}/b.png", "{}/Thumbs.db", "{}/.DS_Store",
)  # fmt: skip


@pytest.mark.parametrize("glob", ["", "/*", "/**/*", "/**/*.png", "/**"])
def test_hidden_files_are_no_pictures(tmp_path: Path, glob: str) -> None:
    touch(tmp_path, ["images/a.png", "masks/a.png", *(name.format(*["images"] * 2) for name in HIDDEN)])
    assert pairs(tmp_path, images=f"images{glob}", masks=f"masks{glob}") == {"images/a.png": "masks/a.png"}


def test_hidden_files_are_not_found_by_their_names(tmp_path: Path) -> None:
    touch(tmp_path, ["images/a.png", *(name.format(*["images"] * 2) for name in HIDDEN[:3])])
    for absolute in (False, True):
        finder = Finder(tmp_path, tmp_path / "images", absolute=absolute)
        for name in HIDDEN[:3]:
            assert finder.find(name.format(*["images"] * 2), where="list") is None
        assert finder.find(str(tmp_path / "images/._a.png"), where="list") is None


def test_the_finder_reads_data_below_a_hidden_folder(tmp_path: Path) -> None:
    touch(tmp_path / ".data", ["images/a.png"])
    for finder in (Finder(tmp_path / ".data"), Finder(tmp_path / "other", absolute=True)):
        file = finder.find(str(tmp_path / ".data" / "images" / "a.png"), where="list")
        assert file == tmp_path / ".data" / "images" / "a.png"


def test_linked_files_and_folders(tmp_path: Path) -> None:
    touch(tmp_path / "store", ["one/a.jpg", "one_truth/a.png", "b.jpg", "b.png"])
    for link, target in (("images/one", "one"), ("masks/one", "one_truth"), ("images/b.jpg", "b.jpg"),
                         ("masks/b.png", "b.png")):  # fmt: skip
        (tmp_path / link).parent.mkdir(exist_ok=True)
        (tmp_path / link).symlink_to(tmp_path / "store" / target)
    expected = {"images/one/a.jpg": "masks/one/a.png", "images/b.jpg": "masks/b.png"}
    assert pairs(tmp_path) == expected
    assert pairs(tmp_path, images="images/**/*", masks="masks/**/*") == expected


def test_a_folder_comes_before_links_to_it(tmp_path: Path) -> None:
    touch(tmp_path, ["images/z/a.jpg", "masks/z/a.png"])
    for link in ("a", "zz"):
        (tmp_path / "images" / link).symlink_to(tmp_path / "images" / "z")
    assert pairs(tmp_path) == {"images/z/a.jpg": "masks/z/a.png"}


@pytest.mark.parametrize("spec", ["images", "images/*", "[i]mages"])
@pytest.mark.parametrize("name", ["a.png", "folder"])
def test_a_broken_link_is_named(tmp_path: Path, spec: str, name: str) -> None:
    touch(tmp_path, ["masks/a.png", "images/notes.txt"])
    (tmp_path / "images" / name).symlink_to("/gone/there")
    with pytest.raises(DataError) as error:
        samples(tmp_path, images=spec)
    assert re.search(rf"data\.images: .*: a link is broken; .*images/{name} → /gone/there; restore", str(error.value))
    (tmp_path / "images" / name).unlink()
    (tmp_path / "images" / "a.txt").symlink_to("/gone/there")
    touch(tmp_path, ["images/a.jpg"])
    assert pairs(
        tmp_path, images=spec, masks={"images": "masks", "images/*": "masks/*", "[i]mages": "[m]asks"}[spec]
    ) == {"images/a.jpg": "masks/a.png"}


def test_the_folder_is_a_broken_link(tmp_path: Path) -> None:
    (tmp_path / "images").symlink_to("/gone")
    with pytest.raises(ConfigError, match=r"data\.images: the link is broken; .*images → /gone"):
        samples(tmp_path)


# --- globs of folders -------------------------------------------------------------------------------------------------


def test_globs_of_folders_are_paired_part_by_part(tmp_path: Path) -> None:
    names = ["part1/{}/x", "part1/{}/deep/x", "part2/{}/x", "part2/{}/y"]
    files = {f"{name.format('images')}.jpg": f"{name.format('masks')}.png" for name in names}
    touch(tmp_path, [*files, *files.values(), "part3/images.txt"])
    assert pairs(tmp_path, images="*/images", masks="*/masks") == files
    assert pairs(tmp_path, images="*/images/**/*.jpg", masks="*/masks") == files
    keys = {sample.key for sample in samples(tmp_path, images="part*/images/", masks="part*/masks")}
    assert keys == {os.path.splitext(file)[0] for file in files}


def test_globs_of_folders_in_splits_and_with_a_suffix(tmp_path: Path) -> None:
    files = {f"{s}/p{p}/images/x.jpg": f"{s}/p{p}/masks/x_m.png" for s in ("train", "val") for p in (1, 2)}
    touch(tmp_path, [*files, *files.values()])
    settings = {"images": "{split}/*/images", "masks": "{split}/*/masks", "split": Folders("train", "val", "")}
    assert pairs(tmp_path, mask_suffix="_m", **settings) == files
    with pytest.raises(DataError, match=r"set data\.mask_suffix: _m$"):
        samples(tmp_path, **settings)


def test_a_glob_that_matches_files_does_not_search_folders(tmp_path: Path) -> None:
    touch(tmp_path, ["images/a.jpg", "images/drafts/b.jpg", "masks/a.png"])
    assert pairs(tmp_path, images="images/*") == {"images/a.jpg": "masks/a.png"}


def test_images_and_masks_of_a_split_in_one_folder(tmp_path: Path) -> None:
    names = ["train/x", "train/deep/x", "train/face_mask", "valid/x"]
    files = {f"{name}.jpg": f"{name}_mask.png" for name in names}
    touch(tmp_path, [*files, *files.values()])
    split = Folders("train", "valid", "")
    assert pairs(tmp_path, images="{split}", masks="{split}", mask_suffix="_mask", split=split) == files


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".jpeg", ".JPG", ".tif", ".TIFF", ".webp", ".bmp"])
def test_suffixes_of_images(tmp_path: Path, suffix: str) -> None:
    touch(tmp_path, [f"images/a{suffix}", "masks/a.png"])
    assert pairs(tmp_path) == {f"images/a{suffix}": "masks/a.png"}
    assert Finder(tmp_path).find("images/a.jpg", where="list") == tmp_path / "images" / f"a{suffix}"
