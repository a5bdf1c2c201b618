"""What TensorFlow's own messages say of models: one JSON object per directory with a model file; null if they refuse it.

  python dump_models.py .. > ../fixtures/expected_models.json

Directories are named relative to the argument. Parsed by Python's protobuf from TensorFlow's generated classes; nothing is
loaded or run.
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import fingerprint_pb2, meta_graph_pb2, saved_model_pb2
from tensorflow.python.saved_model import loader_impl, signature_def_utils

METHODS = {
    "tensorflow/serving/predict": "predict",
    "tensorflow/serving/classify": "classify",
    "tensorflow/serving/regress": "regress",
}


def dtype_name(number):
    return types_pb2.DataType.Name(number)


def shape(info):
    if info.tensor_shape.unknown_rank:
        return None
    return [dim.size for dim in info.tensor_shape.dim]


def tensor_info(info):
    encoding = info.WhichOneof("encoding")
    out = {"encoding": encoding, "dtype": dtype_name(info.dtype), "shape": shape(info)}
    if encoding == "name":
        out["name"] = info.name
    elif encoding == "coo_sparse":
        sparse = info.coo_sparse
        out["sparse"] = [sparse.values_tensor_name, sparse.indices_tensor_name, sparse.dense_shape_tensor_name]
    elif encoding == "composite_tensor":
        composite = info.composite_tensor
        out["type_spec"] = composite.type_spec.type_spec_class if composite.HasField("type_spec") else None
        out["components"] = [tensor_info(part) for part in composite.components]
    return out


def signature(proto):
    valid = signature_def_utils.is_valid_signature(proto)
    return {
        "inputs": {key: tensor_info(proto.inputs[key]) for key in sorted(proto.inputs)},
        "outputs": {key: tensor_info(proto.outputs[key]) for key in sorted(proto.outputs)},
        "method_name": proto.method_name,
        "defaults": {key: default(proto.defaults[key]) for key in sorted(proto.defaults)},
        "kind": METHODS[proto.method_name] if valid else None,
    }


def default(proto):
    import numpy as np
    from tensorflow.python.framework import tensor_util
    array = tensor_util.MakeNdarray(proto)
    return {"dtype": dtype_name(proto.dtype), "shape": list(array.shape),
            "data_hex": None if array.dtype == np.object_ else array.tobytes().hex()}



def init_op(graph):
    """As loader_impl looks, without a graph to look the name up in."""
    return marked(graph, "__saved_model_init_op", ["saved_model_main_op", "legacy_init_op"])


def train_op(graph):
    return marked(graph, "__saved_model_train_op", ["saved_model_train_op"])


def marked(graph, key, collections):
    if key in graph.signature_def:
        return {"place": "signature", "name": graph.signature_def[key].outputs[key].name}
    for collection in collections:
        if collection in graph.collection_def:
            (name,) = graph.collection_def[collection].node_list.value
            return {"place": collection, "name": name}
    return None


def assets(graph):
    defs = list(graph.asset_file_def)
    if not defs and "saved_model_assets" in graph.collection_def:
        for packed in graph.collection_def["saved_model_assets"].any_list.value:
            asset = meta_graph_pb2.AssetFileDef()
            assert packed.Unpack(asset)
            defs.append(asset)
    return [{"tensor_name": asset.tensor_info.name, "filename": asset.filename} for asset in defs]


def collection(proto):
    kind = proto.WhichOneof("kind")
    return {"kind": kind, "count": len(getattr(proto, kind).value) if kind else 0}


def count_ops(graph_def):
    counts = {}
    bodies = [graph_def.node] + [function.node_def for function in graph_def.library.function]
    for body in bodies:
        for node in body:
            counts[node.op] = counts.get(node.op, 0) + 1
    return {op: counts[op] for op in sorted(counts)}


def digest(graph_def):
    """FNV-1a over every node's name, op, device and inputs and the names of its attributes; the same of functions."""
    state = 0xCBF29CE484222325

    def put(*texts):
        nonlocal state
        for text in texts:
            for byte in text.encode() + b"\0":
                state = (state ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF

    def body(nodes):
        for node in nodes:
            put(node.name, node.op, node.device, *node.input, *sorted(node.attr))

    body(graph_def.node)
    for function in graph_def.library.function:
        put(function.signature.name, *sorted(function.attr))
        for pairs in (function.ret, function.control_ret):
            for key in sorted(pairs):
                put(key, pairs[key])
        body(function.node_def)
    return f"{state:016x}"


def meta_graph(graph):
    info = graph.meta_info_def
    graph_def = graph.graph_def
    return {
        "tags": list(info.tags),
        "tensorflow_version": info.tensorflow_version,
        "tensorflow_git_version": info.tensorflow_git_version,
        "stripped_default_attrs": info.stripped_default_attrs,
        "stripped_op_list": [op.name for op in info.stripped_op_list.op],
        "function_aliases": dict(sorted(info.function_aliases.items())),
        "signatures": {key: signature(graph.signature_def[key]) for key in sorted(graph.signature_def)},
        "assets": assets(graph),
        "collections": {key: collection(graph.collection_def[key]) for key in sorted(graph.collection_def)},
        "init_op": init_op(graph),
        "train_op": train_op(graph),
        "saver_restore_op": graph.saver_def.restore_op_name if graph.HasField("saver_def") else None,
        "producer": graph_def.versions.producer,
        "min_consumer": graph_def.versions.min_consumer,
        "nodes": len(graph_def.node),
        "functions": [function.signature.name for function in graph_def.library.function],
        "gradients": len(graph_def.library.gradient),
        "registered_gradients": len(graph_def.library.registered_gradients),
        "ops": count_ops(graph_def),
        "graph_fnv": digest(graph_def),
        "object_graph_nodes": len(graph.object_graph_def.nodes) if graph.HasField("object_graph_def") else None,
    }


def fingerprint(directory):
    path = os.path.join(directory, "fingerprint.pb")
    if not os.path.exists(path):
        return None
    with open(path, "rb") as f:
        stored = fingerprint_pb2.FingerprintDef.FromString(f.read())
    return {"saved_model_checksum": str(stored.saved_model_checksum), "uuid": stored.uuid,
            "producer": stored.version.producer}


def files_below(directory):
    found = []
    for root, _, files in os.walk(directory):
        found += [os.path.relpath(os.path.join(root, f), os.path.dirname(directory)) for f in files]
    return sorted(found)


def model(directory):
    try:
        proto = loader_impl.parse_saved_model(directory)
    except OSError:
        return None
    return {
        "format": "binary" if os.path.exists(os.path.join(directory, "saved_model.pb")) else "text",
        "schema_version": proto.saved_model_schema_version,
        "variables": os.path.exists(os.path.join(directory, "variables", "variables.index")),
        "debug_info": os.path.exists(os.path.join(directory, "debug", "saved_model_debug_info.pb")),
        "keras_metadata": os.path.exists(os.path.join(directory, "keras_metadata.pb")),
        "assets_extra": files_below(os.path.join(directory, "assets.extra")),
        "fingerprint": fingerprint(directory),
        "meta_graphs": [meta_graph(graph) for graph in proto.meta_graphs],
    }


def main(top):
    models = {}
    for root, dirs, files in os.walk(top):
        dirs.sort()
        if "saved_model.pb" in files or "saved_model.pbtxt" in files:
            models[os.path.relpath(root, top)] = model(root)
    json.dump(dict(sorted(models.items())), sys.stdout, indent=1, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main(sys.argv[1])
