"""What YAML itself can do to a configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kseg.config import Config, FlagValue, load_config, parse_set
from kseg.errors import ConfigError

ROOT = "data:\n  root: pictures\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4), ("1E3", 1e3), ("-.5", -0.5), ("2.", 2.0), ("0x10", 16), ("0o17", 15), ("017", 17),
        ("true", True), ("off", False), ("~", None), ("", None), ("12:30", "12:30"), ("2020-01-01", "2020-01-01"),
        ("'1e-4'", "1e-4"), ("1_000", "1_000"), ("[16, 32]", [16, 32]),
        ("{1: pet, other: ignore}", {1: "pet", "other": "ignore"}),
        ("a=b", "a=b"), ("<<", "<<"), ("!!str 1", "1"), (".inf", float("inf")), ("-.INF", float("-inf")),
    ],
)  # fmt: skip
def test_parse_set_reads_the_value_as_yaml(text: str, value: Any) -> None:
    key, found = parse_set(f"train.lr={text}")
    assert key == "train.lr"
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["[1", "{a: 1, a: 2}", "*x", "!!python/object:os.system ls", "a: b: c", "\x01"])
def test_parse_set_names_the_flag(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--set data\.masks="):
        parse_set(f"data.masks={text}")


def test_scientific_numbers_are_numbers(load: Callable[..., Config]) -> None:
    assert load(f"{ROOT}train: {{lr: 1e-4, weight_decay: 5E-2}}").train.lr == 1e-4


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "train:\nmodel:\ndata:\n  split:\n"])
def test_an_empty_file_and_empty_sections_mean_the_defaults(load: Callable[..., Config], text: str) -> None:
    config = load(text, {"data.root": "pictures"})
    assert config == load_config(None, {"data.root": "pictures"})
    assert config.train.epochs == 50


def test_a_byte_order_mark_is_no_part_of_the_first_key(load: Callable[..., Config]) -> None:
    assert load(b"\xef\xbb\xbf" + ROOT.encode()).data.images == "images"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{ROOT}train:\n  lr: 1\n  lr: 2\n", "5: train.lr: the key occurs twice; found lines 4 and 5; delete one"),
        (f"{ROOT}data: {{}}\n", "3: data: the key occurs twice"),
        (f"{ROOT}train:\n\tlr: 1\n", "4: not valid YAML; found character '\\t' that cannot start any token; indent"),
        (f"{ROOT}  masks: *.png\n", "3: not valid YAML; expected alphabetic or numeric character; found '.'; put"),
        (f"{ROOT}  masks: {{split}}/a\n", "3: not valid YAML; expected <block end>; found '<scalar>'"),
        (f"{ROOT}  colors: [#ff0000]\nrun:\n", "5: not valid YAML; expected the node content; found '<stream"),
        (f"{ROOT}run: !!python/object:os.system ls\n", "3: not plain data; expected text, a number, a boolean or null"),
        (f"{ROOT}run: !!set {{a}}\n", "3: not plain data; expected no tags"),
        (f"{ROOT}? [a]\n: 1\n", "3: a key is not plain text"),
        (f"{ROOT}train: {{seed: {'9' * 50}}}\n", "3: the number is too long"),
        ("a: 1\n--- \nb: 2\n", "2: not valid YAML; expected a single document in the stream; found another document"),
        ("a: b\x07\n", "1: not valid YAML; found"),
        ('a: "\\U7fffffff"\n', " not valid YAML; found chr() arg"),
        ("[" * 20_000, " nested too deeply"),
        ("a: &a [*a]\n", "1: nested too deeply"),
        ("- a\n", " not a configuration; expected a mapping with the sections data, model, train, augment, run; found"),
        ("text\n", " not a configuration; expected a mapping"),
        (b"a: 1\nb: \xff\n", "2: not text in UTF-8; found the byte 0xff; save the file as UTF-8"),
        (b"#" * 66_000, " the configuration file is too large; expected at most 64 KiB"),
    ],
    ids=lambda value: repr(value[:20]),
)  # fmt: skip
def test_what_is_no_configuration_is_told_in_one_line(
    error: Callable[..., str], text: str | bytes, message: str
) -> None:
    assert error(text).startswith(f"pets.yaml:{message}")


def test_aliases_that_stand_for_billions_end_quickly(error: Callable[..., str]) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert "too many values (aliases count as what they stand for)" in error("\n".join(lines))


def test_an_anchor_stands_for_its_value(load: Callable[..., Config]) -> None:
    config = load(f"{ROOT}model: {{widths: &w [8, 16], decoder_widths: *w}}\n")
    assert config.model.widths == config.model.decoder_widths == [8, 16]


def test_a_missing_file_and_a_folder_are_told_apart(home: Path) -> None:
    with pytest.raises(ConfigError, match=r"^conf/no\.yaml: no such configuration file; expected a YAML file$"):
        load_config(Path("conf/no.yaml"))
    with pytest.raises(ConfigError, match=r"^conf: not a configuration file; .* pass --data FOLDER$"):
        load_config(home.joinpath("conf").relative_to(home))


def test_text_of_the_flag_is_found_by_the_override(error: Callable[..., str]) -> None:
    key, value = parse_set("train.monitor=val_iuo")
    assert error(ROOT, {key: FlagValue(value, "--set train.monitor=val_iuo")}).endswith("did you mean 'val_iou'?")
