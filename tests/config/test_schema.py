"""The JSON schema for editors, and the page that is written from it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kseg.augment import TRANSFORMS
from kseg.augment.settings import arguments
from kseg.config import Config, json_schema, load_config
from kseg.config.overrides import SECTIONS

REPOSITORY = Path(__file__).parents[2]
TOOL = REPOSITORY / "tools" / "make_config_docs.py"
RECIPES = sorted((REPOSITORY / "configs").glob("*.yaml"))


def properties(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of a schema, by name."""
    if isinstance(node, dict):
        yield from node.get("properties", {}).items()
        for inner in node.values():
            yield from properties(inner)


def test_the_schema_is_of_the_draft_that_editors_know() -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(schema["properties"]) == set(Config.model_fields)
    assert schema["required"] == ["data"]


def test_every_key_is_explained() -> None:
    schema = json_schema()
    for name, key in properties(schema):
        reference = key.get("$ref", "").rpartition("/")[2]
        assert key.get("description") or schema["$defs"][reference]["description"], name


def test_no_section_takes_unknown_keys() -> None:
    schema = json_schema()
    assert schema["additionalProperties"] is False
    assert all(model["additionalProperties"] is False for model in schema["$defs"].values())


def test_the_schema_takes_both_forms_of_the_size_and_the_mask_values() -> None:
    schema = json_schema()
    size = schema["$defs"]["TrainConfig"]["properties"]["imgsz"]
    assert {option["type"] for option in size["anyOf"]} == {"integer", "array"}
    values = schema["$defs"]["DataSpec"]["properties"]["values"]["anyOf"][0]
    assert values["propertyNames"] == {"pattern": "^([0-9]{1,5}|other|#[0-9a-fA-F]{6})$"}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_every_recipe_is_valid(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KSEG_DATA", str(tmp_path))
    assert load_config(recipe, {"data.root": tmp_path}).run.name == recipe.stem


def test_there_are_recipes() -> None:
    assert RECIPES


def test_the_page_of_settings_is_up_to_date() -> None:
    command = [sys.executable, TOOL, "--check"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stdout.strip()) == (0, "configuration.md is up to date"), done.stderr


def test_the_page_names_every_key() -> None:
    page = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
    for name, kind in TRANSFORMS.items():
        assert f"| `{name}` | {(kind.__doc__ or '').strip()} | `{next(iter(arguments(kind)))}` |" in page
    for section, keys in SECTIONS.items():
        for key in keys:
            assert f"| `{section}.{key}` |" in page


def test_the_configuration_loads_no_tensorflow() -> None:
    probe = "import kseg.config, sys; sys.exit(bool({'tensorflow', 'keras', 'cv2'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", probe], cwd=REPOSITORY, check=False).returncode == 0
