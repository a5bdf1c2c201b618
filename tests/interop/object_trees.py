"""Objects of many shapes in checkpoints of TensorFlow, described and restored.

  python object_trees.py make OUT        for each case OUT/CASE/tree.json and what TensorFlow writes of it, OUT/CASE/ckpt*
  python object_trees.py restore OUT     restores OUT/CASE/ours/ckpt* into new objects, with each check that TensorFlow
                                         has, and compares all values with OUT/CASE/ckpt*; prints the cases and how many values they had

tree.json is {"saves", "objects": [object]}, the root first, then depth first with the last child before the others:
{"kind", "children": [[name, number]], "full_name", "value", "attributes": [[name, value]],
 "slots": [[slot name, number of the original, number of the variable]]}.
A value is {"dtype", "shape", "hex"}, of strings {"dtype", "shape", "strings"}. With "saves" the tree is saved as often
with Checkpoint.save, and written once otherwise.

`make ../vectors/object_trees` gives the stored ones: without those of Keras, whose names change with its releases, and
the random ones.
"""
import collections
import json
import os
import random
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import numpy as np
import tensorflow as tf
from tensorflow.python.checkpoint import util
from tensorflow.python.trackable import data_structures

CASES = {}


def case(builder):
    CASES[builder.__name__] = builder
    return builder


class Values:
    """Numbers to fill variables with: different ones, or zeros of the same form."""

    def __init__(self, zeros):
        self.zeros, self.next = zeros, 1

    def __call__(self, shape=(), dtype="float32"):
        dtype = tf.dtypes.as_dtype(dtype)
        count = int(np.prod(shape))
        if dtype == tf.string:
            values = [b"" if self.zeros else b"s\x00%d" % (self.next + i) * (i % 3 + 1) for i in range(count)]
            array = np.array(values, dtype=object).reshape(shape)
        else:
            array = np.arange(self.next, self.next + count) % (2 if dtype == tf.bool else 100)
            array = (array * (0 if self.zeros else 1)).reshape(shape).astype(dtype.as_numpy_dtype)
        self.next += count
        return tf.constant(array, dtype)

    def variable(self, shape=(), dtype="float32", **arguments):
        return tf.Variable(self(shape, dtype), **arguments)


class Dense(tf.Module):
    def __init__(self, v, inputs, outputs, name=None):
        super().__init__(name=name)
        self.kernel = v.variable((inputs, outputs), name="kernel")
        self.bias = v.variable((outputs,), name="bias")

    @tf.function
    def __call__(self, x):
        return x @ self.kernel + self.bias


@case
def modules(v):
    net = tf.Module(name="net")
    net.second = Dense(v, 3, 2, name="second")
    net.first = Dense(v, 2, 3, name="first")
    net.nothing = tf.Module()
    net.step = tf.function(lambda x: x)
    net.number, net.text, net.none = 5, "text", None
    net.inner = tf.Module()
    net.inner.inner = tf.Module()
    net.inner.inner.scale = v.variable(name="scale", trainable=False)
    return tf.train.Checkpoint(net=net)


@case
def lists(v):
    net = tf.Module()
    net.layers = [Dense(v, 2, 2), [v.variable(), [v.variable((2,))]], [], Dense(v, 2, 1)]
    net.mixed = [1, v.variable(), "text", None, v.variable(dtype="int64")]
    net.many = [v.variable() for _ in range(12)]
    net.plain = [1, 2]
    return tf.train.Checkpoint(net=net)


@case
def dicts(v):
    net = tf.Module()
    net.by_name = {"b": v.variable(), "a": v.variable((2,)), "a/b": v.variable(), "a.b": v.variable(), "größe": v.variable()}
    net.by_name["later"] = {"0": v.variable(), "1": 7, "inner": {"x": [v.variable()]}}
    net.numbered = {1: "no object", 2.5: 3, "three": v.variable()}
    net.ordered = collections.OrderedDict([("z", v.variable()), ("y", v.variable())])
    net.empty = {}
    return tf.train.Checkpoint(net=net)


