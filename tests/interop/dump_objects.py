"""What TensorFlow makes of the object graphs of models and checkpoints: one JSON document.

  python dump_objects.py DIR SUBDIR...

Dumps every SavedModel and TF2 checkpoint below each subdirectory, with names relative to DIR. What is dumped of a model comes from the Python objects
that tf.saved_model.load revived, not from its messages: every name of an object was followed on them and led to it. For models that TensorFlow
refuses, "messages" has what its printer of object graphs says.
"""
import collections
import json
import os
import struct
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import numpy as np
import tensorflow as tf
from tensorflow.python.checkpoint import checkpoint as checkpoint_lib
from tensorflow.python.eager.polymorphic_function import function_type_utils
from tensorflow.python.saved_model import load as load_lib
from tensorflow.python.saved_model import loader_impl
from tensorflow.python.trackable import asset, resource

GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
REFUSALS = (ValueError, TypeError, AttributeError, ImportError, FileNotFoundError, RuntimeError, tf.errors.OpError)


def shape(value):
    return None if value.rank is None else value.as_list()


def structure(value):
    """A value as JSON: what JSON has no form for is a dict with one key that names the type."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return {"float": struct.pack(">d", value).hex()}
    if isinstance(value, tf.TensorShape):
        return {"shape": shape(value)}
    if isinstance(value, tf.DType):
        return {"dtype": value.name}
    if type(value).__name__ == "BoundedTensorSpec":
        return {"bounded": [value.name, value.dtype.name, shape(value.shape), value.minimum.tolist(), value.maximum.tolist()]}
    if isinstance(value, tf.TensorSpec):
        return {"spec": [value.name, value.dtype.name, shape(value.shape)]}
    if isinstance(value, tf.TypeSpec):
        return {"type": type(value).__name__, "state": structure(value._serialize())}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {"named": type(value).__name__, "fields": [[k, structure(v)] for k, v in value._asdict().items()]}
    if isinstance(value, tuple):
        return {"tuple": [structure(v) for v in value]}
    if isinstance(value, list):
        return [structure(v) for v in value]
    if isinstance(value, collections.abc.Mapping):
        return {"dict": {k: structure(v) for k, v in sorted(value.items())}}
    if isinstance(value, tf.Tensor):
        return {"tensor": [value.dtype.name, value.shape.as_list()]}
    if isinstance(value, np.ndarray):
        return {"numpy": [tf.as_dtype(value.dtype).name, list(value.shape)]}
    raise TypeError(f"no JSON form for {type(value)}")


def step(parent, name):
    """Goes from a Python object to one that it holds; returns how that is written, and the object."""
    if isinstance(parent, (list, tuple)):
        return f"[{int(name)}]", parent[int(name)]
    if isinstance(parent, collections.abc.Mapping):
        return f"[{name!r}]", parent[name]
    return f".{name}" if name.isidentifier() else f"[{name!r}]", getattr(parent, name)


def below(parents, node, ancestor):
    while node is not None:
        if node == ancestor:
            return True
        node = parents.get(node)
    return False


def names(proto, nodes):
    """All names of each node that the root leads to, shortest first, and those that do not lead to it in Python."""
    shortest, parents, queue, edges = {0: "root"}, {}, collections.deque([0]), []
    refused = []
    while queue:
        parent = queue.popleft()
        for child in proto.nodes[parent].children:
            edges.append((parent, child))
            if child.node_id not in shortest:
                try:
                    text, value = step(nodes[parent], child.local_name)
                except (AttributeError, KeyError, IndexError, ValueError, TypeError) as error:
                    text, value = f".{child.local_name}", error
                shortest[child.node_id] = shortest[parent] + text
                parents[child.node_id] = parent
                queue.append(child.node_id)
    found = collections.defaultdict(list)
    found[0].append("root")
    for parent, child in edges:
        if below(parents, parent, child.node_id):
            continue
        try:
            text, value = step(nodes[parent], child.local_name)
            same = value is nodes[child.node_id] or (
                isinstance(value, collections.abc.Callable) and getattr(value, "__self__", None) is nodes[child.node_id])
        except (AttributeError, KeyError, IndexError, ValueError, TypeError) as error:
            text, same, value = f".{child.local_name}", False, error
        found[child.node_id].append(shortest[parent] + text)
        if not same:
            refused.append([shortest[parent] + text, type(value).__name__])
    return found, refused


def captured(nodes):
    """What a function holds of each node that it captures."""
    by_id = {}
    for i, node in enumerate(nodes):
        if isinstance(node, tf.Variable):
            by_id[id(node.handle)] = i
        elif isinstance(node, resource.CapturableResource):
            by_id[id(node.resource_handle)] = i
        elif isinstance(node, asset.Asset):
            by_id[id(node.asset_path)] = i
        elif isinstance(node, tf.Tensor):
            by_id[id(node)] = i
    return by_id


def function_spec(function):
    """The full arguments and the input signature of a restored function."""
    spec = function_type_utils.FunctionSpec(function._function_type, function._default_values, False, "f", function._jit_compile)
    full = spec.fullargspec
    return {"args": full.args, "varargs": full.varargs, "varkw": full.varkw, "defaults": structure(full.defaults),
            "kwonlyargs": full.kwonlyargs, "kwonlydefaults": structure(full.kwonlydefaults),
            "input_signature": structure(spec.input_signature), "jit_compile": function._jit_compile}


def value(variable):
    """The first and the last bytes of a variable's value, or its first strings."""
    array = variable.numpy()
    if variable.dtype == tf.string:
        return [bytes(e).hex() for e in np.asarray(array, dtype=object).ravel().tolist()[:4]]
    raw = np.ascontiguousarray(array).tobytes()
    return raw.hex() if len(raw) <= 32 else f"{raw[:16].hex()}..{raw[-16:].hex()}"


