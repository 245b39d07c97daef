"""The parser of ``train.loss`` and the text of every mistake in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import kseg
from kseg.errors import ConfigError, KsegError, UnknownNameError
from kseg.losses import LOSSES, parse_loss
from kseg.losses.expression import Term

SUM = "expected a sum such as 'cross_entropy + 0.5 * dice' or 'bce + focal_tversky(gamma=2)'"


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("dice", (Term(1.0, "dice"),)),
        (" .5*dice+cross_entropy ", (Term(0.5, "dice"), Term(1.0, "cross_entropy"))),
        ("1e-1 * dice() + 2.*bce", (Term(0.1, "dice"), Term(2.0, "bce"))),
        ("focal ( gamma = 1e+0 )", (Term(1.0, "focal", {"gamma": 1.0}),)),
        (
            "bce(smoothing=.1)\n+ 3 * tversky(alpha=0.4,\n beta=0.6)",
            (Term(1.0, "bce", {"smoothing": 0.1}), Term(3.0, "tversky", {"alpha": 0.4, "beta": 0.6})),
        ),
        ("dice + dice", (Term(1.0, "dice"), Term(1.0, "dice"))),
    ],
)
def test_expressions(text: str, terms: tuple[Term, ...]) -> None:
    assert parse_loss(text).terms == terms


@pytest.mark.parametrize("name", LOSSES)
def test_every_default_is_in_its_range_and_can_be_written(name: str) -> None:
    arguments = {key: argument.default for key, argument in LOSSES[name].items()}
    written = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    assert parse_loss(f"{name}({written})").terms == (Term(1.0, name, arguments),)


@pytest.mark.parametrize(
    "text",
    ["", " ", "+", "dice +", "+ dice", "0 * dice", "-1 * dice", "1e999 * dice", "dice * 2", "dice dice", "2 dice",
     "dice - bce", "dice(", "dice)", "dice(smooth=(1))", "2", "1 * ", "dice(smooth=1) (smooth=2)", "ｄice", "２*dice"],
)  # fmt: skip
def test_what_is_no_sum(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_loss(text)
    assert str(caught.value) == " ".join(f"train.loss: not a loss; {SUM}; found {text!r}".split())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "cross_entropy + dcie",
            "train.loss: unknown loss 'dcie'; expected one of bce, boundary, cross_entropy, dice, focal, "
            "focal_tversky, generalized_dice, jaccard, log_jaccard, lovasz, tversky; did you mean 'dice'?",
        ),
        (
            "focal(gama=2)",
            "train.loss: unknown argument of focal 'gama'; expected one of gamma; did you mean 'gamma'?",
        ),
        (
            "tversky(alpha=0.5, x=1)",
            "train.loss: unknown argument of tversky 'x'; expected one of alpha, beta, smooth",
        ),
        ("focal(2)", "train.loss: not an argument of focal; expected gamma=NUMBER; found '2'"),
        (
            "tversky(0.3, 0.7)",
            "train.loss: not an argument of tversky; expected alpha=NUMBER or beta=NUMBER or smooth=NUMBER; "
            "found '0.3'",
        ),
        ("focal(gamma=1,)", "train.loss: not an argument of focal; expected gamma=NUMBER; found ''"),
        ("focal(gamma=11)", "train.loss: wrong gamma of focal; expected a number from 0 to 10; found '11'"),
        ("focal(gamma=-1)", "train.loss: wrong gamma of focal; expected a number from 0 to 10; found '-1'"),
        ("focal(gamma=two)", "train.loss: wrong gamma of focal; expected a number from 0 to 10; found 'two'"),
        ("focal(gamma=nan)", "train.loss: wrong gamma of focal; expected a number from 0 to 10; found 'nan'"),
        ("focal(gamma=)", "train.loss: wrong gamma of focal; expected a number from 0 to 10; found ''"),
        (
            "log_jaccard(smooth=0)",
            "train.loss: wrong smooth of log_jaccard; expected a number from 0.001 to 1e+06; found '0'",
        ),
        (
            "focal(gamma=1, gamma=2)",
            "train.loss: gamma of focal is given twice; found 'focal(gamma=1, gamma=2)'",
        ),
        ("lovasz(gamma=1)", "train.loss: lovasz takes no arguments; expected 'lovasz'; found 'lovasz(gamma=1)'"),
    ],
)  # fmt: skip
def test_each_mistake_is_one_clear_line(text: str, message: str) -> None:
    with pytest.raises(KsegError) as caught:
        parse_loss(text)
    assert str(caught.value) == message
    assert caught.value.exit_code == 2


@given(st.text(max_size=20) | st.text("dice focal(gamma=2,)+*.0e-", max_size=30))
@example("dice")
def test_no_text_makes_the_parser_crash(text: str) -> None:
    try:
        terms = parse_loss(text).terms
    except (ConfigError, UnknownNameError) as error:
        message = str(error)
        assert message.startswith("train.loss: ")
        assert text != "dice"
        return
    check(terms)


@given(
    st.lists(
        st.tuples(st.floats(1e-3, 1e3), st.sampled_from(list(LOSSES)), st.floats(0, 1), st.integers(0, 4)), min_size=1
    )
)
def test_what_is_written_is_read(drawn: list[tuple[float, str, float, int]]) -> None:
    terms = []
    for weight, name, share, count in drawn:
        some = list(LOSSES[name].items())[:count]
        terms.append(Term(weight, name, {key: a.low + share * (a.high - a.low) for key, a in some}))
    texts = [
        f"{t.weight!r} * {t.name}({', '.join(f'{key}={value!r}' for key, value in t.arguments.items())})" for t in terms
    ]
    expression = parse_loss(" + ".join(texts))
    assert expression.terms == tuple(terms)
    assert str(expression) == " + ".join(texts)


def check(terms: tuple[Term, ...]) -> None:
    assert terms
    for term in terms:
        assert 0 < term.weight < float("inf")
        ranges = LOSSES[term.name]
        assert all(ranges[key].low <= value <= ranges[key].high for key, value in term.arguments.items())


PROBE = """
import sys
import kseg.losses, kseg.metrics
kseg.losses.parse_loss("dice")
print(sorted({name.split(".")[0] for name in sys.modules} & {"keras", "tensorflow", "jax", "numpy", "cv2"}))
"""


def test_losses_are_parsed_without_loading_anything_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]"]


def test_the_page_tells_every_loss_and_argument() -> None:
    page = (Path(kseg.__file__).parents[1] / "docs" / "losses.md").read_text(encoding="utf-8")
    table = page[page.index("| loss | formula") :].partition("\n\n")[0].splitlines()[2:]
    rows = {row.split("`")[1]: row for row in table}
    assert list(rows) == list(LOSSES)
    for name, arguments in LOSSES.items():
        for key, argument in arguments.items():
            assert f"`{key}={argument.default:.4g}` ({argument.low:g} … {argument.high:g})" in rows[name]
