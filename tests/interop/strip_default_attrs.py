"""Strips attrs at their default as TensorFlow's builder does.

  python strip_default_attrs.py DIRECTORY

Each DIRECTORY/*.graph is a GraphDef; beside it comes *.stripped, the MetaGraphDef that TensorFlow makes of it, with the graph
stripped and the list of its ops, maps in order. Printed is how many there were.
"""
import glob
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import tensorflow as tf
from tensorflow.python.framework import meta_graph

count = 0
for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.graph"))):
    message = tf.compat.v1.MetaGraphDef()
    with open(path, "rb") as file:
        message.graph_def.ParseFromString(file.read())
    # In the order in which the builder does it.
    message.meta_info_def.stripped_op_list.CopyFrom(meta_graph.stripped_op_list_for_graph(message.graph_def))
    meta_graph.strip_graph_default_valued_attrs(message)
    with open(path[:-len("graph")] + "stripped", "wb") as file:
        file.write(message.SerializeToString(deterministic=True))
    count += 1
print(count)
