"""What holds for every configuration, and for everything that is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kseg.augment import PRESETS, TRANSFORMS
from kseg.config import load_config, parse_set, to_yaml
from kseg.config.overrides import SECTIONS
from kseg.errors import ConfigError, UsageError

ALL_SECTIONS = ("data", "model", "train", "augment", "run")
MODELS = [section for section in ALL_SECTIONS if section != "augment"]
KEYS = [f"{section}.{key}" for section in MODELS for key in SECTIONS[section]]
OVERRIDABLE = [*KEYS, *ALL_SECTIONS, "data.split.by", "data.split.train", "data.values.1", "augment.0.rotate.degrees"]
WORDS = [
    "root",
    "split",
    "by",
    "values",
    "classes",
    "epochs",
    "imgsz",
    "lists",
    "folders",
    "no",
    "1e-4",
    "${X}",
    "~",
    "$${",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The current folder of this module's tests; hypothesis takes no fixtures of one function."""
    before = Path.cwd()
    path = tmp_path_factory.mktemp("config")
    (path / "pictures ${X}").mkdir()
    os.chdir(path)
    yield path
    os.chdir(before)


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(WORDS)
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
share = st.floats(0, 1)
width = st.integers(1, 4096)
side = st.integers(8, 8192)


@st.composite
def labels(draw: st.DrawFn) -> dict[str, Any]:
    classes = draw(
        st.lists(
            names.filter(lambda n: n.strip() and n not in {"background", "ignore", "other"}), min_size=2, unique=True
        )
    )
    values = dict(zip(draw(st.lists(st.integers(0, 65535), min_size=len(classes), unique=True)), classes, strict=False))
    colors = [f"#{draw(st.integers(0, 0xFFFFFF)):06x}" for _ in classes]
    return draw(st.sampled_from([{}, {"classes": classes}, {"classes": classes, "values": values, "colors": colors}]))


splits = (
    st.builds(
        lambda a, s: {"train": 1 - a / 4, "val": a / 8, "test": a / 8, "seed": s}, share, st.integers(0, 2**32 - 1)
    )
    | st.fixed_dictionaries({"by": st.just("folders")}, optional={"train": names, "val": text, "test": text})
    | st.fixed_dictionaries({"by": st.just("lists"), "train": names.map(lambda n: f"/l/{n}")})
)
scales = st.tuples(st.floats(0.1, 1), st.floats(1, 2)).map(list)
transforms = (
    st.sampled_from([*TRANSFORMS, *PRESETS]).filter(lambda name: name != "mosaic")
    | share.map(lambda p: {"hflip": p})
    | scales.map(lambda by: {"scale": {"by": by}})
)
losses = st.sampled_from(["bce", "dice() + 2 * focal(gamma=1)", "cross_entropy + 0.5 * dice"])
configurations = st.fixed_dictionaries(
    {
        "data": st.builds(
            lambda labels, rest: {"root": "pictures $${X}", **labels, **rest},
            labels(),
            st.fixed_dictionaries({}, optional={"mask_suffix": text, "images": names, "split": splits}),
        )
    },
    optional={
        "model": st.fixed_dictionaries({}, optional={"widths": st.lists(width, min_size=1, max_size=6)}),
        "train": st.fixed_dictionaries(
            {}, optional={"imgsz": side | st.tuples(side, side).map(list), "lr": st.floats(1e-12, 10), "loss": losses}
        ),
        "augment": st.sampled_from(list(PRESETS)) | st.lists(transforms, max_size=4),
        "run": st.fixed_dictionaries({}, optional={"project": names.map(lambda n: f"/p/{n}")}),
    },
)  # fmt: skip


@given(tree=configurations)
@settings(deadline=None, max_examples=60)
def test_what_is_written_reads_back_the_same(folder: Path, tree: dict[str, Any]) -> None:
    config = load_config(None, tree)
    written = to_yaml(config)
    again = folder / "elsewhere"
    again.mkdir(exist_ok=True)
    (again / "args.yaml").write_text(written, encoding="utf-8", newline="")
    assert load_config(again / "args.yaml") == config
    assert to_yaml(load_config(again / "args.yaml")) == written
    assert config.data.root.is_absolute()


anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text | st.integers(-1, 300), inner, max_size=4),
    max_leaves=12,
)
near = st.dictionaries(
    st.sampled_from([*SECTIONS, "other"]),
    anything
    | st.dictionaries(st.sampled_from([*(key.partition(".")[2] for key in KEYS), *WORDS]), anything, max_size=5),
    max_size=5,
)


def load_or_refuse(path: Path | None, overrides: dict[str, Any]) -> bool:
    """Whether it is a configuration; anything but that or one line of ConfigError fails the test."""
    try:
        return load_config(path, overrides).data.root.is_absolute()
    except ConfigError as error:
        message = str(error)
        assert "\n" not in message
        assert 0 < len(message) < 2000
        return False


SOUND = {"data": {"root": "."}, "train": {"lr": 0.5}}


@given(tree=anything | near)
@example(tree=SOUND)
@settings(deadline=None, max_examples=150)
def test_any_yaml_is_a_configuration_or_one_line(folder: Path, tree: Any) -> None:
    path = folder / "any.yaml"
    path.write_text(yaml.safe_dump(tree, allow_unicode=False), encoding="utf-8")
    assert load_or_refuse(path, {}) or tree != SOUND


yamlish = st.text(st.sampled_from("ab01 \n\t:-[]{},#&*!|>'\"%@`?.~$\\e"), max_size=60)


@given(content=st.binary(max_size=60) | yamlish.map(str.encode) | text.map(str.encode))
@example(content=b"0.5")
@settings(deadline=None, max_examples=250)
def test_any_bytes_are_a_configuration_or_one_line(folder: Path, content: bytes) -> None:
    path = folder / "bytes.yaml"
    path.write_bytes(content)
    load_or_refuse(path, {})
    path.write_bytes(b"data: {root: .}\ntrain:\n  lr: " + content)
    assert load_or_refuse(path, {}) or content != b"0.5"


@given(overrides=st.dictionaries(st.sampled_from(OVERRIDABLE) | text, anything, max_size=4))
@example(overrides={"train.lr": 0.5})
@settings(deadline=None, max_examples=150)
def test_any_overrides_make_a_configuration_or_one_line(overrides: dict[str, Any]) -> None:
    assert load_or_refuse(None, {"data.root": ".", **overrides}) or overrides != {"train.lr": 0.5}


@given(key=st.sampled_from(KEYS) | text, value=yamlish)
@example(key="train.lr", value="0.5")
@settings(deadline=None, max_examples=150)
def test_any_setting_is_read_or_refused(key: str, value: str) -> None:
    sound = (key, value) == ("train.lr", "0.5")
    try:
        name, setting = parse_set(f"{key}={value}")
    except UsageError:  # ConfigError is one
        assert not sound
        return
    assert load_or_refuse(None, {"data.root": ".", name: setting}) or not sound
