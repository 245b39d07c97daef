"""Who may import whom: the table of CONTRIBUTING.md, enforced over the syntax trees, function bodies included.

A room is a dotted prefix below ``kseg``; a file belongs to the longest one that fits it. A room may import itself and
what its row names, but not the rooms inside it that have a row of their own, unless the row names these, too.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import kseg

PACKAGE = Path(kseg.__file__).parent

FOUNDATION = {
    "errors", "lazy", "signals", "sizes", "fields", "files", "registry", "processor", "parallel", "environment",
    "tensorflow_runtime", "onnx_runtime", "openvino_runtime", "child_process", "images", "provenance", "labels",
    "drawing", "figures", "card", "run_folder", "html", "truth",
}  # fmt: skip
DATA_NOUNS = {
    "data.spec", "data.sample", "data.names", "data.objects", "data.run_lengths", "data.dataset", "data.truth",
    "data.label_map", "data.pages", "data.question",
}  # fmt: skip
DATA = DATA_NOUNS | {
    "data.formats", "data.splits", "data.find", "data.inspection", "data.inspection.similar", "data.pipeline",
    "data.pipeline.transforms",
}  # fmt: skip
"""All of `kseg.data` but its one call for a training of one's own."""
MODELS = {"models", "models.specs", "models.tables"}
"""Pure Python: what networks there are, and what one is made of."""
NOUNS_OF_CONFIG = {"augment", "data.spec", "models.specs", "models.tables", "losses.expression"}
"""What the configuration describes, parsed without TensorFlow."""
EVERYTHING = FOUNDATION | DATA | {"data", "data.folder_batches"} | MODELS | NOUNS_OF_CONFIG | {
    "config", "losses", "metrics", "models.inspect", "training", "training.acceleration",
    "training.compression", "inference", "inference.runtimes", "evaluation", "exporters", "latency", "demo", "api",
    "callbacks",
}  # fmt: skip

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "lazy": set(),
    "signals": set(),
    "sizes": set(),
    "fields": set(),
    "files": {"errors"},
    "registry": {"errors"},
    "processor": set(),
    "parallel": {"processor"},
    "environment": {"processor"},
    "tensorflow_runtime": {"errors", "processor"},
    "onnx_runtime": {"errors"},
    "openvino_runtime": {"errors"},
    "child_process": set(),
    "images": {"errors", "files", "sizes"},
    "provenance": {"errors", "files", "images"},
    "labels": {"errors"},
    "drawing": {"labels"},
    "figures": {"files"},
    "card": {"errors", "files", "labels"},
    "html": set(),
    "truth": {"errors"},
    "run_folder": {"errors", "files"},
    "augment": {"errors", "registry"},
    "config": {"errors", "fields", "files", "labels", "registry", "sizes"} | NOUNS_OF_CONFIG,
    "data": FOUNDATION | {"data.folder_batches", "data.spec"},
    "data.folder_batches": FOUNDATION | DATA | {"augment"},
    "data.spec": {"errors", "fields", "labels"},
    "data.names": set(),
    "data.question": set(),
    "data.pages": FOUNDATION | {"data.sample", "data.spec"},
    "data.run_lengths": {"sizes"},
    "data.objects": {"data.run_lengths", "sizes"},
    "data.sample": {"data.objects"},
    "data.dataset": FOUNDATION | {"data.sample", "data.objects"},
    "data.truth": FOUNDATION | {"data.sample", "data.objects"},
    "data.label_map": FOUNDATION | {"data.spec"},
    "data.formats": FOUNDATION | DATA_NOUNS,
    "data.splits": FOUNDATION | DATA_NOUNS | {"data.inspection.similar"},
    "data.find": FOUNDATION | DATA_NOUNS | {"data.formats", "data.splits"},
    "data.pipeline": FOUNDATION | DATA_NOUNS | {"augment", "data.pipeline.transforms"},
    "data.pipeline.transforms": FOUNDATION | {"augment"},
    "data.inspection": FOUNDATION | DATA_NOUNS | {
        "augment", "data.find", "data.formats", "data.inspection.similar", "data.pipeline", "data.pipeline.transforms",
    },
    "data.inspection.similar": set(),
    "models": FOUNDATION | {"models.specs", "models.tables"},
    "models.tables": set(),
    "models.specs": {"errors", "labels", "registry", "sizes", "models.tables"},
    "models.inspect": FOUNDATION | MODELS,
    "losses": FOUNDATION | {"losses.expression"},
    "losses.expression": {"errors", "registry"},
    "metrics": FOUNDATION,
    "inference": FOUNDATION | {"inference.runtimes"},
    "inference.runtimes": FOUNDATION | {"inference", "models"},
    "training": FOUNDATION | NOUNS_OF_CONFIG | DATA | MODELS | {
        "config", "losses", "metrics", "training.acceleration", "training.compression",
    },
    "training.acceleration": FOUNDATION,
    "training.compression": FOUNDATION | {"training.acceleration"},
    "evaluation": FOUNDATION | DATA | {"config", "metrics", "inference"},
    "exporters": FOUNDATION | DATA | MODELS | {"config", "inference", "evaluation"},
    "latency": FOUNDATION | {"inference", "evaluation"},
    "demo": EVERYTHING | {"cli"},
    "api": EVERYTHING,
    "callbacks": {"lazy", "training"},
    "cli": EVERYTHING,
}  # fmt: skip