Point = collections.namedtuple("Point", ["x", "y", "z"])


@case
def tuples(v):
    net = tf.Module()
    net.pair = (v.variable(), Dense(v, 1, 1))
    net.point = Point(x=v.variable(), y=[v.variable((3,))], z=v.variable(dtype="int32"))
    net.mixed = (1, v.variable(), (2, (v.variable(),)))
    net.plain = (1, 2)
    return tf.train.Checkpoint(net=net)


@case
def shared(v):
    net = tf.Module()
    net.deep = tf.Module()
    net.deep.deeper = tf.Module()
    net.deep.deeper.w = v.variable((2,), name="w")
    net.w = net.deep.deeper.w
    net.deep.parent = net
    net.itself = net
    net.twice = [net.w, net.w, net.deep]
    other = tf.Module()
    other.w, other.net = net.w, net
    return tf.train.Checkpoint(b=net, a=other, w=net.w)


@case
def names(v):
    net = tf.Module()
    for name in ["a/b", "a.b", "a", "b", "a.Sb", "..", ".", "/", ".ATTRIBUTES.", "/.OPTIMIZER_SLOT/", "größe", "模型",
                 "with space", "\U0001f600", "e\u0301", "\u00e9", "-1", "VARIABLE_VALUE", "quote'\"\\", "line\nbreak"]:
        setattr(net, name, v.variable(name="x"))
    inner = tf.Module()
    inner.w = v.variable()
    setattr(net, "dir/name.ext", inner)
    return tf.train.Checkpoint(**{"net": net, "other/net.x": inner})


@case
def saved_three_times(v):
    return tf.train.Checkpoint(step=v.variable(dtype="int64", name="global_step"), net=Dense(v, 2, 2))


saved_three_times.saves = 3


@case
def root_with_more(v):
    net = Dense(v, 2, 2)
    net.parts = [v.variable(name="part")]
    net.scale = v.variable(name="scale")
    return tf.train.Checkpoint(net, step=v.variable(dtype="int64"), scale=net.scale, extra={"w": v.variable()})


root_with_more.saves = 1


@case
def root_is_a_variable(v):
    root = v.variable((2,), name="alone")
    # A variable of two elements has no truth value, which Checkpoint asks for.
    type(root).__bool__, before = lambda self: True, type(root).__bool__
    try:
        return tf.train.Checkpoint(root)
    finally:
        type(root).__bool__ = before


root_is_a_variable.saves = 1


@case
def no_values(v):
    net = tf.Module()
    net.inner, net.list, net.dict = tf.Module(), [], {}
    return tf.train.Checkpoint(net=net)


@case
def dtypes(v):
    net = tf.Module()
    for name in ["float64", "float32", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
                 "uint64", "bool", "complex64", "complex128", "string"]:
        with tf.device("/cpu:0"):
            setattr(net, name, v.variable((2, 3), name, name=name))
            setattr(net, name + "_empty", v.variable((0, 3), name))
            setattr(net, name + "_scalar", v.variable((), name))
    net.partly_known = tf.Variable(v((2, 3)), shape=[None, 3])
    return tf.train.Checkpoint(net=net)


class State(tf.train.experimental.PythonState):
    def __init__(self, v, text):
        self.text = b"" if v.zeros else text

    def serialize(self):
        return self.text

    def deserialize(self, text):
        self.text = text


@case
def python_states(v):
    net = tf.Module()
    net.state = State(v, b"one \x00\xff")
    net.w = v.variable()
    net.inner = tf.Module()
    net.inner.state = State(v, b"two")
    net.inner.w = v.variable()
    return tf.train.Checkpoint(net=net, state=State(v, b"three"))


