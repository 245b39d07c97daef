from __future__ import annotations

import gc
import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kseg.augment import Augment, parse
from kseg.data.find import find_dataset
from kseg.data.pipeline import batches as pipeline
from kseg.data.pipeline.arrays import Arrays, Streamed, load_arrays
from kseg.data.pipeline.cache import SampleStore, fill_cache
from kseg.data.pipeline.order import epoch_order, shares
from kseg.data.pipeline.transforms.apply import augment_sample
from kseg.data.sample import Sample
from kseg.data.spec import DataSpec
from kseg.errors import DataError
from tests.data.folders import make_pairs

FULL = parse(["mosaic", "heavy", {"random_resized_crop": {"foreground": 0.5, "p": 0.5}}])
SIZE = (8, 12)
Pair = tuple[np.ndarray, np.ndarray]


@pytest.fixture(autouse=True)
def _garbage_waits() -> Iterator[None]:
    """Abandoned iterators are collected here, in the main thread, not in one that makes their batch."""
    with pipeline.no_automatic_gc():
        yield
        gc.collect()


def test_garbage_is_left_to_the_caller() -> None:
    assert not gc.isenabled()  # the fixture
    gc.enable()
    with pipeline.no_automatic_gc():
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()


def numbered(count: int) -> Arrays:
    """Samples whose every pixel is their number, in image and mask."""
    ids = np.arange(count, dtype=np.uint8)[:, np.newaxis, np.newaxis]
    packed = np.broadcast_to(ids[..., np.newaxis], (count, *SIZE, 4)).copy()
    return Arrays(packed, tuple(Sample(str(i), Path(f"{i}.png"), None) for i in range(count)))


def take(dataset: Iterator[Pair], count: int) -> list[Pair]:
    pairs = [(np.asarray(images), np.asarray(masks)) for images, masks in itertools.islice(dataset, count)]
    assert len(pairs) == count, "batches never end"
    return pairs


@pytest.mark.parametrize(("count", "batch"), [(7, 3), (3, 8), (8, 4), (1, 2)])
def test_each_epoch_sees_every_sample_once_in_full_batches(count: int, batch: int) -> None:
    data = numbered(count)
    batches = take(pipeline.train_batches(data, batch=batch, seed=5, augment=Augment()), 4 * count)
    assert all(images.shape == (batch, *SIZE, 3) and masks.shape == (batch, *SIZE) for images, masks in batches)
    assert all(images.dtype == np.float32 and masks.dtype == np.uint8 for images, masks in batches)
    order = [int(mask[0, 0]) for _, masks in batches for mask in masks]
    epochs = [order[i : i + count] for i in range(0, len(order), count)]
    assert all(sorted(epoch) == list(range(count)) for epoch in epochs)
    assert count < 3 or len({tuple(epoch) for epoch in epochs}) > 1


def test_images_and_masks_belong_together() -> None:
    for images, masks in take(pipeline.train_batches(numbered(9), batch=4, seed=0, augment=Augment()), 9):
        np.testing.assert_array_equal(images, np.repeat(masks[..., np.newaxis], 3, axis=-1))


def test_batch_samples_tells_what_the_batches_hold() -> None:
    batches = take(pipeline.train_batches(numbered(7), batch=3, seed=2, augment=Augment()), 10)
    for step, (_, masks) in enumerate(batches):
        told = pipeline.batch_samples(7, batch=3, seed=2, step=step)
        assert told == [int(mask[0, 0]) for mask in masks]


@pytest.mark.parametrize("augment", [Augment(), FULL])
def test_a_seed_gives_the_same_stream_and_another_seed_another(augment: Augment) -> None:
    rng = np.random.default_rng(0)
    data = Arrays(rng.integers(0, 256, (5, 16, 16, 4), np.uint8), numbered(5).samples)
    first, again, other = (take(pipeline.train_batches(data, batch=4, seed=s, augment=augment), 6) for s in (1, 1, 2))
    for (images, masks), (same_images, same_masks) in zip(first, again, strict=True):
        np.testing.assert_array_equal(images, same_images)
        np.testing.assert_array_equal(masks, same_masks)
    assert any(not np.array_equal(a[0], b[0]) for a, b in zip(first, other, strict=True))


