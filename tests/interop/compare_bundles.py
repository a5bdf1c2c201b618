"""Says whether TensorFlow reads the same from two bundles.

  python compare_bundles.py EXPECTED PREFIX [MISSING]

All that PREFIX has must be in EXPECTED, with the same dtype, shape and elements, and what it lacks is MISSING, a JSON list
of keys. Both are read with tf.train.load_checkpoint. Prints how many tensors were compared.
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import numpy as np
import tensorflow as tf


def main():
    expected, found = (tf.train.load_checkpoint(prefix) for prefix in sys.argv[1:3])
    missing = json.loads(sys.argv[3]) if len(sys.argv) > 3 else []
    shapes, types = expected.get_variable_to_shape_map(), expected.get_variable_to_dtype_map()
    assert sorted(set(shapes) - set(found.get_variable_to_shape_map())) == sorted(missing)
    for key, shape in found.get_variable_to_shape_map().items():
        assert shapes[key] == shape, key
        assert types[key] == found.get_variable_to_dtype_map()[key], key
        one, other = (np.asarray(reader.get_tensor(key)) for reader in (expected, found))
        same = one.tolist() == other.tolist() if one.dtype == object else one.tobytes() == other.tobytes()
        assert same, key
    print(len(found.get_variable_to_shape_map()))


main()
