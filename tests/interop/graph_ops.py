"""Compares methods of the graph builder with the functions of Python that they are named for.

  python graph_ops.py CASES.json

The document is {"model": DIR, "signature": KEY, "inputs": {NAME: {"dtype": D, "values": [...]}}}. The model has an output for
each method; the same is computed here, eagerly, from the same inputs. Floating-point numbers are compared to rounding,
everything else exactly, and dtypes and shapes always. What the signature says of a shape must be true. The answer, on
standard output: {"compared": COUNT, "faults": [TEXT, ...]}.
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import numpy as np
import tensorflow as tf

tf.get_logger().setLevel("ERROR")


def branch(index, x):
    return tf.switch_case(index, [lambda: -x, lambda: tf.abs(x), lambda: x * x])


def collatz(start):
    return tf.while_loop(lambda n, steps: n > 1,
                         lambda n, steps: (tf.where(n % 2 == 0, n // 2, 3 * n + 1), steps + 1),
                         [start, tf.constant(0)])


def attention(q, k, v, mask=None):
    scores = tf.matmul(q, k, transpose_b=True) / np.sqrt(k.shape[-1]).astype(np.float32)
    if mask is not None:
        scores = tf.where(mask, scores, np.float32(-3e38))
    return tf.matmul(tf.nn.softmax(scores), v)


def parsed(examples):
    features = {
        "age": tf.io.FixedLenFeature([], tf.int64, default_value=7),
        "size": tf.io.FixedLenFeature([2], tf.float32),
        "name": tf.io.FixedLenFeature([1], tf.string, default_value=["nobody"]),
        "steps": tf.io.FixedLenSequenceFeature([], tf.int64, allow_missing=True),
        "pairs": tf.io.FixedLenSequenceFeature([2], tf.float32, allow_missing=True, default_value=-1.0),
        "tags": tf.io.VarLenFeature(tf.string),
        "counts": tf.io.VarLenFeature(tf.int64),
        "bag": tf.io.RaggedFeature(tf.float32),
    }
    found = tf.io.parse_example(examples, features)
    answer = {"parse_" + name: found[name] for name in ("age", "size", "name", "steps", "pairs")}
    for name in ("tags", "counts"):
        answer["parse_%s_indices" % name] = found[name].indices
        answer["parse_%s_values" % name] = found[name].values
        answer["parse_%s_shape" % name] = found[name].dense_shape
    answer["parse_bag_values"] = found["bag"].values
    answer["parse_bag_splits"] = found["bag"].row_splits
    answer["sparse_to_dense"] = tf.sparse.to_dense(found["tags"], "-")
    answer["parse_one_size"] = tf.io.parse_single_example(examples[0], features)["size"]
    return answer


def vocabulary(model, **options):
    path = os.path.join(model, "assets", "words.txt")
    initializer = tf.lookup.TextFileInitializer(path, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64,
                                                tf.lookup.TextFileIndex.LINE_NUMBER)
    if "num_oov_buckets" in options:
        return tf.lookup.StaticVocabularyTable(initializer, **options)
    return tf.lookup.StaticHashTable(initializer, **options)


def expected(model, i):
    x, y, pos, p, n = i["x"], i["y"], i["positive"], i["integers"], i["divisors"]
    a, b, image, words, ids = i["a"], i["b"], i["image"], i["words"], i["ids"]
    vector, q, k, v = i["vector"], i["query"], i["key"], i["value"]
    less = tf.less(x, y)
    table = tf.constant(tf.train.load_variable(os.path.join(model, "variables", "variables"), "embedding"))
    split = tf.strings.split(words).to_sparse()
    top = tf.math.top_k(x, 2)
    path = os.path.join(model, "assets", "words.txt")
    inverse = tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(path, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER, tf.string,
                                      tf.lookup.TextFileIndex.WHOLE_LINE), "?")
    pairs = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(tf.constant([3, 1, 4], tf.int64), tf.constant([0.5, 1.5, 2.5])), -1.0)
    steps = collatz(i["start"])
    answer = {
        "neg": -x, "abs": tf.abs(x), "sign": tf.sign(x), "square": tf.square(x), "sqrt": tf.sqrt(pos),
        "rsqrt": tf.math.rsqrt(pos), "exp": tf.exp(x), "log": tf.math.log(pos), "log1p": tf.math.log1p(pos),
        "erf": tf.math.erf(x), "sin": tf.sin(x), "cos": tf.cos(x), "floor": tf.floor(x), "ceil": tf.math.ceil(x),
        "round": tf.round(x), "is_nan": tf.math.is_nan(x), "logical_not": tf.logical_not(less),
        "add": tf.add(x, y), "sub": tf.subtract(x, y), "mul": tf.multiply(x, y), "div": tf.divide(x, y),
        "floor_div": tf.math.floordiv(p, n), "floor_mod": tf.math.floormod(p, n), "pow": tf.pow(pos, y),
        "maximum": tf.maximum(x, y), "minimum": tf.minimum(x, y), "squared_difference": tf.math.squared_difference(x, y),
        "broadcast": tf.add(x, vector), "equal": tf.equal(p, n), "not_equal": tf.not_equal(p, n), "less": less,
        "less_equal": tf.less_equal(p, n), "greater": tf.greater(x, y), "greater_equal": tf.greater_equal(p, n),
        "logical_and": tf.logical_and(less, tf.greater(x, 0)), "logical_or": tf.logical_or(less, tf.greater(x, 0)),
        "matmul": tf.matmul(a, b), "matmul_transposed": tf.matmul(b, a, transpose_a=True, transpose_b=True),
        "batch_matmul": tf.matmul(q, v), "batch_matmul_adjoint": tf.matmul(q, k, adjoint_b=True),
        "add_n": tf.add_n([x, y, x]), "clip_by_value": tf.clip_by_value(x, -0.5, 0.75),
        "cast_int": tf.cast(x, tf.int32), "cast_half": tf.cast(tf.cast(x, tf.float16), tf.float32),
        "cast_bool": tf.cast(less, tf.int64), "select": tf.where(less, x, y), "select_broadcast": tf.where(less, x, -1.0),
        "reduce_sum": tf.reduce_sum(x, [0]), "reduce_sum_all": tf.reduce_sum(x, [0, 1]),
        "reduce_mean": tf.reduce_mean(x, [-1], keepdims=True), "reduce_max": tf.reduce_max(x, [1]),
        "reduce_min": tf.reduce_min(p, [0]), "reduce_prod": tf.reduce_prod(x, [-1]), "reduce_all": tf.reduce_all(less, [1]),
        "reduce_any": tf.reduce_any(less, [1]), "argmax": tf.argmax(x, -1), "argmin": tf.argmin(x, 0),
        "top_k_values": top.values, "top_k_indices": top.indices, "cumsum": tf.cumsum(x, 1),
        "zeros_like": tf.zeros_like(x), "ones_like": tf.ones_like(p), "stop_gradient": tf.stop_gradient(x),
        "identity": tf.identity(x), "reshape": tf.reshape(x, [2, -1]), "reshape_to": tf.reshape(x, tf.shape(y)),
        "shape": tf.shape(image), "concat": tf.concat([x, y], -1), "concat_rows": tf.concat([x, y, x], 0),
        "split_0": tf.split(x, 2, 1)[0], "split_1": tf.split(x, 2, 1)[1],
        "split_sizes_0": tf.split(x, [1, -1], 1)[0], "split_sizes_1": tf.split(x, [1, 3], 1)[1],
        "squeeze": tf.squeeze(tf.expand_dims(x, 0), [0]), "squeeze_all": tf.squeeze(tf.expand_dims(x, 0)),
        "expand_dims": tf.expand_dims(x, -1), "transpose": tf.transpose(image, [0, 3, 1, 2]),
        "strided_slice": image[:, 1:-1, ::2, 0], "strided_slice_back": image[-1, ::-1, tf.newaxis, 3:],
        "slice": tf.slice(x, [1, 0], [2, -1]), "pad": tf.pad(x, [[1, 0], [0, 2]]),
        "pad_with": tf.pad(x, [[0, 1], [2, 0]], constant_values=-7.0), "tile": tf.tile(x, [2, 1]),
        "stack": tf.stack([x, y], 1), "unstack": tf.unstack(x, axis=0)[2], "gather": tf.gather(x, ids, axis=1),
        "gather_rows": tf.gather(x, ids), "gather_nd": tf.gather_nd(x, [[0, 1], [2, 3]]),
        "one_hot": tf.one_hot(ids, 4), "one_hot_int": tf.one_hot(ids, 4, dtype=tf.int64),
        "fill": tf.fill([2, 3], 2.5), "range": tf.range(1, 10, 3),
        "relu": tf.nn.relu(x), "relu6": tf.nn.relu6(x * 5), "elu": tf.nn.elu(x), "selu": tf.nn.selu(x),
        "sigmoid": tf.nn.sigmoid(x), "tanh": tf.nn.tanh(x), "softplus": tf.nn.softplus(x), "softsign": tf.nn.softsign(x),
        "softmax": tf.nn.softmax(x), "log_softmax": tf.nn.log_softmax(x), "leaky_relu": tf.nn.leaky_relu(x, 0.3),
        "swish": tf.nn.swish(x), "gelu": tf.nn.gelu(x), "gelu_approximate": tf.nn.gelu(x, approximate=True),
        "dropout": x, "bias_add": tf.nn.bias_add(image, i["channels"]),
        "batch_norm": tf.nn.batch_normalization(image, i["channels"], i["variance"], i["channels"], i["variance"], 1e-3),
        "fused_batch_norm": tf.compat.v1.nn.fused_batch_norm(
            image, i["variance"], i["channels"], i["channels"], i["variance"], 1e-3, is_training=False)[0],
        "layer_norm": tf.keras.layers.LayerNormalization(
            epsilon=1e-5, gamma_initializer=tf.constant_initializer(vector.numpy()), beta_initializer="ones")(x),
        "embedding_lookup": tf.nn.embedding_lookup(table, ids), "attention": attention(q, k, v),
        "attention_masked": attention(q, k, v, i["mask"]), "attention_unknown": attention(q, k, v),
        "dense": tf.matmul(a, b) + vector, "dense_batch": tf.matmul(q, b) + vector,
        "conv2d": tf.nn.conv2d(image, i["filter"], 1, "SAME"), "conv2d_valid": tf.nn.conv2d(image, i["filter"], [2, 1], "VALID"),
        "conv2d_explicit": tf.nn.conv2d(image, i["filter"], 2, [[0, 0], [1, 0], [2, 1], [0, 0]]),
        "dilated_conv2d": tf.nn.conv2d(image, i["filter"], 1, "VALID", dilations=[1, 2]),
        "depthwise_conv2d": tf.nn.depthwise_conv2d(image, i["filter"], [1, 2, 2, 1], "SAME"),
        "max_pool": tf.nn.max_pool2d(image, 2, 2, "VALID"), "max_pool_same": tf.nn.max_pool2d(image, [3, 2], [2, 1], "SAME"),
        "max_pool_explicit": tf.nn.max_pool2d(image, 2, 1, [[0, 0], [1, 0], [0, 1], [0, 0]]),
        "avg_pool": tf.nn.avg_pool2d(image, [2, 3], [2, 2], "SAME"),
        "string_strip": tf.strings.strip(words), "as_string": tf.strings.as_string(p),
        "string_join": tf.strings.join([words, words], "-"), "string_lower": tf.strings.lower(words, "utf-8"),
        "string_upper": tf.strings.upper(words, "utf-8"), "string_length": tf.strings.length(words),
        "substr": tf.strings.substr(words, -2, 1),
        "regex_replace": tf.strings.regex_replace(words, "([aeiou])", r"<\1>"),
        "regex_full_match": tf.strings.regex_full_match(words, "[a-z]+"),
        "string_to_float": tf.strings.to_number(i["numerals"]), "string_to_int": tf.strings.to_number(i["numerals"], tf.int64),
        "string_to_hash_bucket": tf.strings.to_hash_bucket_fast(words, 10),
        "string_split_indices": split.indices, "string_split_values": split.values, "string_split_shape": split.dense_shape,
        "vocabulary": vocabulary(model, default_value=-5).lookup(words),
        "vocabulary_buckets": vocabulary(model, num_oov_buckets=3).lookup(words),
        "vocabulary_inverse": inverse.lookup(ids), "hash_table": pairs.lookup(ids),
        "table_size": pairs.size(),
        "if_true": tf.cond(tf.constant(True), lambda: -x, lambda: tf.abs(x)),
        "if_false": tf.cond(tf.constant(False), lambda: -x, lambda: tf.abs(x)),
        "case_0": branch(tf.constant(0), x), "case_1": branch(tf.constant(1), x), "case_9": branch(tf.constant(9), x),
        "while_number": steps[0], "while_steps": steps[1], "call": tf.square(x) + 1,
    }
    answer.update(parsed(i["examples"]))
    return answer


def fault_of(got, wanted):
    if got.dtype != wanted.dtype or got.shape != wanted.shape:
        return "is %s %s, not %s %s" % (got.dtype, got.shape, wanted.dtype, wanted.shape)
    if got.dtype.kind == "f":
        if np.allclose(got, wanted, rtol=2e-6, atol=1e-6, equal_nan=True):
            return None
        return "differs by %g" % np.max(np.abs(got - wanted))
    return None if (got == wanted).all() else "is %s, not %s" % (got.tolist(), wanted.tolist())


def main(path):
    with open(path) as file:
        case = json.load(file)
    inputs = {}
    for name, description in case["inputs"].items():
        values = description["values"]
        if name == "examples":
            values = [bytes.fromhex(text) for text in values]
        inputs[name] = tf.constant(values, dtype=description["dtype"])
    wanted = {name: value.numpy() for name, value in expected(case["model"], inputs).items()}
    faults, compared = [], 0

    def compare(route, got, shapes):
        nonlocal compared
        for name in sorted(set(got) ^ set(wanted)):
            faults.append("%s: %s is only in %s" % (route, name, "the model" if name in got else "the script"))
        for name in sorted(set(got) & set(wanted)):
            compared += 1
            fault = fault_of(np.asarray(got[name]), np.asarray(wanted[name]))
            if fault is None and not tf.TensorShape(shapes[name]).is_compatible_with(np.asarray(got[name]).shape):
                fault = "has shape %s, said to be %s" % (np.asarray(got[name]).shape, shapes[name])
            if fault:
                faults.append("%s: %s %s" % (route, name, fault))

    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        meta_graph = tf.compat.v1.saved_model.load(session, ["serve"], case["model"])
        signature = meta_graph.signature_def[case["signature"]]
        shapes = {name: info.tensor_shape for name, info in signature.outputs.items()}
        got = session.run({name: info.name for name, info in signature.outputs.items()},
                          {signature.inputs[name].name: value.numpy() for name, value in inputs.items()})
        compare("v1", got, shapes)
    model = tf.saved_model.load(case["model"])
    got = model.signatures[case["signature"]](**inputs)
    compare("v2", {name: value.numpy() for name, value in got.items()}, shapes)
    print(json.dumps({"compared": compared, "faults": faults}))


main(sys.argv[1])
