from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from kseg.data.find import find_dataset
from kseg.data.spec import DataSpec, Folders, Fractions, Lists
from kseg.errors import ConfigError, DataError, ImageError
from tests.data.folders import keys, make_pairs, write

BINARY = ["background", "object"]
NAMES = [f"n{i}" for i in range(10)]


def test_pairs_are_found_at_any_depth(tmp_path: Path) -> None:
    make_pairs(tmp_path, ["a", "deep/b", "deep/deeper/c", "d.with.dots"])
    dataset = find_dataset(DataSpec(root=tmp_path, classes=BINARY))
    samples = {sample.key: sample for sample in dataset.samples("all")}
    assert sorted(samples) == ["a", "d.with.dots", "deep/b", "deep/deeper/c"]
    assert samples["deep/b"].image == tmp_path / "images" / "deep" / "b.png"
    assert samples["deep/b"].mask == tmp_path / "masks" / "deep" / "b.png"


def test_hidden_files_and_other_files_do_not_count(tmp_path: Path) -> None:
    make_pairs(tmp_path, ["a", "b"])
    for name in ("images/._a.png", "images/.cache/x.png", "masks/.DS_Store", "images/list.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no picture")
    assert len(find_dataset(DataSpec(root=tmp_path, classes=BINARY)).samples("all")) == 2


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    make_pairs(tmp_path / "real", ["a", "b"])
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "linked").symlink_to(tmp_path / "real" / kind)
        (tmp_path / "real" / kind / "back").symlink_to(tmp_path / kind)
    assert sorted(s.key for s in find_dataset(DataSpec(root=tmp_path, classes=BINARY)).samples("all")) == [
        "linked/a",
        "linked/b",
    ]


def test_a_mask_suffix(tmp_path: Path) -> None:
    make_pairs(tmp_path, ["a", "b"], suffix="_mask")
    dataset = find_dataset(DataSpec(root=tmp_path, classes=BINARY, mask_suffix="_mask"))
    assert sorted(sample.mask.name for sample in dataset.samples("all") if sample.mask) == ["a_mask.png", "b_mask.png"]


@pytest.mark.parametrize(
    ("exclude", "remaining"),
    [
        ((), ["a", "b", "sub/c", "sub/d", "x[1]"]),
        (["b", "sub/d"], ["a", "sub/c", "x[1]"]),
        (["sub/*"], ["a", "b", "x[1]"]),
        (["[!a]*"], ["a"]),
        (["x[1]", "c"], ["a", "b", "sub/c", "sub/d"]),
    ],
)
def test_what_is_excluded_by_name_or_pattern_is_left_out(
    tmp_path: Path, exclude: Sequence[str], remaining: list[str]
) -> None:
    make_pairs(tmp_path, ["a", "b", "sub/c", "sub/d", "x[1]"])
    split = Fractions(1, 0, 0)
    dataset = find_dataset(DataSpec(root=tmp_path, classes=BINARY, exclude=exclude, split=split))
    assert sorted(sample.key for sample in dataset.samples("all")) == remaining


def test_what_is_excluded_from_one_split_stays_in_the_others(tmp_path: Path) -> None:
    for split in ("train", "val"):
        make_pairs(tmp_path / split, ["1", "2"])
    spec = DataSpec(
        root=tmp_path, classes=BINARY, images="{split}/images", masks="{split}/masks", exclude=["train/1", "val/[2]"],
        split=Folders("train", "val", ""),
    )  # fmt: skip
    assert keys(find_dataset(spec).splits) == {"train": ["train/2"], "val": ["val/1"], "test": []}


def test_pictures_and_masks_in_one_folder(tmp_path: Path) -> None:
    make_pairs(tmp_path, ["a", "b"], suffix="_mask")
    for path in [*(tmp_path / "masks").iterdir()]:
        shutil.move(path, tmp_path / "images" / path.name)
    for given in ({"masks": "images", "mask_suffix": "_mask"}, {"images": "images/?.png", "masks": "images/?_mask.*"}):
        dataset = find_dataset(DataSpec(root=tmp_path, classes=BINARY, **given))  # type: ignore[arg-type]
        assert sorted(sample.key for sample in dataset.samples("all")) == ["a", "b"]


def test_masks_below_the_image_folder_are_no_pictures(tmp_path: Path) -> None:
    make_pairs(tmp_path, ["a", "b"])
    shutil.move(tmp_path / "masks", tmp_path / "images" / "masks")
    dataset = find_dataset(DataSpec(root=tmp_path / "images", images=".", masks="masks", classes=BINARY))
    assert sorted(sample.key for sample in dataset.samples("all")) == ["a", "b"]


