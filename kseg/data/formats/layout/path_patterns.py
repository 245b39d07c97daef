"""What paths have in common, and whether a setting such as ``*/images`` or ``{split}/*.png`` names one."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase

__all__ = ["as_yaml", "common_end", "common_folder", "common_start", "covers", "names_path"]


def common_start(texts: Collection[str]) -> str:
    """The longest text that all texts begin with."""
    first, last = min(texts), max(texts)  # what these have in common, all have
    length = next((i for i, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), None)
    return first[:length]


def common_folder(folders: Collection[str]) -> str:
    """The folder that folders have in common; "" is the root."""
    return posixpath.commonpath([f"/{folder}" for folder in folders]).strip("/")


def common_end(texts: Collection[str]) -> str:
    """The longest text that all texts end with."""
    return common_start([text[::-1] for text in texts])[::-1]


def as_yaml(path: str) -> str:
    """A path as a value in YAML: in quotes where it would otherwise be taken for something else."""
    return (
        path
        if re.fullmatch(r"[A-Za-z.][\w./ -]*", path) and path == path.strip()
        else "'" + path.replace("'", "''") + "'"
    )


def covers(setting: str, folder: str) -> bool:
    """Whether a setting of images or masks may read files of a folder: it is the folder, one above it, or a glob.

    Args:
        setting: A folder, or a glob of folders or files; ``{split}`` stands for any folder.
        folder: A folder below the root; "" is the root.
    """
    pattern = _normal(setting.replace("{split}", "*"))
    if names_path(pattern, folder):
        return True
    parent, _, name = pattern.rpartition("/")
    return bool(re.search(r"[*?\[]", name)) and (
        folder == parent if not re.search(r"[*?\[]", parent) else _whole(parent, folder)
    )


def names_path(pattern: str, path: str) -> bool:
    """Whether a glob matches a path or a folder above it; a wildcard matches no ``/``, but ``**`` does."""
    pattern = _normal(pattern)
    if not pattern:
        return True
    return any(above == pattern or _whole(pattern, above) for above in _with_parents(path))


def _normal(pattern: str) -> str:
    text = posixpath.normpath(pattern.replace("\\", "/")) if pattern else ""
    return "" if text == "." else text


def _with_parents(path: str) -> Iterable[str]:
    parts = path.split("/")
    return ("/".join(parts[: i + 1]) for i in range(len(parts)))


def _whole(pattern: str, path: str) -> bool:
    if "**" in pattern:
        return fnmatchcase(path, pattern) or fnmatchcase(f"/{path}", f"/{pattern}".replace("/**/", "/"))
    parts, patterns = path.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))
