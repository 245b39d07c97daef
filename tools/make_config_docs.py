"""Write docs/configuration.md from the schema of the configuration::

python tools/make_config_docs.py            write the page
python tools/make_config_docs.py --check    exit 1 where the page is not up to date
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kseg.augment import PRESETS, TRANSFORMS
from kseg.augment.settings import arguments
from kseg.config import describe, json_schema

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"

INTRODUCTION = """\
# Configuration

<!-- Written by tools/make_config_docs.py from kseg/config: change the descriptions there. -->

A configuration is a YAML file. Only `data.root` is required.

```yaml
data:
  root: ${DATASETS}/pets          # relative to this file
  classes: [background, pet]
  values: {1: pet, 2: background, 3: ignore}
train:
  imgsz: 160
  lr: 1e-3
```

- **Precedence**: defaults < YAML < `--data`, `--set` and other flags. `kseg config show pets.yaml --set train.epochs=5`
  prints the settings that a run would use; a run writes them to its `args.yaml`.
- **`--set KEY=VALUE`** sets any key below; the value is YAML: `--set 'data.values={1: pet, 2: background}'`,
  `--set augment=heavy`. Text with special characters needs quotes of its own: `--set 'data.masks="*.png"'`.
  Changing `data.split.by` resets the other keys of `data.split` to their defaults.
- **Paths** in the file are relative to the file's folder, those of flags to the current one, and `images` and `masks`
  to `data.root`. `~` is the home folder and `${NAME}` an environment variable; `$${` is a literal `${`.
- **Quotes** are needed around text that YAML would read as another type: the classes `"no"`, `"on"` and `"1"`, colours
  `"#ff8000"`, globs that begin with `*`, and `"{split}"`.
- **Editors** complete and validate the file after `kseg config schema > kseg.schema.json`, with the first line
  `# yaml-language-server: $schema=kseg.schema.json`.

An invalid setting ends a command with exit code 2 and one line, before anything slow begins:

```
error: pets.yaml:7: train.epohcs: unknown key; expected one of batch, cache, …; found 'epohcs'; did you mean 'epochs'?
```
"""


def page() -> str:
    """The whole page as Markdown."""
    schema = json_schema()
    parts = [INTRODUCTION]
    for name, section in schema["properties"].items():
        if name == "augment":
            parts.append(_augment(section))
            continue
        model = _follow(schema, section)
        parts.append(f"## {name}\n\n{_summary(model)}\n\n{_table(name, model)}")
        parts += _splits(schema) if name == "data" else []
    return "\n".join(parts)


AUGMENT = """\
## augment

{description} A preset's name, a list of transforms in their order, or a pipeline of
[albumentations](https://albumentations.ai) (`pip install 'kseg[albumentations]'`); `[hflip]` by default:

```yaml
augment: medium                       # {presets}
augment:
  - hflip                             # with its defaults
  - rotate: 15                        # its first argument
  - scale: {{by: [0.8, 1.5], p: 0.5}}   # any of its arguments
  - light                             # all transforms of a preset
augment: {{albumentations: FILE}}       # a file of albumentations.save, YAML or JSON
```

`kseg config show --set augment=heavy` prints the transforms of a preset. Consecutive geometric transforms are combined
and resample the image once. Consecutive changes of brightness, contrast, hue and saturation are combined, too. Pixels
from outside the image are black, and ignored in the mask. A seed gives the same samples on any number of cores. Adding,
removing or changing a transform does not change the random numbers of the others.

"""


def _augment(section: dict[str, Any]) -> str:
    names = ", ".join(PRESETS)
    rows = ["| transform | what it does | argument | type | default | meaning |", "|---|---|---|---|---|---|"]
    for name, kind in TRANSFORMS.items():
        for i, (key, (argument, default)) in enumerate(arguments(kind).items()):
            first = (f"`{name}`", (kind.__doc__ or "").strip()) if i == 0 else ("", "")
            value = json.dumps(list(default) if isinstance(default, tuple) else default)
            cells = (*first, f"`{key}`", argument.expected, f"`{value}`", argument.text)
            rows.append("| " + " | ".join(_prose(cell) for cell in cells) + " |")
    return AUGMENT.format(description=section["description"], presets=names) + "\n".join(rows) + "\n"


def _splits(schema: dict[str, Any]) -> Iterator[str]:
    for reference in schema["$defs"]["DataSpec"]["properties"]["split"]["oneOf"]:
        model = _follow(schema, reference)
        title = f"### data.split, by: {model['properties']['by']['const']}"
        yield f"{title}\n\n{_summary(model)}\n\n{_table('data.split', model)}"


def _follow(schema: dict[str, Any], reference: dict[str, Any]) -> dict[str, Any]:
    model: dict[str, Any] = schema["$defs"][reference["$ref"].rpartition("/")[2]]
    return model


def _summary(model: dict[str, Any]) -> str:
    """The docstring of a section, up to its Raises and Example."""
    return textwrap.fill(_prose(re.split(r"\n\n\s*(?:Args|Raises|Example):", model["description"])[0]), 116)


def _table(section: str, model: dict[str, Any]) -> str:
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for name, key in model["properties"].items():
        kind = "a mapping, see below" if "discriminator" in key else describe(key)
        required = name in model.get("required", ())
        default = "required" if required else f"`{json.dumps(key['default'])}`" if "default" in key else "by: fractions"
        cells = (f"`{section}.{name}`", kind, default, key["description"])
        rows.append("| " + " | ".join(_prose(cell).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def _prose(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


def main(arguments: list[str]) -> int:
    """Write or check the page; returns the exit code."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    if arguments:
        current = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page()
        print(f"{PAGE.name} is {'up to date' if current else 'old: run tools/make_config_docs.py'}")
        return 0 if current else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