def dump_node(node, loaded):
    row = {"class": type(node).__name__}
    if isinstance(node, tf.Variable):
        row.update(kind="variable", name=node.name.removesuffix(":0"), dtype=node.dtype.name, shape=shape(node.shape),
                   trainable=node.trainable, synchronization=node.synchronization.name, aggregation=node.aggregation.name)
        if loaded:
            row["value"] = value(node)
    elif isinstance(node, tf.types.experimental.ConcreteFunction):
        row.update(kind="bare_concrete_function", argument_keywords=list(node._arg_keywords or []),
                   allowed_positional_arguments=node._num_positional_args)
    elif isinstance(node, tf.types.experimental.PolymorphicFunction):
        row.update(kind="function", **function_spec(node))
    elif isinstance(node, asset.Asset):
        row["kind"] = "asset"
    elif isinstance(node, tf.Tensor):
        row["kind"] = "constant"
    elif isinstance(node, resource.CapturableResource):
        row["kind"] = "resource"
    else:
        row["kind"] = "user_object"
    return row


class Watch:
    """Loads a model and keeps the loader and what it restored the variables from."""

    def __init__(self, path, skip_checkpoint):
        self.loader, self.restored = None, None
        init, restore = load_lib.Loader.__init__, checkpoint_lib.TrackableSaver.restore

        def watch_init(loader, *args, **kwargs):
            self.loader = loader
            init(loader, *args, **kwargs)

        def watch_restore(saver, *args, **kwargs):
            status = restore(saver, *args, **kwargs)
            self.restored = status._checkpoint
            return status

        load_lib.Loader.__init__, checkpoint_lib.TrackableSaver.restore = watch_init, watch_restore
        try:
            options = tf.saved_model.LoadOptions(experimental_skip_checkpoint=skip_checkpoint)
            self.root = tf.saved_model.load(path, options=options)
        finally:
            load_lib.Loader.__init__, checkpoint_lib.TrackableSaver.restore = init, restore


def reason(error):
    # What is cut off names this machine, and operations by numbers that count up.
    text = str(error).split(" [Op:")[0].split("}} ")[-1].split(" in binary running on ")[0]
    return f"{type(error).__name__}: {text.splitlines()[0]}"


def dump_messages(path):
    """What TensorFlow's own printer calls the objects of a model that it does not load, and of its checkpoint."""
    proto = loader_impl.parse_saved_model(path).meta_graphs[0].object_graph_def
    stored = tf.train.CheckpointView(os.path.join(path, "variables/variables"))._object_graph_proto
    pretty = checkpoint_lib.ObjectGraphProtoPrettyPrinter(proto).node_names
    keys = {name: [[a.name, a.checkpoint_key] for a in stored.nodes[i].attributes]
            for i, name in checkpoint_lib.ObjectGraphProtoPrettyPrinter(stored).node_names.items()}
    return {"messages": [{"pretty": pretty.get(i), "kind": node.WhichOneof("kind"), "keys": keys.get(pretty.get(i), []),
                          "slots": [[s.slot_name, s.original_variable_node_id, s.slot_variable_node_id] for s in node.slot_variables]}
                         for i, node in enumerate(proto.nodes)]}


