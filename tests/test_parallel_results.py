"""Items in threads, their outcomes in order."""

from __future__ import annotations

import threading
import time

import cv2
import pytest

from kseg.parallel import parallel_results


class Watch:
    """Counts the calls that are in work."""

    def __init__(self):
        self.lock, self.active, self.most, self.calls = threading.Lock(), 0, 0, []

    def __enter__(self):
        with self.lock:
            self.active += 1
            self.most = max(self.most, self.active)

    def __exit__(self, *_):
        with self.lock:
            self.active -= 1

    def slowly(self, item):
        with self:
            self.calls.append(item)
            time.sleep(0.005)
            return item * item


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_outcomes_are_in_the_order_of_the_items_and_no_more_are_in_work_than_workers(workers):
    watch = Watch()
    outcomes = [(item, result()) for item, result in parallel_results(watch.slowly, range(40), workers=workers)]
    assert outcomes == [(n, n * n) for n in range(40)]
    assert watch.most <= workers
    assert watch.most > 1 or workers == 1


def test_the_items_before_and_after_a_failure_have_results():
    outcomes = list(parallel_results(lambda n: 1 // n, [2, 1, 0, -1], workers=3))
    assert [result() for n, result in outcomes if n] == [0, 1, -1]
    with pytest.raises(ZeroDivisionError):
        outcomes[2][1]()


def test_items_are_taken_as_they_are_needed():
    taken = []
    results = parallel_results(abs, (taken.append(n) or n for n in range(10**9)), workers=2)
    for _ in range(5):
        next(results)
    results.close()
    assert len(taken) < 15


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_after_an_exception_in_the_loop_those_in_work_are_finished_and_no_other_is_begun(error):
    begun, finished, release = [], [], threading.Event()

    def work(item):
        begun.append(item)
        if item:
            release.wait()
        finished.append(item)

    def stop_at_the_first():
        for _, result in parallel_results(work, range(1000), workers=2):
            result()
            threading.Timer(0.3, release.set).start()
            raise error

    with pytest.raises(error):
        stop_at_the_first()
    assert len(begun) <= 3, "the first, and two that wait for the timer"
    assert sorted(finished) == sorted(begun)


@pytest.mark.parametrize(("workers", "expected"), [(2, 1), (1, 2)])
def test_opencv_has_no_threads_of_its_own_beside_several_workers(workers, expected):
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        results = [result() for _, result in parallel_results(lambda _: cv2.getNumThreads(), range(4), workers=workers)]
        assert results == [expected] * 4
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)
