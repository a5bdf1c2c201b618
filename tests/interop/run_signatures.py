"""What becomes of the signatures of models when they are run, and how many parameters there are: one JSON document.

  python run_signatures.py DIR...

Each meta graph is loaded into a session, which restores and initializes variables as TensorFlow Serving does, and each signature
is run with zeros: "uninitialized" if that fails for a variable that nothing assigned, else "runs" or "fails". "trainable" is the
number of elements of the trainable variables of the loaded objects, or null where TensorFlow cannot load them or has no such list.
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import numpy as np
import tensorflow as tf

from tensorflow.python.saved_model import loader_impl

UNINITIALIZED = ("Could not find variable", "uninitialized value")


def feeds(signature):
  values = {}
  for info in signature.inputs.values():
    if not info.name:
      continue
    dtype = tf.dtypes.as_dtype(info.dtype)
    shape = [max(dim.size, 1) for dim in info.tensor_shape.dim]
    values[info.name] = np.full(shape, b"") if dtype == tf.string else np.zeros(shape, dtype.as_numpy_dtype)
  return values


def names(info):
  kind = info.WhichOneof("encoding")
  if kind == "name":
    return [info.name]
  if kind == "coo_sparse":
    return [info.coo_sparse.values_tensor_name, info.coo_sparse.indices_tensor_name, info.coo_sparse.dense_shape_tensor_name]
  return [name for part in info.composite_tensor.components for name in names(part)]


def run(directory, meta_graph):
  answers = {}
  with tf.compat.v1.Session(graph=tf.Graph()) as session:
    tf.compat.v1.saved_model.load(session, meta_graph.meta_info_def.tags, directory)
    for key, signature in sorted(meta_graph.signature_def.items()):
      if key.startswith("__saved_model"):
        continue
      try:
        session.run([name for info in signature.outputs.values() for name in names(info)], feeds(signature))
        answers[key] = "runs"
      except Exception as error:
        is_uninitialized = any(text in str(error) for text in UNINITIALIZED)
        answers[key] = "uninitialized" if is_uninitialized else "fails"
  return answers


def trainable(directory):
  try:
    loaded = tf.saved_model.load(directory)
    variables = {id(variable): variable for variable in loaded.trainable_variables}
    return sum(int(np.prod(variable.shape)) for variable in variables.values() if variable.dtype != tf.string)
  except Exception:
    return None


def main():
  answers = {}
  for directory in sys.argv[1:]:
    graphs = []
    for meta_graph in loader_impl.parse_saved_model(directory).meta_graphs:
      try:
        graphs.append(run(directory, meta_graph))
      except Exception as error:
        graphs.append({"": str(error).splitlines()[0]})
    answers[directory] = {"signatures": graphs, "trainable": trainable(directory)}
  json.dump(answers, sys.stdout)


if __name__ == "__main__":
  main()
