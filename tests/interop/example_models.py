"""Runs the models of examples/ by every route into TensorFlow and compares with what they should compute.

  python example_models.py CASES.json

The cases are those of run_routes.py, each with the name of its "example". What a model should say is computed here, from
the variables in its bundle and the same inputs; serialized examples are read by protobuf. Floating-point numbers are
compared to rounding, everything else exactly. Models named in "lite" are converted for TensorFlow Lite too, and run there.
The answer, on standard output: {"compared": COUNT, "faults": [TEXT, ...]}.
"""
import json
import os
import sys

import run_routes
import numpy as np
import tensorflow as tf

if tf.__version__.startswith("1."):
    tf.compat.v1.enable_eager_execution()


def examples(inputs, key):
    return [tf.train.Example.FromString(text).features.feature for text in inputs[key]]


def column(parsed, name, default=None):
    return np.array([list(f[name].float_list.value) or default for f in parsed], np.float32)


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def half_plus_two(signature, w, inputs):
    x = inputs.get("x")
    if signature.startswith(("regress_x_", "classify_x_")):
        x = column(examples(inputs, "inputs"), "x")
    if "x2_" in signature:
        answer = 0.5 * inputs["inputs"] + 3
    elif signature.endswith("y2"):
        answer = 0.5 * x + 3
    else:
        answer = 0.5 * x + 2
    key = {"s": "y", "r": "outputs", "c": "scores"}[signature[0]]
    return {key: answer.astype(np.float32)}


def mlp(signature, w, inputs):
    hidden = np.maximum(inputs["x"] @ w["fc1.weight"].T + w["fc1.bias"], 0)
    logits = hidden @ w["fc2.weight"].T + w["fc2.bias"]
    return {"probabilities": softmax(logits), "class": logits.argmax(-1)}


def cnn(signature, w, inputs):
    x = tf.nn.relu(tf.nn.conv2d(inputs["images"], w["conv1/kernel"], 1, "SAME") + w["conv1/bias"])
    x = tf.nn.max_pool2d(x, 2, 2, "VALID")
    x = tf.nn.relu(tf.nn.conv2d(x, w["conv2/kernel"], 2, "VALID") + w["conv2/bias"])
    x = tf.reduce_mean(x, [1, 2])
    probabilities = softmax((x @ w["dense/kernel"] + w["dense/bias"]).numpy())
    best = np.argsort(-probabilities, -1, kind="stable")[:, :2]
    return {"probabilities": probabilities, "classes": best.astype(np.int32),
            "scores": np.take_along_axis(probabilities, best, -1)}


def text_model(signature, w, inputs):
    if "inputs" in inputs:
        parsed = examples(inputs, "inputs")
        texts = [f["text"].bytes_list.value[0].decode() for f in parsed]
        stars = column(parsed, "stars", [3.0])
    else:
        texts, stars = list(inputs["text"]), inputs["stars"][:, None]
    known = ["good", "bad", "not", "very", "film", "boring"]
    rows = []
    for text, star in zip(texts, stars):
        words = "".join(c for c in text.lower() if c not in "!,.?'").split()
        buckets = tf.strings.to_hash_bucket_fast(words or [""], 2).numpy()
        ids = [known.index(word) if word in known else len(known) + bucket for word, bucket in zip(words, buckets)]
        mean = w["embedding"][ids].mean(0) if ids else np.zeros(4, np.float32)
        rows.append(np.concatenate([mean, star]))
    logits = np.array(rows, np.float32) @ w["score/kernel"] + w["score/bias"]
    score = (1 / (1 + np.exp(-logits))).astype(np.float32)
    if signature == "classify":
        return {"scores": np.concatenate([1 - score, score], -1),
                "classes": np.array([[b"negative", b"positive"]] * len(texts), object)}
    return {"outputs" if signature == "regress" else "score": score}


def two_meta_graphs(signature, w, inputs):
    scale = w["gamma"] / np.sqrt(w["variance"] + np.float32(1e-3))
    return {"normalized": (inputs["images"] - w["mean"]) * scale + w["beta"]}


