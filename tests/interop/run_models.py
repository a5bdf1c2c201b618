"""What TensorFlow computes from every model below some directories: one JSON object per line.

  python run_models.py OUT.jsonl ../fixtures ../cli-goldens/models

Rows of kind "signature" are of the v1 loader, which runs the ops that C++ runs, or, where that cannot run the model, of
`tf.saved_model.load` ("by_objects"). Rows of kind "function" are of functions of objects, called in the order of the rows on
one loaded model. Inputs are made up from dtypes and shapes, the same in each run. "error" says that TensorFlow fails.
"""
import json
import os
import re
import struct
import sys
import zlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from google.protobuf import text_format

KINDS = {"user_object", "function"}


def read(directory):
    model = saved_model_pb2.SavedModel()
    binary = os.path.join(directory, "saved_model.pb")
    if os.path.exists(binary):
        with open(binary, "rb") as file:
            model.ParseFromString(file.read())
    else:
        with open(binary + "txt", encoding="utf-8") as file:
            text_format.Parse(file.read(), model)
    return model


def made_up(name, dtype, shape):
    """Values for an input: unknown dimensions are 2, texts are short, integers are small enough to be indices."""
    dims = [2 if size is None or size < 0 else size for size in (shape if shape is not None else [2])]
    seed = np.random.default_rng(zlib.crc32(name.encode()))
    if dtype == tf.string:
        return np.array([b"word %d" % (i % 3) for i in range(int(np.prod(dims)))], object).reshape(dims)
    if dtype == tf.bool:
        return seed.integers(0, 2, dims).astype(bool)
    kind = dtype.as_numpy_dtype
    if dtype.is_complex:
        return (seed.normal(size=dims) + 1j * seed.normal(size=dims)).astype(kind)
    if dtype.is_floating:
        return seed.normal(size=dims).astype(np.float32).astype(kind)
    return seed.integers(0, 2, dims).astype(kind)


def tensor(value):
    if isinstance(value, tf.Tensor):
        dtype, value = value.dtype, value.numpy()
        value = np.asarray(value, object if dtype == tf.string else None)
    else:
        value = np.asarray(value)
        dtype = tf.string if value.dtype.kind in "OSU" else tf.as_dtype(value.dtype)
    row = {"dtype": dtype.as_datatype_enum, "shape": list(value.shape)}
    if dtype == tf.string:
        row["elements_hex"] = [bytes(element).hex() for element in value.ravel().tolist()]
    else:
        row["data_hex"] = np.ascontiguousarray(value).tobytes().hex()
    return row


def flatten(name, info):
    """The tensors of an input or output under the names this crate gives them."""
    kind = info.WhichOneof("encoding")
    if kind == "coo_sparse":
        sparse = info.coo_sparse
        yield f"{name}/values", sparse.values_tensor_name
        yield f"{name}/indices", sparse.indices_tensor_name
        yield f"{name}/dense_shape", sparse.dense_shape_tensor_name
    elif kind == "composite_tensor":
        for i, part in enumerate(info.composite_tensor.components):
            yield from flatten(f"{name}/{i}", part)
    else:
        yield name, info.name


def values(signature, graph):
    feeds = {}
    for name, info in sorted(signature.inputs.items()):
        parts = dict(flatten(name, info))
        for part, place in parts.items():
            dtype = graph.get_tensor_by_name(place).dtype.base_dtype
            dims = None if info.tensor_shape.unknown_rank else [dim.size for dim in info.tensor_shape.dim]
            if len(parts) == 1:
                feeds[part] = made_up(part, dtype, dims)
        sparse = info.coo_sparse
        if sparse.values_tensor_name:
            dtype = graph.get_tensor_by_name(sparse.values_tensor_name).dtype
            rank = graph.get_tensor_by_name(sparse.indices_tensor_name).shape[1] or 2
            feeds[f"{name}/values"] = made_up(name, dtype, [2])
            feeds[f"{name}/indices"] = np.array([[0] * rank, [1] * rank], np.int64)
            shape = graph.get_tensor_by_name(sparse.dense_shape_tensor_name)
            feeds[f"{name}/dense_shape"] = np.array([2] * (shape.shape[0] or rank), np.int64)
        elif len(parts) == 2:  # a ragged tensor: values and row splits
            feeds[f"{name}/0"] = made_up(name, graph.get_tensor_by_name(parts[f"{name}/0"]).dtype, [3])
            feeds[f"{name}/1"] = np.array([0, 1, 3], np.int64)
    return feeds