class Serialized(tf.Module):
    def __init__(self, v):
        super().__init__()
        self.tensors = {"plain": v((2,)), "with space": v(), "größe": v((), "string")}
        self.w = v.variable()

    def _serialize_to_tensors(self):
        return self.__dict__["tensors"].__wrapped__ if hasattr(self.tensors, "__wrapped__") else self.tensors

    def _restore_from_tensors(self, restored):
        for name, tensor in restored.items():
            self.tensors[name] = tensor
        return tf.no_op()


@case
def attributes(v):
    net = tf.Module()
    net.custom, net.w = Serialized(v), v.variable()
    return tf.train.Checkpoint(net=net)


@case
def tables(v):
    net = tf.Module()
    net.w = v.variable()
    net.table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, default_value=-1)
    net.dense = tf.lookup.experimental.DenseHashTable(tf.int64, tf.float32, default_value=[0.0, 0.0], empty_key=-1, deleted_key=-2,
                                                         initial_num_buckets=4)
    net.none = tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, default_value=0)
    if not v.zeros:
        net.table.insert(["a"], [1])
        net.dense.insert([7], [[1.0, 2.0]])
    net.last = v.variable()
    return tf.train.Checkpoint(net=net)


def minimize(optimizer, variables):
    optimizer.minimize(lambda: tf.add_n([tf.reduce_sum(w * w) for w in variables]), var_list=variables)


@case
def momentum(v):
    net = tf.Module()
    net.layers = [Dense(v, 2, 3), Dense(v, 3, 1)]
    optimizer = tf.compat.v1.train.MomentumOptimizer(0.1, 0.9)
    minimize(optimizer, net.trainable_variables)
    return tf.train.Checkpoint(optimizer=optimizer, net=net)


@case
def adam(v):
    net = Dense(v, 2, 3)
    optimizer = tf.compat.v1.train.AdamOptimizer(0.1)
    minimize(optimizer, net.trainable_variables)
    return tf.train.Checkpoint(optimizer=optimizer, net=net)


adam.saves = 2


class Slots(tf.Module):
    """An optimizer with slots whose names are in no order."""

    def __init__(self, v, variables, names):
        super().__init__()
        self._slots = {(name, w.ref()): v.variable(w.shape, name="slot") for w in variables for name in names}
        self._delete_tracking("_slots")
        self.names = tf.nest.flatten(names)
        self.rate = v.variable(name="rate")

    def get_slot_names(self):
        return list(self.names)

    def get_slot(self, variable, name):
        return self._slots[name, variable.ref()]

    def _create_or_restore_slot_variable(self, slot_variable_position, slot_name, variable):
        slot_variable_position.restore(self.get_slot(variable, slot_name))


@case
def slots(v):
    net = tf.Module()
    net.deep = tf.Module()
    net.deep.w = v.variable((2,))
    net.z = v.variable()
    net.a = v.variable((3,))
    setattr(net, "x/y.z", v.variable())
    net.inner = {"opt/1": Slots(v, [net.a, net.deep.w, getattr(net, "x/y.z")], ["v", "m/n.o", "größe"])}
    checkpoint = tf.train.Checkpoint(net=net, opt=Slots(v, [net.z, net.deep.w], ["v", "m"]))
    return checkpoint


@case
def slots_of_the_root(v):
    w = v.variable((2,))
    root = Slots(v, [w], ["m"])
    root.w = w
    return tf.train.Checkpoint(root)


@case
def deep(v):
    net = inner = tf.Module()
    for level in range(40):
        inner.next, inner.w = tf.Module(), v.variable(name="w%d" % level)
        inner = inner.next
    return tf.train.Checkpoint(net=net)


