"""Whether TensorFlow reads from TensorProtos what their writer says is in them.

  python check_tensor_protos.py CASES.json

A case has the proto ("proto_hex") and what it should read as: "dtype", "shape", and "data_hex" or "elements_hex" as in
tensor_protos.json. Both tf.make_ndarray and the C++ parser (tf.io.parse_tensor) are asked. Prints how many answers were
compared; the first that differs is an error.
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2

LOW_BITS = {types_pb2.DT_INT4: 15, types_pb2.DT_UINT4: 15, types_pb2.DT_FLOAT4_E2M1FN: 15, types_pb2.DT_INT2: 3,
            types_pb2.DT_UINT2: 3}
# Without tensor_content, tf.make_ndarray refuses these.
CONTENT_ONLY = (types_pb2.DT_FLOAT8_E4M3FNUZ, types_pb2.DT_FLOAT8_E4M3B11FNUZ, types_pb2.DT_FLOAT8_E5M2FNUZ)


def shown(array, dtype):
    array = np.asarray(array)
    if dtype == types_pb2.DT_STRING:
        values = [e if isinstance(e, bytes) else str(e).encode() for e in array.astype(object).ravel().tolist()]
    else:
        values = bytes(b & LOW_BITS.get(dtype, 255) for b in np.ascontiguousarray(array).tobytes())
    return list(array.shape), values


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as text:
        cases = json.load(text)
    compared = 0
    for case in cases:
        raw, dtype = bytes.fromhex(case["proto_hex"]), case["dtype"]
        proto = tensor_pb2.TensorProto.FromString(raw)
        if dtype == types_pb2.DT_STRING:
            values = [bytes.fromhex(e) for e in case["elements_hex"]]
        else:
            values = bytes.fromhex(case["data_hex"])
        answers = {"parse_tensor": tf.io.parse_tensor(raw, tf.dtypes.as_dtype(dtype)).numpy()}
        if dtype not in CONTENT_ONLY or proto.tensor_content:
            answers["make_ndarray"] = tf.make_ndarray(proto)
        for reader, array in answers.items():
            if shown(array, dtype) != (case["shape"], values):
                sys.exit("%s reads %s from %s" % (reader, shown(array, dtype), case))
            compared += 1
    print(compared)


main()
