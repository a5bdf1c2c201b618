#!/usr/bin/env python3
"""Print op_facts.tsv, the ops of TensorFlow, from the registry of an installed package.

  python print_op_facts.py            # print the table again
  python print_op_facts.py --verify   # compare only; exit 1 on a difference

Only facts go into the table: names, types, defaults, allowed values, flags. Descriptions, and the
explanations of deprecations, stay out. The language of the columns is described in text.rs, which reads it.
"""
import argparse
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import numpy as np
import tensorflow as tf  # registers the ops
from tensorflow.core.framework import full_type_pb2, op_def_pb2, types_pb2
from tensorflow.python.client import pywrap_tf_session

TABLE = pathlib.Path(__file__).resolve().parent / "op_facts.tsv"

# Builds for GPUs register these beside what every build has.
GPU_BUILDS_ONLY = {"_CopyFromGpuToHost", "_CopyFromHostToGpu"}

# Sets of types that TensorFlow's op registrations name (core/framework/op_def_builder.cc).
NAMED_SETS = {
    (1, 2, 3, 4, 5, 6, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 22, 23): "numbertype",
    (1, 2, 3, 4, 5, 6, 9, 14, 17, 19, 22, 23): "realnumbertype",
    (11, 12, 13, 15, 16): "quantizedtype",
}
SHORT = {types_pb2.DT_FLOAT: "float", types_pb2.DT_DOUBLE: "double", types_pb2.DT_HALF: "half"}


def dtype(number):
    return SHORT.get(number) or tf.dtypes.as_dtype(number).name


def string(value):
    text = value.decode("ascii")
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
        text = text.replace(plain, escaped)
    assert text.isprintable(), value
    return '"' + text + '"'


def shape(proto):
    if proto.unknown_rank:
        return "?"
    assert not any(d.name for d in proto.dim)
    return "[" + ", ".join("?" if d.size == -1 else str(d.size) for d in proto.dim) + "]"


def tensor(proto):
    kept = type(proto)(dtype=proto.dtype, tensor_shape=proto.tensor_shape, int_val=proto.int_val)
    assert kept == proto and proto.HasField("tensor_shape"), proto
    return dtype(proto.dtype) + shape(proto.tensor_shape) + "{" + ", ".join(map(str, proto.int_val)) + "}"


def real(value):
    return str(np.float32(value))


PRINT = {"s": string, "i": str, "f": real, "b": lambda b: "true" if b else "false", "type": dtype, "shape": shape,
         "tensor": tensor}


def value(proto):
    which = proto.WhichOneof("value")
    if which != "list":
        return PRINT[which](getattr(proto, which))
    set_fields = proto.list.ListFields()
    assert len(set_fields) <= 1
    return "[" + ", ".join(PRINT[f.name](v) for f, values in set_fields for v in values) + "]"


def attr_type(attr):
    if not attr.HasField("allowed_values"):
        return attr.type
    allowed = attr.allowed_values.list
    if allowed.type:
        text = NAMED_SETS.get(tuple(allowed.type)) or "{" + ", ".join(map(dtype, allowed.type)) + "}"
    else:
        text = "{" + ", ".join(map(string, allowed.s)) + "}"
    base = "type" if allowed.type else "string"
    assert attr.type in (base, "list(%s)" % base)
    return "list(%s)" % text if attr.type.startswith("list") else text


def attr(proto):
    text = "%s: %s" % (proto.name, attr_type(proto))
    if proto.has_minimum:
        text += " >= %d" % proto.minimum
    if proto.HasField("default_value"):
        text += " = " + value(proto.default_value)
    return text


def full_type(proto):
    text = full_type_pb2.FullTypeId.Name(proto.type_id)
    which = proto.WhichOneof("attr")
    if which:
        assert which == "s"
        text += "(" + proto.s + ")"
    if proto.args:
        text += "[" + ",".join(map(full_type, proto.args)) + "]"
    return text


def arg(proto):
    assert not proto.handle_data
    text = proto.type_list_attr or proto.type_attr or dtype(proto.type)
    if proto.number_attr:
        text = proto.number_attr + " * " + text
    if proto.is_ref:
        text = "Ref(" + text + ")"
    if proto.HasField("experimental_full_type"):
        text += " ~ " + full_type(proto.experimental_full_type)
    return proto.name + ": " + text


def op(proto):
    assert not proto.control_output
    flags = [name for name in ("is_stateful", "is_commutative", "is_aggregate", "allows_uninitialized_input",
                               "is_distributed_communication") if getattr(proto, name)]
    if proto.HasField("deprecation"):
        flags.append("deprecation=%d" % proto.deprecation.version)
    return "\t".join([proto.name, ", ".join(map(arg, proto.input_arg)), ", ".join(map(arg, proto.output_arg)),
                      " ".join(flags)] + list(map(attr, proto.attr)))


def table():
    registry = op_def_pb2.OpList()
    registry.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    ops = sorted((o for o in registry.op if o.name not in GPU_BUILDS_ONLY), key=lambda o: o.name)
    lines = ["# The ops of TensorFlow %s, printed by print_op_facts.py" % tf.__version__] + list(map(op, ops))
    return "".join(line + "\n" for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--verify", action="store_true", help="compare with the committed table, write nothing")
    printed = table().encode()
    if not parser.parse_args().verify:
        TABLE.write_bytes(printed)
    elif TABLE.read_bytes() != printed:
        sys.exit("%s is not what this TensorFlow prints" % TABLE.name)


if __name__ == "__main__":
    main()