def random_tree(seed):
    def build(v):
        choose = random.Random(seed)
        modules, variables, slotted = [tf.Module()], [], []

        def name():
            return choose.choice(["a", "b", "c", "w", "layer", "x/y", "x.y", ".S", "é", "0", "10"]) + str(choose.randrange(30))

        def some(depth):
            kind = choose.randrange(12 if depth < 5 else 3)
            if kind < 3 or not variables:
                variables.append(v.variable((choose.randrange(4),), choose.choice(["float32", "int64", "string"]), name=name()))
                if variables[-1].dtype == tf.float32:
                    slotted.append(variables[-1])
                return variables[-1]
            if kind == 3:
                return choose.choice(variables)
            if kind == 4:
                return choose.choice(modules)
            if kind == 5:
                return [some(depth + 1) if choose.random() < 0.8 else 5 for _ in range(choose.randrange(4))]
            if kind == 6:
                return {name(): some(depth + 1) for _ in range(choose.randrange(4))}
            if kind == 7:
                return tuple(some(depth + 1) for _ in range(choose.randrange(1, 4)))
            if kind == 8:
                return Point(*(some(depth + 1) for _ in range(3)))
            modules.append(tf.Module())
            module = modules[-1]
            for _ in range(choose.randrange(5)):
                setattr(module, name(), some(depth + 1))
            return module

        root = modules[0]
        for _ in range(8):
            setattr(root, name(), some(0))
        tracked = [w for w in slotted if w.ref() in {u.ref() for u in tf.train.TrackableView(root).descendants()
                                                    if isinstance(u, tf.Variable)}]
        if tracked:
            choose.shuffle(tracked)
            setattr(root, name() + "opt", Slots(v, tracked[:4], choose.sample(["v", "m", "é/.", "a"], 2)))
        return tf.train.Checkpoint(root=root, extra=some(5)) if choose.random() < 0.5 else tf.train.Checkpoint(**{name(): root})

    build.saves = seed % 3
    return build


for seed in range(1, 31):
    CASES["random_%d" % seed] = random_tree(seed)


def keras_net(v, optimizer):
    import keras

    keras.utils.clear_session()
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, name="first"), keras.layers.BatchNormalization(),
                              keras.layers.Dropout(0.5), keras.layers.Dense(2, name="second")])
    model.compile(optimizer, "mse")
    model.fit(np.ones((4, 3), "float32"), np.ones((4, 2), "float32"), epochs=1, verbose=0)
    if v.zeros:
        for variable in [*model.variables, *model.optimizer.variables]:
            variable.assign(tf.zeros(variable.shape, variable.dtype))
    return model


@case
def keras_adam(v):
    model = keras_net(v, "adam")
    return tf.train.Checkpoint(model=model, optimizer=model.optimizer)


@case
def keras_sgd(v):
    import keras

    return tf.train.Checkpoint(keras_net(v, keras.optimizers.SGD(0.1, momentum=0.9)))


keras_sgd.saves = 1


def value(tensor):
    array = tensor.numpy()
    row = {"dtype": tensor.dtype.name, "shape": tensor.shape.as_list()}
    if tensor.dtype == tf.string:
        row["strings"] = [item.hex() for item in np.ravel(array).tolist()]
    else:
        row["hex"] = np.ascontiguousarray(array).tobytes().hex()
    return row


