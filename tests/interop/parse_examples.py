"""Runs a signature that parses examples on each record of a TFRecord file.

  python parse_examples.py MODEL_DIR RECORDS SIGNATURE

Prints a line per record: "ok", or "error" and what TensorFlow said.
"""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
signature = model.signatures[sys.argv[3]]
(name, spec), = signature.structured_input_signature[1].items()
for record in tf.data.TFRecordDataset(sys.argv[2]):
    try:
        signature(**{name: record if spec.shape.rank == 0 else tf.reshape(record, [1])})
        print("ok")
    except tf.errors.InvalidArgumentError as error:
        print("error", error.message.splitlines()[0])
