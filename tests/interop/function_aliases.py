"""Saves and loads models with function aliases and debug information.

  python function_aliases.py save DIRECTORY
  python function_aliases.py load DIRECTORY

`save` writes a model with both and prints {ALIAS: COUNT}, of how many functions each alias is in its MetaInfoDef. `load`
loads a model, prints the same of it, and {ALIAS: VALUE} of what the functions of each alias return for 3.0; then it saves
the model again with the aliases that it has, and prints the counts of that.
"""
import json
import os
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import tensorflow as tf
from tensorflow.python.saved_model import loader_impl

tf.get_logger().setLevel("ERROR")


class Module(tf.Module):
    def __init__(self):
        super().__init__()
        self.w = tf.Variable(2.0)

    @tf.function
    def times(self, x):
        return tf.cast(x, tf.float32) * self.w

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32)])
    def half(self, x):
        return x / self.w


def counts(directory):
    aliases = loader_impl.parse_saved_model(directory).meta_graphs[0].meta_info_def.function_aliases
    found = {}
    for alias in aliases.values():
        found[alias] = found.get(alias, 0) + 1
    return found


def save(directory):
    module = Module()
    for dtype in (tf.float32, tf.int32):
        module.times.get_concrete_function(tf.TensorSpec([], dtype, name="x"))
    options = tf.saved_model.SaveOptions(
        function_aliases={"product": module.times, "quotient": module.half.get_concrete_function()},
        save_debug_info=True)
    tf.saved_model.save(module, directory, options=options)
    print(json.dumps(counts(directory)))


def call(function):
    result = function(tf.constant(3.0))
    return float(result["output_0"] if isinstance(result, dict) else result)


def load(directory):
    options = tf.saved_model.LoadOptions(experimental_load_function_aliases=True)
    model = tf.saved_model.load(directory, options=options)
    values = {}
    for alias, functions in model.function_aliases.items():
        functions = functions if isinstance(functions, list) else [functions]
        values[alias] = [call(function) for function in functions]
    aliases = model.function_aliases
    del model.function_aliases
    with tempfile.TemporaryDirectory() as again:
        tf.saved_model.save(model, again, options=tf.saved_model.SaveOptions(function_aliases=aliases))
        print(json.dumps({"counts": counts(directory), "values": values, "again": counts(again)}))


{"save": save, "load": load}[sys.argv[1]](sys.argv[2])
