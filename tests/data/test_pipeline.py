from __future__ import annotations

import gc
import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kseg.data import Arrays, Augment, Sample, Streamed, find_dataset, load_arrays, pipeline
from kseg.data.vary import vary
from kseg.errors import DataError
from tests.data.folders import make_pairs

FULL = Augment(0.5, 0.5, 0.5, 0.1, 0.1, 0.1, (0.7, 1.5), 30)
SIZE = (8, 12)
Pair = tuple[np.ndarray, np.ndarray]


@pytest.fixture(autouse=True)
def _garbage_waits() -> Iterator[None]:
    """Abandoned iterators are collected here, in the main thread, not in one that makes their batch."""
    with pipeline.collect_apart():
        yield
        gc.collect()


def test_garbage_is_left_to_the_caller() -> None:
    assert not gc.isenabled()  # the fixture
    gc.enable()
    with pipeline.collect_apart():
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()


def numbered(count: int) -> Arrays:
    """Samples whose every pixel is their number, in image and mask."""
    ids = np.arange(count, dtype=np.uint8)[:, np.newaxis, np.newaxis]
    masks = np.broadcast_to(ids, (count, *SIZE)).copy()
    images = np.repeat(masks[..., np.newaxis], 3, axis=-1)
    return Arrays(images, masks, tuple(Sample(str(i), Path(f"{i}.png"), None) for i in range(count)))


def take(dataset: Iterator[Pair], count: int) -> list[Pair]:
    return [(np.asarray(images), np.asarray(masks)) for images, masks in itertools.islice(dataset, count)]


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
    data = Arrays(
        rng.integers(0, 256, (5, 16, 16, 3), np.uint8), rng.integers(0, 3, (5, 16, 16), np.uint8), numbered(5).samples
    )
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


def test_batches_hold_what_vary_makes_of_the_samples() -> None:
    data = numbered(5)
    (images, masks), *_ = take(pipeline.train_batches(data, batch=5, seed=3, augment=FULL), 1)
    for i, index in enumerate(pipeline.batch_samples(5, batch=5, seed=3, step=0)):
        image, mask = vary(data.images[index], data.masks[index], FULL, seed=3, number=i)
        np.testing.assert_array_equal(images[i], image)
        np.testing.assert_array_equal(masks[i], mask)


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


def test_streamed_batches_equal_those_from_memory(tmp_path: Path) -> None:
    dataset = find_dataset(root=make_pairs(tmp_path, list("abcde"), values=(0, 255)))
    samples = dataset.samples("all")
    memory, streamed = load_arrays(samples, dataset.labels, SIZE), Streamed(samples, dataset.labels, SIZE)
    for make in (
        lambda data: pipeline.train_batches(data, batch=3, seed=1, augment=FULL),
        lambda data: pipeline.eval_batches(data, batch=3),
    ):
        for (images, masks), (same_images, same_masks) in zip(
            take(make(memory), 5), take(make(streamed), 5), strict=True
        ):
            np.testing.assert_array_equal(images, same_images)
            np.testing.assert_array_equal(masks, same_masks)


def test_a_file_that_goes_away_while_it_is_streamed_is_told_as_such(tmp_path: Path) -> None:
    dataset = find_dataset(root=make_pairs(tmp_path, list("abc")))
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
