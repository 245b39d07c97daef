"""TIFF files of several pages: each page is a sample, or the first, or an error; and all readers take that page."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image, TiffImagePlugin

from kseg.data.dataset import Dataset
from kseg.data.find import find_dataset
from kseg.data.formats.index_masks import write_masks
from kseg.data.inspection.inspect import inspect_data
from kseg.data.inspection.sheet import contact_sheet
from kseg.data.pipeline.arrays import Streamed, load_arrays
from kseg.data.pipeline.batches import eval_batches
from kseg.data.pipeline.cache import fill_cache
from kseg.data.spec import DataSpec, Fractions, Lists
from kseg.data.splits.lists import write_lists
from kseg.data.truth import picture_size, read_picture, read_truth
from kseg.errors import DataError
from kseg.images import image_header, image_size, page_count, read_image, read_mask, write_png

SIZE = (12, 16)
SPLIT = Fractions(0.6, 0.2, 0.2)


def page(number: int, size: tuple[int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """A picture of one brightness, and a mask whose first rows are 1; both tell the page."""
    image, mask = np.full((*size, 3), 20 * number + 10, np.uint8), np.zeros(size, np.uint8)
    mask[: number + 1] = 1
    return image, mask


def write_tiff(path: Path, arrays: list[np.ndarray]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *others = map(Image.fromarray, arrays)
    first.save(path, save_all=True, append_images=others)
    return path


def make_stack(root: Path, name: str = "stack", *, pages: int = 5, mask_pages: int | None = None) -> Path:
    content = [page(number) for number in range(pages)]
    write_tiff(root / "images" / f"{name}.tif", [image for image, _ in content])
    write_tiff(root / "masks" / f"{name}.tif", [mask for _, mask in content][: mask_pages or pages])
    return root


def spec(root: Path, **settings: object) -> DataSpec:
    return DataSpec(root, **{"classes": ("background", "object"), "split": SPLIT, **settings})


def test_pages_of_a_file(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tiff", [page(0)[0], page(1, (7, 9))[0]])
    assert page_count(path) == 2
    assert read_image(path, page=1).shape == (7, 9, 3)
    assert (read_image(path, page=1) == 30).all()
    assert image_size(path, page=1) == image_header(path, page=1).size == (7, 9)
    mask = write_tiff(tmp_path / "m.tif", [page(0)[1], page(1)[1]])
    np.testing.assert_array_equal(read_mask(mask, page=1), page(1)[1])
    with pytest.raises(DataError, match=r"a\.tiff \(page 3\): no such page; expected at most 2$"):
        read_image(path, page=2)


def test_animations_and_reduced_copies_are_no_pages(tmp_path: Path) -> None:
    frames = [Image.fromarray(page(number)[0]) for number in range(3)]
    for name in ("a.gif", "a.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        assert page_count(tmp_path / name) == 1
    with TiffImagePlugin.AppendingTiffWriter(str(tmp_path / "a.tif"), True) as file:
        for number, reduced in enumerate((0, 1, 0, 1)):
            Image.fromarray(page(number)[0]).save(file, tiffinfo={254: reduced})
            file.newFrame()
    assert page_count(tmp_path / "a.tif") == 2
    assert (read_image(tmp_path / "a.tif", page=1) == 50).all()


def test_each_page_is_a_sample(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_stack(tmp_path)
    for name in "ab":
        write_png(tmp_path / "images" / f"{name}.png", page(6)[0])
        write_png(tmp_path / "masks" / f"{name}.png", page(6)[1])
    with caplog.at_level(logging.INFO, "kseg"):
        dataset = find_dataset(spec(tmp_path))
    samples = sorted(dataset.samples("all"), key=lambda sample: sample.key)
    assert [sample.key for sample in samples] == ["a", "b", *(f"stack/{number:04d}" for number in range(1, 6))]
    assert [sample.page for sample in samples] == [None, None, 0, 1, 2, 3, 4]
    assert caplog.messages == [
        "1 TIFF file has 5 pages, and each page is a sample; data.pages: first takes the first of each file only"
    ]
    for number, sample in enumerate(samples[2:]):
        np.testing.assert_array_equal(read_picture(sample), page(number)[0])
        np.testing.assert_array_equal(read_truth(sample, dataset.labels), page(number)[1])
        assert picture_size(sample) == SIZE


def test_the_first_page_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_stack(tmp_path, "one", mask_pages=1)
    make_stack(tmp_path, "two")
    with caplog.at_level(logging.INFO, "kseg"):
        dataset = find_dataset(spec(tmp_path, pages="first"))
    assert sorted(sample.key for sample in dataset.samples("all")) == ["one", "two"]
    assert caplog.messages == []
    for sample in dataset.samples("all"):
        np.testing.assert_array_equal(read_truth(sample, dataset.labels), page(0)[1])


@pytest.mark.parametrize("pages", [None, "each"])
def test_other_numbers_of_pages(tmp_path: Path, pages: str | None) -> None:
    make_stack(tmp_path, "one", mask_pages=1)
    make_stack(tmp_path, "two")
    images, masks = tmp_path / "images", tmp_path / "masks"
    expected = (
        "data.pages: 1 of the 2 images of several pages have a mask with another number of pages; "
        "expected a TIFF file with as many pages as its image for each mask; "
        f"found {images / 'one.tif'} has 5, {masks / 'one.tif'} 1; "
        "set data.pages: first, which takes the first page of each file, or give every page its mask"
    )
    with pytest.raises(DataError) as error:
        find_dataset(spec(tmp_path, pages=pages))
    assert str(error.value) == expected
    assert error.value.exit_code == 1


def test_a_mask_of_several_pages_for_one_picture(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    write_png(tmp_path / "images" / "a.png", page(0)[0])
    mask = write_tiff(tmp_path / "masks" / "a.tif", [page(0)[1], page(1)[1]])
    with pytest.raises(DataError, match=rf"a\.png has 1, {mask} 2; set data\.pages: first"):
        find_dataset(spec(tmp_path))


def test_classes_are_inferred_from_all_pages(tmp_path: Path) -> None:
    make_stack(tmp_path)
    write_tiff(tmp_path / "masks" / "stack.tif", [np.full(SIZE, number, np.uint8) for number in range(5)])
    assert find_dataset(DataSpec(tmp_path, split=SPLIT)).labels.num_classes == 5


def test_pages_and_files_can_be_excluded(tmp_path: Path) -> None:
    make_stack(make_stack(tmp_path, "one", mask_pages=1), "two")
    dataset = find_dataset(spec(tmp_path, exclude=("one", "two/0002")))
    assert sorted(sample.key for sample in dataset.samples("all")) == [f"two/000{number}" for number in (1, 3, 4, 5)]


def test_every_store_has_every_page(tmp_path: Path) -> None:
    dataset = find_dataset(spec(make_stack(tmp_path)))
    samples = tuple(sorted(dataset.samples("all"), key=lambda sample: sample.key))
    stores = (
        load_arrays(samples, dataset.labels, SIZE),
        fill_cache(samples, dataset.labels, SIZE, folder=tmp_path / "cache"),
        Streamed(samples, dataset.labels, SIZE),
    )
    for store in stores:
        images, masks = next(iter(eval_batches(store, batch=5)))
        for number in range(5):
            np.testing.assert_array_equal(images[number], page(number)[0])
            np.testing.assert_array_equal(masks[number], page(number)[1])


def test_the_record_of_a_data_set_has_the_pages(tmp_path: Path) -> None:
    dataset = find_dataset(spec(make_stack(tmp_path)))
    dataset.save(tmp_path / "data.json")
    assert Dataset.load(tmp_path / "data.json") == dataset
    first = find_dataset(spec(tmp_path, pages="first", split=Fractions(1.0, 0.0, 0.0)))
    other = Dataset(dataset.root, dataset.labels, {"train": (dataset.samples("all")[1],)})
    assert first.fingerprint() != other.fingerprint()


def test_the_check_reads_every_page_and_says_so(tmp_path: Path) -> None:
    inspection = inspect_data(spec(make_stack(tmp_path)))
    facts = {facts.sample.page: facts for part in inspection.survey.values() for facts in part}
    for number in range(5):
        assert facts[number].image.total[0] == (20 * number + 10) * SIZE[0] * SIZE[1]
        assert facts[number].mask.pixels[-1] == page(number)[1].sum()
    (note,) = [finding for finding in inspection.findings if finding.code == "pages"]
    assert (note.severity, note.count, note.total) == ("note", 5, 5)
    assert note.what == "1 TIFF file has 5 pages, and each page is a sample"
    assert note.advice is not None
    assert "data.split.group: '^(.*)/[0-9]+$'" in note.advice


def test_the_pages_of_a_file_can_be_kept_together(tmp_path: Path) -> None:
    for name in "abcde":
        make_stack(tmp_path, name, pages=3)
    dataset = find_dataset(DataSpec(tmp_path, split=Fractions(0.6, 0.2, 0.2, group="^(.*)/[0-9]+$")))
    files = [{sample.image for sample in part} for part in dataset.splits.values()]
    assert [len(part) for part in files] == [3, 1, 1]


def test_a_deep_page_is_named(tmp_path: Path) -> None:
    make_stack(tmp_path)
    write_tiff(tmp_path / "images" / "stack.tif", [page(0)[0][..., 0], *[np.full(SIZE, 999, np.uint16)] * 4])
    (finding,) = [finding for finding in inspect_data(spec(tmp_path)).findings if finding.code == "unreadable"]
    assert sorted(finding.files) == ["stack/0002", "stack/0003", "stack/0004", "stack/0005"]
    assert "more than 8 bits a channel" in str(finding.found)
    assert dict(finding.fix) == {}
    assert list(finding.guess) == ["data.exclude"]


def test_a_sheet_shows_the_page(tmp_path: Path) -> None:
    dataset = find_dataset(spec(make_stack(tmp_path)))
    bright = [sample for sample in dataset.samples("all") if sample.page == 4]
    assert (contact_sheet(dataset, bright) == 90).all(axis=-1).any()


def test_masks_are_written_with_their_pages(tmp_path: Path) -> None:
    dataset = find_dataset(spec(make_stack(tmp_path / "data")))
    report = write_masks(dataset, tmp_path / "out")
    assert len(report.written) == 5
    settings = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text())["data"]
    back = find_dataset(DataSpec(**{**settings, "root": tmp_path / "out"}))
    for sample in back.samples("all"):
        number = int(sample.image.stem) - 1
        np.testing.assert_array_equal(read_picture(sample), page(number)[0])
        np.testing.assert_array_equal(read_truth(sample, back.labels), page(number)[1])


def test_the_pages_of_a_manifest_stay_in_its_split(tmp_path: Path) -> None:
    make_stack(make_stack(tmp_path, "one"), "two", pages=2)
    rows = ["image,mask,split", "images/one.tif,masks/one.tif,train", "images/two.tif,masks/two.tif,val"]
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    dataset = find_dataset(
        DataSpec(tmp_path, format="manifest", annotations="manifest.csv", classes=("background", "object"))
    )
    assert {name: len(samples) for name, samples in dataset.splits.items()} == {"train": 5, "val": 2, "test": 0}


def test_records_are_as_before_without_pages(tmp_path: Path) -> None:
    make_stack(tmp_path, "one", pages=1)
    find_dataset(spec(tmp_path, split=Fractions(1.0, 0.0, 0.0))).save(tmp_path / "data.json")
    (record,) = json.loads((tmp_path / "data.json").read_text())["splits"]["train"]
    assert set(record) == {"key", "image", "image_sha256", "mask", "mask_sha256"}


@pytest.mark.parametrize("name", ["one", "one.tif", "images/one.tif", "one/0001\none/0002"])
def test_lists_name_files_or_pages(tmp_path: Path, name: str) -> None:
    make_stack(make_stack(tmp_path, "one", pages=2), "two", pages=2)
    (tmp_path / "train.txt").write_text(name)
    (tmp_path / "val.txt").write_text("two/0002")
    dataset = find_dataset(spec(tmp_path, split=Lists(train="train.txt", val="val.txt")))
    assert [sample.key for sample in dataset.samples("train")] == ["one/0001", "one/0002"]
    assert [sample.key for sample in dataset.samples("val")] == ["two/0002"]


def test_lists_of_pages_are_read_back(tmp_path: Path) -> None:
    dataset = find_dataset(spec(make_stack(tmp_path)))
    write_lists(tmp_path, dataset.splits, tmp_path)
    lists = Lists(train="train.txt", val="val.txt", test="test.txt")
    assert find_dataset(spec(tmp_path, split=lists)).splits == dataset.splits
    with pytest.raises(DataError, match=r"stack\.tif: the pages of a file cannot be written to a list of images and"):
        write_lists(tmp_path, dataset.splits, tmp_path, masks=True, overwrite=True)
