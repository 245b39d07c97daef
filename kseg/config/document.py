"""Read YAML into plain data, with the line number of each key.

The safe subset that a configuration needs: mappings, lists, text, numbers, booleans and null; anchors within limits.
Numbers follow YAML 1.2, so that ``1e-4`` is a number and ``12:30`` is text. The booleans of YAML 1.1 (``yes``, ``no``,
``on``, ``off``) are still read as such, as in other tools; where text was expected, the error says to quote them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from kseg.errors import ConfigError

__all__ = ["Document", "KeyPath", "dotted", "dump", "dump_line", "parse", "read", "short"]

KeyPath: TypeAlias = tuple[str | int, ...]
"""The path to a key: ``("train", "lr")``, ``("data", "classes", 0)``."""

MAX_BYTES: Final = 64 * 1024
MAX_NODES: Final = 10_000
MAX_DEPTH: Final = 32
MAX_DIGITS: Final = 40
"""Longer numbers are refused: no setting needs them, and Python does not print thousands of digits."""

_TAG: Final = "tag:yaml.org,2002:"
_BOOL: Final = re.compile("^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$")
_INT: Final = re.compile("^[-+]?[0-9]+$|^0x[0-9a-fA-F]+$|^0o[0-7]+$")
_FLOAT: Final = re.compile(
    r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$"
)
_NULL: Final = re.compile("^(?:~|null|Null|NULL|)$")
_RESOLVERS: Final = (
    ("bool", _BOOL, "yYnNtTfFoO"),
    ("int", _INT, "-+0123456789"),
    ("float", _FLOAT, "-+.0123456789"),
    ("null", _NULL, ["~", "n", "N", ""]),
)


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own shape


class _Dumper(yaml.SafeDumper):
    # Quotes text that YAML 1.1 or 1.2 would read as another type: PyYAML's own resolvers are kept, too.
    yaml_implicit_resolvers = {key: list(value) for key, value in yaml.SafeDumper.yaml_implicit_resolvers.items()}  # noqa: RUF012

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Double quotes for text with control characters or line breaks: in single quotes PyYAML loses some of these.
    style = '"' if any(ch < " " or ch in "\x85\u2028\u2029\ufeff" for ch in text) else None
    return dumper.represent_scalar(_TAG + "str", text, style=style)


def _represent_list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.SequenceNode:
    return dumper.represent_sequence(_TAG + "seq", items, flow_style=True)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(list, _represent_list)
for _name, _pattern, _first in _RESOLVERS:
    _Loader.add_implicit_resolver(_TAG + _name, _pattern, list(_first))
    _Dumper.add_implicit_resolver(_TAG + _name, _pattern, list(_first))


@dataclass
class Document:
    """A YAML text as plain data.

    Args:
        data: The value: dict, list, str, int, float, bool or None.
        lines: The line number, from 1, of each key or list item.
        texts: Each scalar as it was written, e.g. ``no`` for False.
    """

    data: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    texts: dict[KeyPath, str] = field(default_factory=dict)


def read(path: Path) -> Document:
    """Read a YAML file.

    Raises:
        ConfigError: There is no such file, it is a folder, too large, not UTF-8 or not YAML.
    """
    where = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError("no such configuration file", where=where, expected="a YAML file") from None
    except IsADirectoryError:
        raise ConfigError(
            "not a configuration file", where=where, expected="a YAML file", found="a folder",
            remedy="for a folder of pictures and masks pass --data FOLDER",
        ) from None  # fmt: skip
    except (OSError, ValueError) as error:
        raise ConfigError("cannot read the configuration file", where=where, found=str(error)) from error
    if len(content) > MAX_BYTES:
        raise ConfigError(
            "the configuration file is too large", where=where, expected=f"at most {MAX_BYTES // 1024} KiB"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError(
            "not text in UTF-8", where=f"{where}:{line}", found=f"the byte 0x{content[error.start]:02x}",
            remedy="save the file as UTF-8",
        ) from error  # fmt: skip
    return parse(text, where=where)


def parse(text: str, *, where: str, numbered: bool = True) -> Document:
    """Parse a YAML text.

    Args:
        text: One YAML document; may be empty.
        where: The file or flag that it came from, for errors.
        numbered: Whether errors name the line, as ``where:line``.

    Raises:
        ConfigError: The text is not YAML, holds a key twice or an object that is not plain data.
    """
    place = _Place(where if numbered else None, where)
    loader = None
    try:
        # The constructor of the loader already reads, and refuses control characters.
        loader = _Loader(text)
        node = loader.get_single_node()
        document = Document()
        if node is not None:
            document.data = _Builder(place, document).value(node, ())
        return document
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, place) from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise ConfigError(
            "not valid YAML", where=place.at(line), found=f"the character U+{ord(str(error.character)[:1]):04X}"
            if isinstance(error.character, str) else "a control character",
        ) from error  # fmt: skip
    except RecursionError:
        raise ConfigError("nested too deeply", where=where, expected=f"at most {MAX_DEPTH} levels") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML lets some escapes of impossible characters through to Python, which refuses them.
        raise ConfigError("not valid YAML", where=where, found=short(str(error))) from error
    finally:
        if loader is not None:
            loader.dispose()


def dump(data: Any) -> str:
    """Plain data as YAML text, which `parse` reads back to equal data."""
    text = yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1_000_000
    )
    return str(text)


def dump_line(key: str, value: Any) -> str:
    """A key and its value as a line of YAML: ``values: {0: background, 255: cell}``."""
    text = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=True, width=1_000_000
    )
    flow = str(text).removesuffix("...\n").strip()
    return f"{key}: {flow}"


def short(value: object, limit: int = 60) -> str:
    """A value for a message, in one line of at most ``limit`` characters: text as it is, anything else as its repr."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except (ValueError, RecursionError):
        # Python prints no number of many thousand digits.
        text = f"a very large {type(value).__name__}"
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