def multi_head(signature, w, inputs):
    customer = inputs["customer"] if "customer" in inputs else column(
        examples(inputs, "inputs" if "inputs" in inputs else "examples"), "customer")
    trunk = np.tanh(customer @ w["trunk/kernel"] + w["trunk/bias"])
    sales = trunk @ w["sales/kernel"] + w["sales/bias"]
    logits = trunk @ w["churn/kernel"] + w["churn/bias"]
    of_sales, of_churn = {"predictions": sales}, {"logits": logits, "probabilities": softmax(logits)}
    of_all = {"%s/%s" % (head, name): value for head, outputs in (("sales", of_sales), ("churn", of_churn))
              for name, value in outputs.items()}
    return {"serving_default": {"outputs": sales}, "sales": {"outputs": sales}, "sales/predict": of_sales,
            "churn": {"scores": softmax(logits)}, "churn/predict": of_churn, "predict": of_all}[signature.replace("raw:", "")]


def tf2_module(signature, w, inputs):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "words.txt")) as file:
        known = file.read().split("\n")[:-1]
    rows = [known.index(word) if word in known else len(known) for word in inputs["words"]]
    of_shape = {np.shape(value): value for value in w.values()}
    logits = of_shape[5, 2][rows] + of_shape[2,]
    return {"probabilities": softmax(logits / of_shape[()])}


def transformer(signature, w, inputs):
    def norm(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + np.float32(1e-5))
        return x * w[name + "/gamma"] + w[name + "/beta"]

    def dense(x, name):
        return x @ w[name + "/kernel"] + w[name + "/bias"]

    tokens = inputs["tokens"]
    x = w["embedding"][tokens] + w["places"]
    q, k, v = np.split(dense(norm(x, "attention/norm"), "attention/in"), 3, -1)
    heads = []
    for head in range(2):
        part = slice(4 * head, 4 * head + 4)
        scores = q[..., part] @ k[..., part].transpose(0, 2, 1) / 2
        scores = np.where(np.tri(6, dtype=bool), scores, np.float32(-np.inf))
        heads.append(softmax(scores) @ v[..., part])
    x = x + dense(np.concatenate(heads, -1), "attention/out")
    inner = dense(norm(x, "dense/norm"), "dense/in")
    inner = 0.5 * inner * (1 + np.tanh(np.sqrt(2 / np.pi) * (inner + 0.044715 * inner ** 3)))
    x = x + dense(inner.astype(np.float32), "dense/out")
    logits = x @ w["embedding"].T
    return {"logits": logits, "next": logits.argmax(-1)}


MODELS = {model.__name__: model for model in (half_plus_two, mlp, cnn, text_model, two_meta_graphs, multi_head, tf2_module,
                                             transformer)}


def variables(model):
    prefix = os.path.join(model, "variables", "variables")
    return {name: tf.train.load_variable(prefix, name) for name, _ in tf.train.list_variables(prefix)
            if name != "_CHECKPOINTABLE_OBJECT_GRAPH"}


def fault_of(got, wanted):
    if sorted(got) != sorted(wanted):
        return "has outputs %s, not %s" % (sorted(got), sorted(wanted))
    for name, value in wanted.items():
        there, value = np.asarray(got[name]), np.asarray(value)
        if there.shape != value.shape:
            return "%s is of shape %s, not %s" % (name, there.shape, value.shape)
        if value.dtype.kind == "f":
            if there.dtype != np.float32 or not np.allclose(there, value, rtol=1e-5, atol=2e-6):
                return "%s is %s, not %s" % (name, there.tolist(), value.tolist())
        elif not (there == value).all():
            return "%s is %s, not %s" % (name, there.tolist(), value.tolist())
    return None


def lite(case, inputs):
    converter = tf.lite.TFLiteConverter.from_saved_model(
        case["model"], signature_keys=[case["signature"]], tags=set(case["tags"]))
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    runner = interpreter.get_signature_runner(case["signature"])
    return runner(**inputs)


def main(path):
    with open(path) as file:
        cases = json.load(file)
    faults, compared = [], 0
    for case in cases:
        inputs = {name: run_routes.array(description) for name, description in case["inputs"].items()}
        wanted = MODELS[case["example"]](case["signature"], variables(case["model"]), inputs)
        for route in run_routes.ROUTES + ((lite,) if case.get("lite") else ()):
            compared += 1
            try:
                fault = fault_of(route(case, inputs), wanted)
            except Exception as error:
                fault = "%s: %s" % (type(error).__name__, str(error)[-600:])
            if fault:
                faults.append("%s %s by %s: %s" % (case["example"], case["signature"], route.__name__, fault))
    print(json.dumps({"compared": compared, "faults": faults}))


main(sys.argv[1])
