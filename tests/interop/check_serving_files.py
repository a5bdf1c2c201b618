"""Reads what we write for TensorFlow Serving with its own messages, and prints it as JSON.

  python check_serving_files.py WARMUP_REQUESTS MODELS_CONFIG OUT

WARMUP_REQUESTS is a TFRecord file of PredictionLogs, MODELS_CONFIG a text of a ModelServerConfig. Into the directory OUT go
requests.tfrecord, the same logs made with TensorFlow's own functions, and models.config, the configuration printed again.
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import tensorflow as tf
from google.protobuf import json_format, text_format
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

warmup, config, out = sys.argv[1:]


def example(*values):
    return tf.train.Example(features=tf.train.Features(feature={
        "x": tf.train.Feature(float_list=tf.train.FloatList(value=values))}))


def expected():
    predict = prediction_log_pb2.PredictionLog()
    request = predict.predict_log.request
    request.model_spec.name = "m"
    request.model_spec.signature_name = "serving_default"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([[1.0, 2.0, 3.0]]))
    request.inputs["words"].CopyFrom(tf.make_tensor_proto([b"a", b"\xff"]))
    logs = [predict]
    for kind in ("classify", "regress"):
        log = prediction_log_pb2.PredictionLog()
        request = getattr(log, kind + "_log").request
        request.model_spec.name = "m"
        request.model_spec.signature_name = kind
        request.input.example_list.examples.extend([example(1), example(2, 3)])
        logs.append(log)
    log = prediction_log_pb2.PredictionLog()
    request = log.multi_inference_log.request
    for kind in ("classify", "regress"):
        task = request.tasks.add(method_name="tensorflow/serving/" + kind)
        task.model_spec.name = "m"
        task.model_spec.signature_name = kind
    request.input.example_list.examples.extend([example(4)])
    return logs + [log]


logs = [prediction_log_pb2.PredictionLog.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(warmup)]
assert logs == expected(), logs
with tf.io.TFRecordWriter(os.path.join(out, "requests.tfrecord")) as writer:
    for log in expected():
        writer.write(log.SerializeToString())

with open(config, encoding="utf-8") as f:
    message = text_format.Parse(f.read(), model_server_config_pb2.ModelServerConfig())
with open(os.path.join(out, "models.config"), "w", encoding="utf-8") as f:
    f.write(text_format.MessageToString(message))
print(json.dumps(json_format.MessageToDict(message, preserving_proto_field_name=True)))
