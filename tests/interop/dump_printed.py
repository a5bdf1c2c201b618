"""Encoded messages with the text that Python's protobuf prints of them (`str`), which is how TensorFlow writes
saved_model.pbtxt. One JSON document a line.

  python dump_printed.py --random SEED COUNT > ../fixtures/printed.jsonl
  python dump_printed.py --models DIR...    each saved_model.pb below

  message, hex    the message
  text            what is printed
  unknown         whether it has fields that the schema does not know, which are not printed
  error           instead of text: it is no such message
"""
import json
import os
import random
import struct
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
from google.protobuf.descriptor import FieldDescriptor as F
from google.protobuf.internal import api_implementation
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from tensorflow.core.framework import function_pb2, graph_debug_info_pb2, graph_pb2, node_def_pb2, op_def_pb2, tensor_pb2
from tensorflow.core.protobuf import (cluster_pb2, config_pb2, meta_graph_pb2, saved_model_pb2, saved_object_graph_pb2,
                                      struct_pb2, trackable_object_graph_pb2)

TYPES = [saved_model_pb2.SavedModel, meta_graph_pb2.MetaGraphDef, meta_graph_pb2.CollectionDef, meta_graph_pb2.TensorInfo,
         meta_graph_pb2.SignatureDef, graph_pb2.GraphDef, node_def_pb2.NodeDef, tensor_pb2.TensorProto,
         function_pb2.FunctionDef, graph_debug_info_pb2.GraphDebugInfo, op_def_pb2.OpDef, config_pb2.ConfigProto,
         saved_object_graph_pb2.SavedObject, saved_object_graph_pb2.SavedObjectGraph, struct_pb2.StructuredValue,
         trackable_object_graph_pb2.TrackableObjectGraph, cluster_pb2.JobDef]

VARINTS = {F.TYPE_INT32, F.TYPE_INT64, F.TYPE_UINT32, F.TYPE_UINT64, F.TYPE_BOOL, F.TYPE_ENUM, F.TYPE_SINT32, F.TYPE_SINT64}
FOUR = {F.TYPE_FLOAT, F.TYPE_FIXED32, F.TYPE_SFIXED32}
EIGHT = {F.TYPE_DOUBLE, F.TYPE_FIXED64, F.TYPE_SFIXED64}
STRINGS = ["", "a", "ab", "b", "aa", "B", "key", "\u00fc", "\u20ac\U0001f600", "\x00\x01\x1f\x7f", "\"'\\\n\r\t\v", "\u0085x", "0"]


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def delimited(number, body):
    return varint(number << 3 | 2) + varint(len(body)) + body


def scalar(rnd, field):
    """The value without its tag, and its wire type."""
    if field.type in VARINTS:
        choices = [0, 1, 2, 5, 14, 99, 127, 300, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1, 2**64 - 2]
        return 0, varint(rnd.choice(choices))
    if field.type in FOUR:
        value = rnd.choice([0, -0.0, 1, 0.1, 1 / 3, 1e10, 1e-5, 3.4e38, float("inf"), float("nan"), rnd.random() * 1000])
        return 5, rnd.choice([struct.pack("<f", value), rnd.randbytes(4)])
    if field.type in EIGHT:
        value = rnd.choice([0, -0.0, 1, 0.1, 1 / 3, 1e300, 5e-324, -float("inf"), float("nan"), rnd.random()])
        return 1, rnd.choice([struct.pack("<d", value), rnd.randbytes(8), b"\1" + bytes(7)])
    if field.type == F.TYPE_STRING:
        body = rnd.choice(STRINGS).encode()
        if rnd.random() < 0.002:
            body += b"\xff"
    else:
        body = rnd.choice([b"", b"x", rnd.randbytes(rnd.randrange(12)), bytes(range(256))][:rnd.choice([3, 3, 3, 4])])
    return 2, varint(len(body)) + body


def encode(rnd, descriptor, depth):
    """Fields in any order, more often than they should be, packed and not, at their defaults, and some unknown ones."""
    out = []
    if not descriptor.fields or depth > 6:
        return b""
    for _ in range(rnd.choice([0, 1, 2, 3, 5, 8]) if depth else rnd.randrange(3, 14)):
        field = rnd.choice(descriptor.fields)
        # Python leaves out an entry of a map if it has an unknown field; C++ only that field.
        may_be_unknown = not descriptor.GetOptions().map_entry
        if may_be_unknown and rnd.random() < 0.01:
            out.append(rnd.choice([varint(9999 << 3) + b"\5", delimited(9998, b"abc"), varint(field.number << 3 | 3) +
                                   b"\x08\1" + varint(field.number << 3 | 4), varint(9997 << 3 | 5) + b"abcd"]))
        if may_be_unknown and rnd.random() < 0.003:
            wire_type, size = rnd.choice([(0, 1), (1, 8), (5, 4)])
            out.append(varint(field.number << 3 | wire_type) + b"\1" * size)
        if field.type == F.TYPE_MESSAGE:
            out.append(delimited(field.number, encode(rnd, field.message_type, depth + 1)))
            continue
        wire_type, body = scalar(rnd, field)
        if wire_type != 2 and field.is_repeated and rnd.random() < 0.7:
            body += b"".join(scalar(rnd, field)[1] for _ in range(rnd.randrange(4)))
            out.append(delimited(field.number, rnd.choice([body, body, b""])))
        else:
            out.append(varint(field.number << 3 | wire_type) + body)
    return b"".join(out)


def has_unknown(message):
    if len(UnknownFieldSet(message)):
        return True
    for field, value in message.ListFields():
        if field.type != F.TYPE_MESSAGE:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].type != F.TYPE_MESSAGE:
                continue
            values = value.values()
        else:
            values = value if field.is_repeated else [value]
        if any(has_unknown(inner) for inner in values):
            return True
    return False


def describe(kind, encoded, **more):
    case = {"message": kind.DESCRIPTOR.full_name, "hex": encoded.hex(), **more}
    message = kind()
    try:
        message.ParseFromString(encoded)
    except DecodeError as error:
        case["error"] = str(error)
    else:
        case["text"] = str(message)
        case["unknown"] = has_unknown(message)
    print(json.dumps(case))


def main(arguments):
    assert api_implementation.Type() == "upb", api_implementation.Type()
    if arguments[0] == "--random":
        rnd = random.Random(int(arguments[1]))
        for i in range(int(arguments[2])):
            kind = TYPES[i % len(TYPES)]
            describe(kind, encode(rnd, kind.DESCRIPTOR, 0))
    elif arguments[0] == "--models":
        for folder in arguments[1:]:
            for root, _, files in sorted(os.walk(folder)):
                if "saved_model.pb" in files:
                    path = os.path.join(root, "saved_model.pb")
                    with open(path, "rb") as f:
                        describe(saved_model_pb2.SavedModel, f.read(), path=path)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
