"""Compares files that `savedmodel variables --extract --json` wrote with what TensorFlow reads.

  python extracted_arrays.py DOCUMENT...

Each DOCUMENT is what the tool printed, and names the index and the directory. Every file is loaded with numpy, and must have the
dtype, the shape and the elements that RestoreV2 gives. Prints how many were compared.
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import ml_dtypes  # noqa: F401  registers its types with numpy
import numpy as np
import tensorflow as tf

OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


def restore(prefix, key, dtype):
    array = tf.raw_ops.RestoreV2(prefix=prefix, tensor_names=[key], shape_and_slices=[""], dtypes=[dtype])[0].numpy()
    # A scalar string comes as bytes, of which numpy's own type would lose zeros at the end.
    return np.array(array, object) if dtype == tf.string else np.asarray(array)


def compare(prefix, directory, row):
    key, dtype = row["key"], tf.dtypes.as_dtype(row["dtype"])
    expected = restore(prefix, key, dtype)
    array = np.load(os.path.join(directory, row["file"]), allow_pickle=True)
    if key == OBJECT_GRAPH:
        assert array.dtype == np.uint8 and array.tobytes() == expected.item(), key
        return
    assert array.shape == expected.shape, (key, array.shape, expected.shape)
    if dtype == tf.string:
        assert array.ravel().tolist() == expected.ravel().tolist(), key
        return
    if array.dtype.kind == "V" and not array.dtype.names:
        assert "ml_dtypes" in row["note"], row
        array = array.view(dtype.as_numpy_dtype)
    if array.dtype.names:
        # A quantized type has the name in numpy that a tensor's own array loses.
        assert array.dtype.names == (dtype.name,), (key, array.dtype)
        array = array[dtype.name]
    assert array.dtype == expected.dtype, (key, array.dtype, expected.dtype)
    assert array.tobytes() == expected.tobytes(), key


def main():
    compared = 0
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        for row in document["tensors"]:
            if "file" in row:
                compare(document["index"][:-len(".index")], document["directory"], row)
                compared += 1
    print(compared)


main()
