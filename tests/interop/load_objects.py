"""Loads models of objects that were described elsewhere, and checks that they are what was described.

  python load_objects.py MODULE PERCEPTRON EXAMPLE ODDITIES

The answer, on standard output, is {"passed": COUNT, "failed": [TEXT, ...], "show": TEXT}: how many of the checks below
hold, which do not, and what the stock saved_model_cli prints of MODULE.
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

tf.get_logger().setLevel("ERROR")

PATH, PERCEPTRON, EXAMPLE, ODDITIES = sys.argv[1:]
CHECKS = []
X = tf.constant([[1.0, 1.0]])


def check(function):
    CHECKS.append(function)
    return function


def refuses(call):
    try:
        call()
    except (ValueError, TypeError):
        return True
    return False


@check
def values(m):
    return (m.w.numpy().tolist() == [[1, 2], [3, 4]] and m.b.numpy().tolist() == [0.5, -0.5]
            and m.counter.numpy() == 7)


@check
def trainable_flags(m):
    return [v.trainable for v in (m.w, m.b, m.counter)] == [True, True, False]


@check
def names_of_variables(m):
    return [v.name for v in (m.w, m.b, m.counter)] == ["w:0", "b:0", "counter:0"]


@check
def lists_share_objects(m):
    return (m.trainable_variables[0] is m.w and m.trainable_variables[1] is m.b and m.variables[2] is m.counter
            and len(m.trainable_variables) == 2 and len(m.variables) == 3)


@check
def containers(m):
    return (len(m.layers) == 2 and m.layers[1].scale.numpy() == 1 and m.config["weights"] is m.w
            and m.config["a/b.c d"].numpy() == 4 and m.pair[0] is m.b and len(m.pair) == 2)


@check
def root_is_callable(m):
    return np.allclose(m(X), [[4.5, 5.5]])


@check
def other_batch(m):
    return m(tf.ones([5, 2])).shape == (5, 2)


@check
def python_list_as_input(m):
    return np.allclose(m([[1.0, 1.0]]), [[4.5, 5.5]])


@check
def keyword_as_input(m):
    return np.allclose(m(x=X), [[4.5, 5.5]])


@check
def training_chooses_the_trace(m):
    return (np.allclose(m(X, training=True), [[9, 11]]) and np.allclose(m(X, True), [[9, 11]])
            and np.allclose(m(X, training=False), [[4.5, 5.5]]))


@check
def wrong_shape_is_refused(m):
    return refuses(lambda: m(tf.ones([5, 3])))


@check
def wrong_python_value_is_refused(m):
    return refuses(lambda: m(X, training=None))


@check
def structures(m):
    answer = m.combine({"left": [tf.constant([1., 2.])], "right": tf.constant([10., 20.])}, factor=tf.constant(2.))
    return (sorted(answer) == ["difference", "sum"] and answer["sum"].numpy().tolist() == [122, 144]
            and answer["difference"].numpy().tolist() == [82, 64])


@check
def losses(m):
    return len(m.regularization_losses) == 1 and m.regularization_losses[0]().numpy() == 15


@check
def functions_change_variables(m):
    return m.count().numpy() == 8 and m.counter.numpy() == 8 and m.counter.assign(7) is not None


@check
def signatures(m):
    s = m.signatures["serving_default"]
    return (sorted(m.signatures) == ["combine", "lookup", "path", "serving_default"]
            and np.allclose(s(x=X)["output_0"], [[4.5, 5.5]]) and np.allclose(s(X)["output_0"], [[4.5, 5.5]])
            and s.structured_outputs["output_0"].shape.as_list() == [None, 2]
            and s.structured_input_signature[1]["x"] == tf.TensorSpec([None, 2], tf.float32, "x"))


@check
def variables_of_signatures(m):
    s = m.signatures["serving_default"]
    return len(s.variables) == 2 and len(s.trainable_variables) == 2


@check
def signature_of_several_inputs(m):
    answer = m.signatures["combine"](right=tf.constant([10.]), factor=tf.constant(3.), first=tf.constant([1.]))
    return answer["sum"].numpy().tolist() == [133] and answer["difference"].numpy().tolist() == [73]


@check
def asset(m):
    path = m.vocabulary.asset_path.numpy().decode()
    return path == os.path.join(PATH, "assets", "words.txt") and open(path).read() == "zero\none\ntwo\n"


@check
def captured_asset(m):
    return (m.read_vocabulary().numpy() == b"zero\none\ntwo\n"
            and m.signatures["path"]()["output_0"].numpy() == b"zero\none\ntwo\n")


@check
def tables(m):
    answer = m.lookup(tf.constant(["two", "ten", "zero"]))
    return (answer["ids"].numpy().tolist() == [2, -1, 0] and answer["prices"].numpy().tolist() == [2.5, 0, 0]
            and answer["tags"].numpy().tolist() == [b"word:two", b"word:ten", b"word:zero"]
            and m.ids.resource_handle.dtype == tf.resource)


@check
def shapes_in_graphs(m):
    @tf.function(input_signature=[tf.TensorSpec([7, 2], tf.float32)])
    def outer(x):
        y = m(x)
        assert y.shape.as_list()[1] == 2, y.shape
        return y * 2.0
    return np.allclose(outer(tf.ones([7, 2]))[0], [9, 11])


@check
def gradients_move_the_variables(m):
    losses = []
    for _ in range(25):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(m(X) ** 2)
        gradients = tape.gradient(loss, m.trainable_variables)
        for variable, gradient in zip(m.trainable_variables, gradients):
            variable.assign_sub(0.1 * gradient)
        losses.append(float(loss))
    return losses[-1] < losses[0] * 1e-3 and np.abs(m(X)).max() < 0.2


@check
def gradients_through_signatures(m):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(m.signatures["serving_default"](x=X)["output_0"])
    return all(g is not None for g in tape.gradient(loss, list(m.trainable_variables)))


@check
def saved_again(m):
    m.w.assign([[1., 2.], [3., 5.]])
    m.b.assign([.5, -.5])
    with tempfile.TemporaryDirectory() as directory:
        tf.saved_model.save(m, directory + "/m", signatures=m.signatures)
        n = tf.saved_model.load(directory + "/m")
        return (np.allclose(n(X), [[4.5, 6.5]]) and np.allclose(n(X, training=True), [[9, 13]])
                and n.trainable_variables[0] is n.w and n.lookup(tf.constant(["two"]))["ids"].numpy() == [2]
                and np.allclose(n.signatures["serving_default"](x=X)["output_0"], [[4.5, 6.5]]))


@check
def bundle_is_a_checkpoint(m):
    root = tf.Module()
    root.w = tf.Variable(tf.zeros([2, 2]))
    root.config = {"a/b.c d": tf.Variable(0.)}
    tf.train.Checkpoint(root=root).restore(PATH + "/variables/variables").expect_partial()
    return root.w.numpy().tolist() == [[1, 2], [3, 4]] and root.config["a/b.c d"].numpy() == 4


@check
def session_saves_a_checkpoint_of_objects(m):
    with tempfile.TemporaryDirectory() as directory, tf.compat.v1.Session(graph=tf.Graph()) as session:
        tf.compat.v1.saved_model.load(session, ["serve"], PATH)
        meta_graph = saved_model_cli.saved_model_utils.get_meta_graph_def(PATH, "serve")
        saver = meta_graph.saver_def
        session.run(saver.save_tensor_name, {saver.filename_tensor_name: directory + "/c"})
        old = tf.train.load_checkpoint(PATH + "/variables/variables")
        new = tf.train.load_checkpoint(directory + "/c")
        keys = old.get_variable_to_shape_map()
        return (keys == new.get_variable_to_shape_map() and
                all(np.array_equal(old.get_tensor(key), new.get_tensor(key)) for key in keys))


@check
def converted_for_small_devices(m):
    converter = tf.lite.TFLiteConverter.from_saved_model(PERCEPTRON)
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    run = interpreter.get_signature_runner("serving_default")
    x = np.array([[1, 2, 3]], np.float32)
    n = tf.saved_model.load(PERCEPTRON)
    return np.allclose(run(x=x)["output_0"], n(x))


@check
def loaded_twice(m):
    again = tf.saved_model.load(PATH)
    return again.w is not m.w and again.lookup(tf.constant(["one"]))["ids"].numpy() == [1]


@check
def example(_):
    m = tf.saved_model.load(EXAMPLE)
    words = tf.constant(["bonjour", "hello", "ciao"])
    return (np.allclose(m(words, training=True), [[-1.5, 2], [2.5, -2], [0.5, 0]])
            and np.allclose(m(words), tf.nn.softmax(m(words, training=True)))
            and m.trainable_variables[1] is m.layers[0].bias and not m.settings["temperature"].trainable
            and m.variables[2] is m.settings["temperature"] and m.regularization_losses[0]().numpy() == 18
            and os.path.basename(m.vocabulary.asset_path.numpy().decode()) == "words.txt")


@check
def example_saved_again(_):
    m = tf.saved_model.load(EXAMPLE)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(m(tf.constant(["bonjour"]), training=True)) + m.regularization_losses[0]()
    for variable, gradient in zip(m.trainable_variables, tape.gradient(loss, m.trainable_variables)):
        variable.assign_sub(0.1 * tf.convert_to_tensor(gradient))
    with tempfile.TemporaryDirectory() as directory:
        tf.saved_model.save(m, directory + "/m", signatures=m.signatures)
        n = tf.saved_model.load(directory + "/m")
        words = tf.constant(["bonjour", "ciao"])
        return (np.allclose(n(words), m(words)) and np.allclose(n.layers[0].bias, [0.4, -0.1])
                and np.allclose(n.signatures["serving_default"](words)["probabilities"], m(words)))


@check
def oddities(_):
    m = tf.saved_model.load(ODDITIES)
    assert m.assign(tf.constant([5., 6.])) is None
    answer = m.twice(tf.ragged.constant([[1.], [2., 3.]], row_splits_dtype=tf.int64))
    assert m.any.name == "a b:0", m.any.name
    return (m.any.shape.as_list() == [None] and m.any.numpy().tolist() == [5, 6]
            and answer.to_list() == [[2], [4, 6]] and m.point[0].numpy() == 1 and m.optimizer.iterations.numpy() == 3)


@check
def slots_are_in_the_bundle(_):
    w = tf.Variable(0.)
    optimizer = tf.train.Checkpoint(iterations=tf.Variable(0, dtype=tf.int64))
    tf.train.Checkpoint(w=w, optimizer=optimizer).restore(ODDITIES + "/variables/variables").expect_partial()
    key = "w/.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE"
    return (w.numpy() == 2 and optimizer.iterations.numpy() == 3
            and tf.train.load_checkpoint(ODDITIES + "/variables/variables").get_tensor(key) == 0.25)


def main():
    passed, failed = 0, []
    model = tf.saved_model.load(PATH)
    for function in CHECKS:
        try:
            if function(model):
                passed += 1
            else:
                failed.append(function.__name__)
        except Exception as error:
            failed.append("%s: %s: %s" % (function.__name__, type(error).__name__, str(error)[-600:]))
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        parser = saved_model_cli.create_parser()
        parser.parse_args(["show", "--dir", PATH, "--all"]).func()
    print(json.dumps({"passed": passed, "failed": failed, "show": shown.getvalue()}))


main()