@dataclass(frozen=True)
class _Place:
    """Where a YAML text came from, for errors; ``numbered`` is None where lines are not named."""

    numbered: str | None
    where: str

    def at(self, line: int) -> str:
        return f"{self.numbered}:{line}" if self.numbered else self.where


def _not_yaml(error: yaml.MarkedYAMLError, place: _Place) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or error.context or "something else"
    if problem.startswith("but ") and error.context:
        problem = f"{error.context}, {problem}"
    match = re.match("expected (.+?),? but (?:found|got) (.+)", problem)
    actual = re.sub("^(?:but )?(?:found|got) ", "", match.group(2) if match else problem)
    return ConfigError(
        "not valid YAML",
        where=place.at(mark.line + 1 if mark else 1),
        expected=match.group(1) if match else None,
        found=short(actual, 120),
        remedy=_yaml_remedy(f"{problem} {error.context}", place),
    )


def _yaml_remedy(problem: str, place: _Place) -> str | None:
    if place.numbered is None:
        return "put text with special characters in double quotes, within the shell's single ones"
    if "'\\t'" in problem:
        return "indent with spaces, not tabs"
    if "alias" in problem:
        return "put text that begins with * in quotes"
    if "flow" in problem:
        return "close every [ and {, and put text with special characters such as # * : in quotes"
    return None


@dataclass
class _Builder:
    """Turns YAML nodes into plain data. Limits their number, since a few nested aliases can expand to billions."""

    place: _Place
    document: Document
    count: int = 0

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self.count += 1
        if self.count > MAX_NODES or len(path) > MAX_DEPTH:
            raise ConfigError(
                "nested too deeply, or too many values (aliases count as what they stand for)",
                where=self._at(node), expected=f"at most {MAX_DEPTH} levels and {MAX_NODES} values",
            )  # fmt: skip
        self.document.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return dict(self._pairs(node, path))
        if isinstance(node, yaml.ScalarNode):
            self.document.texts[path] = node.value
            return self._scalar(node)
        self._check_tag(node, "seq")
        return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]

    def _pairs(self, node: yaml.MappingNode, path: KeyPath) -> Iterator[tuple[str | int, Any]]:
        self._check_tag(node, "map")
        line_of: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError("a key is not plain text", where=self._at(key_node), expected="key: value")
            key = self._scalar(key_node)
            # Integer keys are mask values; any other key, also 1.5 or yes, is text as written.
            key = key if isinstance(key, int) and not isinstance(key, bool) else str(key_node.value)
            if str(key) in line_of:
                raise ConfigError(
                    "the key occurs twice", where=f"{self._at(key_node)}: {dotted((*path, key))}",
                    found=f"lines {line_of[str(key)]} and {key_node.start_mark.line + 1}"
                    if self.place.numbered else None,
                    remedy="delete one of them",
                )  # fmt: skip
            line_of[str(key)] = key_node.start_mark.line + 1
            key_path = (*path, key)
            self.document.lines[key_path] = key_node.start_mark.line + 1
            yield key, self.value(value_node, key_path)

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text = str(node.value)
        kind = str(node.tag).removeprefix(_TAG)
        if kind == "str":
            return text
        if kind == "null" and _NULL.match(text):
            return None
        if kind == "bool" and _BOOL.match(text):
            return text.lower() in {"yes", "true", "on"}
        if kind in {"int", "float"} and len(text) > MAX_DIGITS:
            raise ConfigError("the number is too long", where=self._at(node), found=short(text))
        if kind == "int" and _INT.match(text):
            return int(text, 0) if text[:2] in {"0x", "0o"} else int(text)
        if kind == "float" and (_FLOAT.match(text) or _INT.match(text)):
            return float(re.sub(r"^([-+]?)\.(inf|nan)$", r"\1\2", text.lower()))
        raise ConfigError(
            "not plain data", where=self._at(node), expected="text, a number, a boolean or null",
            found=short(f"the tag {node.tag}"),
        )  # fmt: skip

    def _check_tag(self, node: yaml.Node, kind: str) -> None:
        if node.tag != _TAG + kind:
            raise ConfigError(
                "not plain data", where=self._at(node), expected="no tags", found=short(f"the tag {node.tag}")
            )

    def _at(self, node: yaml.Node) -> str:
        return self.place.at(node.start_mark.line + 1)


def dotted(path: KeyPath) -> str:
    """The path to a key in dotted form: ``("data", "classes", 0)`` → ``data.classes.0``."""
    return ".".join(short(str(part), 40) for part in path)
