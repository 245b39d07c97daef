"""A network with the ranges of its values on the calibration images, from which int8 files are made in seconds.

TensorFlow's quantiser keeps an operation in float if the name of its output is on a list. It works on the file that
the converter writes if it is told to stop after calibration, so that one calibration serves any number of files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from kseg.errors import ArtifactError
from kseg.exporters.formats.tflite import convert
from kseg.exporters.formats.tflite_quantized import calibration_inputs
from kseg.exporters.ladder.groups import group_layers, layer_of
from kseg.tensorflow_runtime import quiet_stderr

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

__all__ = ["CalibratedGraph", "Operation", "float_operations"]

_MOVES: Final = frozenset({
    "CONCATENATION", "GATHER", "MAX_POOL_2D", "PAD", "PADV2", "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR",
    "SLICE", "SPLIT", "SQUEEZE", "STRIDED_SLICE", "TRANSPOSE",
})  # fmt: skip
"""Operations whose results have the values, and so the range, of their inputs."""
_CONVERSIONS: Final = frozenset({"QUANTIZE", "DEQUANTIZE"})


@dataclass(frozen=True)
class Operation:
    """An operation of a TFLite graph.

    Args:
        kind: ``CONV_2D``, ``ADD``, …
        name: The name of its first output.
        inputs: The indices of the tensors that it takes; constants are among them.
        outputs: Those of its results.
        is_float: Whether its first result is float32.
    """

    kind: str
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    is_float: bool


@dataclass(frozen=True)
class CalibratedGraph:
    """A float32 TFLite graph with the range of each tensor.

    Args:
        content: The file that the converter wrote after calibration.
        layers: Layer of the Keras model → its group, see `group_layers`.
    """

    content: bytes
    layers: Mapping[str, str]

    @classmethod
    def calibrate(cls, model: keras.Model, images: Sequence[npt.NDArray[np.uint8]]) -> CalibratedGraph:
        """Run the network on the images, uint8 ``[h, w, 3]`` each, and note the range of each tensor.

        Raises:
            ArtifactError: TensorFlow's converter refuses the network.
        """
        import tensorflow as tf

        def configure(converter: tf.lite.TFLiteConverter) -> None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: calibration_inputs(images)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter._experimental_calibrate_only = True

        return cls(_named_after_operations(convert(model, tf.float32, configure)), group_layers(model))

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """The operations in the order of the computation."""
        return _operations(_parsed(self.content))

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The groups that have operations, in the order of the computation."""
        return tuple(dict.fromkeys(self._group_of_operation))

    @cached_property
    def _group_of_operation(self) -> tuple[str, ...]:
        """The group of each operation.

        One whose name tells no layer belongs to the operation before it; one that only moves values to the operation
        behind it, since a pooling is the beginning of a stage.
        """
        groups: list[str] = []
        for operation in self.operations:
            layer = layer_of(operation.name, self.layers)
            previous = groups[-1] if groups else next(iter(self.layers.values()))
            groups.append(previous if layer is None else self.layers[layer])
        for place in range(len(groups) - 2, -1, -1):
            if self.operations[place].kind in _MOVES:
                groups[place] = groups[place + 1]
        return tuple(groups)

    def quantised(self, float_groups: Collection[str] = ()) -> bytes:
        """An int8 file, uint8 ``[1, h, w, 3]`` → uint8 ``[1, h, w, C]``, in which some groups stay in float.

        With a group, the operations that take its results stay in float, too: the results would be quantised for them.

        Args:
            float_groups: Names of `groups`.

        Returns:
            The file's content, without a model card.

        Raises:
            ArtifactError: TensorFlow's quantiser fails.
        """
        import tensorflow as tf
        from tensorflow.lite.python.convert import mlir_quantize

        places = self._float_places(float_groups) if float_groups else ()
        names = {self.operations[place].name for place in places}
        failure: Exception
        try:
            with quiet_stderr():
                return bytes(
                    mlir_quantize(
                        self.content, input_data_type=tf.uint8, output_data_type=tf.uint8, denylisted_nodes=names
                    )
                )
        except Exception as error:  # the quantiser raises a bare Exception or RuntimeError
            failure = error
        lines = str(failure).strip().splitlines() or [type(failure).__name__]
        raise ArtifactError("TensorFlow's quantiser failed", found=lines[0][:300]) from failure

    def _float_places(self, float_groups: Collection[str]) -> set[int]:
        own = {place for place, group in enumerate(self._group_of_operation) if group in float_groups}
        return own | self._readers(own)

    def _readers(self, places: Iterable[int]) -> set[int]:
        """The operations that take these operations' results, and those behind them that get the same values."""
        readers: set[int] = set()
        tensors = {tensor for place in places for tensor in self.operations[place].outputs}
        for place, operation in enumerate(self.operations):
            if tensors.intersection(operation.inputs):
                readers.add(place)
                if operation.kind in _MOVES:
                    tensors.update(operation.outputs)
        return readers

    def float_layers(self, content: bytes) -> tuple[str, ...]:
        """The layers that compute in float in a file that `quantised` returned, read off its tensors' types."""
        names = {layer_of(operation.name, self.layers) for operation in float_operations(content)}
        return tuple(layer for layer in self.layers if layer in names)


def float_operations(content: bytes) -> tuple[Operation, ...]:
    """The operations of a TFLite file that compute in float32."""
    return tuple(
        operation
        for operation in _operations(_parsed(content))
        if operation.is_float and operation.kind not in _CONVERSIONS
    )


def _parsed(content: bytes) -> Any:
    """The flatbuffer as an object with the fields of TensorFlow's schema."""
    from tensorflow.lite.tools.flatbuffer_utils import convert_bytearray_to_object

    return convert_bytearray_to_object(bytearray(content))


def _operations(file: Any) -> tuple[Operation, ...]:
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools.flatbuffer_utils import opcode_to_name

    graph = file.subgraphs[0]
    return tuple(
        Operation(
            kind=str(opcode_to_name(file, operator.opcodeIndex)),
            name=graph.tensors[operator.outputs[0]].name.decode("utf-8", "replace"),
            inputs=tuple(int(index) for index in operator.inputs),
            outputs=tuple(int(index) for index in operator.outputs),
            is_float=graph.tensors[operator.outputs[0]].type == schema.TensorType.FLOAT32,
        )
        for operator in graph.operators
    )


def _named_after_operations(content: bytes) -> bytes:
    """Give the weights of each operation the operation's name.

    The quantiser rewrites a transposed convolution once, and calls the result by the names of the operation and of its
    weights, which is no name on the list any more, so that it would be quantised all the same. Two names that are the
    same are one.
    """
    from tensorflow.lite.tools.flatbuffer_utils import convert_object_to_bytearray

    file = _parsed(content)
    graph = file.subgraphs[0]
    constants = {index for index, tensor in enumerate(graph.tensors) if file.buffers[tensor.buffer].data is not None}
    for operator in graph.operators:
        for index in constants.intersection(map(int, operator.inputs)):
            graph.tensors[index].name = graph.tensors[operator.outputs[0]].name
    return bytes(convert_object_to_bytearray(file))