def test_a_training_goes_on_where_it_stopped() -> None:
    data = numbered(5)
    whole = take(pipeline.train_batches(data, batch=2, seed=1, augment=FULL), 8)
    rest = take(pipeline.train_batches(data, batch=2, seed=1, augment=FULL, start=5), 3)
    for (images, masks), (same_images, same_masks) in zip(whole[5:], rest, strict=True):
        np.testing.assert_array_equal(images, same_images)
        np.testing.assert_array_equal(masks, same_masks)


def test_the_batch_size_changes_no_sample() -> None:
    data = numbered(5)
    small, large = (take(pipeline.train_batches(data, batch=b, seed=1, augment=FULL), 12 // b) for b in (2, 6))
    np.testing.assert_array_equal(*(np.concatenate([images for images, _ in taken]) for taken in (small, large)))


@pytest.mark.parametrize("parallel", [2, 4, 7])
def test_the_parallelism_changes_nothing(parallel: int) -> None:
    data = numbered(5)
    alone, many = (
        take(pipeline.train_batches(data, batch=3, seed=1, augment=FULL, parallel=n), 8) for n in (1, parallel)
    )
    for (images, masks), (same_images, same_masks) in zip(alone, many, strict=True):
        np.testing.assert_array_equal(images, same_images)
        np.testing.assert_array_equal(masks, same_masks)


def test_batches_hold_what_vary_makes_of_the_samples() -> None:
    data, heavy = numbered(5), parse("heavy")
    (images, masks), *_ = take(pipeline.train_batches(data, batch=5, seed=3, augment=heavy), 1)
    for i, index in enumerate(pipeline.batch_samples(5, batch=5, seed=3, step=0)):
        image, mask = augment_sample(data.images[index], data.masks[index], heavy, seed=3, number=i)
        np.testing.assert_array_equal(images[i], image)
        np.testing.assert_array_equal(masks[i], mask)


class TestOrder:
    @pytest.mark.parametrize("total", [1, 2, 7, 1000])
    def test_an_epoch_is_a_permutation(self, total: int) -> None:
        orders = [epoch_order(total, seed=3, epoch=epoch).numpy() for epoch in range(4)]
        for order in orders:
            np.testing.assert_array_equal(np.sort(order), np.arange(total))
        assert total < 3 or len({tuple(order) for order in orders}) > 1
        np.testing.assert_array_equal(orders[2], epoch_order(total, seed=3, epoch=2).numpy())

    def test_every_order_is_as_likely(self) -> None:
        made = tf.data.Dataset.range(2400).map(lambda epoch: epoch_order(4, seed=0, epoch=epoch))
        orders = [tuple(order) for order in made.as_numpy_iterator()]
        times = [orders.count(order) for order in set(orders)]
        assert len(times) == 24
        assert min(times) > 60  # 100 ± 4 standard deviations
        assert max(times) < 140

    def test_it_stays_over_versions(self) -> None:
        """A resumed training, or one repeated elsewhere, sees the same batches."""
        assert epoch_order(8, seed=0, epoch=0).numpy().tolist() == [3, 0, 6, 1, 5, 2, 7, 4]
        drawn = epoch_order(8, seed=0, epoch=0, cumulative=shares(np.ones(8), 8))
        assert drawn.numpy().tolist() == [3, 4, 2, 5, 7, 2, 6, 7]


class TestWeights:
    WEIGHTS = np.array([0.0, 1.0, 2.0, 5.0, 0.5])

    def draw(self, count: int, **settings: int) -> list[int]:
        batches = pipeline.train_batches(
            numbered(5), batch=8, seed=2, augment=Augment(), weights=self.WEIGHTS, **settings
        )
        return [int(mask[0, 0]) for _, masks in take(batches, count // 8) for mask in masks]

    def test_samples_are_drawn_as_often_as_their_weights_say(self) -> None:
        """Pearson's chi-square over 4000 draws: above 16.3 once in a thousand seeds at 3 degrees of freedom."""
        drawn = Counter(self.draw(4000))
        assert drawn[0] == 0
        expected = 4000 * self.WEIGHTS / self.WEIGHTS.sum()
        square = sum((drawn[i] - expected[i]) ** 2 / expected[i] for i in range(1, 5))
        assert square < 16.3
        even = 4000 / 4
        assert sum((drawn[i] - even) ** 2 / even for i in range(1, 5)) > 1000, "the test can tell"

    def test_they_are_a_function_of_seed_and_step(self) -> None:
        whole = self.draw(160)
        assert self.draw(80, start=10) == whole[80:]
        assert self.draw(160, parallel=4) == whole
        told = [
            index
            for step in range(20)
            for index in pipeline.batch_samples(5, batch=8, seed=2, step=step, weights=self.WEIGHTS)
        ]
        assert told == whole

    @pytest.mark.parametrize("wrong", [[1.0] * 4, [0.0] * 5, [1, 1, 1, 1, -1], [1, 1, 1, 1, np.nan]])
    def test_weights_that_cannot_be_used(self, wrong: list[float]) -> None:
        with pytest.raises(DataError, match=r"cannot be weighted; expected 5 finite weights >= 0.*; found"):
            pipeline.train_batches(numbered(5), batch=2, seed=0, augment=Augment(), weights=np.array(wrong))


@pytest.mark.parametrize(("count", "batch"), [(7, 3), (6, 3), (2, 5)])
def test_evaluation_passes_over_all_in_order_again_and_again(count: int, batch: int) -> None:
    data = numbered(count)
    steps = -(-count // batch)
    batches = take(pipeline.eval_batches(data, batch=batch), 3 * steps)
    for taken in (batches[:steps], batches[steps : 2 * steps], batches[2 * steps :]):
        np.testing.assert_array_equal(np.concatenate([images for images, _ in taken]), data.images)
        np.testing.assert_array_equal(np.concatenate([masks for _, masks in taken]), data.masks)
    assert Counter(len(images) for images, _ in batches)[batch if count >= batch else count] >= 3
    assert batches[0][0].dtype == np.float32


def sources(folder: Path) -> dict[str, SampleStore]:
    """The same samples from memory, from a cache, and from their files."""
    dataset = find_dataset(DataSpec(root=make_pairs(folder / "data", list("abcde"), values=(0, 255))))
    samples = dataset.samples("all")
    return {
        "ram": load_arrays(samples, dataset.labels, SIZE),
        "disk": fill_cache(samples, dataset.labels, SIZE, folder=folder / "cache"),
        "none": Streamed(samples, dataset.labels, SIZE),
    }


@pytest.mark.parametrize("cache", ["disk", "none"])
def test_cached_and_streamed_batches_equal_those_from_memory(tmp_path: Path, cache: str) -> None:
    data = sources(tmp_path)
    for make in (
        lambda source: pipeline.train_batches(source, batch=3, seed=1, augment=FULL),
        lambda source: pipeline.eval_batches(source, batch=3),
    ):
        for (images, masks), (same_images, same_masks) in zip(
            take(make(data["ram"]), 5), take(make(data[cache]), 5), strict=True
        ):
            np.testing.assert_array_equal(images, same_images)
            np.testing.assert_array_equal(masks, same_masks)


def test_a_file_that_goes_away_while_it_is_streamed_is_told_as_such(tmp_path: Path) -> None:
    dataset = find_dataset(DataSpec(root=make_pairs(tmp_path, list("abc"))))
    samples = dataset.samples("all")
    samples[1].image.unlink()
    streamed = Streamed(samples, dataset.labels, SIZE)
    with pytest.raises(DataError, match=rf"^{samples[1].image}: no such file$") as error, pipeline.data_errors():
        take(pipeline.eval_batches(streamed, batch=3), 1)
    assert error.value.exit_code == 1


def test_other_errors_of_a_pipeline_stay_what_they_are() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError), pipeline.data_errors():
        tf.reshape(tf.zeros(4), (3,))


def test_the_autotuner_is_off() -> None:
    """Its thread holds up the end of every iterator, see the module."""
    for dataset in (
        pipeline.train_batches(numbered(4), batch=2, seed=0, augment=Augment()),
        pipeline.eval_batches(numbered(4), batch=2),
    ):
        assert dataset.options().autotune.enabled is False
        assert dataset.options().deterministic is True


def test_shapes_are_known_to_the_graph() -> None:
    train = pipeline.train_batches(numbered(4), batch=2, seed=0, augment=FULL)
    assert [tuple(spec.shape) for spec in train.element_spec] == [(2, *SIZE, 3), (2, *SIZE)]
    even, uneven = (pipeline.eval_batches(numbered(n), batch=2).element_spec for n in (4, 5))
    assert tuple(even[0].shape) == (2, *SIZE, 3)
    assert tuple(uneven[0].shape) == (None, *SIZE, 3)