def test_globs_are_paired_by_what_their_wildcards_stand_for(tmp_path: Path) -> None:
    for case in ("one", "two"):
        make_pairs(tmp_path / f"case_{case}", ["x", "y"])
    dataset = find_dataset(
        DataSpec(root=tmp_path, images="case_*/images/*.png", masks="case_*/masks/*.png", classes=BINARY)
    )
    pairs = [(s.image.parts[-3], s.image.name, s.mask) for s in dataset.samples("all")]
    assert len(pairs) == 4
    assert all(mask == tmp_path / case / "masks" / name for case, name, mask in pairs)
    assert {sample.key for sample in dataset.samples("all")} >= {"case_one/images/x", "case_two/images/y"}


def test_a_glob_with_a_character_set(tmp_path: Path) -> None:
    make_pairs(tmp_path, ["a1", "a[", "b1", "c1"])
    for pattern, actual in (("?[1[]", ["a1", "a[", "b1", "c1"]), ("[!a]1", ["b1", "c1"])):
        dataset = find_dataset(
            DataSpec(root=tmp_path, images=f"images/{pattern}.png", masks=f"masks/{pattern}.png", classes=BINARY)
        )
        assert sorted(sample.key for sample in dataset.samples("all")) == actual


def test_the_same_files_as_images_and_masks(tmp_path: Path) -> None:
    make_pairs(tmp_path, ["a", "b"])
    with pytest.raises(ConfigError, match=r"data\.masks: the images and the masks are the same files"):
        find_dataset(DataSpec(root=tmp_path, masks="images", classes=BINARY))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"root": "gone"}, r"data\.root: no such folder; found .*gone"),
        ({"images": "photos"}, r"data\.images: no such folder; found .*photos; .* has the folders images, masks"),
        ({"masks": "truth"}, r"data\.masks: no such folder; found .*truth"),
        ({"split": Folders("train", "val", "")}, r"data\.images: no such folder; found .*images/train"),
        ({"split": Lists("train.txt", "", "")}, r"data\.split\.train: the list cannot be read.*train\.txt"),
        ({"colors": ["red", "#00ff00"]}, r"data\.colors: not a colour; expected '#rrggbb'; found 'red'"),
    ],
)
def test_a_wrong_configuration(tmp_path: Path, given: dict[str, object], message: str) -> None:
    make_pairs(tmp_path, NAMES)
    root = tmp_path / str(given.pop("root", ""))
    with pytest.raises(ConfigError, match=message) as error:
        find_dataset(DataSpec(root=root, classes=BINARY, **given))  # type: ignore[arg-type]
    assert error.value.exit_code == 2


def test_no_images(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "read.me").touch()
    with pytest.raises(DataError, match=r"data\.images: .*: no images found; expected files with the suffix") as error:
        find_dataset(DataSpec(root=tmp_path, classes=BINARY))
    assert error.value.exit_code == 1
    with pytest.raises(DataError, match="no images found"):
        find_dataset(DataSpec(root=tmp_path, images="images/*.png", classes=BINARY))


