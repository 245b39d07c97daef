"""Any name that a file system allows: found, written to lists and manifests, read back; never paired with another."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, event, example, given, settings
from hypothesis import strategies as st

from kseg.data.find import find_dataset, find_samples
from kseg.data.formats.index_masks import write_masks
from kseg.data.names import composed
from kseg.data.sample import SPLITS, Sample, SplitName
from kseg.data.spec import DataSpec, Lists
from kseg.data.splits.lists import write_lists
from kseg.errors import KsegError
from kseg.images import write_png

FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

CHARACTERS = st.one_of(
    st.sampled_from(" #[]%\n\r\t\"'\\,;*?{}.-_~$&|<>:!@=+()0aAbßİé"),
    st.sampled_from(["e\u0301", "\u2028", "\x85", "\x1f", "\ufeff", "\u3000", "🙂", os.fsdecode(b"\xe9"), ".png"]),
)
NAMES = st.lists(CHARACTERS, min_size=1, max_size=5).map("".join).filter(lambda name: not name.startswith("."))
ODD = [" a ", "#1", '"b"', "c\nd", "[e]", "50%", os.fsdecode(b"caf\xe9"), "a, b", "{x,y}", "f\\g"]


@pytest.fixture(scope="module")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """The bytes of an image, and of a mask of it."""
    folder = tmp_path_factory.mktemp("pixels")
    write_png(folder / "image.png", np.zeros((2, 2, 3), np.uint8))
    write_png(folder / "mask.png", np.array([[0, 1], [1, 0]], np.uint8))
    return (folder / "image.png").read_bytes(), (folder / "mask.png").read_bytes()


@contextmanager
def folder_of(files: Mapping[str, bytes]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as root:
        for name, data in files.items():
            path = Path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        yield Path(root)


def by_split(splits: Mapping[SplitName, Sequence[Sample]]) -> dict[str, list[tuple[Path, object]]]:
    return {name: [(sample.image, sample.mask) for sample in splits[name]] for name in SPLITS}


@FEW
@given(st.lists(NAMES, min_size=4, max_size=8, unique=True), st.sampled_from(["images/", "#x/", ""]))
@example(ODD, "images/")
@example(ODD, "")
def test_odd_names_are_found_and_survive_lists_and_manifests(
    pixels: tuple[bytes, bytes], names: list[str], images: str
) -> None:
    image, mask = pixels
    files = {f"{images}{name}.png": image for name in names}
    with folder_of({**files, **{f"truth/{name}.png": mask for name in names}}) as root:
        spec = DataSpec(root, images=images or ".", masks="truth", classes=("background", "object"))
        dataset = find_dataset(spec)
        assert {sample.image: sample.mask for sample in dataset.samples("all")} == {
            root / f"{images}{name}.png": root / f"truth/{name}.png" for name in names
        }
        assert {sample.key for sample in dataset.samples("all")} == set(names)
        expected = by_split(dataset.splits)

        write_lists(root / "plain", dict(dataset.splits), root)
        lists = [f"plain/{split}.txt" if dataset.splits[split] else "" for split in SPLITS]
        assert by_split(find_samples(replace(spec, split=Lists(*lists))).splits) == expected
        assert by_split(find_samples(replace(spec, format="lists", split=Lists(*lists))).splits) == expected

        write_lists(root / "with_masks", dict(dataset.splits), root, masks=True)
        lists = [path.replace("plain", "with_masks") for path in lists]
        assert by_split(find_samples(replace(spec, format="lists", split=Lists(*lists))).splits) == expected

        report = write_masks(dataset, root / "out")
        assert not report.failed
        again = find_samples(DataSpec(root / "out", format="manifest")).splits
        assert {name: [sample.image for sample in again[name]] for name in SPLITS} == {
            name: [file for file, _ in expected[name]] for name in SPLITS
        }


# --- pairs ------------------------------------------------------------------------------------------------------------

STEMS = st.lists(st.sampled_from(["a", "A", "b", "1", "01", "_", "-", ".jpg", ".png", "_mask", "é", "e\u0301"]),
                 min_size=1, max_size=4).map("".join).filter(lambda stem: not stem.startswith("."))  # fmt: skip
FOLDERS = st.sampled_from(["", "", "one/", "two/", "one/deep/", "ONE/"])
DECORATIONS = [
    ("{stem}", ""), ("{stem}", ""), ("{name}", ""), ("{stem}_mask", "_mask"), ("{name}.mask", ".mask"),
    ("{stem}_mask", ""), ("mask_{stem}", ""),
]  # fmt: skip


@settings(FEW, max_examples=300)
@given(data=st.data())
def test_an_image_is_never_paired_with_the_mask_of_another(data: st.DataObject) -> None:
    """Whatever the trees and the settings: all are paired with their own, or there is an error."""
    stems = data.draw(st.lists(st.tuples(FOLDERS, STEMS), min_size=1, max_size=6, unique=True))
    decoration, suffix = data.draw(st.sampled_from(DECORATIONS))
    spellings: list[Callable[[str], str]] = [str, str.upper, str.swapcase]
    spell = data.draw(st.sampled_from(spellings))
    images = {f"{folder}{stem}{data.draw(st.sampled_from(['.jpg', '.png', '.JPG']))}" for folder, stem in stems}
    mask_of: dict[str, str] = {}
    plain_of: dict[str, str] = {}
    for image in images:
        folder, _, name = image.rpartition("/")
        stem = os.path.splitext(name)[0]
        plain = decoration.format(stem=stem, name=name)
        plain_of[image] = composed(f"{folder}/{plain}.png".lstrip("/"))
        mask_of[image] = f"{folder}/{spell(plain)}.png".lstrip("/")
    assume(len(set(mask_of.values())) == len(images))
    # Of a and A with their case swapped, each mask has the name of the other's.
    assume(all(composed(mask_of[i]) != plain_of[j] for i, j in permutations(images, 2)))
    kept = data.draw(st.sets(st.sampled_from(sorted(images))))  # all masks, or those of some images
    masks = {mask_of[image] for image in kept or images}
    where = data.draw(st.sampled_from([("images", "masks"), ("images/**/*", "masks/**/*"), ("i*es", "m*ks")]))
    with folder_of({f"images/{image}": b"" for image in images} | {f"masks/{mask}": b"" for mask in masks}) as root:
        spec = DataSpec(root, images=where[0], masks=where[1], mask_suffix=suffix)
        try:
            splits = find_samples(spec).splits
        except KsegError:
            event("refused")
            return
        event("paired")
        for sample in (sample for name in SPLITS for sample in splits[name]):
            image = sample.image.relative_to(root / "images").as_posix()
            assert sample.mask == root / "masks" / mask_of[image]
