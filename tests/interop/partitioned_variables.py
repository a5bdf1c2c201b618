"""Loads a model with partitioned variables, and saves its variables again with the model's own nodes.

  python partitioned_variables.py DIRECTORY PREFIX

Prints {"variables": {NAME: SPEC}, "saved": {KEY: VALUES}}: the variables of the loaded graph with what TensorFlow says they
are slices of, and what is in the bundle that was saved under PREFIX.
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import tensorflow as tf

tf.get_logger().setLevel("ERROR")


def main():
    directory, prefix = sys.argv[1:]
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        meta_graph = tf.compat.v1.saved_model.load(session, ["serve"], directory)
        variables = {}
        for variable in tf.compat.v1.global_variables():
            info = variable._get_save_slice_info()
            variables[variable.op.name] = info.full_name + " " + info.spec if info else None
        saver = meta_graph.saver_def
        session.run(saver.save_tensor_name, {saver.filename_tensor_name: prefix})
        # A saver that TensorFlow makes of the collection takes the slices as well.
        tf.compat.v1.train.Saver().restore(session, prefix)
    reader = tf.train.load_checkpoint(prefix)
    saved = {key: reader.get_tensor(key).tolist() for key in reader.get_variable_to_shape_map()}
    print(json.dumps({"variables": variables, "saved": saved}))


main()
