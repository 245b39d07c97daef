"""``kseg fit --qat``, ``--prune`` and ``--cluster``: mistakes of the command line."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Call

ALONE = "only a trained network is fine-tuned; expected --from RUN beside it; use kseg fit"
MISTAKES = [
    (("--qat",), f"--qat: {ALONE} --qat --from runs/fit/NAME"),
    (("--prune", "0.5"), f"--prune: {ALONE} --prune 0.5 --from runs/fit/NAME"),
    (("--cluster", "8"), f"--cluster: {ALONE} --cluster 8 --from runs/fit/NAME"),
    (
        ("--qat", "--prune", "0.5", "--from", "r"),
        "--prune: a run is fine-tuned in one way at a time; found also --qat; "
        "use one of them, then the other with --from and the new run",
    ),
    (
        ("--resume", "r", "--from", "r"),
        "--resume: a run is resumed with its own settings; found --from; "
        "leave them out, or train on in a new run: --set model.start=RUN",
    ),
    (
        ("--cluster", "8", "--from", "absent"),
        "--from: no trained run; expected a folder that kseg fit made, as runs/fit/NAME; found absent: no such folder",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_a_mistake_is_one_line(call: Call, arguments: tuple[str, ...], message: str) -> None:
    code, _, error = call("fit", *arguments)
    assert (code, error.strip()) == (2, f"error: {message}")