def describe(checkpoint):
    view = checkpoint._saver._graph_view
    numbers, objects, rows = {}, [], {}

    def add(item):
        if id(item) not in numbers:
            numbers[id(item)] = len(objects)
            objects.append(item)
            left.append(item)
        return numbers[id(item)]

    left = []
    add(view.root)
    while left:
        item = left.pop()
        children = view.list_children(item)
        rows[id(item)] = row = {"kind": "module"}
        row["children"] = [[child.name, add(child.ref)] for child in children]
        if isinstance(item, data_structures._TupleWrapper):
            row["kind"] = "named_tuple" if hasattr(item, "_fields") else "tuple"
        elif isinstance(item, data_structures.List):
            row["kind"] = "list"
        elif isinstance(item, data_structures._DictWrapper):
            row["kind"] = "dict"
        elif isinstance(item, tf.train.experimental.PythonState):
            row.update(kind="python_state", state=item.serialize().hex())
        elif isinstance(item, (tf.lookup.experimental.MutableHashTable, tf.lookup.experimental.DenseHashTable)):
            row.update(kind="table", keys=value(item.export()[0]), values=value(item.export()[1]))
        else:
            tensors = item._serialize_to_tensors() if serializes(item) else {}
            tensors = {name: getattr(tensor, "tensor", tensor) for name, tensor in tensors.items()}
            if "VARIABLE_VALUE" in tensors:
                row.update(kind="variable", value=value(tensors.pop("VARIABLE_VALUE")), full_name=util.get_full_name(item))
            if tensors:
                row["attributes"] = [[name, value(tensor)] for name, tensor in tensors.items()]
    tracked = list(objects)
    for item in tracked:
        if "get_slot_names" not in dir(item):
            continue
        row = rows[id(item)]
        row["slots"] = []
        for name in item.get_slot_names():
            # In no order: it is the writer that sorts them.
            for original in reversed(tracked):
                try:
                    slot = item.get_slot(original, name)
                except (AttributeError, KeyError):
                    slot = None
                if slot is not None:
                    row["slots"].append([name, numbers[id(original)], add(slot)])
    for item in left:
        tensor, = item._serialize_to_tensors().values()
        tensor = getattr(tensor, "tensor", tensor)
        rows[id(item)] = {"kind": "variable", "value": value(tensor), "full_name": util.get_full_name(item), "children": []}
    return [rows[id(item)] for item in objects]


def serializes(item):
    from tensorflow.python.training.saving import saveable_object_util

    return saveable_object_util.trackable_has_serialize_to_tensor(item)


def saved(directory, saves):
    """The prefix of the last checkpoint."""
    return os.path.join(directory, "ckpt-%d" % saves if saves else "ckpt")


def make(out):
    for name, build in CASES.items():
        if os.path.basename(os.path.normpath(out)) == "object_trees" and name.startswith(("keras", "random")):
            continue
        directory = os.path.join(out, name)
        os.makedirs(directory, exist_ok=True)
        checkpoint = build(Values(zeros=False))
        saves = getattr(build, "saves", 0)
        objects = describe(checkpoint)
        for _ in range(saves):
            checkpoint.save(os.path.join(directory, "ckpt"))
        if not saves:
            checkpoint.write(os.path.join(directory, "ckpt"))
        with open(os.path.join(directory, "tree.json"), "w", encoding="utf-8") as file:
            rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in objects)
            file.write('{"saves": %d, "objects": [\n%s\n]}\n' % (saves, rows))


def values_of(prefix):
    reader = tf.train.load_checkpoint(prefix)
    names = sorted(reader.get_variable_to_shape_map())
    return {name: value(tf.constant(reader.get_tensor(name), dtype=reader.get_variable_to_dtype_map()[name])) for name in names}


def restore(out):
    for name, build in CASES.items():
        directory = os.path.join(out, name)
        saves = getattr(build, "saves", 0)
        checkpoint = build(Values(zeros=True))
        if saves:
            checkpoint.save_counter
        status = (checkpoint.restore if saves else checkpoint.read)(saved(os.path.join(directory, "ours"), saves))
        status.assert_consumed()
        status.assert_existing_objects_matched()
        if name != "no_values":
            status.assert_nontrivial_match()
        # What was restored, written once more, is compared with what TensorFlow wrote of the first objects.
        checkpoint.write(os.path.join(directory, "again"))
        again, theirs = values_of(os.path.join(directory, "again")), values_of(saved(directory, saves))
        if again != theirs:
            differing = [key for key in sorted({*again, *theirs}) if again.get(key) != theirs.get(key)]
            sys.exit("%s: other values after restoring: %s" % (name, differing))
        print("%s %d" % (name, len(theirs)))


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("make", "restore"):
        sys.exit(__doc__)
    {"make": make, "restore": restore}[sys.argv[1]](sys.argv[2])


main()
