"""Makes the models that the model bench reads.

usage: python make_models.py DIRECTORY [NAME...]     (all of them without a name)

Weights are random: nothing is downloaded. A model that is there already is left alone.
"""
import os
import shutil
import sys

os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
os.environ['CUDA_VISIBLE_DEVICES'] = ''

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2


def keras_model(application):
  def make(directory, path):
    # verbose=False: `export` prints a summary of every signature.
    getattr(keras.applications, application)(weights=None).export(path, verbose=False)
  return make


def constants(directory, path):
  """524 MB of constants, as a model frozen into its graph has them."""
  shape = [5120, 5120]
  tables = [np.random.default_rng(i).standard_normal(shape, np.float32) for i in range(5)]

  @tf.function(input_signature=[tf.TensorSpec([None, shape[0]], tf.float32, name='x')])
  def serve(x):
    for table in tables:
      x = tf.matmul(x, tf.constant(table))
    return {'y': x}

  module = tf.Module()
  module.serve = serve
  tf.saved_model.save(module, path, signatures={'serving_default': serve})


def repeated(directory, path):
  """188,000 nodes in 46 MB: EfficientNetB7 with its functions eight times, each under a name of
  its own and calling those of its own copy."""
  make_one(directory, 'efficientnetb7')
  model = saved_model_pb2.SavedModel()
  with open(os.path.join(directory, 'efficientnetb7', 'saved_model.pb'), 'rb') as file:
    model.ParseFromString(file.read())
  library = model.meta_graphs[0].graph_def.library
  originals = list(library.function)
  names = {function.signature.name for function in originals}
  for copy in range(1, 8):
    def renamed(name):
      return '%s_%d' % (name, copy) if name in names else name
    for original in originals:
      function = library.function.add()
      function.CopyFrom(original)
      function.signature.name = renamed(function.signature.name)
      for node in function.node_def:
        node.op = renamed(node.op)
        for value in node.attr.values():
          if value.HasField('func'):
            value.func.name = renamed(value.func.name)
          for item in value.list.func if value.HasField('list') else ():
            item.name = renamed(item.name)
  write(model, path)


FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tests', 'fixtures')
LARGE = 100_000_000


def fixture(name):
  model = saved_model_pb2.SavedModel()
  with open(os.path.join(FIXTURES, name, 'saved_model.pb'), 'rb') as file:
    model.ParseFromString(file.read())
  return model


def fill(model, size, append):
  """Calls `append` with 1, 2, 3 until the model has so many bytes; it answers how many it added."""
  size -= model.ByteSize()
  copy = 0
  while size > 0:
    copy += 1
    size -= append(copy)


def write(model, path):
  os.makedirs(path)
  with open(os.path.join(path, 'saved_model.pb'), 'wb') as file:
    file.write(model.SerializeToString())


def functions(directory, path):
  """27,000 functions with 497,000 nodes in 100 MB: the six largest of a small Keras model, again and
  again under new names. Nothing calls them."""
  model = fixture('keras2_saved')
  library = model.meta_graphs[0].graph_def.library
  largest = sorted(library.function, key=lambda function: -len(function.node_def))[:6]

  def append(copy):
    size = 0
    for original in largest:
      function = library.function.add()
      function.CopyFrom(original)
      function.signature.name += '_%d' % copy
      size += function.ByteSize()
    return size

  fill(model, LARGE, append)
  write(model, path)


def nodes(directory, path):
  """A graph of 100 MB without functions: that of an Estimator again and again, each copy in a scope
  of its own."""
  model = fixture('tf115_estimator')
  graph = model.meta_graphs[0].graph_def
  originals = list(graph.node)

  def append(copy):
    def renamed(name):
      mark = '^' if name.startswith('^') else ''
      return '%stower_%d/%s' % (mark, copy, name[len(mark):])
    size = 0
    for original in originals:
      node = graph.node.add()
      node.CopyFrom(original)
      node.name = renamed(node.name)
      node.input[:] = map(renamed, node.input)
      size += node.ByteSize()
    return size

  fill(model, LARGE, append)
  write(model, path)


MAKERS = {
    'resnet50': keras_model('ResNet50'),
    'efficientnetb7': keras_model('EfficientNetB7'),
    'constants': constants,
    'repeated': repeated,
    'functions': functions,
    'nodes': nodes,
}


def make_one(directory, name):
  path = os.path.join(directory, name)
  if os.path.exists(path):
    return
  # Made beside and renamed: what is there is whole.
  unfinished = path + '.unfinished'
  shutil.rmtree(unfinished, ignore_errors=True)
  MAKERS[name](directory, unfinished)
  os.rename(unfinished, path)


def main():
  directory = sys.argv[1]
  os.makedirs(directory, exist_ok=True)
  for name in sys.argv[2:] or MAKERS:
    make_one(directory, name)


if __name__ == '__main__':
  main()
