"""TensorProto cases with what TensorFlow makes of them, as one JSON document.

  python dump_tensor_protos.py > tensor_protos.json

Cases are of three kinds: what tf.make_tensor_proto writes, hand-built protos that tf.make_ndarray reads, and
hand-built protos that it refuses (or that only the C++ parser judges).
  proto_hex               the case, serialized deterministically
  shape, data_hex         tf.make_ndarray's answer, little-endian row-major (strings: elements_hex)
  make_tensor_proto_hex   what tf.make_tensor_proto gives for that array
  error                   instead: what tf.make_ndarray raised
  parse                   what the C++ parser (tf.io.parse_tensor) answers: "same", its bytes, or its error
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2

D = types_pb2
CASES = []
FIELD = {D.DT_FLOAT: "float_val", D.DT_DOUBLE: "double_val", D.DT_INT64: "int64_val", D.DT_BOOL: "bool_val",
         D.DT_STRING: "string_val", D.DT_COMPLEX64: "scomplex_val", D.DT_COMPLEX128: "dcomplex_val", D.DT_HALF: "half_val",
         D.DT_BFLOAT16: "half_val", D.DT_UINT32: "uint32_val", D.DT_UINT64: "uint64_val"}
for _n in (D.DT_INT32, D.DT_UINT8, D.DT_INT16, D.DT_INT8, D.DT_UINT16, D.DT_QINT8, D.DT_QUINT8, D.DT_QINT16, D.DT_QUINT16,
           D.DT_QINT32, D.DT_INT4, D.DT_UINT4, D.DT_INT2, D.DT_UINT2):
    FIELD[_n] = "int_val"
FLOAT8 = [D.DT_FLOAT8_E5M2, D.DT_FLOAT8_E4M3FN, D.DT_FLOAT8_E4M3FNUZ, D.DT_FLOAT8_E4M3B11FNUZ, D.DT_FLOAT8_E5M2FNUZ, D.DT_FLOAT4_E2M1FN]
for _n in FLOAT8:
    FIELD[_n] = "float8_val"


def pb(message):
    return message.SerializeToString(deterministic=True).hex()


def raw(array):
    a = np.asarray(array)
    return np.ascontiguousarray(a).tobytes()


def fields(array):
    a = np.asarray(array)
    if a.dtype.kind in "OSU":
        return {"elements_hex": [(e if isinstance(e, bytes) else str(e).encode()).hex() for e in a.astype(object).ravel().tolist()]}
    return {"data_hex": raw(a).hex()}


def gist(e):
    text = str(getattr(e, "message", None) or e)
    # What follows is protobuf's debug text, whose white space differs between runs on purpose.
    text = text.split("}} ")[-1].split(" [Op:")[0].split(": goo.gle/")[0]
    return text if len(text) < 200 else text[:200] + "..."


def parsed(proto, expected):
    try:
        t = tf.io.parse_tensor(proto.SerializeToString(), tf.dtypes.as_dtype(proto.dtype))
        got = dict(shape=t.shape.as_list(), **fields(t.numpy()))
    except Exception as e:
        return {"error": gist(e)}
    return "same" if got == expected else got


def case(name, proto):
    row = {"name": name, "dtype": proto.dtype, "proto_hex": pb(proto)}
    expected = None
    try:
        array = tf.make_ndarray(proto)
        expected = dict(shape=list(array.shape), **fields(array))
        row.update(expected)
    except Exception as e:
        row["error"] = "%s: %s" % (type(e).__name__, gist(e))
    else:
        try:
            again = tf.make_tensor_proto(array, dtype=proto.dtype)
            row["make_tensor_proto_hex"] = pb(again)
        except Exception as e:
            row["make_tensor_proto_error"] = "%s: %s" % (type(e).__name__, gist(e))
    row["parse"] = parsed(proto, expected)
    CASES.append(row)


def made(name, values, dtype=None, shape=None):
    try:
        proto = tf.make_tensor_proto(values, dtype=dtype, shape=shape)
    except Exception as e:
        CASES.append({"name": name, "dtype": int(dtype), "make_tensor_proto_error": "%s: %s" % (type(e).__name__, gist(e))})
        return
    case(name, proto)


def build(dtype, shape, content=None, **values):
    proto = tensor_pb2.TensorProto(dtype=dtype)
    if shape is None:
        proto.tensor_shape.unknown_rank = True
    else:
        for n in shape:
            proto.tensor_shape.dim.add(size=n)
        proto.tensor_shape.SetInParent()
    if content is not None:
        proto.tensor_content = content
    for k, v in values.items():
        if isinstance(v, bytes):
            setattr(proto, k, v)
        else:
            getattr(proto, k).extend(v)
    return proto


def values_for(dtype, numbers):
    """The value field of a dtype, filled from small whole numbers."""
    f = FIELD[dtype]
    if dtype == D.DT_STRING:
        return {f: [b"%d" % n for n in numbers]}
    if dtype in FLOAT8:
        return {f: bytes(numbers)}
    if dtype == D.DT_HALF:
        return {f: [int(np.array(n, np.float16).view(np.uint16)) for n in numbers]}
    if dtype == D.DT_BFLOAT16:
        return {f: [int(np.array(n, np.float32).view(np.uint32)) >> 16 for n in numbers]}
    if dtype in (D.DT_COMPLEX64, D.DT_COMPLEX128):
        return {f: [x for n in numbers for x in (float(n), -float(n))]}
    if dtype == D.DT_BOOL:
        return {f: [bool(n % 2) for n in numbers]}
    return {f: numbers}


def main():
    every = [n for n in list(range(1, 20)) + list(range(22, 34))]
    for n in every:
        label, t = D.DataType.Name(n), tf.dtypes.as_dtype(n)
        if n == D.DT_STRING:
            a, scalar = np.array([b"", b"a", b"\xff\x00", b"a"], object).reshape(2, 2), b"hello"
        else:
            # The numpy types of the quantized dtypes are records, which no value converts to.
            plain = {11: np.int8, 12: np.uint8, 13: np.int32, 15: np.int16, 16: np.uint16}
            a = np.array([0, 1, 1, 1]).astype(plain.get(n) or t.as_numpy_dtype).reshape(2, 2)
            scalar = a[1, 1]
        made(label + "/made dense", a, n)
        made(label + "/made scalar", scalar, n)
        made(label + "/made one of [1,1]", a[1:, 1:], n)
        made(label + "/made empty", a[:0], n)
        made(label + "/made from list with shape", a.ravel().tolist()[:1] if not t.is_quantized else [1], n, [2, 2])
        case(label + "/values dense", build(n, [2, 3], **values_for(n, [0, 1, 2, 3, 2, 1])))
        case(label + "/values last repeated", build(n, [2, 3], **values_for(n, [3, 1])))
        case(label + "/values splat", build(n, [2, 3], **values_for(n, [1])))
        case(label + "/values scalar", build(n, [], **values_for(n, [1])))
        case(label + "/values none", build(n, [2]))
        case(label + "/values none, no elements", build(n, [0, 3]))
        case(label + "/values too many", build(n, [2], **values_for(n, [1, 2, 3])))
        case(label + "/values unknown rank", build(n, None, **values_for(n, [1])))
        if n != D.DT_STRING:
            content = bytes(range(1, 1 + 3 * t.size)) if n != D.DT_BOOL else b"\x01\x00\x01"
            if n in (D.DT_INT4, D.DT_UINT4, D.DT_FLOAT4_E2M1FN):
                content = b"\x01\x0f\x08"
            if n in (D.DT_INT2, D.DT_UINT2):
                content = b"\x01\x03\x02"
            case(label + "/content", build(n, [3], content))
            case(label + "/content short", build(n, [3], content[:-1]))
            case(label + "/content long", build(n, [2], content))
            case(label + "/content and values", build(n, [3], content, **values_for(n, [0, 1, 2])))
            case(label + "/content of one element for three", build(n, [3], content[:t.size]))

    case("string/content", build(D.DT_STRING, [1], b"abc"))
    case("string/binary", build(D.DT_STRING, [3], string_val=[b"\xff\xfe", b"\x00", "é中".encode()]))
    made("float/repeated tail", np.array([1, 2, 2, 2, 2, 2, 2, 2], np.float32), D.DT_FLOAT)
    made("float/list with shape", [1.0, 2.0], D.DT_FLOAT, [2, 3])
    made("float/one for many", 1.5, D.DT_FLOAT, [2, 3])
    made("float/zeros", np.zeros([2, 2], np.float32), D.DT_FLOAT)
    made("float/negative zeros", np.full([2, 2], -0.0, np.float32), D.DT_FLOAT)
    made("string/one for many", b"x", D.DT_STRING, [2, 2])
    made("string/unicode", ["é", "中"], D.DT_STRING)
    made("int32/nested list", [[1, 2], [3, 4]], D.DT_INT32)
    nan = np.array([0x7FC00001, 0xFF800000, 0x80000000, 1], np.uint32).view(np.float32)
    made("float/nan payload, -inf, -0, denormal", nan, D.DT_FLOAT)
    case("float/values nan payload", build(D.DT_FLOAT, [4], float_val=nan.tolist()))
    case("half/bits", build(D.DT_HALF, [4], half_val=[0x7E01, 0xFC00, 0x8000, 1]))
    case("bfloat16/bits", build(D.DT_BFLOAT16, [4], half_val=[0x7FC1, 0xFF80, 0x8000, 1]))
    case("half/bits above 16", build(D.DT_HALF, [1], half_val=[0x13C00]))
    case("half/negative", build(D.DT_HALF, [1], half_val=[-1]))
    case("complex64/odd count", build(D.DT_COMPLEX64, [2], scomplex_val=[1.0, 2.0, 3.0]))
    case("complex64/half an element", build(D.DT_COMPLEX64, [1], scomplex_val=[1.0]))
    case("int8/value out of range", build(D.DT_INT8, [1], int_val=[300]))
    case("uint8/negative value", build(D.DT_UINT8, [1], int_val=[-1]))
    case("uint16/value out of range", build(D.DT_UINT16, [1], int_val=[65536]))
    case("int4/values negative", build(D.DT_INT4, [3], int_val=[-8, -1, 7]))
    case("int4/value out of range", build(D.DT_INT4, [1], int_val=[8]))
    case("int4/content sign-extended", build(D.DT_INT4, [2], b"\xf8\xff"))
    case("uint4/values", build(D.DT_UINT4, [3], int_val=[0, 8, 15]))
    case("int2/values negative", build(D.DT_INT2, [2], int_val=[-2, -1]))
    case("float/values of another type", build(D.DT_FLOAT, [2], int_val=[1, 2]))
    case("float/values of two types", build(D.DT_FLOAT, [2], float_val=[1.0, 2.0], int_val=[3, 4]))
    case("bool/content 2", build(D.DT_BOOL, [2], b"\x02\x01"))
    case("float/dimension -1", build(D.DT_FLOAT, [-1], float_val=[1.0]))
    case("float/dimension -1 content", build(D.DT_FLOAT, [-1], b"\x00\x00\x80\x3f"))
    case("float/no shape message", tensor_pb2.TensorProto(dtype=D.DT_FLOAT, float_val=[1.0]))
    case("float/no elements, content present", build(D.DT_FLOAT, [0], b"\x00\x00\x80\x3f"))
    case("float/no elements, value present", build(D.DT_FLOAT, [0], float_val=[1.0]))
    case("float/version_number", tensor_pb2.TensorProto(dtype=D.DT_FLOAT, float_val=[1.0], version_number=3))
    named = build(D.DT_FLOAT, [2], float_val=[1.0, 2.0])
    named.tensor_shape.dim[0].name = "batch"
    case("float/named dimension", named)
    case("dtype 0", build(D.DT_INVALID, [1], float_val=[1.0]))
    case("dtype float ref", build(D.DT_FLOAT_REF, [1], float_val=[1.0]))
    case("dtype resource", build(D.DT_RESOURCE, []))
    case("dtype variant", build(D.DT_VARIANT, []))
    unknown = build(D.DT_FLOAT, [1], float_val=[1.0])
    unknown.dtype = 99
    case("dtype 99", unknown)

    lines = [json.dumps(r, ensure_ascii=True) for r in CASES]
    sys.stdout.write("[\n" + ",\n".join(lines) + "\n]\n")


main()
