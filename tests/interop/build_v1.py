"""Models as TensorFlow's own builder of version 1 makes them, with what it was given.

  python build_v1.py DIRECTORY

For each case DIRECTORY/NAME/ has
  graph.pb          the GraphDef of the session
  rest.pb           a MetaGraphDef with its collections, its saver and the signatures
  arguments.json    the other arguments
  model/            what tf.compat.v1.saved_model.Builder made of them
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
v1.disable_eager_execution()


def signature(inputs, outputs):
    return v1.saved_model.predict_signature_def(inputs, outputs)


def dense(directory):
    x = v1.placeholder(tf.float32, [None, 3], "x")
    with tf.device("/device:CPU:0"):
        w = v1.get_variable("w", initializer=np.ones((3, 2), np.float32), use_resource=True)
        b = v1.get_variable("b", initializer=np.zeros(2, np.float32), use_resource=True, trainable=False)
    y = tf.nn.relu(tf.matmul(x, w) + b, name="y")
    return {"signatures": {"serving_default": signature({"x": x}, {"y": y})}}


def old_variables(directory):
    x = v1.placeholder(tf.float64, [], "x")
    a = v1.get_variable("a", initializer=np.float64(2), use_resource=False)
    y = tf.multiply(x, a, name="y")
    v1.add_to_collection("losses", y)
    v1.add_to_collection("numbers", 3)
    return {"signatures": {"double": signature({"x": x}, {"y": y})}, "tags": ["serve", "gpu"]}


def vocabulary(directory):
    path = os.path.join(directory, "words.txt")
    with open(path, "w") as file:
        file.write("one\ntwo\n")
    words = v1.placeholder(tf.string, [None], "words")
    initializer = tf.lookup.TextFileInitializer(path, tf.string, -2, tf.int64, -1)
    table = tf.lookup.StaticVocabularyTable(initializer, 2)
    ids = tf.identity(table.lookup(words), name="ids")
    weights = v1.get_variable("weights", initializer=np.arange(4, dtype=np.float32), use_resource=True)
    y = tf.gather(weights, ids, name="y")
    asset = v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS)[0]
    return {"signatures": {"serving_default": signature({"words": words}, {"y": y})}, "assets": [asset],
            "asset_paths": [path], "main_op": v1.tables_initializer("init_tables")}


def functions(directory):
    @tf.function
    def twice(x):
        return x + x

    x = v1.placeholder(tf.int32, [None], "x")
    y = tf.identity(twice(twice(x)), name="y")
    z = tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * 2), [tf.constant(0), x])[1]
    return {"signatures": {"f": signature({"x": x}, {"y": y, "z": tf.identity(z, name="z")})}, "no_variables": True}


CASES = [dense, old_variables, vocabulary, functions]


def make(case, directory, clear_devices, strip):
    os.makedirs(directory)
    with v1.Session(graph=tf.Graph()) as session:
        made = case(directory)
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        saver = None if made.get("no_variables") else v1.train.Saver(sharded=True, allow_empty=True)
        exported = v1.train.export_meta_graph(graph=session.graph)
        rest = tf.compat.v1.MetaGraphDef()
        for key, value in exported.collection_def.items():
            rest.collection_def[key].CopyFrom(value)
        for key, value in made["signatures"].items():
            rest.signature_def[key].CopyFrom(value)
        if saver is not None:
            rest.saver_def.CopyFrom(saver.as_saver_def())
        graph = session.graph.as_graph_def(add_shapes=True)
        main_op = made.get("main_op")
        tags = made.get("tags", ["serve"])
        builder = v1.saved_model.Builder(os.path.join(directory, "model"))
        builder.add_meta_graph_and_variables(
            session, tags, made["signatures"], assets_collection=made.get("assets"), main_op=main_op,
            clear_devices=clear_devices, strip_default_attrs=strip, saver=saver)
        builder.save()
    for name, message in (("graph.pb", graph), ("rest.pb", rest)):
        with open(os.path.join(directory, name), "wb") as file:
            file.write(message.SerializeToString(deterministic=True))
    with open(os.path.join(directory, "arguments.json"), "w") as file:
        json.dump({"tags": tags, "clear_devices": clear_devices, "strip_default_attrs": strip,
                   "main_op": main_op.name if main_op is not None else None,
                   "assets": list(zip([asset.name for asset in made.get("assets", [])], made.get("asset_paths", [])))},
                  file)


for case in CASES:
    for clear_devices in (False, True):
        for strip in (False, True):
            name = case.__name__ + ("_cleared" if clear_devices else "") + ("_stripped" if strip else "")
            make(case, os.path.join(sys.argv[1], name), clear_devices, strip)