def short(error):
    return f"{type(error).__name__}: {str(error)[:200]}"


def by_objects(directory, key, feeds):
    loaded = tf.saved_model.load(directory)
    outputs = loaded.signatures[key](**{name: tf.constant(value) for name, value in feeds.items()})
    return {name: tensor(value) for name, value in outputs.items()}


def signatures(directory):
    model = read(directory)
    unassigned = []
    for meta_graph in model.meta_graphs:
        tags = list(meta_graph.meta_info_def.tags)
        row = {"kind": "signature", "tags": tags}
        with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
            try:
                tf.compat.v1.saved_model.load(session, tags, directory)
            except Exception as error:
                yield {**row, "load_error": short(error)}
                continue
            for key, signature in sorted(meta_graph.signature_def.items()):
                if key.startswith("__saved_model"):
                    continue
                feeds = {}
                out = {**row, "key": key}
                try:
                    feeds = values(signature, graph)
                    inputs = {n: p for name in signature.inputs for n, p in flatten(name, signature.inputs[name])}
                    outputs = {n: p for name in signature.outputs for n, p in flatten(name, signature.outputs[name])}
                    first = {}
                    for name in feeds:  # of two inputs that are one tensor
                        feeds[name] = feeds[first.setdefault(inputs[name], name)]
                    out["inputs"] = {name: tensor(value) for name, value in feeds.items()}
                    feeds, results = fed(session, outputs, inputs, feeds)
                    out["inputs"] = {name: tensor(value) for name, value in feeds.items()}
                    dtypes = {name: graph.get_tensor_by_name(place).dtype for name, place in outputs.items()}
                    out["outputs"] = {}
                    for name, value in results.items():
                        is_text = dtypes[name].base_dtype == tf.string
                        out["outputs"][name] = tensor(np.asarray(value, object) if is_text else value)
                except Exception as error:
                    out["error"] = short(error)
                    if "Could not find variable" in str(error):
                        unassigned.append((out, feeds))
                        continue
                yield out
    for out, feeds in unassigned:
        try:
            out["outputs"] = by_objects(directory, out["key"], feeds)
            out["by_objects"] = True
            del out["error"]
        except Exception as error:
            out["error"] = short(error)
        yield out


def fed(session, outputs, inputs, feeds):
    """Runs a signature; where it parses examples, with ones that have the features it asks for."""
    features = {}
    for _ in range(40):
        try:
            return feeds, session.run(outputs, {inputs[name]: value for name, value in feeds.items()})
        except tf.errors.InvalidArgumentError as error:
            text = str(error)
            wanted = re.search(r"Feature: (\S+) \(data type: (\w+)\) is required", text)
            if wanted:
                kind = {"float": "float_list", "int64": "int64_list", "string": "bytes_list"}[wanted[2]]
                value = {"float": 0.5, "int64": 1, "string": b"word 1"}[wanted[2]]
                getattr(features.setdefault(wanted[1], tf.train.Feature()), kind).value.append(value)
            elif "Could not parse example" not in text:
                raise
            # TensorFlow does not take features that are there and empty.
            example = tf.train.Example(features=tf.train.Features(feature=features) if features else None)
            message = example.SerializeToString(deterministic=True)
            feeds = {name: np.full(value.shape, message, object) if value.dtype == object else value for name, value in feeds.items()}
    raise ValueError("the features of examples could not be found out")


