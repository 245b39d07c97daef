"""Splits with conditions: a share of every class in each, and together what belongs together."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kseg.config import load_config
from kseg.data.find import find_dataset
from kseg.data.inspection.inspect import inspect_data
from kseg.data.sample import SPLITS, Sample, Splits
from kseg.data.spec import DataSpec, Fractions
from kseg.data.splits.cut import counts, cut
from kseg.data.splits.stratify import assign, merge
from kseg.errors import ConfigError, DataError
from tests.data.folders import keys, write
from tests.data.inspection.test_similar import jpeg, scene

SHARES = (0.8, 0.1, 0.1)


def samples(names: Sequence[str]) -> list[Sample]:
    return [Sample(name, Path(f"/nowhere/{name}.png"), None) for name in names]


def sizes(splits: Splits) -> list[int]:
    return [len(splits[name]) for name in SPLITS]


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[int], np.ndarray]:
    """Groups with their sizes, and how many of their samples have each of some classes."""
    members = draw(st.lists(st.integers(1, 9), min_size=3, max_size=40))
    number = draw(st.integers(0, 4))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    common = rng.uniform(0.02, 1, number)
    classes = np.array([rng.binomial(size, common) for size in members], np.int64).reshape(len(members), number)
    return members, classes


@settings(max_examples=150, deadline=None)
@given(table=tables(), shares=st.sampled_from([SHARES, (0.5, 0.3, 0.2), (0.7, 0.3, 0.0), (1.0, 0.0, 0.0)]))
def test_every_group_goes_to_one_split_and_no_split_takes_a_group_too_much(
    table: tuple[list[int], np.ndarray], shares: tuple[float, float, float]
) -> None:
    members, classes = table
    wanted = counts(sum(members), shares)
    places = np.array(assign(members, wanted, classes))
    got = np.bincount(places, weights=members, minlength=3)
    assert got.sum() == sum(members)
    for split in range(3):
        assert got[split] <= wanted[split] + max(members) - 1
        assert (got[split] > 0) == (wanted[split] > 0)


@settings(max_examples=100, deadline=None)
@given(table=tables())
def test_without_groups_the_sizes_are_exact(table: tuple[list[int], np.ndarray]) -> None:
    _, classes = table
    wanted = counts(len(classes), (0.6, 0.2, 0.2))
    places = assign([1] * len(classes), wanted, np.minimum(classes, 1))
    np.testing.assert_array_equal(np.bincount(places, minlength=3), wanted)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=30, max_size=200), st.integers(0, 99))
def test_one_class_a_sample_is_split_within_one(of: list[int], seed: int) -> None:
    """The rarest class exactly; the others within one for each rarer class that left a rest."""
    shuffled = np.random.default_rng(seed).permutation(of)
    classes = np.eye(5, dtype=np.int64)[shuffled]
    wanted = counts(len(of), (0.6, 0.2, 0.2))
    places = np.array(assign([1] * len(of), wanted, classes))
    share = np.array(wanted) / len(of)
    for label in set(of):
        got = np.bincount(places[shuffled == label], minlength=3)
        assert np.abs(got - share * got.sum()).max() < 2


def test_rare_classes_reach_every_split() -> None:
    """Where chance alone leaves some split without: 2% of 500 samples, in 30 draws."""
    empty = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        classes = (rng.random((500, 3)) < [0.02, 0.3, 0.9]).astype(np.int64)
        if classes[:, 0].sum() < 5:
            continue
        wanted = counts(500, SHARES)
        places = np.array(assign([1] * 500, wanted, classes))
        for label in range(3):
            got = np.bincount(places[classes[:, label] > 0], minlength=3)
            assert np.abs(got - np.array(SHARES) * got.sum()).max() <= 1.5
        by_chance = np.repeat([0, 1, 2], wanted)
        empty += (np.bincount(by_chance[classes[:, 0] > 0], minlength=3) == 0).any()
    assert empty > 5


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 30), data=st.data())
def test_merging_is_the_components_of_a_graph(count: int, data: st.DataObject) -> None:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    index = st.integers(0, count - 1)
    groups = data.draw(st.lists(st.lists(index, min_size=1, max_size=4), max_size=12))
    edges = np.array([(group[0], other) for group in groups for other in group] or [(0, 0)])
    matrix = coo_matrix((np.ones(len(edges)), edges.T), shape=(count, count))
    _, component = connected_components(matrix, directed=False)
    expected = [np.flatnonzero(component == c).tolist() for c in dict.fromkeys(component.tolist())]
    assert sorted(merge(count, groups)) == sorted(expected)


VIDEOS = [f"v{video}/{frame:03d}" for video in range(12) for frame in range(5 + video)]


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(VIDEOS), seed=st.integers(0, 3))
def test_frames_of_a_video_stay_together_in_any_order(order: list[str], seed: int) -> None:
    fractions = Fractions(0.6, 0.2, 0.2, seed=seed, group="^v[0-9]+")
    splits = cut(samples(order), fractions)
    assert keys(splits) == keys(cut(samples(VIDEOS), fractions))
    assert [sample.key for sample in splits["train"]] == [s.key for s in cut(samples(VIDEOS), fractions)["train"]]
    videos = [{sample.key.split("/")[0] for sample in splits[name]} for name in SPLITS]
    assert sum(map(len, videos)) == 12
    assert sum(sizes(splits)) == len(VIDEOS)
    assert np.abs(np.array(sizes(splits)) - len(VIDEOS) * np.array([0.6, 0.2, 0.2])).max() <= 16


def test_another_seed_is_another_split() -> None:
    splits = [keys(cut(samples(VIDEOS), Fractions(seed=seed, group="^v[0-9]+"))) for seed in range(5)]
    assert len({str(split) for split in splits}) > 1


def test_the_first_group_of_the_expression_tells() -> None:
    names = ["a_left_1", "a_left_2", "a_right_1", "b_left_1", "b_left_2", "c_left_1"]
    splits = keys(cut(samples(names), Fractions(0.4, 0.3, 0.3, group="^([a-z])_")))
    assert {frozenset(name[0] for name in split) for split in splits.values()} == {frozenset(x) for x in "abc"}


def test_what_the_expression_does_not_match_stands_alone(caplog: pytest.LogCaptureFixture) -> None:
    names = ["v1_1", "v1_2", "v1_3", "other", "more"]
    with caplog.at_level(logging.WARNING, logger="kseg"):
        splits = cut(samples(names), Fractions(0.6, 0.2, 0.2, group="^v[0-9]"))
    assert keys(splits)["train"] == ["v1_1", "v1_2", "v1_3"]
    assert "data.split.group matches 3 of 5 pictures; " in caplog.text


def test_an_expression_that_matches_nothing() -> None:
    with pytest.raises(
        ConfigError, match=r"data\.split\.group: the expression matches no picture; expected .* as "
    ) as e:
        cut(samples(VIDEOS), Fractions(group="^video_"))
    assert e.value.exit_code == 2


def test_one_group_in_all() -> None:
    with pytest.raises(
        DataError, match=r"data\.split: all 126 pictures are in one group; .*correct data\.split\.group"
    ):
        cut(samples(VIDEOS), Fractions(group="^v"))


def test_fewer_groups_than_splits_train_first() -> None:
    splits = cut(samples(["a1", "a2", "b1", "b2", "b3"]), Fractions(group="^[ab]"))
    assert sizes(splits)[2] == 0
    assert min(sizes(splits)[:2]) > 0


def make_classes(root: Path, count: int = 40) -> Path:
    """Every fifth picture has class 2, every second class 1; all have the background."""
    for i in range(count):
        mask = np.zeros((48, 64), np.uint8)
        mask[0, 0] = i % 2 == 0
        mask[1, :2] = 2 * (i % 5 == 0)
        mask[2, :2] = 255
        write(root / "masks" / f"{i:03d}.png", mask)
        write(root / "images" / f"{i:03d}.png", scene(i, (48, 64)))
    return root


VALUES: dict[int | str, str] = {0: "background", 1: "one", 2: "two", 255: "ignore"}


def test_stratified_by_the_classes_in_the_masks(tmp_path: Path) -> None:
    root = make_classes(tmp_path)
    for seed in range(4):
        dataset = find_dataset(
            DataSpec(root=root, values=VALUES, split=Fractions(0.5, 0.25, 0.25, seed, stratify=True))
        )
        assert sizes(dict(dataset.splits)) == [20, 10, 10]
        for step, expected in ((5, [4, 2, 2]), (2, [10, 5, 5])):
            assert [sum(int(s.key) % step == 0 for s in dataset.splits[name]) for name in SPLITS] == expected


def test_the_check_looks_at_the_splits_that_a_training_has(tmp_path: Path) -> None:
    given = {"data.root": str(make_classes(tmp_path)), "data.values": VALUES, "data.split.stratify": True}
    config = load_config(None, given).data
    report, dataset = inspect_data(config).report, find_dataset(config)
    assert report is not None
    expected = [sum(int(sample.key) % 5 == 0 for sample in dataset.splits[name]) for name in SPLITS]
    assert [int(report.class_images[name][2]) for name in SPLITS] == expected == [6, 1, 1]


def test_stratified_with_inferred_classes_and_a_damaged_mask(tmp_path: Path) -> None:
    """What is damaged is for the check to tell, with all that is."""
    root = make_classes(tmp_path)
    (root / "masks" / "007.png").write_bytes(b"no picture")
    dataset = find_dataset(DataSpec(root=root, values=VALUES, split=Fractions(stratify=True)))
    assert sizes(dict(dataset.splits)) == [32, 4, 4]


def test_copies_stay_together(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = make_classes(tmp_path, 30)
    for i in range(0, 30, 3):
        write(root / "images" / f"copy{i:03d}.png", jpeg(scene(i, (48, 64)), 90))
        shutil.copy(root / "masks" / f"{i:03d}.png", root / "masks" / f"copy{i:03d}.png")

    def torn(split: Fractions) -> int:
        splits = keys(find_dataset(DataSpec(root=root, values=VALUES, split=split)).splits)
        of = {key: name for name, members in splits.items() for key in members}
        return sum(of[f"{i:03d}"] != of[f"copy{i:03d}"] for i in range(0, 30, 3))

    assert torn(Fractions(0.5, 0.25, 0.25)) > 0
    with caplog.at_level(logging.INFO, logger="kseg"):
        assert torn(Fractions(0.5, 0.25, 0.25, copies="together")) == 0
    assert torn(Fractions(0.5, 0.25, 0.25, stratify=True)) > 0
    assert "20 pictures have copies: copies go to the same split" in caplog.text
    assert torn(Fractions(0.5, 0.25, 0.25, stratify=True, copies="together")) == 0


def test_groups_and_copies_join(tmp_path: Path) -> None:
    """A copy of a frame of one video in another binds the two videos together."""
    for video in range(6):
        for frame in range(4):
            write(tmp_path / "images" / f"v{video}_{frame}.png", scene(10 * video + frame))
            write(tmp_path / "masks" / f"v{video}_{frame}.png", np.resize(np.array([0, 1], np.uint8), (120, 160)))
    shutil.copy(tmp_path / "images" / "v0_1.png", tmp_path / "images" / "v5_3.png")
    for seed in range(6):
        fractions = Fractions(0.4, 0.3, 0.3, seed, stratify=True, group="^v[0-9]", copies="together")
        dataset = find_dataset(DataSpec(root=tmp_path, classes=["background", "x"], split=fractions))
        videos = [{key[:2] for key in members} for members in keys(dataset.splits).values()]
        assert sum(map(len, videos)) == 6
        assert all(("v0" in one) == ("v5" in one) for one in videos)
