from __future__ import annotations

import shlex
import signal

import pytest

from kseg import errors
from kseg.errors import Interrupted, KsegError, abbreviate, shell_command


def test_a_message_is_one_line_in_the_agreed_order() -> None:
    error = KsegError("is\nodd", where="a.yaml: data.root", expected="b", found="c\n d", remedy="do e")
    assert str(error) == "a.yaml: data.root: is odd; expected b; found c d; do e"


def test_parts_that_are_not_given_leave_no_trace() -> None:
    assert str(KsegError("is odd")) == "is odd"


@pytest.mark.parametrize(
    ("name", "code"),
    [("UsageError", 2), ("ConfigError", 2), ("UnknownNameError", 2), ("DataError", 1), ("ImageError", 1),
     ("ArtifactError", 1), ("TrainingError", 1), ("OutputError", 1), ("PartialFailure", 1), ("Interrupted", 130)],
)  # fmt: skip
def test_each_error_has_its_exit_code(name: str, code: int) -> None:
    assert getattr(errors, name)("x").exit_code == code


def test_some_names_a_few_and_counts_the_rest() -> None:
    assert abbreviate("abc") == "a, b, c"
    assert abbreviate(range(8), limit=2) == "0, 1 and 6 more"


def test_blanks_in_a_message_stay_for_they_may_be_a_paths() -> None:
    assert str(KsegError("is odd", remedy="kseg fit 'my  folder'")) == "is odd; kseg fit 'my  folder'"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_interrupted_command_ends_with_the_signals_code(number: int, code: int) -> None:
    assert Interrupted("stopped", number=number).exit_code == code


def test_a_command_for_the_user_can_be_pasted() -> None:
    words = ("kseg", "fit", "runs/it's mine", "--set", "train.lr=1")
    assert shell_command(*words) == """kseg fit 'runs/it'"'"'s mine' --set train.lr=1"""
    assert tuple(shlex.split(shell_command(*words))) == words