def python(value, name):
    """A made-up argument for what a trace expects, and the same for JSON."""
    if isinstance(value, tf.TensorSpec):
        shape = None if value.shape.rank is None else value.shape.as_list()
        array = made_up(name, value.dtype, shape)
        return tf.constant(array, value.dtype), {"tensor": tensor(array)}
    if isinstance(value, tf.TypeSpec):
        raise NotImplementedError(f"an argument of {type(value).__name__}")
    if isinstance(value, dict):
        parts = {key: python(part, f"{name}/{key}") for key, part in value.items()}
        return {key: part[0] for key, part in parts.items()}, {"dict": {key: part[1] for key, part in parts.items()}}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        raise NotImplementedError("a named tuple")
    if isinstance(value, (list, tuple)):
        parts = [python(part, f"{name}/{i}") for i, part in enumerate(value)]
        return type(value)(part[0] for part in parts), {type(value).__name__: [part[1] for part in parts]}
    if isinstance(value, float):
        return value, {"float_hex": struct.pack(">d", value).hex()}
    if value is None or isinstance(value, (bool, int, str)):
        return value, {"value": value, "type": type(value).__name__}
    raise NotImplementedError(f"an argument of {type(value).__name__}")


def child(parent, name):
    if isinstance(parent, (list, tuple)):
        return parent[int(name)]
    if hasattr(parent, "keys") and name in parent:
        return parent[name]
    return getattr(parent, name)


def functions(directory):
    model = read(directory)
    if len(model.meta_graphs) != 1 or not model.meta_graphs[0].HasField("object_graph_def"):
        return
    objects = model.meta_graphs[0].object_graph_def
    row = {"kind": "function", "tags": list(model.meta_graphs[0].meta_info_def.tags)}
    try:
        root = tf.saved_model.load(directory)
    except Exception as error:
        yield {**row, "load_error": short(error)}
        return
    seen, left = {0}, [(0, [], root)]
    while left:
        number, path, value = left.pop(0)
        for edge in sorted(objects.nodes[number].children, key=lambda edge: edge.local_name):
            node = objects.nodes[edge.node_id]
            if edge.node_id in seen or node.WhichOneof("kind") not in KINDS:
                continue
            if path == [] and edge.local_name == "signatures" or edge.local_name.startswith("_") and edge.local_name != "__call__":
                continue
            seen.add(edge.node_id)
            try:
                found = child(value, edge.local_name)
            except Exception:
                continue
            if node.WhichOneof("kind") == "user_object":
                left.append((edge.node_id, [*path, edge.local_name], found))
                continue
            for trace in node.function.concrete_functions:
                out = {**row, "path": "/".join([*path, edge.local_name]), "trace": trace}
                try:
                    index = list(node.function.concrete_functions).index(trace)
                    args, kwargs = found.concrete_functions[index].structured_input_signature
                    args, shown = python(args, "args")
                    kwargs, named = python(kwargs, "kwargs")
                except NotImplementedError as error:
                    yield {**out, "skipped": str(error)}
                    continue
                out.update(args=shown["tuple"], kwargs=named["dict"])
                try:
                    result = found(*args, **kwargs)
                    out["results"] = [tensor(tf.convert_to_tensor(part)) for part in tf.nest.flatten(result, expand_composites=True) if part is not None]
                except Exception as error:
                    out["error"] = short(error)
                yield out


def writes_files(model):
    """Whether it would leave files behind, under names that are made up here."""
    for meta_graph in model.meta_graphs:
        library = meta_graph.graph_def.library.function
        nodes = [*meta_graph.graph_def.node, *(node for function in library for node in function.node_def)]
        if any(node.op == "WriteFile" for node in nodes):
            return True
    return False


def main():
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        for root in sys.argv[2:]:
            for directory, _, names in sorted(os.walk(root)):
                if {"saved_model.pb", "saved_model.pbtxt"} & set(names):
                    if writes_files(read(directory)):
                        continue
                    for rows in (signatures, functions):
                        for row in rows(directory):
                            print(json.dumps({"model": directory, **row}), file=file, flush=True)


if __name__ == "__main__":
    main()
