"""Every wrong setting is one line: file and line, key, what was expected, what was found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kseg.config import FlagValue, parse_set
from kseg.errors import UsageError

ROOT = "data:\n  root: pictures\n"

WRONG_VALUES = {
    "epochs: true": "train.epochs: wrong value; expected a whole number from 1 to 1000000; found true",
    "epochs: 0": "train.epochs: wrong value; expected a whole number from 1 to 1000000; found 0",
    "epochs: 2.5": "train.epochs: wrong value; expected a whole number from 1 to 1000000; found 2.5",
    "epochs: '3'": "train.epochs: wrong value; expected a whole number from 1 to 1000000; found '3'",
    "epochs:": "train.epochs: wrong value; expected a whole number from 1 to 1000000; found nothing",
    "batch: 0": "train.batch: wrong value; expected a whole number from 1 to 65536; found 0",
    "lr: 0": "train.lr: wrong value; expected a number > 0 and <= 10; found 0",
    "lr: .nan": "train.lr: wrong value; expected a number > 0 and <= 10; found .nan",
    "lr: .inf": "train.lr: wrong value; expected a number > 0 and <= 10; found .inf",
    "lr: yes": "train.lr: wrong value; expected a number > 0 and <= 10; found true",
    "imgsz: 4": "train.imgsz: wrong value; expected a whole number from 8 to 8192, or [height, width]; found 4",
    "imgsz: true": "train.imgsz: wrong value; expected a whole number from 8 to 8192, or [height, width]; found true",
    "imgsz: [64]": "train.imgsz: wrong value; expected a whole number from 8 to 8192, or [height, width]; found [64]",
    "imgsz: [64, 4]": "train.imgsz.1: wrong value; expected a whole number from 8 to 8192; found 4",
    "monitor: val_dicee": (
        "train.monitor: wrong value; expected one of val_iou, val_mean_iou, val_dice, val_loss; "
        "found 'val_dicee'; did you mean 'val_dice'?"
    ),
    "loss: 5": 'train.loss: not text; expected text that is not empty; found 5, which YAML reads as a number; '
    'put it in quotes: "5"',
}  # fmt: skip


@pytest.mark.parametrize("setting", WRONG_VALUES)
def test_a_wrong_value_names_line_key_expected_and_found(error: Callable[..., str], setting: str) -> None:
    assert error(f"{ROOT}train:\n  seed: 3\n  {setting}\n") == f"pets.yaml:5: {WRONG_VALUES[setting]}"


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("model: {widths: []}", "model.widths: wrong value; expected a list of 1 to 6, each a whole number from 1 to"),
        ("model: {widths: [8, 0]}", "model.widths.1: wrong value; expected a whole number from 1 to 4096; found 0"),
        ("model: {widths: [1,1,1,1,1,1,1]}", "model.widths: wrong value; expected a list of 1 to 6"),
        ("model: {widths: 16}", "model.widths: wrong value; expected a list of 1 to 6"),
        ("model: {dropout: 1}", "model.dropout: wrong value; expected a number >= 0 and < 1; found 1"),
        ("model: {weights: 1}", "model.weights: not text; expected imagenet, or a handle, or a path, or null; found 1"),
        ("model: {normalization: data}", "model.normalization: wrong value; expected one of unit, symmetric"),
        ("model: 3", "model: wrong value; expected a mapping (key: value); found 3"),
        ("run: {name: ../up}", "run.name: wrong value; expected the name of a folder, without slashes or a leading"),
        ("run: {name: a/b}", "run.name: wrong value; expected the name of a folder"),
    ],
)  # fmt: skip
def test_a_wrong_value_of_another_section(error: Callable[..., str], section: str, message: str) -> None:
    assert error(f"{ROOT}{section}\n").startswith(f"pets.yaml:3: {message}")


METHODS = "expected one of inverse, median, effective, or a mapping of class names to numbers >= 0, or null"
WEIGHTS = {
    "inverze": f": wrong value; {METHODS}; found 'inverze'; did you mean 'inverse'?",
    "[1, 2]": f": wrong value; {METHODS}; found [1, 2]",
    "{}": f": wrong value; {METHODS}; found {{}}",
    "{car: -1}": ".car: not the weight of a class; expected a number >= 0 for the name of a class; found -1",
    "{car: .inf}": ".car: not the weight of a class; expected a number >= 0 for the name of a class; found inf",
    "{car: x}": ".car: not the weight of a class; expected a number >= 0 for the name of a class; found 'x'",
    "{1: 2}": ".1: not the weight of a class; expected a number >= 0 for the name of a class; found 2",
}


@pytest.mark.parametrize("given", WEIGHTS)
def test_wrong_class_weights(error: Callable[..., str], given: str) -> None:
    message = error(f"{ROOT}train: {{class_weights: {given}}}\n")
    assert message == f"pets.yaml:3: train.class_weights{WEIGHTS[given]}"


def test_an_unknown_key_comes_with_the_nearest_one(error: Callable[..., str]) -> None:
    message = error(f"{ROOT}train:\n  epohcs: 3\n")
    assert message.startswith("pets.yaml:4: train.epohcs: unknown key; expected one of average, batch, cache,")
    assert message.endswith("found 'epohcs'; did you mean 'epochs'?")


def test_a_key_in_the_wrong_section_is_sent_to_the_right_one(error: Callable[..., str]) -> None:
    assert error(f"{ROOT}epochs: 3\n").endswith("found 'epochs'; did you mean 'train.epochs'?")
    assert error(f"{ROOT}train: {{dropout: 0.5}}\n").endswith("did you mean 'model.dropout'?")


def test_keys_that_are_no_text_are_unknown_keys(error: Callable[..., str]) -> None:
    assert error(f"{ROOT}1: x\n").startswith("pets.yaml:3: 1: unknown key; expected one of augment, data,")


def test_the_first_of_several_problems_names_the_others(error: Callable[..., str]) -> None:
    message = error(f"{ROOT}train: {{epochs: 0, batch: 1.5}}\nmodel: {{nrom: batch}}\n")
    assert message.startswith("pets.yaml:4: model.nrom: unknown key")
    assert message.endswith("did you mean 'norm'?; and 2 more problems: train.epochs, train.batch")


def test_nothing_of_the_validator_shows(error: Callable[..., str]) -> None:
    message = error(f"{ROOT}train: {{imgsz: {{a: 1}}, epochs: [], lr: {{}}}}\n  ")
    assert not any(word in message.lower() for word in ("input", "pydantic", "type_error", "valid integer", "parse"))


@pytest.mark.parametrize("word", ["no", "on", "Yes", "false", "1", "2.5"])
def test_a_class_that_yaml_does_not_read_as_text_is_to_be_quoted(error: Callable[..., str], word: str) -> None:
    message = error(f"{ROOT}  classes:\n    - background\n    - {word}\n")
    assert message.startswith(f"pets.yaml:5: data.classes.1: not text; expected text that is not empty; found {word}, ")
    assert message.endswith(f'put it in quotes: "{word}"')
    message = error(f"{ROOT}  classes: [background, pet]\n  values: {{0: background, 1: {word}}}\n")
    assert message.startswith("pets.yaml:4: data.values.1: not text")
    assert message.endswith(f'put it in quotes: "{word}"')


def test_a_quoted_class_is_a_class(load: Callable[..., object]) -> None:
    config = load(f"{ROOT}  classes: [background, 'no', \"1\"]\n")
    assert config.data.classes == ("background", "no", "1")  # type: ignore[attr-defined]


@pytest.mark.parametrize("key", ["no", "0.5", "70000", "-1", "background"])
def test_a_key_of_values_is_a_mask_value(error: Callable[..., str], key: str) -> None:
    message = error(f"{ROOT}  values: {{0: a, {key}: b}}\n")
    assert message.startswith(f"pets.yaml:3: data.values.{key}: not a mask value; expected a whole number from 0 to")


def test_a_colour_that_yaml_took_for_a_comment(error: Callable[..., str]) -> None:
    message = error(f"{ROOT}  colors:\n    - #ff0000\n")
    assert message.startswith("pets.yaml:4: data.colors.0: wrong value; expected a colour in quotes, as '#ff8000'")
    assert "#" in message.rpartition("; ")[2]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("classes: [background, pet]\n  values: {0: background, 1: pte}", "4: data.values.1: unknown class; expected"),
        ("values: {0: background}\n  classes: [background, pet]", "3: data.values: a class has no mask value; found"),
        ("classes: [pet]", "3: data.classes: a segmentation needs at least two classes; expected 2 to 255 names"),
        ("classes: []", "3: data.classes: a segmentation needs at least two classes"),
        ("classes: [pet, pet]", "3: data.classes: a class name occurs twice; found pet"),
        ("classes: [a, b]\n  colors: ['#000000']", "4: data.colors: the colours do not fit the classes"),
    ],
)
def test_contradicting_labels_are_told_with_their_line(error: Callable[..., str], lines: str, message: str) -> None:
    assert error(f"{ROOT}  {lines}\n").startswith(f"pets.yaml:{message}")


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (
            "{train: 0.5}",
            "data.split: the fractions do not add up to 1; expected train, val and test ≥ 0 with a sum of 1; "
            "found 0.5 + 0.1 + 0.1",
        ),
        ("{train: 0, val: 1, test: 0}", "data.split.train: wrong value; expected a number > 0 and <= 1; found 0"),
        ("{val: -0.1}", "data.split.val: wrong value; expected a number from 0 to 1; found -0.1"),
        ("{by: foldes}", "data.split.by: wrong value; expected one of fractions, folders, lists; found 'foldes'; did"),
        ("{by: 3}", "data.split.by: wrong value; expected one of fractions, folders, lists; found 3"),
        ("{by: [a]}", "data.split.by: wrong value; expected one of fractions, folders, lists; found ['a']"),
        ("{by: folders, train: ''}", "data.split.train: wrong value; expected text that is not empty; found ''"),
        (
            "{by: folders, stratify: true}",
            "data.split.stratify: unknown key; expected one of by, seed, test, train, val, val_fraction; "
            "found 'stratify'",
        ),
        ("{group: '('}", "data.split.group: not a regular expression; expected one that Python's re module reads"),
        ("{stratify: 1}", "data.split.stratify: wrong value; expected true or false; found 1"),
        ("{copies: yes}", "data.split.copies: wrong value; expected together or null; found true"),
        ("{by: lists}", "data.split.train: the key is missing; expected text that is not empty; found nothing"),
        ("fractions", "data.split: wrong value; expected a mapping (key: value); found 'fractions'"),
    ],
)
def test_a_wrong_split(error: Callable[..., str], split: str, message: str) -> None:
    assert error(f"{ROOT}  split: {split}\n").startswith(f"pets.yaml:3: {message}")


def test_a_class_name_of_blanks_is_no_name(error: Callable[..., str]) -> None:
    message = "pets.yaml:3: data.classes.1: a name of blanks only; expected a name; found ' '"
    assert error(f"{ROOT}  classes: [a, ' ']\n").startswith(message)


def test_an_override_is_named_by_its_flag_or_its_key(error: Callable[..., str]) -> None:
    expected = "wrong value; expected a number > 0 and <= 10; found 'abc'"
    assert error(ROOT, {"train.lr": "abc"}) == f"train.lr: {expected}"
    assert error(ROOT, {"train.lr": FlagValue("abc", "--lr")}) == f"--lr: train.lr: {expected}"
    assert error(ROOT, {"train.lr": FlagValue("abc", "--set train.lr=abc")}) == f"--set train.lr=abc: {expected}"


def test_an_override_blames_the_flag_for_what_lies_in_it_and_around_it(error: Callable[..., str]) -> None:
    flag = "--set data.classes=[a, no]"
    assert error(ROOT, {"data.classes": FlagValue(["a", False], flag)}).startswith(f"{flag}: data.classes.1: not text")
    flag = "--set data.split.train=.5"
    assert error(ROOT, {"data.split.train": FlagValue(0.5, flag)}).startswith(
        f"{flag}: the fractions do not add up to 1"
    )


def test_a_file_is_not_blamed_for_what_an_override_replaced(error: Callable[..., str]) -> None:
    message = error(f"{ROOT}train: {{lr: yes}}\n", {"train.lr": 0})
    assert message == "train.lr: wrong value; expected a number > 0 and <= 10; found 0"


@pytest.mark.parametrize("text", ["train.lr", "", "=3", " =3"])
def test_a_setting_without_key_or_value_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="not a setting; expected KEY=VALUE") as caught:
        parse_set(text)
    assert caught.value.exit_code == 2
