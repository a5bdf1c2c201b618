"""Runs signatures of SavedModels by every route into TensorFlow, as one JSON document says.

  python run_routes.py CASES.json

Each case is {"model": DIR, "tags": [...], "signature": KEY, "inputs": {NAME: {"dtype": D, "values": [...]}}}; the answer,
on standard output, has for each case the outputs of each route: {"capi": {NAME: VALUES}, "v1": ..., "v2": ..., "cli": ...}.
A route that fails has {"error": TEXT}. Strings are given and returned as text; of the dtype "bytes" they are given as a
list of hexadecimal digits.

  capi   TF_LoadSessionFromSavedModel, the loader of TensorFlow Serving and of all bindings
  v1     tf.compat.v1.saved_model.load
  v2     tf.saved_model.load
  cli    saved_model_cli run
"""
import contextlib
import io
import json
import os
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import numpy as np
import tensorflow as tf
from tensorflow.python.tools import saved_model_cli

import capi_session

try:
    from tensorflow.python.saved_model.loader_impl import parse_saved_model
except ImportError:
    from tensorflow.python.saved_model.loader_impl import _parse_saved_model as parse_saved_model

tf.get_logger().setLevel("ERROR")


def array(description):
    values = description["values"]
    if description["dtype"] == "bytes":
        return np.array([bytes.fromhex(value) for value in values], dtype=object)
    if description["dtype"] == "string":
        return np.array(values, dtype=object)
    return np.array(values, dtype=description["dtype"])


def plain(value):
    value = np.asarray(value)
    if value.dtype == object or value.dtype.kind in "SU":
        def text(item):
            if isinstance(item, list):
                return [text(inner) for inner in item]
            return item.decode() if isinstance(item, bytes) else item
        return text(value.tolist())
    return value.tolist()


def signature_def(case):
    for meta_graph in parse_saved_model(case["model"]).meta_graphs:
        if set(meta_graph.meta_info_def.tags) == set(case["tags"]):
            return meta_graph.signature_def[case["signature"]]
    raise KeyError(case["tags"])


def capi(case, inputs):
    signature = signature_def(case)
    session = capi_session.Session(case["model"], case["tags"], os.path.dirname(tf.__file__))
    names = sorted(signature.outputs)
    feeds = {signature.inputs[name].name: value for name, value in inputs.items()}
    return dict(zip(names, session.run(feeds, [signature.outputs[name].name for name in names])))


def v1(case, inputs):
    signature = signature_def(case)
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        tf.compat.v1.saved_model.load(session, case["tags"], case["model"])
        return session.run({name: info.name for name, info in signature.outputs.items()},
                           {signature.inputs[name].name: value for name, value in inputs.items()})


def v2(case, inputs):
    model = tf.saved_model.load(case["model"], tags=case["tags"])
    answer = model.signatures[case["signature"]](**{name: tf.constant(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in answer.items()}


def cli(case, inputs):
    with tempfile.TemporaryDirectory() as directory, contextlib.redirect_stdout(io.StringIO()):
        # It makes no directory for an output whose name has a slash.
        for name in signature_def(case).outputs:
            os.makedirs(os.path.dirname(os.path.join(directory, name)), exist_ok=True)
        words = ["run", "--dir", case["model"], "--tag_set", ",".join(case["tags"]),
                 "--signature_def", case["signature"], "--outdir", directory]
        pairs = []
        for name, value in inputs.items():
            path = os.path.join(directory, name.replace("/", "_") + ".in.npy")
            np.save(path, value)
            pairs.append("%s=%s" % (name, path))
        words += ["--inputs", ";".join(pairs)]
        parser = saved_model_cli.create_parser()
        if not hasattr(saved_model_cli, "flags"):
            arguments = parser.parse_args(words)
            arguments.func(arguments)
        else:
            # Its options are absl flags of the process, which keep what they were set to.
            for flag in saved_model_cli.flags.FLAGS.get_key_flags_for_module(saved_model_cli):
                flag.unparse()
            parser.parse_args(words).func()
        return {name: np.load(os.path.join(directory, name + ".npy"), allow_pickle=True)
                for name in signature_def(case).outputs}


# TensorFlow 1 has no library with the C API alone, and one loader in Python.
ROUTES = (v1, cli) if tf.__version__.startswith("1.") else (capi, v1, v2, cli)


def main(path):
    with open(path) as file:
        cases = json.load(file)
    answers = []
    for case in cases:
        inputs = {name: array(description) for name, description in case["inputs"].items()}
        answer = {}
        for route in ROUTES:
            try:
                outputs = route(case, inputs)
                answer[route.__name__] = {name: plain(value) for name, value in outputs.items()}
            except Exception as error:
                answer[route.__name__] = {"error": "%s: %s" % (type(error).__name__, str(error)[-600:])}
        answers.append(answer)
    print(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1])
