"""Texts in protobuf's text format, with what TensorFlow's two parsers make of them, as one JSON document.

  python dump_text_cases.py > ../fixtures/text_cases.json
  python dump_text_cases.py --models DIR...    each model below, printed in three ways, with its bytes: one JSON a line

Python's parser (google.protobuf.text_format) is what tf.saved_model.load and saved_model_cli use. C++'s parser
is what the C++ loader uses; tf.io.decode_proto reaches it, through a message that wraps the one to be parsed.
  message, text   the case
  python          the message Python's parser made, serialized deterministically, in hex
  python_error    instead: what it raised
  cpp             what C++'s parser made: "same", or its bytes in hex
  cpp_error       instead: true; decode_proto does not tell why
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import tensorflow as tf
from google.protobuf import descriptor_pb2, text_format
from google.protobuf.message import DecodeError
from tensorflow.core.framework import (attr_value_pb2, function_pb2, graph_debug_info_pb2, graph_pb2, node_def_pb2,
                                       tensor_pb2, tensor_shape_pb2)
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2, saved_model_pb2, saved_object_graph_pb2, struct_pb2
from tensorflow.python.training import checkpoint_state_pb2

SAVED_MODEL = saved_model_pb2.SavedModel
META_GRAPH = meta_graph_pb2.MetaGraphDef
COLLECTION = meta_graph_pb2.CollectionDef
META_INFO = META_GRAPH.MetaInfoDef
TENSOR_INFO = meta_graph_pb2.TensorInfo
GRAPH = graph_pb2.GraphDef
NODE = node_def_pb2.NodeDef
ATTR = attr_value_pb2.AttrValue
LIST = ATTR.ListValue
TENSOR = tensor_pb2.TensorProto
SHAPE = tensor_shape_pb2.TensorShapeProto
FUNCTION = function_pb2.FunctionDef
DEBUG = graph_debug_info_pb2.GraphDebugInfo
STATE = checkpoint_state_pb2.CheckpointState
OBJECTS = saved_object_graph_pb2.SavedObjectGraph
STRUCTURE = struct_pb2.StructuredValue
CONFIG = config_pb2.ConfigProto


def cases():
    # White space, comments, separators, braces.
    yield NODE, ""
    yield NODE, "  \t\r\n\v\f # only a comment"
    yield NODE, "name: 'a' op: 'b'"
    yield NODE, "name:'a'op:'b'"
    yield NODE, "# c\nname: 'a' # d\r\nop: 'b'\r\n#"
    yield NODE, "name: 'a', op: 'b';"
    yield NODE, "name: 'a';, op: 'b'"
    yield NODE, ", name: 'a'"
    yield NODE, "name: 'a',, op: 'b'"
    yield NODE, "name 'a'"
    yield NODE, "name: : 'a'"
    yield NODE, "name:"
    yield NODE, "name"
    yield NODE, "name { }"
    yield NODE, "name: { }"
    yield NODE, "\ufeffname: 'a'"
    yield NODE, "name: 'a' \u00a0"
    yield NODE, "name: 'a' \0"
    yield NODE, "name: 'a' \x01"
    yield NODE, "# \0\nname: 'a'"
    yield NODE, "\u00f6: 1"
    yield NODE, "Name: 'a'"
    yield NODE, "1: 'a'"
    yield NODE, "names: 'a'"
    yield NODE, "[a.b]: 1"
    yield NODE, "}"
    yield NODE, "name: 'a' }"
    yield NODE, "/* c */ name: 'a'"
    yield SHAPE, "dim { size: 1 } dim < size: 2 > dim: { size: 3 } dim: < size: 4 >"
    yield SHAPE, "dim { size: 1 >"
    yield SHAPE, "dim < size: 1 }"
    yield SHAPE, "dim { size: 1"
    yield SHAPE, "dim {"
    yield SHAPE, "dim"
    yield SHAPE, "dim: [{ size: 1 }, < size: 2 >] dim { }"
    yield SHAPE, "dim [{ size: 1 }]"
    yield SHAPE, "dim: []"
    yield SHAPE, "dim: [{}, ]"
    yield SHAPE, "dim: [{} {}]"
    yield SHAPE, "dim: [{}; {}]"
    yield SHAPE, "dim: [{}"
    yield SHAPE, "dim: [[{}]]"
    yield SHAPE, "dim: 1"
    yield SHAPE, "dim { size: 1, name: 'x'; }, dim { };"
    yield SHAPE, "dim {{ }}"
    yield SHAPE, "unknown_rank: true dim { size: 5 }"
    yield SHAPE, "dim { size: 1 } unknown_rank: true dim { size: 2 }"
    # Presence and repetition.
    yield NODE, "name: 'a' name: 'b'"
    yield NODE, "name: '' name: 'b'"
    yield NODE, "name: 'a' name: ''"
    yield NODE, "name: ['a']"
    yield NODE, "name: []"
    yield SHAPE, "unknown_rank: false unknown_rank: true"
    yield SHAPE, "unknown_rank: true unknown_rank: false"
    yield META_GRAPH, "meta_info_def { } meta_info_def { }"
    yield META_GRAPH, "meta_info_def { tags: 'a' } graph_def { } meta_info_def { tags: 'b' }"
    yield META_GRAPH, "graph_def { } meta_info_def { }"
    yield SAVED_MODEL, "meta_graphs { } saved_model_schema_version: 1"
    yield SAVED_MODEL, "saved_model_schema_version: 0 saved_model_schema_version: 1"
    yield ATTR, "i: 0"
    yield ATTR, "i: 1 f: 2"
    yield ATTR, "i: 0 f: 2"
    yield ATTR, "i: 1 i: 2"
    yield ATTR, "i: 1 i: 1"
    yield ATTR, "list { } list { }"
    yield ATTR, "list { } s: 'x'"
    yield ATTR, "list { s: 'x' f: 1 i: 2 i: 3 s: 'y' i: 4 }"
    yield STRUCTURE, "none_value { }"
    yield STRUCTURE, "dict_value { fields { key: 'a' value { int64_value: -3 } } }"
    yield TENSOR_INFO, "composite_tensor { } dtype: DT_FLOAT"
    yield TENSOR_INFO, "dtype: DT_FLOAT name: 'x:0' coo_sparse { }"
    # Integers.
    for value in ("0", "1", "-1", "- 1", "+1", "007", "08", "0x1F", "-0X1f", "0x", "0xg", "1f", "1.0", "1e3", "1_0",
                  "0b1", "0o7", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
                  "-9223372036854775809", "-0", "00", "--1", "a", "'1'", "true", "1-", "1a", "inf", "-",
                  "-0x8000000000000000", "0777777777777777777777", "18446744073709551616", "", "1 2"):
        yield ATTR, "i: " + value
    for value in ("2147483647", "2147483648", "-2147483648", "-2147483649", "017777777777"):
        yield TENSOR, "int_val: " + value
    for value in ("4294967295", "4294967296", "-1", "-0", "0xffffffff"):
        yield TENSOR, "uint32_val: " + value
    for value in ("18446744073709551615", "18446744073709551616", "-1", "01777777777777777777777"):
        yield TENSOR, "uint64_val: " + value
    # Floats.
    for value in ("0", "-0", "-0.0", "1", "1.", ".5", "-.5", "- .5", "+1", "1e3", "1E+3", "1e-3f", "1f", "1.5F", "1e", "1ff",
                  "1.2.3", "inf", "-inf", "- inf", "INF", "Infinity", "-infinity", "nan", "NaN", "-nan", "inff", "nanf",
                  "infinit", "0x1", "01", "00", "08", "0.1", "0.333333343", "1e38", "3.4028235e38", "3.4028236e38", "1e39",
                  "-1e400", "1e-46", "1e-40", "18446744073709551616", "123456789012345678901234567890", "1_0", "'1'", "-",
                  "true", "16777217", "1e0x", "0e1", "0f", "1 f", "1.e2", "5.f"):
        yield ATTR, "f: " + value
    for value in ("0.1", "-0", "nan", "-nan", "1e308", "1e309", "5e-324", "1e-400", "9007199254740993", "inf"):
        yield TENSOR, "double_val: " + value
    # Booleans.
    for value in ("true", "false", "True", "False", "t", "f", "1", "0", "TRUE", "T", "2", "-1", "0x1", "01", "00", "'t'", "1.0",
                  "yes"):
        yield ATTR, "b: " + value
    # Enums.
    for value in ("DT_FLOAT", "1", "0x1", "01", "999", "-1", "- 1", "2147483647", "2147483648", "-2147483648", "DT_NO", "dt_float",
                  "'DT_FLOAT'", "0", "DT_INVALID", "1.0", "true", "+1"):
        yield ATTR, "type: " + value
    yield ATTR, "list { type: [DT_FLOAT, 3, DT_STRING] type: DT_INT64 }"
    # Strings: escapes, adjacency, UTF-8.
    for value in (r"'a' 'b' \"c\"", r"'a'\n'b'", r"'\a\b\f\n\r\t\v\\\?\'\"'", r"'\0\12\1234'", r"'\377'", r"'\400'", r"'\777'",
                  r"'\x1\x123\xff'", r"'\X41'", r"'\x'", r"'\xg'", r"'\u00f6'", r"'\U0001f600'", r"'\ud83d\ude00'",
                  r"'\ud83d'", r"'\ude00'", r"'\U00110000'", r"'\U001fffff'", r"'\u12'", r"'\q'", r"'\8'", r"'\N{DASH}'", "'a", "'a\nb'", "'a\\\nb'",
                  "'a\"", "\"a'b\"", "'a\\", "'\t\r'", "'\0'", "'\x01\x7f'", "a", "1", "''", "'' ''", "'\u00f6\u20ac\U0001f600'",
                  r"'\303\266'", r"'\xc3\xb6'", r"'\303' '\266'", r"'\xc3'", r"'\355\240\200'", "'a', 'b'", "['a', 'b']", "'a''b'"):
        value = value.replace("\\\"c\\\"", "\"c\"").replace("\\n'b'", "\n'b'")
        yield ATTR, "s: " + value
        yield NODE, "name: " + value
    # Packed and unpacked scalars.
    yield TENSOR, "int_val: [1, 2, -3] int_val: 4 float_val: 1 int_val: [] int_val: 0"
    yield TENSOR, "int_val: [1, 2 float_val: 1"
    yield TENSOR, "int_val: [1 2]"
    yield TENSOR, "int_val: [1, ]"
    yield TENSOR, "int_val: [, 1]"
    yield TENSOR, "int_val: ]"
    yield TENSOR, "int_val: [1]]"
    yield TENSOR, "int_val [1]"
    yield TENSOR, "double_val: 1 int_val: 2 float_val: [3, 4] double_val: 5 tensor_content: '\\001' dtype: DT_INT32"
    yield TENSOR, "string_val: ['a', 'b' 'c'] string_val: ''"
    yield TENSOR, "bool_val: [t, f, true, 0, 1] half_val: [1, 65535] int64_val: [-1, 9223372036854775807]"
    yield TENSOR, "tensor_shape { dim { size: 2 } } int_val: 7 tensor_shape { }"
    yield TENSOR, "int_val: [" + ", ".join(str(i * 37 % 1000) for i in range(300)) + "] string_val: '" + "x" * 200 + "'"
    yield GRAPH, "node { name: '" + "n" * 126 + "' } node { name: '" + "m" * 125 + "' } versions { producer: 1 }"
    yield GRAPH, "versions { producer: 1 } " + " ".join("node { op: 'o%d' name: 'n%d' }" % (i, i) for i in range(40))
    # Maps.
    yield NODE, "attr { key: 'a' value { i: 1 } } attr { key: 'b' value { i: 2 } }"
    yield NODE, "attr { value { i: 1 } key: 'a' }"
    yield NODE, "attr { key: 'a' value { i: 1 } } attr { key: 'a' value { s: 'x' } }"
    yield NODE, "attr { key: 'a' value { i: 1 } } attr { key: 'b' } attr { key: 'a' }"
    yield NODE, "attr { key: 'a' }"
    yield NODE, "attr { value { } }"
    yield NODE, "attr { }"
    yield NODE, "attr { } attr { key: '' value { i: 1 } }"
    yield NODE, "attr: [{ key: 'a' }, { key: 'b' value: { b: true } }]"
    yield NODE, "attr { key: 'a' key: 'b' }"
    yield NODE, "attr { key: '' key: 'b' }"
    yield NODE, "attr { key: 'a' value { } value { } }"
    yield NODE, "attr { keys: 'a' }"
    yield NODE, "attr: 'a'"
    yield NODE, " ".join("attr { key: 'k%d' value { i: %d } }" % (i % 20, i) for i in range(30))
    yield FUNCTION, "arg_attr { value { } } arg_attr { key: 1 } arg_attr { key: 0 value { attr { key: 'x' } } }"
    yield FUNCTION, "ret { key: 'y' } ret { key: 'z' value: '' } ret { value: 'v' } resource_arg_unique_id { key: 0 value: 0 }"
    yield FUNCTION, "resource_arg_unique_id { key: 3 value: 4 } resource_arg_unique_id { key: 3 value: 5 }"
    yield FUNCTION, "arg_attr { key: -1 }"
    yield META_GRAPH, ("signature_def { key: 'serving_default' value { inputs { key: 'x' value { name: 'x:0' dtype: DT_FLOAT "
                       "tensor_shape { dim { size: -1 } } } } method_name: 'tensorflow/serving/predict' } }")
    yield CONFIG, "device_count { key: 'CPU' value: 2 } device_count { key: 'GPU' }"
    # Reserved names.
    yield CONFIG, "graph_options { skip_common_subexpression_elimination: true }"
    yield CONFIG, "graph_options { enable_recv_scheduling: true }"
    # Any.
    asset = "type.googleapis.com/tensorflow.AssetFileDef"
    yield COLLECTION, "any_list { value { [%s] { filename: 'f' tensor_info { name: 'x:0' } } } }" % asset
    yield COLLECTION, "any_list { value: { [%s]: < filename: 'f' >; } }" % asset
    yield COLLECTION, "any_list { value { [%s] { } } }" % asset
    yield COLLECTION, "any_list { value: [{ [%s] { filename: 'f' } }, { type_url: 'u' value: '\\001' }] }" % asset
    yield COLLECTION, "any_list { value { [ type . googleapis.com / tensorflow . AssetFileDef ] { filename: 'f' } } }"
    yield COLLECTION, "any_list { value { [type.googleapis.com/tensorflow.NoSuch] { } } }"
    yield COLLECTION, "any_list { value { [tensorflow.AssetFileDef] { } } }"
    yield COLLECTION, "any_list { value { [example.org/tensorflow.AssetFileDef] { } } }"
    yield COLLECTION, "any_list { value { [a.b.c.d/tensorflow.AssetFileDef] { } } }"
    yield COLLECTION, "any_list { value { [/tensorflow.AssetFileDef] { } } }"
    yield COLLECTION, "any_list { value { [type.googleapis.com/] { } } }"
    yield COLLECTION, "any_list { value { [%s] { filename: 'f' }" % asset
    yield COLLECTION, "any_list { value { [%s] 'x' } }" % asset
    yield COLLECTION, "any_list { value { [%s] { no: 1 } } }" % asset
    yield COLLECTION, "any_list { value { [%s] { filename: 'f' } [%s] { filename: 'g' } } }" % (asset, asset)
    yield COLLECTION, "any_list { value { type_url: 'u' [%s] { filename: 'g' } } }" % asset
    yield COLLECTION, "any_list { value { [%s] { filename: 'g' } type_url: 'u' } }" % asset
    yield COLLECTION, "any_list { value { [%s] { filename: 'g' } value: 'u' } }" % asset
    yield COLLECTION, "any_list { value { type_url: '%s' value: '\\n\\001f' } }" % asset
    yield COLLECTION, "any_list { value { value: 'v' type_url: 'u' } }"
    yield COLLECTION, ("any_list { value { [type.googleapis.com/tensorflow.CollectionDef] { any_list { value { "
                       "[%s] { filename: 'in' } } } } } }" % asset)
    yield COLLECTION, "node_list { value: ['a', 'b'] } bytes_list { value: 'x' }"
    yield COLLECTION, "node_list { value: ['a', 'b'] }"
    yield COLLECTION, "float_list { value: [1, 2.5, inf] }"
    yield META_INFO, "any_info { [%s] { filename: 'f' } } tags: 'serve' stripped_default_attrs: true" % asset
    # Other messages.
    yield DEBUG, "files: 'a.py' traces { key: 'n' value { file_line_cols { file_index: 0 line: 3 col: 0 func: '' } } }"
    yield DEBUG, "files: 'a.py' files: '\\xff'"
    yield DEBUG, "traces { key: 'n' value { file_line_cols { line: 0 line: 0 } } }"
    yield DEBUG, "frames_by_id { key: 5 value { line: 1 } } frames_by_id { }"
    yield DEBUG, "traces_by_id { key: 18446744073709551615 value { frame_id: [1, 2] frame_id: 3 } }"
    yield STATE, "model_checkpoint_path: \"ckpt-4\"\nall_model_checkpoint_paths: \"ckpt-3\"\nlast_preserved_timestamp: 1.5e9\n"
    yield STATE, "all_model_checkpoint_timestamps: [1.5, 2] all_model_checkpoint_timestamps: 3f"
    yield OBJECTS, "nodes { user_object { identifier: '_x' version { producer: 1 } } children { node_id: 1 local_name: 'a' } }"
    yield OBJECTS, "concrete_functions { key: 'f' value { bound_inputs: [1, 2] canonicalized_input_signature { tuple_value { } } } }"
    yield SAVED_MODEL, "saved_model_schema_version: 1\nmeta_graphs {\n  meta_info_def {\n    tags: \"serve\"\n  }\n  nope: 3\n}\n"
    yield SAVED_MODEL, "meta_graphs { foo: 3 }"
    yield SAVED_MODEL, "\n\n  \t meta_graphs 1"
    yield SAVED_MODEL, "saved_model_schema_version: 'x'"
    yield SAVED_MODEL, "\x08\x01"
    yield SAVED_MODEL, "<html>"
    # Depth: each level of a StructuredValue is two messages. Below the limit of readers of the binary format.
    for depth in (10, 45):
        yield STRUCTURE, "list_value { values { " * depth + "} } " * depth


def wrapper(message):
    """A descriptor set for decode_proto in which field 1 of message w.W is the message to be parsed."""
    out, seen = descriptor_pb2.FileDescriptorSet(), set()

    def add(file):
        if file.name in seen:
            return
        seen.add(file.name)
        for dependency in file.dependencies:
            add(dependency)
        file.CopyToProto(out.file.add())

    add(message.DESCRIPTOR.file)
    file = out.file.add(name="w.proto", package="w", syntax="proto3", dependency=[message.DESCRIPTOR.file.name])
    file.message_type.add(name="W").field.add(name="m", number=1, type=11, label=1,
                                              type_name="." + message.DESCRIPTOR.full_name)
    return b"bytes://" + out.SerializeToString()


WRAPPERS = {}


def cpp(message, text):
    if message not in WRAPPERS:
        WRAPPERS[message] = wrapper(message)
    # The line end closes a comment. A text that closes the brace itself would get away, hence the count.
    answer = tf.io.decode_proto([b"m {" + text + b"\n}"], "w.W", ["m"], [tf.string],
                                descriptor_source=WRAPPERS[message], message_format="text")
    return answer.values[0].numpy()[0][0]


def describe(message, text):
    case = {"message": message.DESCRIPTOR.full_name, "text": text}
    try:
        parsed = text_format.Parse(text, message())
        case["python"] = parsed.SerializeToString(deterministic=True).hex()
    except Exception as error:  # Not only ParseError: assignments raise ValueError and others.
        case["python_error"] = str(error)[:300]
    try:
        answer = cpp(message, text.encode())
    except tf.errors.OpError:
        case["cpp_error"] = True
        return case
    case["cpp"] = answer.hex()
    try:
        # C++ orders maps differently in each run.
        if message.FromString(answer).SerializeToString(deterministic=True).hex() == case.get("python"):
            case["cpp"] = "same"
    except DecodeError:
        pass
    return case


def models(folders):
    for folder in folders:
        for root, _, files in sorted(os.walk(folder)):
            for name in files:
                path = os.path.join(root, name)
                model = SAVED_MODEL()
                if name == "saved_model.pb":
                    try:
                        with open(path, "rb") as f:
                            model.ParseFromString(f.read())
                    except DecodeError:
                        continue
                    text = text_format.MessageToString(model)
                elif name == "saved_model.pbtxt":
                    with open(path) as f:
                        text = f.read()
                    try:
                        text_format.Parse(text, model)
                    except text_format.ParseError as error:
                        print(json.dumps({"path": path, "text": text, "error": str(error)}))
                        continue
                else:
                    continue
                for kind, text in (("text_format", text), ("str", str(model)),
                                   ("one line", text_format.MessageToString(model, as_one_line=True))):
                    print(json.dumps({"path": path, "kind": kind, "text": text,
                                      "hex": model.SerializeToString(deterministic=True).hex()}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--models"]:
        models(sys.argv[2:])
    else:
        lines = [json.dumps(describe(message, text)) for message, text in cases()]
        print("[\n" + ",\n".join(lines) + "\n]")
