"""The section `augment`: its forms, its mistakes, its schema."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from kseg.augment import PRESETS, TRANSFORMS, Argument, Augment, parse, to_plain
from kseg.augment.settings import Cutout, Hflip, Jpeg, Mosaic, Rotate, Scale, arguments
from kseg.config import Config, FlagValue, load_config, to_yaml
from kseg.errors import ConfigError

ROOT = "data:\n  root: pictures\n"


@pytest.mark.parametrize(
    ("text", "transforms"),
    [
        ("none", ()),
        ("[]", ()),
        ("medium", PRESETS["medium"]),
        ("[hflip]", (Hflip(),)),
        ("[{hflip: }]", (Hflip(),)),
        ("[{hflip: 0.3}]", (Hflip(p=0.3),)),
        ("[{rotate: 30}, hflip]", (Rotate(degrees=30), Hflip())),
        ("[{rotate: {p: 0.5}}]", (Rotate(p=0.5),)),
        ("[{scale: [0.5, 2]}]", (Scale(by=(0.5, 2)),)),
        ("[{jpeg: {quality: [10, 20], p: 1}}]", (Jpeg(quality=(10, 20), p=1),)),
        ("[light, cutout]", (*PRESETS["light"], Cutout())),
        ("[none, hflip]", (Hflip(),)),
    ],
)
def test_every_form_is_read(load: Callable[..., Config], text: str, transforms: tuple[object, ...]) -> None:
    config = load(f"{ROOT}augment: {text}\n")
    assert config.augment.transforms == transforms
    assert load(to_yaml(config)) == config


def test_the_default_is_a_mirror_image(load: Callable[..., Config]) -> None:
    for text in (ROOT, f"{ROOT}augment:\n"):
        assert load(text).augment == Augment((Hflip(),))


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_spelt_out(load: Callable[..., Config], name: str) -> None:
    spelt = yaml.safe_load(to_yaml(load(f"{ROOT}augment: {name}\n")))["augment"]
    assert isinstance(spelt, list)
    assert parse(spelt).transforms == PRESETS[name]
    assert all(set(one[kind]) == set(arguments(TRANSFORMS[kind])) for one in spelt for kind in one)


def test_a_flag_and_a_setting_replace_the_whole_list(load: Callable[..., Config], error: Callable[..., str]) -> None:
    text = f"{ROOT}augment: [{{rotate: 5}}, hflip]\n"
    assert load(text, {"augment": FlagValue("heavy", "--augment")}).augment.transforms == PRESETS["heavy"]
    assert load(text, {"augment.0.rotate": 7}).augment.transforms[0] == Rotate(degrees=7)
    message = error(text, {"augment": FlagValue("hevy", "--augment")})
    assert message.startswith("--augment: unknown preset; expected one of none, light, medium, heavy, or a list")
    assert message.endswith("found 'hevy'; did you mean 'heavy'?")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3", "augment: wrong value; expected one of none, light, medium, heavy, or a list in order, as [hflip,"),
        ("hflip", "augment: transforms must be in a list; expected one of none"),
        ("{hflip: 0.5}", "augment.hflip: transforms must be in a list; expected"),
        ("[hflipp]", "augment.0: unknown transform; expected one of hflip, vflip,"),
        ("[hflip, {rotat: 3}]", "augment.1: unknown transform; expected one of hflip"),
        ("[hflip, {rotate: {degres: 3}}]", "augment.1.rotate.degres: unknown key; expected one of degrees, p; found"),
        ("[{rotate: 300}]", "augment.0.rotate: wrong value; expected a number from 0 to 180; found 300"),
        ("[{rotate: {p: 1.5}}]", "augment.0.rotate.p: wrong value; expected a number from 0 to 1; found 1.5"),
        ("[{rotate: {degrees: no}}]", "augment.0.rotate.degrees: wrong value; expected a number from 0 to 180; fou"),
        ("[{rotate: .nan}]", "augment.0.rotate: wrong value"),
        ("[{scale: [2, 1]}]", "augment.0.scale: wrong value; expected [min, max], each a number from 0.1 to 10"),
        ("[{scale: 2}]", "augment.0.scale: wrong value; expected [min, max]"),
        ("[{cutout: {count: 1.5}}]", "augment.0.cutout.count: wrong value; expected a whole number from 1 to 16"),
        ("[{a: 1, b: 2}]", "augment.0: wrong value; expected the name of a transform or preset, or {name: value}"),
        ("[[hflip]]", "augment.0: wrong value"),
        ("[hflip, mosaic]", "augment.1: mosaic is not the first transform; expected mosaic before all others"),
        ("{albumentations: no.yaml}", "augment.albumentations: no such file; expected a file that albumentations.save"),
        ("{albumentations: }", "augment.albumentations: wrong value; expected a path; found nothing"),
        ("{}", "augment: wrong value"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_its_key(error: Callable[..., str], text: str, message: str) -> None:
    assert error(f"{ROOT}augment: {text}\n").startswith(f"pets.yaml:3: {message}")


def test_a_mistake_has_its_own_line_and_a_near_name(error: Callable[..., str]) -> None:
    text = f"{ROOT}augment:\n  - hflip\n  - rotate:\n      degres: 5\n"
    assert error(text).startswith("pets.yaml:6: augment.1.rotate.degres: unknown key")
    assert error(text).endswith("did you mean 'degrees'?")
    assert error(f"{ROOT}augment: [brightnes]\n").endswith("found 'brightnes'; did you mean 'brightness'?")
    assert error(f"{ROOT}augment: hflip\n").endswith("write augment: [hflip]")


def test_a_pipeline_of_albumentations_is_a_path_of_the_file(load: Callable[..., Config], home: Path) -> None:
    (home / "strong.yaml").write_text("{}")
    (home / "conf" / "a.yaml").write_text("data: {root: ../pictures}\naugment: {albumentations: ../strong.yaml}\n")
    config = load_config(Path("conf/a.yaml"))
    assert config.augment.albumentations == home / "strong.yaml"
    assert load(to_yaml(config)) == config


@pytest.mark.parametrize("kind", TRANSFORMS.values(), ids=TRANSFORMS)
def test_every_transform_is_explained_and_checks_itself(kind: type) -> None:
    assert kind.__doc__
    assert list(arguments(kind))[-1] == "p"
    for key, (argument, default) in arguments(kind).items():
        assert argument.text.endswith(".")
        assert argument.fits(default)
        wrong = (argument.low, argument.high + 1) if argument.is_pair else argument.high + 1
        with pytest.raises(ConfigError, match=rf"^augment\.{kind.name}\.{key}: wrong value; expected"):  # type: ignore[attr-defined]
            kind(**{key: wrong})


@pytest.mark.parametrize("value", [True, "1", None, float("nan"), float("inf"), [1.0], -1, 3])
def test_what_is_no_number_in_range_does_not_fit(value: object) -> None:
    assert not Argument("number", 0, 2, "").fits(value)
    assert not Argument("whole pair", 0, 2, "").fits([0.5, 1])
    assert Argument("whole pair", 0, 2, "").fits((1, 1))


def test_plain_data_reads_back() -> None:
    for transforms in (*PRESETS.values(), (Mosaic(), Hflip(p=0.1))):
        assert parse(to_plain(Augment(transforms))) == Augment(transforms)
    assert to_plain(Augment(albumentations=Path("a.json"))) == {"albumentations": "a.json"}


def test_the_settings_load_no_tensorflow() -> None:
    probe = "import kseg.augment, sys; sys.exit(bool({'tensorflow', 'numpy', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
