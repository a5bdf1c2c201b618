"""Makes signatures of export outputs with TensorFlow's own code, as one JSON document says.

  python export_outputs.py GRAPH.pb CASES.json

Each case has a "receiver" and perhaps "alternatives" (names to tensors of the graph), and "outputs" (keys to outputs) or
"heads" (pairs of a name and such outputs), or for the modes "train" and "eval" a "supervised" output. The answer, on
standard output, has for each case the signatures by their keys, encoded and as hexadecimal digits, or {"error": TEXT}.
Cases with heads are left out, with null, where Estimator is not installed: it is part of releases up to 2.15.
"""
import json
import os
import sys
import types

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import tensorflow as tf
from tensorflow.python.saved_model.model_utils import export_output, export_utils
from tensorflow.python.saved_model.model_utils.mode_keys import KerasModeKeys

try:
    from tensorflow_estimator.python.estimator.head.multi_head import MultiHead
except ImportError:
    MultiHead = None

MODES = {"serving": KerasModeKeys.PREDICT, "train": KerasModeKeys.TRAIN, "eval": KerasModeKeys.TEST}


def tensors(graph, described):
    def one(name):
        if isinstance(name, list):
            indices, values, shape = (graph.get_tensor_by_name(part + ":0") for part in name)
            return tf.SparseTensor(indices, values, shape)
        return graph.get_tensor_by_name(name + ":0")

    if isinstance(described, dict):
        return {key: one(name) for key, name in described.items()}
    return one(described)


def metric(graph, pair):
    value, update = pair
    if update.startswith("^"):
        return tensors(graph, value), graph.get_operation_by_name(update[1:])
    return tensors(graph, value), tensors(graph, update)


def output(graph, described):
    if "predict" in described:
        return export_output.PredictOutput(tensors(graph, described["predict"]))
    if "regression" in described:
        return export_output.RegressionOutput(tensors(graph, described["regression"]))
    scores, classes = (described.get(name) and tensors(graph, described[name]) for name in ("scores", "classes"))
    return export_output.ClassificationOutput(scores=scores, classes=classes)


def outputs(graph, described):
    return {key: output(graph, one) for key, one in described.items()}


def export_outputs(graph, case):
    mode = MODES[case["mode"]]
    if "supervised" in case:
        described = case["supervised"]
        metrics = described.get("metrics")
        if isinstance(metrics, dict):
            metrics = {key: metric(graph, pair) for key, pair in metrics.items()}
        elif metrics is not None:
            metrics = metric(graph, metrics)
        loss, predictions = (described.get(name) and tensors(graph, described[name]) for name in ("loss", "predictions"))
        return export_utils.export_outputs_for_mode(mode, loss=loss, predictions=predictions, metrics=metrics)
    if "heads" in case:
        heads = types.SimpleNamespace(_heads=[types.SimpleNamespace(name=name) for name, _ in case["heads"]])
        specs = [types.SimpleNamespace(export_outputs=outputs(graph, one)) for _, one in case["heads"]]
        merged = MultiHead._merge_predict_export_outputs(heads, specs)
        return export_utils.export_outputs_for_mode(mode, serving_export_outputs=merged)
    return export_utils.export_outputs_for_mode(mode, serving_export_outputs=outputs(graph, case["outputs"]))


def answer(graph_def, case):
    if "heads" in case and MultiHead is None:
        return None
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        alternatives = {name: tensors(graph, one) for name, one in case.get("alternatives", {}).items()}
        try:
            signatures = export_utils.build_all_signature_defs(
                tensors(graph, case["receiver"]), export_outputs(graph, case), alternatives or None,
                serving_only=case["mode"] == "serving")
        except ValueError as error:
            return {"error": str(error)}
        return {key: signature.SerializeToString(deterministic=True).hex() for key, signature in signatures.items()}


def main(graph, cases):
    graph_def = tf.compat.v1.GraphDef()
    with open(graph, "rb") as file:
        graph_def.ParseFromString(file.read())
    with open(cases) as file:
        cases = json.load(file)
    print(json.dumps([answer(graph_def, case) for case in cases]))


main(*sys.argv[1:])
