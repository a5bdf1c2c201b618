"""Writes a model without signatures whose functions capture tables and variables.

  python make_functions.py DIRECTORY
"""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import tensorflow as tf


class Functions(tf.Module):
    def __init__(self):
        super().__init__()
        self.stored = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
        self.stored.insert(["a", "b"], [1, 2])
        values = tf.constant([10, 20], tf.int64)
        self.fixed = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(tf.constant(["a", "b"]), values), -5)
        self.counter = tf.Variable(7, dtype=tf.int64)
        self.factor = tf.constant(3, tf.int64)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def find(self, words):
        return {"stored": self.stored.lookup(words), "fixed": self.fixed.lookup(words) * self.factor}

    @tf.function(input_signature=[])
    def count(self):
        return self.counter.assign_add(1)

    @tf.function(input_signature=[tf.TensorSpec([], tf.int64)])
    def reset(self, value):
        self.counter.assign(value)

    @tf.function
    def pair(self, x, scale=2.0, flag=False, *, extra=None):
        return (x * scale, [x if flag else -x])


functions = Functions()
functions.pair(tf.constant(1.0))
functions.pair(tf.constant(1.0), flag=True)
functions.pair(tf.constant(1.0), tf.constant(3.0), extra="more")
tf.saved_model.save(functions, sys.argv[1])