def dump_model(path, name):
    model = {"model": name}
    try:
        watch = Watch(path, False)
    except REFUSALS as error:
        model["refused"] = reason(error).replace(path, name)
        try:
            watch = Watch(path, True)
        except REFUSALS as error:
            model["refused_without_variables"] = reason(error).replace(path, name)
            model.update(dump_messages(path))
            return model
    loader, nodes, root = watch.loader, watch.loader._nodes, watch.root
    proto = loader._proto
    ids = {id(node): i for i, node in enumerate(nodes)}
    found, refused = names(proto, nodes)
    keys = collections.defaultdict(list)
    if watch.restored:
        for proto_id, node in sorted(dict(watch.restored.object_by_proto_id).items()):
            attributes = watch.restored.object_graph_proto.nodes[proto_id].attributes
            keys[ids[id(node)]].append([[a.name, a.checkpoint_key] for a in attributes])
    pretty = loader._pretty_printer.node_names
    model["objects"] = [dict(paths=found[i], pretty=pretty.get(i), **dump_node(node, watch.restored is not None))
                        for i, node in enumerate(nodes)]
    for i, lists in keys.items():
        if any(lists):
            model["objects"][i]["keys"] = lists if len(lists) > 1 else lists[0]
    model["names_that_python_refuses"] = refused
    for attribute in ("variables", "trainable_variables", "regularization_losses"):
        if hasattr(root, attribute):
            model[attribute] = [ids[id(node)] for node in getattr(root, attribute)]
    if hasattr(root, "signatures"):
        model["signatures"] = {key: {"object": ids[id(function)],
                                     "inputs": structure(function.structured_input_signature[1]),
                                     "outputs": structure(function.structured_outputs)}
                               for key, function in root.signatures.items()}
    held = captured(nodes)
    model["concrete_functions"] = {}
    for function_name in sorted(proto.concrete_functions):
        function = loader._concrete_functions[function_name]
        model["concrete_functions"][function_name] = {
            "captures": [held.get(id(tensor)) for tensor in function.captured_inputs],
            "inputs": structure(function.graph.structured_input_signature),
            "outputs": structure(function.graph.structured_outputs)}
    model["functions"] = {i: [f for f in proto.nodes[i].function.concrete_functions]
                          for i, node in enumerate(nodes) if proto.nodes[i].WhichOneof("kind") == "function"}
    for i, function_names in model["functions"].items():
        assert [loader._concrete_functions[f] for f in function_names] == list(nodes[i].concrete_functions)
    return model


def dump_checkpoint(prefix, name):
    view = tf.train.CheckpointView(prefix)
    proto = view._object_graph_proto
    pretty = checkpoint_lib.ObjectGraphProtoPrettyPrinter(proto).node_names
    stored = dict(tf.train.list_variables(prefix))
    assert sorted(view.descendants()) == sorted(i for i in pretty if "'s state '" not in pretty[i])
    rows = []
    for i, node in enumerate(proto.nodes):
        assert all(a.checkpoint_key in stored for a in node.attributes)
        rows.append({"pretty": pretty.get(i), "children": {k: v for k, v in view.children(i).items()},
                     "keys": [[a.name, a.full_name, a.checkpoint_key] for a in node.attributes],
                     "slots": [[s.slot_name, s.original_variable_node_id, s.slot_variable_node_id] for s in node.slot_variables]})
    return {"checkpoint": name, "objects": rows}


def below_directory(directory, subdirectory):
    for root, dirs, files in os.walk(os.path.join(directory, subdirectory)):
        dirs.sort(key=str.encode)
        relative = os.path.relpath(root, directory).replace(os.sep, "/")
        if {"saved_model.pb", "saved_model.pbtxt"} & set(files):
            model = loader_impl.parse_saved_model(root)
            if len(model.meta_graphs) == 1 and model.meta_graphs[0].HasField("object_graph_def"):
                yield dump_model(root, relative)
        for file in sorted(files):
            prefix = os.path.join(root, file.removesuffix(".index"))
            if file.endswith(".index") and os.path.basename(root) != "variables":
                if GRAPH_KEY in tf.train.load_checkpoint(prefix).get_variable_to_dtype_map():
                    yield dump_checkpoint(prefix, f"{relative}/{file.removesuffix('.index')}")


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    rows = [row for subdirectory in sys.argv[2:] for row in below_directory(sys.argv[1], subdirectory)]
    sys.stdout.write("[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n")


main()
