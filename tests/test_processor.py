"""What the system tells of its processor."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kseg import processor

needs_affinity = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity")


@needs_affinity
def test_cores_that_were_taken_away_do_not_count():
    before = os.sched_getaffinity(0)
    assert processor.usable_cores() == len(before)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert processor.usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


LINES = "processor\t: 0\nmodel name\t: Some CPU: fast\nmodel\t\t: 1\nflags\t\t: fpu avx2\n\nflags\t\t: sse\n"


def test_the_first_processor_speaks_for_all(monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda *_a, **_k: LINES)
    assert processor.cpu_name() == "Some CPU: fast"
    assert processor.cpu_flags() == {"fpu", "avx2"}


def test_without_proc_the_name_is_the_systems_and_no_flag_is_known(monkeypatch):
    def nothing(*_a, **_k):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", nothing)
    assert processor.cpu_name()
    assert processor.cpu_flags() == frozenset()


@pytest.mark.parametrize(("machine", "says"), [("x86_64", True), ("AMD64", True), ("aarch64", False), ("arm64", False)])
def test_intels_and_amds_are_told_from_arm(monkeypatch, machine, says):
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert processor.is_x86() is says
