"""Which pictures are meant, and that no two results share a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kseg.errors import OutputError, UsageError
from kseg.images import jpeg_bytes, png_bytes
from kseg.inference import find_pictures
from kseg.inference.sources import name_targets
from kseg.provenance import Origin, write_marked


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    """photos/ with two levels, beside files that are no pictures."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "b.jpg",
        "a.PNG",
        "deep/er/c.tif",
        "deep/d.webp",
        "notes.txt",
        ".hidden.png",
        ".ipynb_checkpoints/b-checkpoint.jpg",
        "deep/mask.npz",
    ):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).touch()
    return tmp_path / "photos"


def names(*sources, **options):
    return [str(picture.name) for picture in find_pictures(sources, **options)]


def test_a_folder_is_searched_at_any_depth_in_order(photos):
    assert names(str(photos)) == ["a.PNG", "b.jpg", "deep/d.webp", "deep/er/c.tif"]


def test_a_pattern_keeps_the_folders_below_its_fixed_part(photos):
    assert names("photos/**/*.*") == ["a.PNG", "b.jpg", "deep/d.webp", "deep/er/c.tif"]
    assert names("photos/deep/*") == ["d.webp"]
    assert names(f"{photos}/*/*.webp") == ["deep/d.webp"]
    assert names("*/b.jpg") == ["photos/b.jpg"]


def test_a_file_is_taken_at_its_word_whatever_its_suffix(photos):
    assert names(str(photos / "notes.txt")) == ["notes.txt"]


def test_a_file_with_brackets_in_its_name_is_no_pattern(photos):
    (photos / "x[1].jpg").touch()
    assert names("photos/x[1].jpg") == ["x[1].jpg"]


def test_a_picture_that_is_named_twice_is_predicted_once(photos):
    assert names("photos/b.jpg", str(photos), "photos/*.jpg") == ["b.jpg", "a.PNG", "deep/d.webp", "deep/er/c.tif"]


@pytest.fixture
def predicted(photos):
    """photos/ with a mask and an overlay in photos/m1 that kseg wrote."""
    image = np.zeros((2, 2, 3), np.uint8)
    (photos / "m1").mkdir()
    for name, data in (("a.png", png_bytes(image)), ("a_overlay.jpg", jpeg_bytes(image))):
        write_marked(photos / "m1" / name, data, Origin.of("kseg predict", photos / "a.PNG"))
    return photos


@pytest.mark.parametrize("sources", [["photos"], ["photos/**/*.*"], ["photos/m1", "photos"]])
def test_pictures_that_kseg_wrote_are_skipped_and_counted(predicted, caplog, sources):
    caplog.set_level("INFO", "kseg")
    assert [picture.image for picture in find_pictures(sources)] == [
        predicted.relative_to(predicted.parent) / name for name in ("a.PNG", "b.jpg", "deep/d.webp", "deep/er/c.tif")
    ]
    assert caplog.messages == [
        "skipped 2 pictures that kseg itself wrote (photos/m1/a.png, photos/m1/a_overlay.jpg); "
        "name such a file to predict it"
    ]


def test_a_picture_that_kseg_wrote_is_predicted_if_it_is_named(predicted, caplog):
    caplog.set_level("INFO", "kseg")
    assert names(str(predicted / "m1" / "a.png")) == ["a.png"]
    assert names("photos/m1/*.png", "photos/b.jpg", "photos/m1/a.png") == ["b.jpg", "a.png"]
    assert caplog.messages == []


def test_only_pictures_that_kseg_wrote_are_an_error(predicted):
    with pytest.raises(UsageError) as caught:
        find_pictures(["photos/m1/*.png", str(predicted / "m1")])
    assert str(caught.value) == (
        f"photos/m1/*.png, {predicted}/m1: kseg itself wrote all pictures here; expected photographs; "
        f"found {predicted}/m1/a.png, {predicted}/m1/a_overlay.jpg; name a file to predict it"
    )


@pytest.mark.parametrize("source", ["~/photos/deep", "~/photos/deep/*.webp", "~/photos/deep/d.webp"])
def test_the_home_folder_is_expanded(photos, monkeypatch, source):
    monkeypatch.setenv("HOME", str(photos.parent))
    assert find_pictures([source])[0].image == photos / "deep" / "d.webp"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere.jpg", "nowhere.jpg: no such file or folder"),
        ("photos/*.bmp", r"photos/\*\.bmp: no image matches the pattern"),
        ("empty", r"empty: no images in the folder; expected files ending in \.bmp, \.gif, "),
    ],
)
def test_a_source_that_matches_nothing_is_an_error(photos, source, message):
    (photos.parent / "empty").mkdir()
    with pytest.raises(UsageError, match=message):
        find_pictures([str(photos), source])


def stems(out, *sources, overlay=False, prob=None):
    targets = name_targets(find_pictures(sources), out, overlay=overlay, prob=prob)
    files = [path for target in targets for path in target.files()]
    assert len({str(path).casefold() for path in files}) == len(files)
    return [target.stem for target in targets]


def test_results_lie_as_their_sources_did(photos):
    assert stems(Path("out"), str(photos)) == ["a", "b", "deep/d", "deep/er/c"]


def test_pictures_that_share_a_stem_are_told_apart(photos):
    for name in ("b.png", "B.webp"):
        (photos / name).touch()
    assert stems(Path("out"), "photos/b.jpg", "photos/b.png", "photos/B.webp") == ["b.jpg", "b.png", "B.webp"]


def test_the_same_name_in_two_folders_is_numbered(photos):
    for folder in ("one", "two", "three"):
        (photos / folder).mkdir()
        (photos / folder / "x.jpg").touch()
    assert stems(Path("out"), *(f"photos/{n}/x.jpg" for n in ("one", "two", "three"))) == ["x.jpg", "x_2", "x_3"]


def test_a_score_file_never_takes_another_pictures_mask(photos):
    (photos / "b_prob.jpg").touch()
    assert stems(Path("out"), "photos/b.jpg", "photos/b_prob.jpg", prob=".png") == ["b", "b_prob.jpg"]
    assert stems(Path("out"), "photos/b_prob.jpg", "photos/b.jpg", prob=".png") == ["b_prob", "b.jpg"]


def test_a_source_is_never_written_over(photos):
    (photos / "b.png").touch()
    with pytest.raises(OutputError, match=r"1 results would be written over the images themselves; found .*b\.png"):
        stems(photos, "photos/b.png")
    with pytest.raises(OutputError, match="written over the images"):
        stems(photos / "deep" / "..", "photos/b.png")
    (photos / "link.png").symlink_to(photos / "b.png")
    with pytest.raises(OutputError, match="written over the images"):
        stems(photos, "photos/link.png")
