"""Writes TensorFlow's list of registered ops to standard output, as an OpList without descriptions.

  python dump_ops.py > ops.pb
"""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import tensorflow as tf  # registers the ops
from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session

ops = op_def_pb2.OpList()
ops.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
for op in ops.op:
    for part in [op, *op.input_arg, *op.output_arg, *op.attr]:
        part.ClearField("description")
    op.ClearField("summary")
    if op.HasField("deprecation"):
        op.deprecation.ClearField("explanation")
sys.stdout.buffer.write(ops.SerializeToString(deterministic=True))
