"""Passes a bundle through TensorFlow: reads all of it and saves it again.

  python resave_bundle.py PREFIX ROWS OUT

ROWS is a JSON list, in the order of the data file: {"key_hex", "shape_and_slice", "dtype"}, as RestoreV2 takes them.
What RestoreV2 reads is saved with SaveV2 under the prefix OUT. Whole tensors whose keys are ASCII are also read with
tf.train.load_checkpoint, which must give the same.
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import numpy as np
import tensorflow as tf


def raw(array):
    array = np.asarray(array)
    return array.ravel().tolist() if array.dtype == object else array.tobytes()


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    prefix, rows, out = sys.argv[1:]
    with open(rows, encoding="utf-8") as file:
        rows = json.load(file)
    names = [bytes.fromhex(row["key_hex"]) for row in rows]
    slices = [row["shape_and_slice"] for row in rows]
    dtypes = [tf.dtypes.as_dtype(row["dtype"]) for row in rows]
    tensors = tf.raw_ops.RestoreV2(prefix=prefix, tensor_names=names, shape_and_slices=slices, dtypes=dtypes)
    tf.raw_ops.SaveV2(prefix=out, tensor_names=names, shape_and_slices=slices, tensors=tensors)

    reader = tf.train.load_checkpoint(prefix)
    compared = 0
    for name, part, tensor in zip(names, slices, tensors):
        if part or not all(32 <= byte < 127 for byte in name):
            continue
        whole = reader.get_tensor(name.decode())
        if list(np.shape(whole)) != tensor.shape.as_list():
            sys.exit("%r: load_checkpoint has shape %s, RestoreV2 %s" % (name, np.shape(whole), tensor.shape))
        if np.size(whole) > 0 and np.ndim(whole) == 0 and isinstance(whole, bytes):
            same = whole == tensor.numpy()
        else:
            same = raw(whole) == raw(tensor.numpy())
        if not same:
            sys.exit("%r: load_checkpoint reads something else than RestoreV2" % name)
        compared += 1
    print(compared)


main()
