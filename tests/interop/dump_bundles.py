"""What TensorFlow reads from tensor bundles: one JSON line per key.

  python dump_bundles.py PREFIX_OR_DIR... [--array]

A directory stands for all bundles (and V1 checkpoints) below it, named relative to it. Tensors that TensorFlow
wrote but cannot read come from the *.source_values.json files that the makers leave beside their fixtures; the
"source" of those that are not there is "none".
--array wraps the lines into one JSON document.
"""
import hashlib
import json
import os
import struct
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2

MAGIC = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"
STRING, VARIANT = types_pb2.DT_STRING, types_pb2.DT_VARIANT
COMPLEX = (types_pb2.DT_COMPLEX64, types_pb2.DT_COMPLEX128)


def is_v1(path):
    if os.path.getsize(path) < 48 or path.endswith(".index"):
        return False
    with open(path, "rb") as f:
        f.seek(-8, os.SEEK_END)
        return f.read() == MAGIC


def bundles_below(directory):
    for root, dirs, files in os.walk(directory):
        dirs.sort()
        for f in sorted(files):
            path = os.path.join(root, f)
            if f.endswith(".index"):
                yield path[:-len(".index")]
            elif is_v1(path):
                yield path


def varint(raw, at):
    value = shift = 0
    while True:
        b = raw[at]
        at += 1
        value |= (b & 127) << shift
        shift += 7
        if b < 128:
            return value, at


def variant_elements(tensor):
    """The serialized elements, which no Python object shows directly."""
    proto = tensor_pb2.TensorProto.FromString(tf.io.serialize_tensor(tensor).numpy())
    raw, at, lengths = proto.tensor_content, 0, []
    for _ in range(tensor.shape.num_elements()):
        n, at = varint(raw, at)
        lengths.append(n)
    out = []
    for n in lengths:
        out.append(raw[at:at + n])
        at += n
    return out


def number(x, dtype):
    if dtype in COMPLEX:
        return [repr(float(x.real)), repr(float(x.imag))]
    if isinstance(x, (bool, np.bool_)):
        return bool(x)
    if isinstance(x, (int, np.integer)):
        return int(x)
    value = float(x)
    # int4 and its like are integers, but not numpy's.
    return int(value) if tf.dtypes.as_dtype(dtype).is_integer else repr(value)


def blobs(elements):
    row = {"bytes": sum(map(len, elements)),
           "sha256": hashlib.sha256(b"".join(struct.pack("<Q", len(e)) + e for e in elements)).hexdigest(),
           "first": [e[:24].hex() for e in elements[:4]]}
    if row["bytes"] <= 1024:
        row["elements_hex"] = [e.hex() for e in elements]
    return row


def content(tensor):
    dtype = tensor.dtype.as_datatype_enum
    if dtype == VARIANT:
        return blobs(variant_elements(tensor))
    array = tensor.numpy()
    if dtype == STRING:
        return blobs([bytes(e) for e in np.asarray(array, dtype=object).ravel().tolist()])
    raw = np.ascontiguousarray(array).tobytes()
    return {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest(),
            "first": [number(x, dtype) for x in np.asarray(array).ravel()[:4]]}


def gist(error):
    return error.message.split("}} ")[-1].split(" [Op:")[0]


def dump(prefix, name, source_values):
    reader = tf.train.load_checkpoint(prefix)
    shapes = reader.get_variable_to_shape_map()
    for key, dtype in sorted(reader.get_variable_to_dtype_map().items(), key=lambda kv: kv[0].encode()):
        number = int(dtype.as_datatype_enum)
        row = {"bundle": name, "format": "v2" if os.path.exists(prefix + ".index") else "v1", "key": key,
               "key_hex": key.encode().hex(), "dtype": number, "dtype_name": types_pb2.DataType.Name(number),
               "shape": list(shapes[key]), "count": int(np.prod(shapes[key], dtype=np.int64))}
        try:
            tensor = tf.raw_ops.RestoreV2(prefix=prefix, tensor_names=[key.encode()], shape_and_slices=[""], dtypes=[dtype])[0]
            row.update(content(tensor))
            row["source"] = "tensorflow"
        except tf.errors.OpError as e:
            source = source_values.get(name, {}).get(key)
            if source and (source["dtype"], source["shape"]) != (number, row["shape"]):
                raise
            row.update({k: v for k, v in (source or {}).items() if k not in ("dtype", "shape")})
            row.update(source="script" if source else "none", tensorflow_says=gist(e))
        yield row


def main():
    paths = [a for a in sys.argv[1:] if a != "--array"]
    if not paths:
        sys.exit(__doc__)
    rows = []
    for path in paths:
        if os.path.isdir(path):
            source_values = {}
            for f in sorted(os.listdir(path)):
                if f.endswith(".source_values.json"):
                    with open(os.path.join(path, f), encoding="utf-8") as text:
                        source_values.update(json.load(text))
            # Sorted as bytes, for one order on every file system.
            names = sorted((os.path.relpath(p, path).replace(os.sep, "/") for p in bundles_below(path)), key=str.encode)
            for name in names:
                rows.extend(dump(os.path.join(path, name), name, source_values))
        else:
            rows.extend(dump(path, path.replace(os.sep, "/"), {}))
    lines = [json.dumps(r, ensure_ascii=True) for r in rows]
    sys.stdout.write("[\n" + ",\n".join(lines) + "\n]\n" if "--array" in sys.argv else "".join(l + "\n" for l in lines))


if __name__ == "__main__":
    main()
