"""Operations of a SavedModel that reach beyond it: refused before TensorFlow loads the file, since loading runs some.

A TensorFlow graph is a program: it may read and write files, and call Python functions of the process. A segmentation
network needs none of that. What saves and restores the variables does, and is allowed where the SavedModel declares it:
``restore`` runs when the file is loaded, ``save`` never.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from kseg.errors import ArtifactError, abbreviate

__all__ = ["check_operations"]

_REACHES_OUT: Final = re.compile(
    r".*(PyFunc|File|Reader|Writer|Save|Checkpoint|Summary|Dataset|DataService|PrintV2|ImmutableConst|LoadAndRemap"
    r"|DebugIdentity|DebugNumeric|DebugNan|Gcs|Rpc|CustomCall).*"
)
"""Names of operations on files, networks and Python functions."""
_OF_THE_SAVER: Final = frozenset({"SaveV2", "MergeV2Checkpoints", "ShardedFilename"})


def check_operations(folder: Path) -> None:
    """Check the operations of a SavedModel; a file that cannot be parsed is left to TensorFlow's own error.

    Raises:
        ArtifactError: It holds operations that a network does not need, and that reach beyond it.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    except (DecodeError, OSError):
        return
    operations = sorted({name for graph in model.meta_graphs for name in _refused(graph)})
    if operations:
        raise ArtifactError(
            "the SavedModel holds operations that reach beyond the network, which kseg does not run",
            where=str(folder), found=abbreviate(operations), remedy="export it without them",
        )  # fmt: skip


def _refused(graph: Any) -> Iterator[str]:
    """The names of the operations that are refused in a ``MetaGraphDef``."""
    functions = {function.signature.name: function.node_def for function in graph.graph_def.library.function}
    saver_node = graph.saver_def.save_tensor_name.partition(":")[0]
    others = [node for node in graph.graph_def.node if node.name != saver_node]
    of_network = _reachable(others, graph.object_graph_def.concrete_functions, functions)
    for name, nodes in (("", others), *functions.items()):
        is_of_saver = name in functions and name not in of_network
        for operation in {node.op for node in nodes if _REACHES_OUT.fullmatch(node.op)}:
            if operation not in _OF_THE_SAVER or not is_of_saver:
                yield operation


def _reachable(nodes: Iterable[Any], names: Iterable[str], functions: dict[str, Any]) -> set[str]:
    """The functions that the nodes or the named functions call, directly or through others, and these themselves."""
    pending = {*names, *_called(nodes)} & functions.keys()
    reached: set[str] = set()
    while pending:
        name = pending.pop()
        reached.add(name)
        pending |= (_called(functions[name]) & functions.keys()) - reached
    return reached


def _called(nodes: Iterable[Any]) -> set[str]:
    names: set[str] = set()
    for node in nodes:
        names.add(node.op)
        for value in node.attr.values():
            names |= {value.func.name, *(function.name for function in value.list.func)}
    return names
