"""Who may import whom: the table of CONTRIBUTING.md, enforced over the syntax trees, function bodies included."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import kseg

PACKAGE = Path(kseg.__file__).parent

FOUNDATION = {"errors", "augment", "files", "registry", "images", "labels", "drawing", "card", "processor", "quiet"}
WITH_CONFIG = FOUNDATION | {"config"}
EVERYTHING = WITH_CONFIG | {
    "data", "models", "losses", "metrics", "inference", "training", "evaluation", "export", "benchmark", "serving",
}  # fmt: skip

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "augment": {"errors", "registry"},
    "processor": set(),
    "quiet": {"processor"},
    "files": {"errors"},
    "registry": {"errors"},
    "images": {"errors", "files"},
    "labels": {"errors"},
    "drawing": {"errors", "images", "labels"},
    "card": {"errors", "labels"},
    "config": {"errors", "augment", "files", "labels", "registry"},
    "data": FOUNDATION,
    "models": FOUNDATION,
    "losses": FOUNDATION,
    "metrics": FOUNDATION,
    "inference": FOUNDATION | {"models"},
    "training": WITH_CONFIG | {"data", "models", "losses", "metrics"},
    "evaluation": WITH_CONFIG | {"data", "metrics", "inference"},
    "export": WITH_CONFIG | {"data", "models", "inference", "evaluation"},
    "benchmark": WITH_CONFIG | {"inference", "evaluation"},
    "cli": EVERYTHING,
}

HEAVY = {"tensorflow", "keras", "jax", "ai_edge_litert", "onnxruntime", "tf2onnx", "matplotlib"}
WITHOUT_HEAVY = FOUNDATION - {"quiet"} | {"config"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Dotted names of everything that a file imports, at any depth of its code."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write absolute imports, so that rooms can be told apart"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


FILES = sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE or p.stem not in {"__init__", "__main__"})


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_what_its_room_may(path: Path) -> None:
    room = room_of(path)
    own = {name.split(".")[1] for name in imports_of(path) if name.startswith("kseg.")}
    strangers = own - MAY_IMPORT[room] - {room, "__version__"}
    assert not strangers, f"{room} may not import {', '.join(sorted(strangers))}"


@pytest.mark.parametrize("path", [p for p in FILES if room_of(p) in WITHOUT_HEAVY], ids=lambda p: p.name)
def test_the_foundation_loads_nothing_heavy(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports_of(path)}
    assert not roots & HEAVY


@pytest.mark.parametrize("path", [p for p in FILES if room_of(p) == "cli"], ids=lambda p: p.name)
def test_a_command_takes_no_training_work_on_itself(path: Path) -> None:
    """Commands parse, call and print: the libraries of the work are the stages' business."""
    roots = {name.split(".")[0] for name in imports_of(path)}
    assert not roots & (HEAVY | {"cv2", "PIL", "pydantic"})


def test_every_room_is_in_the_table() -> None:
    assert {room_of(path) for path in FILES} <= set(MAY_IMPORT)
    assert len(FILES) > 30
