"""Feeds sample requests to the models they were made for.

  python check_samples.py SAMPLES.json > ANSWERS.json

SAMPLES is a list of the documents that `savedmodel signature --json` prints. The body of the REST
request is turned into tensors by the rules that TensorFlow Serving documents, the text of the gRPC
request into its message; both are fed to the signature as TensorFlow loads it. ANSWERS has a row for
each document: `rest` and `grpc` are the names of what came out, null where the document has no such
request, or a text that says what went wrong.
"""
import base64
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import classification_pb2, predict_pb2, regression_pb2

METHODS = {"Predict": predict_pb2.PredictRequest, "Classify": classification_pb2.ClassificationRequest,
           "Regress": regression_pb2.RegressionRequest}


def decoded(value):
    """Texts and {"b64": ...} to bytes, within lists."""
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if isinstance(value, dict):
        assert list(value) == ["b64"], value
        return base64.b64decode(value["b64"], validate=True)
    return value.encode() if isinstance(value, str) else value


def check_type(value, dtype):
    if isinstance(value, list):
        for item in value:
            check_type(item, dtype)
    elif dtype.is_floating:
        assert isinstance(value, (int, float)) and not isinstance(value, bool), value
    elif dtype == tf.bool:
        assert isinstance(value, bool), value
    elif dtype == tf.string:
        assert isinstance(value, bytes), value
    else:
        assert isinstance(value, int) and not isinstance(value, bool), value


def tensor(value, dtype):
    value = decoded(value)
    check_type(value, dtype)
    return tf.constant(np.array(value, dtype=object if dtype == tf.string else dtype.as_numpy_dtype), dtype)


def is_named(value):
    return isinstance(value, dict) and list(value) != ["b64"]


def of_predict_body(body, dtypes):
    assert set(body) - {"signature_name"} in ({"instances"}, {"inputs"}), body
    if "inputs" in body:
        inputs = body["inputs"]
        if not is_named(inputs):
            assert len(dtypes) == 1
            inputs = {next(iter(dtypes)): inputs}
        return {name: tensor(inputs[name], dtype) for name, dtype in dtypes.items()}
    rows = body["instances"]
    assert rows
    if not is_named(rows[0]):
        assert len(dtypes) == 1
        rows = [{next(iter(dtypes)): row} for row in rows]
    assert all(set(row) == set(dtypes) for row in rows)
    return {name: tensor([row[name] for row in rows], dtype) for name, dtype in dtypes.items()}


def example(features):
    message = tf.train.Example()
    for name, values in features.items():
        feature = message.features.feature[name]
        values = decoded(values if isinstance(values, list) else [values])
        for value in values:
            if isinstance(value, bytes):
                feature.bytes_list.value.append(value)
            elif isinstance(value, float):
                feature.float_list.value.append(value)
            else:
                feature.int64_list.value.append(int(value))
    return message


def of_request(request, method):
    if method == "Predict":
        return {name: tf.io.parse_tensor(proto.SerializeToString(), tf.as_dtype(proto.dtype))
                for name, proto in request.inputs.items()}
    examples = request.input.example_list.examples
    return {"inputs": tf.constant([message.SerializeToString() for message in examples])}


def attempt(ask_once):
    try:
        return ask_once()
    except Exception as error:
        return "%s: %s" % (type(error).__name__, str(error).strip().splitlines()[0] if str(error).strip() else "")


def load(document, models):
    place = (document["path"], tuple(document["tags"]))
    if place not in models:
        models[place] = attempt(lambda: tf.saved_model.load(document["path"], tags=document["tags"]))
    return models[place]


def feeds(document):
    """What each request feeds; where one is not what it should be, this fails."""
    key = document["signature"]["key"]
    method = document["grpc_method"].rsplit("/")[-1]
    dtypes = {tensor["name"]: tf.as_dtype(tensor["dtype"]) for tensor in document["signature"]["inputs"]
              if "dtype" in tensor}
    found = {"rest": None, "grpc": None}
    if document["rest"] is not None:
        body = json.loads(document["rest"])
        assert body["signature_name"] == key
        assert document["url_path"].endswith(":" + method.lower())
        if method == "Predict":
            found["rest"] = of_predict_body(body, dtypes)
        else:
            serialized = [example(features).SerializeToString() for features in body["examples"]]
            found["rest"] = {"inputs": tf.constant(serialized)}
    if document["grpc"] is not None:
        request = text_format.Parse(document["grpc"], METHODS[method]())
        assert request.model_spec.signature_name == key and request.model_spec.name
        found["grpc"] = of_request(request, method)
    for inputs in found.values():
        assert inputs is None or {name: tensor.dtype for name, tensor in inputs.items()} == dtypes, (inputs, dtypes)
    for sample in document["examples"]:
        json.loads(sample["example"])
    return found


def answer(document, models):
    found = feeds(document)
    model = load(document, models)
    if isinstance(model, str):
        return {route: None if inputs is None else model for route, inputs in found.items()}
    signature = model.signatures[document["signature"]["key"]]
    return {route: None if inputs is None else attempt(lambda: sorted(signature(**inputs)))
            for route, inputs in found.items()}


def main():
    with open(sys.argv[1]) as file:
        documents = json.load(file)
    models = {}
    json.dump([answer(document, models) for document in documents], sys.stdout)


if __name__ == "__main__":
    main()
