"""Makes a model without variables whose functions parse examples in every way TensorFlow has.

  python make_parse_example.py OUT_DIR
"""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import tensorflow as tf

F = tf.io
FEATURES = {
    "required": F.FixedLenFeature([2], tf.float32),
    "scalar": F.FixedLenFeature([], tf.int64),
    "image": F.FixedLenFeature([], tf.string),
    "matrix": F.FixedLenFeature([2, 3], tf.int64),
    "optional": F.FixedLenFeature([], tf.int64, default_value=7),
    "name": F.FixedLenFeature([], tf.string, default_value="nobody"),
    "weights": F.FixedLenFeature([3], tf.float32, default_value=[0.5, 1.0, 2.0]),
    "steps": F.FixedLenSequenceFeature([], tf.int64, allow_missing=True),
    "pairs": F.FixedLenSequenceFeature([2], tf.float32, allow_missing=True, default_value=-1.0),
    "tags": F.VarLenFeature(tf.string),
    "counts": F.VarLenFeature(tf.int64),
    "ragged": F.RaggedFeature(tf.float32),
    "ragged64": F.RaggedFeature(tf.string, row_splits_dtype=tf.int64),
}
CONTEXT = {
    "id": F.FixedLenFeature([], tf.int64),
    "length": F.FixedLenFeature([], tf.float32, default_value=1.5),
    "labels": F.VarLenFeature(tf.string),
}
SEQUENCE = {
    "frames": F.FixedLenSequenceFeature([3], tf.float32),
    "perhaps": F.FixedLenSequenceFeature([], tf.int64, allow_missing=True),
    "words": F.VarLenFeature(tf.string),
}
RAGGED_SEQUENCE = {**SEQUENCE, "subwords": F.RaggedFeature(tf.int64)}


def flat(parsed):
    """The parts of each tensor, under names that outputs of a signature may have."""
    out = {}
    for key, value in parsed.items():
        if isinstance(value, tf.SparseTensor):
            out[key + "_values"] = value.values
        elif isinstance(value, tf.RaggedTensor):
            out[key + "_values"] = value.flat_values
        else:
            out[key] = value
    return out


class Parser(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def batch(self, examples):
        return flat(F.parse_example(examples, FEATURES))

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, "example")])
    def single(self, example):
        return flat(F.parse_single_example(example, FEATURES))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def batch_v1(self, examples):
        parsed = tf.raw_ops.ParseExample(
            serialized=examples, names=[], sparse_keys=["a", "b"], dense_keys=["c", "d"],
            dense_defaults=[tf.constant([], tf.float32), tf.constant(3, tf.int64)], sparse_types=[tf.int64, tf.string],
            dense_shapes=[[2], []])
        return {"c": parsed.dense_values[0], "d": parsed.dense_values[1]}

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, "example")])
    def single_v1(self, example):
        parsed = tf.raw_ops.ParseSingleExample(
            serialized=example, dense_defaults=[tf.constant([], tf.float32)], num_sparse=1, sparse_keys=["a"],
            sparse_types=[tf.string], dense_keys=["c"], dense_shapes=[[2]])
        return {"c": parsed.dense_values[0]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def sequences(self, examples):
        context, sequence, _ = F.parse_sequence_example(examples, CONTEXT, RAGGED_SEQUENCE)
        return flat({**context, **sequence})

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def sequences_v1(self, examples):
        parsed = tf.raw_ops.ParseSequenceExample(
            serialized=examples, debug_name=[], context_dense_defaults=[tf.constant([], tf.int64)],
            feature_list_dense_missing_assumed_empty=["y"], context_sparse_keys=[], context_dense_keys=["id"],
            feature_list_sparse_keys=["w"], feature_list_dense_keys=["x", "y"], Ncontext_dense=1, Nfeature_list_sparse=1,
            Nfeature_list_dense=2, feature_list_dense_types=[tf.float32, tf.int64], context_dense_shapes=[[]],
            feature_list_sparse_types=[tf.string], feature_list_dense_shapes=[[2], []])
        return {"id": parsed.context_dense_values[0]}

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, "example")])
    def single_sequence(self, example):
        context, sequence = F.parse_single_sequence_example(example, CONTEXT, SEQUENCE)
        return flat({**context, **sequence})


parser = Parser()
names = ["batch", "single", "batch_v1", "single_v1", "sequences", "sequences_v1", "single_sequence"]
tf.saved_model.save(parser, sys.argv[1], signatures={name: getattr(parser, name) for name in names})
