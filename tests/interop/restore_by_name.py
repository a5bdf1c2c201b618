"""Restores a checkpoint by names, as TensorFlow 1 does.

  python restore_by_name.py PREFIX

The checkpoint has `layer/kernel` (float32 [2, 3]), `layer/bias` (float32 [3]), `global_step` (int64), `names` (string [2])
and `embedding` (float32 [5, 2]) in pieces of 3 and 2 rows. The elements of each tensor count up from 0, the step is 7, and
the names are `hello` and `wo`. It is read with Saver.restore, with init_from_checkpoint and with load_checkpoint.
"""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
EXPECTED = {
    "layer/kernel": np.arange(6, dtype="float32").reshape(2, 3),
    "layer/bias": np.arange(3, dtype="float32"),
    "global_step": np.int64(7),
    "names": np.array([b"hello", b"wo"], dtype=object),
    "embedding": np.arange(10, dtype="float32").reshape(5, 2),
}


def variables():
    found = {}
    for name, array in EXPECTED.items():
        dtype = tf.string if array.dtype == object else tf.dtypes.as_dtype(array.dtype)
        pieces = v1.fixed_size_partitioner(2) if name == "embedding" else None
        initial = v1.constant_initializer(b"" if dtype == tf.string else 0)
        found[name] = v1.get_variable(name, np.shape(array), dtype, initial, partitioner=pieces)
    return found


def check(route, values):
    for name, array in EXPECTED.items():
        if not np.array_equal(values[name], array) or np.asarray(values[name]).dtype != np.asarray(array).dtype:
            sys.exit("%s: %s is %r" % (route, name, values[name]))
    print(route, len(EXPECTED))


def run(route, prefix):
    with tf.Graph().as_default(), v1.Session() as session:
        found = variables()
        if route == "Saver.restore":
            saver = v1.train.Saver()
            saver.restore(session, prefix)
        else:
            v1.train.init_from_checkpoint(prefix, {name: name for name in EXPECTED})
            session.run(v1.global_variables_initializer())
        check(route, {name: session.run(tf.convert_to_tensor(variable)) for name, variable in found.items()})
        if route == "Saver.restore":
            saver.save(session, prefix + "-again", write_meta_graph=False, write_state=False)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    prefix = sys.argv[1]
    run("Saver.restore", prefix)
    run("init_from_checkpoint", prefix)
    reader = tf.train.load_checkpoint(prefix)
    check("load_checkpoint", {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()})


main()
