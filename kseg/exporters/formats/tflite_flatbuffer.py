"""Read, change and write the flatbuffer of a TFLite model, by the classes that LiteRT brings."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any, Final

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

__all__ = ["keep_float", "pack", "unpack"]

_IDENTIFIER: Final = b"TFL3"
_ALIGNMENT: Final = 16
_OPERATIONS: Final = {name: code for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}


class _Builder(flatbuffers.Builder):
    """Aligns the buffers of the weights, as the schema demands (``force_align: 16``) and its Python classes omit."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:  # noqa: N802, N803
        return super().StartVector(elemSize, numElems, _ALIGNMENT if elemSize == 1 else alignment)


def unpack(flatbuffer: bytes) -> Any:
    """The model as LiteRT's ``ModelT``."""
    return schema.ModelT.InitFromPackedBuf(flatbuffer, 0)


def pack(model: Any) -> bytes:
    """The flatbuffer of a ``ModelT``."""
    builder = _Builder(1024)
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def keep_float(flatbuffer: bytes, names: Collection[str]) -> bytes:
    """Compute these operations in float32: dequantise what they take, and quantise what they return.

    Args:
        flatbuffer: A quantised model.
        names: Names of TFLite's built-in operations, e.g. ``SQUARED_DIFFERENCE``.

    Returns:
        The changed model; the same bytes if it has none of these operations with quantised tensors.
    """
    model = unpack(flatbuffer)
    codes = {_OPERATIONS[name] for name in names}
    changed = False
    for graph in model.subgraphs:
        operators = []
        for operator in graph.operators:
            if model.operatorCodes[operator.opcodeIndex].builtinCode in codes and _is_quantized(graph, operator):
                operators += _in_float(model, graph, operator)
                changed = True
            else:
                operators.append(operator)
        graph.operators = operators
    return pack(model) if changed else flatbuffer


def _is_quantized(graph: Any, operator: Any) -> bool:
    return any(graph.tensors[index].type != schema.TensorType.FLOAT32 for index in operator.outputs)


def _in_float(model: Any, graph: Any, operator: Any) -> list[Any]:
    """The operator on float32 tensors, between those that dequantise and quantise."""
    inputs = {index: _float_copy(graph, index) for index in map(int, operator.inputs)}
    outputs = {index: _float_copy(graph, index) for index in map(int, operator.outputs)}
    before = [_operator(model, "DEQUANTIZE", index, copied) for index, copied in inputs.items() if copied != index]
    after = [_operator(model, "QUANTIZE", copied, index) for index, copied in outputs.items() if copied != index]
    operator.inputs = [inputs[int(index)] for index in operator.inputs]
    operator.outputs = [outputs[int(index)] for index in operator.outputs]
    return [*before, operator, *after]


def _float_copy(graph: Any, index: int) -> int:
    """The index of a float32 tensor of the shape of this one, which is added; the same index if this one is float32."""
    if graph.tensors[index].type == schema.TensorType.FLOAT32:
        return index
    tensor = copy.copy(graph.tensors[index])
    tensor.name = tensor.name + b"_float"
    tensor.type = schema.TensorType.FLOAT32
    tensor.quantization = None
    tensor.buffer = 0  # TFLite's empty buffer: the tensor is computed
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _operator(model: Any, name: str, input: int, output: int) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex = _opcode_index(model, _OPERATIONS[name])
    operator.inputs, operator.outputs = [input], [output]
    return operator


def _opcode_index(model: Any, code: int) -> int:
    """The index of an operation in the model's table of operations, to which it is added where it is missing."""
    for index, entry in enumerate(model.operatorCodes):
        if entry.builtinCode == code:
            return index
    entry = schema.OperatorCodeT()
    entry.builtinCode = entry.deprecatedBuiltinCode = code  # both DEQUANTIZE and QUANTIZE are below 127
    entry.version = 2
    model.operatorCodes.append(entry)
    return len(model.operatorCodes) - 1