def test_unpaired_files_are_counted_and_named(tmp_path: Path) -> None:
    make_pairs(tmp_path, NAMES)
    for name in NAMES[:7]:
        (tmp_path / "masks" / f"{name}.png").unlink()
    write(tmp_path / "masks" / "lost.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(DataError) as error:
        find_dataset(DataSpec(root=tmp_path, classes=BINARY))
    message = str(error.value)
    assert "7 of 10 images have no mask (n0.png, n1.png, n2.png, n3.png, n4.png and 2 more)" in message
    assert "1 of 4 masks have no image (lost.png)" in message
    assert "data.unpaired: skip" in message
    assert error.value.exit_code == 1


def test_unpaired_files_can_be_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_pairs(tmp_path, NAMES)
    (tmp_path / "masks" / "n3.png").unlink()
    dataset = find_dataset(DataSpec(root=tmp_path, classes=BINARY, unpaired="skip"))
    assert len(dataset.samples("all")) == 9
    assert "1 of 10 images have no mask (n3.png); left out" in caplog.text


def test_nothing_paired_names_the_suffix_that_would(tmp_path: Path) -> None:
    make_pairs(tmp_path, NAMES, suffix="_seg")
    for unpaired in ("error", "skip"):
        with pytest.raises(DataError, match=r"10 of 10 images have no mask.*set data.mask_suffix: _seg"):
            find_dataset(DataSpec(root=tmp_path, classes=BINARY, unpaired=unpaired))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_doubled_stems(tmp_path: Path, kind: str) -> None:
    make_pairs(tmp_path, ["a", "b"])
    shutil.copy(tmp_path / kind / "a.png", tmp_path / kind / "a.jpg")
    with pytest.raises(DataError, match=rf"data\.{kind}: 1 stems occur twice.*a\.jpg and a\.png"):
        find_dataset(DataSpec(root=tmp_path, classes=BINARY))


def test_odd_file_names(tmp_path: Path) -> None:
    names = ["with blank", "ünïcode", "semi;colon", "new\nline", "[brackets]", os.fsdecode(b"latin\xe9")]
    make_pairs(tmp_path / "ro[o]t", names)
    dataset = find_dataset(DataSpec(root=tmp_path / "ro[o]t", classes=BINARY))
    assert sorted(sample.key for sample in dataset.samples("all")) == sorted(names)
    (tmp_path / "ro[o]t" / "masks" / f"{names[-1]}.png").unlink()
    with pytest.raises(DataError, match=r"latin\\xe9\.png") as error:
        find_dataset(DataSpec(root=tmp_path / "ro[o]t", images="images/*", masks="masks/*", classes=BINARY))
    str(error.value).encode("utf-8")


def test_fractions_depend_on_names_alone(tmp_path: Path) -> None:
    here, there = make_pairs(tmp_path / "here", NAMES), make_pairs(tmp_path / "there", NAMES[::-1])
    first, second = (keys(find_dataset(DataSpec(root=root, classes=BINARY)).splits) for root in (here, there))
    assert first == second
    assert [len(first[name]) for name in ("train", "val", "test")] == [8, 1, 1]
    other = keys(find_dataset(DataSpec(root=here, classes=BINARY, split=Fractions(seed=1))).splits)
    assert other != first
    # A record of one machine holds on every other: this very cut is part of the contract.
    assert first["val"] + first["test"] == PINNED


PINNED = ["n2", "n3"]


@pytest.mark.parametrize(
    ("total", "fractions", "expected"),
    [
        (2, Fractions(), [1, 1, 0]),
        (3, Fractions(), [1, 1, 1]),
        (10, Fractions(0.98, 0.01, 0.01), [8, 1, 1]),
        (100, Fractions(0.7, 0.2, 0.1), [70, 20, 10]),
        (7, Fractions(0.5, 0.5, 0.0), [4, 3, 0]),
        (1, Fractions(0, 0, 1), [0, 0, 1]),
    ],
)
def test_every_share_gets_a_sample(tmp_path: Path, total: int, fractions: Fractions, expected: list[int]) -> None:
    make_pairs(tmp_path, [str(i) for i in range(total)], size=(2, 2))
    dataset = find_dataset(DataSpec(root=tmp_path, classes=BINARY, split=fractions))
    assert [len(dataset.splits[name]) for name in ("train", "val", "test")] == expected


def test_one_image_in_all(tmp_path: Path) -> None:
    make_pairs(tmp_path, ["only"])
    with pytest.raises(DataError, match=r"only\.png: there is only one image; expected at least two"):
        find_dataset(DataSpec(root=tmp_path, classes=BINARY))


def test_an_empty_split(tmp_path: Path) -> None:
    make_pairs(tmp_path, ["a", "b"])
    dataset = find_dataset(DataSpec(root=tmp_path, classes=BINARY, split=Fractions(0.5, 0.5, 0)))
    assert len(dataset.samples("train")) == 1
    with pytest.raises(DataError, match=r"the split 'test' is empty; found images: train 1, val 1, test 0") as error:
        dataset.samples("test")
    assert error.value.exit_code == 1


def test_folders_below_and_in_the_middle(tmp_path: Path) -> None:
    for split, names in (("train", ["1", "2"]), ("val", ["1"]), ("test", ["1"])):
        make_pairs(tmp_path / "middle" / split, names)
        for kind in ("images", "masks"):
            shutil.copytree(tmp_path / "middle" / split / kind, tmp_path / "below" / kind / split)
    split = Folders("train", "val", "test")
    expected = {"train": ["train/1", "train/2"], "val": ["val/1"], "test": ["test/1"]}
    below = find_dataset(DataSpec(root=tmp_path / "below", classes=BINARY, split=split))
    middle = find_dataset(
        DataSpec(root=tmp_path / "middle", images="{split}/images", masks="{split}/masks", classes=BINARY, split=split)
    )
    assert keys(below.splits) == keys(middle.splits) == expected


def test_lists_name_samples_in_several_ways(tmp_path: Path) -> None:
    make_pairs(tmp_path, ["a b", "sub/c", "d", "e", "f"])
    (tmp_path / "train.txt").write_text("# comment\n\na b\nsub/c 1 1 1\n")
    (tmp_path / "val.txt").write_text("d.png\nimages/e.png\n")
    (tmp_path / "test.txt").write_text(f"\ufeff{tmp_path / 'images' / 'f.png'}\r\n")
    dataset = find_dataset(DataSpec(root=tmp_path, classes=BINARY, split=Lists("train.txt", "val.txt", "test.txt")))
    assert keys(dataset.splits) == {"train": ["a b", "sub/c"], "val": ["d", "e"], "test": ["f"]}


def test_lists_that_do_not_fit(tmp_path: Path) -> None:
    make_pairs(tmp_path, ["a", "b"])
    (tmp_path / "train.txt").write_text("a\nb\n")
    (tmp_path / "val.txt").write_text("b\n")
    (tmp_path / "wrong.txt").write_text("a\nzebra\n")
    with pytest.raises(DataError, match=r"1 samples are in the lists train and val both; found b"):
        find_dataset(DataSpec(root=tmp_path, classes=BINARY, split=Lists("train.txt", "val.txt", "")))
    with pytest.raises(DataError, match=r"wrong\.txt: 1 of 2 lines name no sample.*found zebra"):
        find_dataset(DataSpec(root=tmp_path, classes=BINARY, split=Lists("wrong.txt", "val.txt", "")))


@pytest.mark.parametrize(
    ("on_disk", "names", "values"),
    [
        ((0, 255), ("background", "foreground"), {0: "background", 255: "foreground"}),
        ((0, 1), ("background", "foreground"), {0: "background", 1: "foreground"}),
        ((1, 2, 3), ("class_1", "class_2", "class_3"), {1: "class_1", 2: "class_2", 3: "class_3"}),
        ((0, 1, 255), ("class_0", "class_1"), {0: "class_0", 1: "class_1", 255: "ignore"}),
    ],
)
def test_classes_are_told_from_the_masks(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    on_disk: tuple[int, ...],
    names: tuple[str, ...],
    values: dict[int, str],
) -> None:
    make_pairs(tmp_path, ["a", "b"], values=on_disk)
    with caplog.at_level(logging.INFO, logger="kseg"):
        labels = find_dataset(DataSpec(root=tmp_path)).labels
    assert labels.names == names
    assert labels.values == values
    assert f"{on_disk[-1]}: {values[on_disk[-1]]}}}" in caplog.text


def test_classes_are_told_from_values(tmp_path: Path) -> None:
    make_pairs(tmp_path, ["a", "b"])
    given: dict[int | str, str] = {7: "cat", 1: "background", 3: "ignore", 8: "cat"}
    labels = find_dataset(DataSpec(root=tmp_path, values=given, colors=["#000000", "#ff8000"])).labels
    assert labels.names == ("background", "cat")
    assert labels.values == given
    assert labels.colors == ((0, 0, 0), (255, 128, 0))


@pytest.mark.parametrize("on_disk", [(5,), tuple(range(200))])
def test_classes_that_cannot_be_told(tmp_path: Path, on_disk: tuple[int, ...]) -> None:
    make_pairs(tmp_path, ["a", "b"], values=on_disk, size=(20, 20))
    with pytest.raises(DataError, match=rf"data\.classes: .*found {len(on_disk)}: .*data\.values: {{0: background"):
        find_dataset(DataSpec(root=tmp_path))


def test_an_unreadable_mask_while_classes_are_told(tmp_path: Path) -> None:
    make_pairs(tmp_path, ["a", "b"])
    (tmp_path / "masks" / "b.png").write_text("no picture")
    with pytest.raises(ImageError, match=r"masks/b\.png: not an image"):
        find_dataset(DataSpec(root=tmp_path))


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ((0.5, 0.1, 0.1), r"data\.split: .*sum of 1; found 0.5 \+ 0.1 \+ 0.1"),
        ((1.5, -0.5, 0), "do not add up to 1"),
    ],
)
def test_fractions_are_shares_of_one_whole(shares: tuple[float, float, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Fractions(*shares)


def test_a_description_checks_itself(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"^data\.values\.3: unknown class; expected one of background, object, ignore"
    ):
        DataSpec(tmp_path, classes=BINARY, values={3: "y"})
    with pytest.raises(ConfigError, match=r"^data\.colors: not a colour; expected '#rrggbb'; found 'red'$"):
        DataSpec(tmp_path, classes=BINARY, colors=("red", "#000000"))
