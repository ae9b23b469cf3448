"""The messages of the gRPC services, in a pool of their own.

Generated classes break between versions of protobuf, and register themselves for the whole process: a client of the
same service in this process would clash with them. On the wire a message has neither a name nor a package, a map is a
list of entries, and an enumeration is a number, so that is how they are written here.

Sources: the Open Inference Protocol's and Triton's `grpc_service.proto` and `model_config.proto`; TensorFlow Serving's
`predict.proto` and `model.proto`; TensorFlow's `tensor.proto`.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from app.errors import ProtocolError

PACKAGE = "inkling"
MAX_ENTRIES = 64
"""Parameters, inputs, outputs or axes that a call reads: it reads them in the event loop, and 4 MB hold 2 million."""
_FIELD = re.compile(r"(?P<label>repeated |optional |)(?P<type>\w+) (?P<name>\w+) = (?P<number>\d+)")
_SCALARS = {
    name: getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{name.upper()}")
    for name in ("bool", "int32", "int64", "uint32", "uint64", "float", "double", "string", "bytes")
}

_OPEN_INFERENCE = {
    "Empty": "",
    "Live": "bool live = 1",
    "Ready": "bool ready = 1",
    "ModelName": "string name = 1, string version = 2",
    "ServerMetadata": "string name = 1, string version = 2, repeated string extensions = 3",
    "TensorMetadata": "string name = 1, string datatype = 2, repeated int64 shape = 3",
    "ModelMetadata": (
        "string name = 1, repeated string versions = 2, string platform = 3, repeated TensorMetadata inputs = 4, "
        "repeated TensorMetadata outputs = 5"
    ),
    "InferParameter": (
        "optional bool bool_param = 1, optional int64 int64_param = 2, optional string string_param = 3, "
        "optional double double_param = 4, optional uint64 uint64_param = 5"
    ),
    "InferParameterEntry": "string key = 1, InferParameter value = 2",
    "InferTensorContents": (
        "repeated bool bool_contents = 1, repeated int32 int_contents = 2, repeated int64 int64_contents = 3, "
        "repeated uint32 uint_contents = 4, repeated uint64 uint64_contents = 5, repeated float fp32_contents = 6, "
        "repeated double fp64_contents = 7, repeated bytes bytes_contents = 8"
    ),
    "InferInput": (
        "string name = 1, string datatype = 2, repeated int64 shape = 3, repeated InferParameterEntry parameters = 4, "
        "optional InferTensorContents contents = 5"
    ),
    "InferRequestedOutput": "string name = 1, repeated InferParameterEntry parameters = 2",
    "ModelInferRequest": (
        "string model_name = 1, string model_version = 2, string id = 3, repeated InferParameterEntry parameters = 4, "
        "repeated InferInput inputs = 5, repeated InferRequestedOutput outputs = 6, "
        "repeated bytes raw_input_contents = 7"
    ),
    "InferOutput": "string name = 1, string datatype = 2, repeated int64 shape = 3",
    "ModelInferResponse": (
        "string model_name = 1, string model_version = 2, string id = 3, repeated InferParameterEntry parameters = 4, "
        "repeated InferOutput outputs = 5, repeated bytes raw_output_contents = 6"
    ),
}
_TRITON = {
    "ModelInput": "string name = 1, int32 data_type = 2, int32 format = 3, repeated int64 dims = 4",
    "ModelOutput": "string name = 1, int32 data_type = 2, repeated int64 dims = 3",
    "InstanceGroup": "string name = 1, int32 count = 2, int32 kind = 4",
    "LatestVersions": "uint32 num_versions = 1",
    "VersionPolicy": "LatestVersions latest = 1",
    "ModelConfig": (
        "string name = 1, string platform = 2, VersionPolicy version_policy = 3, int32 max_batch_size = 4, "
        "repeated ModelInput input = 5, repeated ModelOutput output = 6, repeated InstanceGroup instance_group = 7"
    ),
    "ModelConfigResponse": "ModelConfig config = 1",
    "Duration": "uint64 count = 1, uint64 ns = 2",
    "InferStatistics": (
        "Duration success = 1, Duration fail = 2, Duration queue = 3, Duration compute_input = 4, "
        "Duration compute_infer = 5, Duration compute_output = 6, Duration cache_hit = 7, Duration cache_miss = 8"
    ),
    "ModelStatistics": (
        "string name = 1, string version = 2, uint64 last_inference = 3, uint64 inference_count = 4, "
        "uint64 execution_count = 5, InferStatistics inference_stats = 6"
    ),
    "ModelStatisticsResponse": "repeated ModelStatistics model_stats = 1",
    "ModelIndex": "string name = 1, string version = 2, string state = 3, string reason = 4",
    "RepositoryIndex": "repeated ModelIndex models = 1",
}
_TENSORFLOW = {
    "Int64Value": "int64 value = 1",
    "ModelSpec": (
        "string name = 1, optional Int64Value version = 2, string signature_name = 3, optional string version_label = 4"
    ),
    "Dimension": "int64 size = 1, string name = 2",
    "TensorShape": "repeated Dimension dim = 2, bool unknown_rank = 3",
    "TensorProto": (
        "int32 dtype = 1, TensorShape tensor_shape = 2, bytes tensor_content = 4, repeated float float_val = 5, "
        "repeated double double_val = 6, repeated int32 int_val = 7, repeated bytes string_val = 8, "
        "repeated int64 int64_val = 10, repeated int32 half_val = 13"
    ),
    "TensorEntry": "string key = 1, TensorProto value = 2",
    "PredictRequest": "ModelSpec model_spec = 1, repeated TensorEntry inputs = 2, repeated string output_filter = 3",
    "PredictResponse": "repeated TensorEntry outputs = 1, ModelSpec model_spec = 2",
}


def few(entries: Sequence[Any], name: str) -> Sequence[Any]:
    """Return the entries of a repeated field, if they are no more than any client has.

    Raises:
        ProtocolError: there are more than MAX_ENTRIES.
    """
    if len(entries) > MAX_ENTRIES:
        raise ProtocolError(400, f"the message has {len(entries)} {name}, the limit is {MAX_ENTRIES}")
    return entries


def _message_classes(messages: dict[str, str]) -> dict[str, Any]:
    """Return the classes of messages that are described by their fields, as in a .proto file (proto3)."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{PACKAGE}.proto", package=PACKAGE, syntax="proto3")
    for name, fields in messages.items():
        _describe(file.message_type.add(name=name), _FIELD.finditer(fields))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in messages}


def _describe(message: descriptor_pb2.DescriptorProto, fields: Iterable["re.Match[str]"]) -> None:
    for found in fields:
        label, kind, name = found["label"].strip(), found["type"], found["name"]
        field = message.field.add(name=name, number=int(found["number"]))
        field.label = field.LABEL_REPEATED if label == "repeated" else field.LABEL_OPTIONAL
        if kind in _SCALARS:
            field.type = _SCALARS[kind]
        else:
            field.type, field.type_name = field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
        if label == "optional" and kind in _SCALARS:  # proto3's way of saying that a zero counts as given
            field.proto3_optional, field.oneof_index = True, len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{name}")


MESSAGES = _message_classes({**_OPEN_INFERENCE, **_TRITON, **_TENSORFLOW})
"""The classes by their names."""
