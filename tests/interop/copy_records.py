"""Copies TFRecord files through TensorFlow.

  python copy_records.py DIR

Reads DIR/raw.tfrecord and writes its records to DIR/raw_copy.tfrecord; reads the Examples in DIR/examples.tfrecord and the
SequenceExamples in DIR/sequences.tfrecord and writes what Python's protobuf makes of them to *_copy.tfrecord.
"""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# Sorts maps as C++ does. The default implementation, upb, puts a key behind those that begin with it.
os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
import tensorflow as tf


def copy(name, change):
    path = os.path.join(sys.argv[1], name)
    with tf.io.TFRecordWriter(path + "_copy.tfrecord") as writer:
        for record in tf.data.TFRecordDataset(path + ".tfrecord"):
            writer.write(change(record.numpy()))


def again(message):
    return lambda data: message.FromString(data).SerializeToString(deterministic=True)


copy("raw", lambda data: data)
copy("examples", again(tf.train.Example))
copy("sequences", again(tf.train.SequenceExample))
