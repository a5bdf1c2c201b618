"""Writes most of the hand-made split models in edge/ with the record writer beside it. What TensorFlow 2.21 made of
each stands in expected.json.  Usage: make_edge.py OUTDIR"""
import os, sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import riegeli_writer as R
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

v = R.put_varint


def field(n, data):
    return v(n << 3 | 2) + v(len(data)) + data


def tags(*path):
    """numbers are fields, (n,) is a list index, text is a map key"""
    out = b""
    for p in path:
        t = v(8) + v(p) if isinstance(p, int) else v(24) + v(p[0]) if isinstance(p, tuple) \
            else field(2, field(1, p.encode()))
        out += field(1, t)
    return out


def chunked_message(index, fields):
    m = b"" if index is None else v(8) + v(index)
    return m + b"".join(field(2, path + field(3, sub)) for path, sub in fields)


def leaf(path, index):
    return path, chunked_message(index, [])


def build(path, chunks, message, infos=lambda i, n, o: (n, o), version=v(8) + v(1), post=None, after=None):
    w = R.RecordWriter(path)
    md = field(1, version)
    for i, c in enumerate(chunks):
        size, offset = infos(i, len(c), w.write(c))
        md += field(2, v(8) + v(1) + v(16) + v(size) + v(24) + v(offset))
    w.write(md + field(3, message))
    if after is not None:
        w.write(after)
    w.close()
    if post:
        b = post(bytearray(open(path, "rb").read()))
        open(path, "wb").write(b)


def main(out):
    base = saved_model_pb2.SavedModel.FromString(
        open(os.path.join(HERE, "unsplit", "tf1_novar.pb"), "rb").read())
    ser = lambda m: m.SerializeToString(deterministic=True)
    graph = base.meta_graphs[0].graph_def
    rest, shell = saved_model_pb2.SavedModel(), type(graph)()
    rest.CopyFrom(base)
    rest.meta_graphs[0].ClearField("graph_def")
    shell.CopyFrom(graph)
    del shell.node[:]
    nodes = [ser(n) for n in graph.node]
    g = (2, (0,), 2)
    two, at = [ser(rest), ser(graph)], [leaf(tags(*g), 1)]
    each = [ser(rest), ser(shell)] + nodes
    node_fields = [leaf(tags(*g, 1, (i,)), 2 + i) for i in range(len(nodes))]
    root = lambda fields: chunked_message(0, fields)

    def flip(o):
        def f(b):
            b[o] ^= 1
            return b
        return f

    cases = {
        "plain": (two, root(at)),
        "nodes_individually": (each, root(at + node_fields)),
        "nodes_reversed_order": (each, root(node_fields[::-1] + at)),
        "index_gap": (each, root(at + [leaf(tags(*g, 1, (2,)), 4)])),
        "nested": (each, root([(tags(*g), chunked_message(1, [leaf(tags(1, (i,)), 2 + i) for i in range(len(nodes))]))])),
        "root_no_chunk": ([ser(base)], chunked_message(None, [leaf(b"", 0)])),
        "no_chunked_fields": ([ser(base)], root([])),
        "index_oob": (two, root([leaf(tags(*g), 7)])),
        "offset_past_end": (two, root(at), dict(infos=lambda i, n, o: (n, 10**9 if i else o))),
        "offset_hole": (two, root(at), dict(infos=lambda i, n, o: (n, o + 1 if i else o))),
        "size_wrong": (two, root(at), dict(infos=lambda i, n, o: (3 if i else n, o))),
        "size_huge": (two, root(at), dict(infos=lambda i, n, o: (1 << 40 if i else n, o))),
        "corrupt_data": (two, root(at), dict(post=flip(150))),
        "corrupt_signature": (two, root(at), dict(post=flip(30))),
        "trunc_half": (two, root(at), dict(post=lambda b: b[:len(b) // 2])),
        "trailing_zeros": (two, root(at), dict(post=lambda b: b + bytes(200))),
        "record_after_meta": (two, root(at), dict(after=b"junk")),
        "join_version9": (two, root(at), dict(version=v(8) + v(1) + v(16) + v(9) + field(3, v(0)))),
        "mismatch_tags": (two + [two[1]], root(at + [leaf(tags(2, 2), 2)])),
        "same_field_twice": (two + [two[1]], root(at + [leaf(tags(*g), 2)])),
        "string_twice": ([ser(base), b"AA", b"BB"], root([leaf(tags(2, (0,), 1, 1), 1), leaf(tags(2, (0,), 1, 1), 2)])),
        "map_new_key": ([ser(base), ser(meta_graph_pb2.SignatureDef(method_name="m"))], root([leaf(tags(2, (0,), 5, "brandnew"), 1)])),
        "second_metagraph": ([ser(base), ser(base.meta_graphs[0])], root([leaf(tags(2, (1,)), 1)])),
    }
    os.makedirs(out, exist_ok=True)
    for name, c in cases.items():
        build(os.path.join(out, name + ".cpb"), c[0], c[1], **(c[2] if len(c) > 2 else {}))


if __name__ == "__main__":
    main(sys.argv[1])