HEAVY = {"tensorflow", "keras", "jax", "ai_edge_litert", "onnxruntime", "openvino", "nncf", "tf2onnx", "matplotlib"}
MAY_LOAD_HEAVY = {"tensorflow_runtime", "onnx_runtime", "openvino_runtime", "figures"}
"""Of the foundation, those whose business it is, inside their functions."""
LIGHT = FOUNDATION | NOUNS_OF_CONFIG | {"config"}


def name_of(path: Path, package: Path = PACKAGE) -> str:
    """``data/formats/coco.py`` → ``data.formats.coco``."""
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(name: str) -> str | None:
    """The longest row of the table that a dotted name below ``kseg`` lies in."""
    parts = name.split(".")
    prefixes = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in MAY_IMPORT), None)


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


def strangers(path: Path, package: Path = PACKAGE) -> set[str]:
    """The rooms that a file imports and may not."""
    own = room_of(name_of(path, package))
    assert own is not None, f"{path} lies in no room of the table"
    imported = {name.removeprefix("kseg.") for name in imports_of(path) if name.startswith("kseg.")} - {"__version__"}
    rooms = {room_of(name) or name for name in imported}
    return rooms - MAY_IMPORT[own] - {own}


FILES = sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE or p.stem not in {"__init__", "__main__"})
NAMES = [name_of(path) for path in FILES]


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_file_imports_only_what_its_room_may(path: Path) -> None:
    assert not strangers(path)


def test_a_forbidden_import_is_seen_at_any_depth(tmp_path: Path) -> None:
    file = tmp_path / "data" / "formats" / "new.py"
    file.parent.mkdir(parents=True)
    file.write_text("from kseg.data.spec import DataSpec\ndef f():\n    from kseg.data.inspection import survey\n")
    assert strangers(file, tmp_path) == {"data.inspection"}
    file.write_text("import kseg.config\n")
    assert strangers(file, tmp_path) == {"config"}
    file.write_text("from kseg.nowhere import x\n")
    assert strangers(file, tmp_path) == {"nowhere.x"}


def test_every_room_of_the_table_has_files_and_every_file_a_room() -> None:
    assert {room_of(name) for name in NAMES} == set(MAY_IMPORT)
    assert {room for allowed in MAY_IMPORT.values() for room in allowed} <= set(MAY_IMPORT)


def test_the_rooms_have_an_order() -> None:
    """No room is below itself, but for a runtime that names the type of its caller, and what may import everything."""
    below = {room: set(allowed) - {room} for room, allowed in MAY_IMPORT.items()}
    del below["cli"], below["demo"], below["api"]
    below["inference.runtimes"].discard("inference")
    below["data.pipeline.transforms"] -= {"figures"}
    seen: set[str] = set()
    while remaining := set(below) - seen:
        ready = {room for room in remaining if below[room] - seen <= set()}
        assert ready, f"these rooms are below one another: {sorted(remaining)}"
        seen |= ready


@pytest.mark.parametrize("path", [p for p, n in zip(FILES, NAMES, strict=True) if room_of(n) in LIGHT], ids=str)
def test_the_foundation_and_the_settings_load_nothing_heavy(path: Path) -> None:
    if room_of(name_of(path)) not in MAY_LOAD_HEAVY:
        assert not {name.split(".")[0] for name in imports_of(path)} & HEAVY


@pytest.mark.parametrize("path", [p for p, n in zip(FILES, NAMES, strict=True) if room_of(n) == "cli"], ids=str)
def test_a_command_takes_no_training_work_on_itself(path: Path) -> None:
    """Commands parse, call and print: the libraries of the work are the stages' business."""
    assert not {name.split(".")[0] for name in imports_of(path)} & (HEAVY | {"cv2", "PIL", "pydantic"})


@pytest.mark.parametrize("path", [p for p in FILES if p.stem == "__init__"], ids=name_of)
def test_a_package_s_own_file_holds_no_logic(path: Path) -> None:
    """A docstring, imports, names to export, and the call that makes them lazy."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        allowed = isinstance(node, (ast.Expr, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.If))
        assert allowed or path.parent.name in {"cli", "data", "models"}, f"{path}: {ast.unparse(node)[:80]}"
        assert not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or "cli" in path.parts
