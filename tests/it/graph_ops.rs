//! The graph builder's methods for ops, control flow and calls, against TensorFlow's Python.

use std::path::Path;

use savedmodel::builder::{MetaGraphBuilder, SavedModelBuilder};
use savedmodel::bundle::Durability;
use savedmodel::example::{Example, FeatureSpec};
use savedmodel::graph::{Function, GraphBuilder, Index, OutOfVocabulary, Output, Padding};
use savedmodel::{DType, PartialShape, Result, Shape, Signature, Tensor};
use serde_json::{Map, Value as Json, json};

use crate::scratch::Scratch;
use crate::tensorflow;

/// What is fed, and what comes out.
struct Model {
    graph: GraphBuilder,
    inputs: Vec<(String, Output)>,
    fed: Map<String, Json>,
    outputs: Vec<(String, Output)>,
}

impl Model {
    fn input(&mut self, name: &str, dtype: DType, dims: &[i64], flat: Vec<Json>) -> Output {
        let shape = PartialShape::try_from(dims).unwrap();
        let mut values = flat;
        for size in dims.iter().skip(1).rev() {
            let rows = values.chunks(*size as usize);
            values = rows.map(|row| Json::from(row.to_vec())).collect();
        }
        // The batch is not known to the graph.
        let mut unknown = dims.to_vec();
        let values = match unknown.first_mut() {
            Some(first) if name != "filter" => {
                *first = -1;
                Json::from(values)
            }
            Some(_) => Json::from(values),
            None => values.remove(0),
        };
        let said = match name {
            "x" | "y" | "a" | "b" | "filter" => shape,
            _ => PartialShape::try_from(&unknown[..]).unwrap(),
        };
        let output = self.graph.placeholder(name, dtype, said).unwrap();
        let fed = json!({"dtype": dtype.name(), "values": values});
        self.fed.insert(name.to_owned(), fed);
        self.inputs.push((name.to_owned(), output.clone()));
        output
    }

    /// Numbers that look like chance, between −2 and 2.
    fn floats(&mut self, name: &str, dims: &[i64]) -> Output {
        let seed = name.bytes().map(u64::from).sum::<u64>();
        let count: i64 = dims.iter().product();
        let at = |i: u64| ((i + seed) * 2_654_435_761 % 4001) as f64 / 1000.0 - 2.0;
        let values = (0..count as u64).map(|i| json!(at(i) as f32));
        self.input(name, DType::FLOAT, dims, values.collect())
    }

    fn positive(&mut self, name: &str, dims: &[i64]) -> Output {
        let count: i64 = dims.iter().product();
        let values = (0..count).map(|i| json!(0.25 + (i * 7 % 11) as f32));
        self.input(name, DType::FLOAT, dims, values.collect())
    }

    fn add(&mut self, name: &str, output: Result<Output>) {
        let output = output.unwrap_or_else(|error| panic!("{name}: {error}"));
        self.outputs.push((name.to_owned(), output));
    }
}

fn function(
    name: &str,
    body: impl FnOnce(&mut GraphBuilder, &Output) -> Result<Output>,
) -> Function {
    let mut graph = GraphBuilder::function();
    let x = graph
        .argument("x", DType::FLOAT, PartialShape::UNKNOWN)
        .unwrap();
    let y = body(&mut graph, &x).unwrap();
    graph.into_function(name, [("y", &y)]).unwrap()
}

/// A loop to the end of the Collatz sequence, with a branch by condition in its body.
fn collatz() -> (Function, Function) {
    let begin = || {
        let mut graph = GraphBuilder::function();
        let n = graph.argument(
            "n",
            DType::INT64,
            PartialShape::try_from([0i64; 0]).unwrap(),
        );
        let steps = graph.argument(
            "steps",
            DType::INT32,
            PartialShape::try_from([0i64; 0]).unwrap(),
        );
        let number = |graph: &mut GraphBuilder, value: i64| {
            graph
                .constant(&format!("number_{value}"), &Tensor::scalar(value))
                .unwrap()
        };
        let numbers = [0, 1, 2, 3].map(|value| number(&mut graph, value));
        (graph, n.unwrap(), steps.unwrap(), numbers)
    };
    let (mut graph, n, _, [_, one, _, _]) = begin();
    let more = graph.greater(&n, &one).unwrap();
    let condition = graph
        .into_function("is_not_done", [("more", &more)])
        .unwrap();
    let (mut graph, n, steps, [zero, one, two, three]) = begin();
    let rest = graph.floor_mod(&n, &two).unwrap();
    let is_even = graph.equal(&rest, &zero).unwrap();
    let half = graph.floor_div(&n, &two).unwrap();
    let triple = graph.mul(&three, &n).unwrap();
    let triple = graph.add(&triple, &one).unwrap();
    let next = graph.select(&is_even, &half, &triple).unwrap();
    let one = graph.constant("one", &Tensor::scalar(1i32)).unwrap();
    let count = graph.add(&steps, &one).unwrap();
    let outputs = [("n", &next), ("steps", &count)];
    (condition, graph.into_function("step", outputs).unwrap())
}

fn math(model: &mut Model, x: &Output, y: &Output) {
    let positive = model.positive("positive", &[3, 4]);
    let integers = (0..12).map(|i| json!(i * 5 % 17 - 8)).collect();
    let p = model.input("integers", DType::INT64, &[3, 4], integers);
    let divisors = (0..12).map(|i| json!([3, -2, 5, 7, -8][i % 5])).collect();
    let n = model.input("divisors", DType::INT64, &[3, 4], divisors);
    let (a, b) = (model.floats("a", &[2, 3]), model.floats("b", &[3, 4]));
    let vector = model.positive("vector", &[4]);
    let less = model.graph.less(x, y).unwrap();
    let zero = model.graph.constant("zero", &Tensor::scalar(0f32)).unwrap();
    let above = model.graph.greater(x, &zero).unwrap();
    macro_rules! each {
        ($($name:ident($($argument:expr),*);)*) => {$(
            let output = model.graph.$name($($argument),*);
            model.add(stringify!($name), output);
        )*};
    }
    each! {
        neg(x); abs(x); sign(x); square(x); sqrt(&positive); rsqrt(&positive); exp(x); log(&positive);
        log1p(&positive); erf(x); sin(x); cos(x); floor(x); ceil(x); round(x); is_nan(x);
        logical_not(&less); add(x, y); sub(x, y); mul(x, y); div(x, y); floor_div(&p, &n);
        floor_mod(&p, &n); pow(&positive, y); maximum(x, y); minimum(x, y); squared_difference(x, y);
        equal(&p, &n); not_equal(&p, &n); less(x, y); less_equal(&p, &n); greater(x, y);
        greater_equal(&p, &n); logical_and(&less, &above); logical_or(&less, &above);
        matmul(&a, &b); matmul_transposed(&b, true, &a, true); add_n([x, y, x]);
        select(&less, x, y); reduce_max(x, &[1], false); reduce_min(&p, &[0], false);
        reduce_mean(x, &[-1], true); reduce_sum(x, &[0], false); reduce_prod(x, &[-1], false);
        reduce_all(&less, &[1], false); reduce_any(&less, &[1], false); argmax(x, -1); argmin(x, 0);
        cumsum(x, 1); zeros_like(x); ones_like(&p); stop_gradient(x); as_string(&p); dense(&a, &b, &vector);
    }
    let output = model.graph.add(x, &vector);
    model.add("broadcast", output);
    let low = model
        .graph
        .constant("low", &Tensor::scalar(-0.5f32))
        .unwrap();
    let high = model
        .graph
        .constant("high", &Tensor::scalar(0.75f32))
        .unwrap();
    let output = model.graph.clip_by_value(x, &low, &high);
    model.add("clip_by_value", output);
    let output = model.graph.cast(x, DType::INT32);
    model.add("cast_int", output);
    let half = model.graph.cast(x, DType::HALF).unwrap();
    let output = model.graph.cast(&half, DType::FLOAT);
    model.add("cast_half", output);
    let output = model.graph.cast(&less, DType::INT64);
    model.add("cast_bool", output);
    let minus_one = model
        .graph
        .constant("minus_one", &Tensor::scalar(-1f32))
        .unwrap();
    let output = model.graph.select(&less, x, &minus_one);
    model.add("select_broadcast", output);
    let output = model.graph.reduce_sum(x, &[0, 1], false);
    model.add("reduce_sum_all", output);
    let (values, indices) = model.graph.top_k(x, 2).unwrap();
    model.add("top_k_values", Ok(values));
    model.add("top_k_indices", Ok(indices));
}

fn arrays(model: &mut Model, x: &Output, y: &Output, image: &Output, ids: &Output) {
    let graph = &mut model.graph;
    let mut outputs: Vec<(&str, Result<Output>)> = Vec::new();
    let shape = graph.shape(y).unwrap();
    let halves = graph.split(x, 2, 1).unwrap();
    let sizes = graph.split_sizes(x, &[1, -1], 1).unwrap();
    let wider = graph.expand_dims(x, 0).unwrap();
    let places = Tensor::from_slice([2, 2], &[0i32, 1, 2, 3]).unwrap();
    let places = graph.constant("places", &places).unwrap();
    let mut scalar = |name: &str, value: i32| graph.constant(name, &Tensor::scalar(value)).unwrap();
    let [one, three, ten] = [("n1", 1), ("n3", 3), ("n10", 10)].map(|(name, n)| scalar(name, n));
    let box_shape = Tensor::from_slice([2], &[2i32, 3]).unwrap();
    let box_shape = graph.constant("box_shape", &box_shape).unwrap();
    let value = graph
        .constant("value_2_5", &Tensor::scalar(2.5f32))
        .unwrap();
    let minus_seven = graph
        .constant("minus_seven", &Tensor::scalar(-7f32))
        .unwrap();
    let range = |begin, end, step| Index::Range { begin, end, step };
    let forward = [
        (..).into(),
        Index::range(1, -1),
        range(None, None, 2),
        0.into(),
    ];
    let back = [
        (-1).into(),
        range(None, None, -1),
        Index::NewAxis,
        (3..).into(),
    ];
    outputs.extend([
        ("identity", graph.identity("same", x)),
        ("reshape", graph.reshape(x, &[2, -1])),
        ("reshape_to", graph.reshape_to(x, &shape)),
        ("shape", graph.shape(image)),
        ("concat", graph.concat([x, y], -1)),
        ("concat_rows", graph.concat([x, y, x], 0)),
        ("split_0", Ok(halves[0].clone())),
        ("split_1", Ok(halves[1].clone())),
        ("split_sizes_0", Ok(sizes[0].clone())),
        ("split_sizes_1", Ok(sizes[1].clone())),
        ("squeeze", graph.squeeze(&wider, &[0])),
        ("squeeze_all", graph.squeeze(&wider, &[])),
        ("expand_dims", graph.expand_dims(x, -1)),
        ("transpose", graph.transpose(image, &[0, 3, 1, 2])),
        ("strided_slice", graph.strided_slice(image, &forward)),
        ("strided_slice_back", graph.strided_slice(image, &back)),
        ("slice", graph.slice(x, &[1, 0], &[2, -1])),
        ("pad", graph.pad(x, &[[1, 0], [0, 2]])),
        (
            "pad_with",
            graph.pad_with(x, &[[0, 1], [2, 0]], &minus_seven),
        ),
        ("tile", graph.tile(x, &[2, 1])),
        ("stack", graph.stack([x, y], 1)),
        (
            "unstack",
            graph.unstack(x, 3, 0).map(|rows| rows[2].clone()),
        ),
        ("gather", graph.gather(x, ids, 1)),
        ("gather_rows", graph.gather(x, ids, 0)),
        ("gather_nd", graph.gather_nd(x, &places)),
        ("one_hot", graph.one_hot(ids, 4, DType::FLOAT)),
        ("one_hot_int", graph.one_hot(ids, 4, DType::INT64)),
        ("fill", graph.fill(&box_shape, &value)),
        ("range", graph.range(&one, &ten, &three)),
    ]);
    for (name, output) in outputs {
        model.add(name, output);
    }
}

fn networks(model: &mut Model, x: &Output, image: &Output, ids: &Output) {
    let channels = model.floats("channels", &[3]);
    let variance = model.positive("variance", &[3]);
    let filter = model.floats("filter", &[2, 2, 3, 2]);
    let q = model.floats("query", &[2, 4, 3]);
    let k = model.floats("key", &[2, 3, 3]);
    let v = model.floats("value", &[2, 3, 5]);
    let mask = (0..24).map(|i| json!(i % 5 < 3)).collect();
    let mask = model.input("mask", DType::BOOL, &[2, 4, 3], mask);
    let named = |model: &Model, name: &str| {
        let input = model.inputs.iter().find(|(there, _)| there == name);
        input.unwrap().1.clone()
    };
    let (b, vector) = (named(model, "b"), named(model, "vector"));
    let graph = &mut model.graph;
    let table = graph.variable("embedding", DType::FLOAT, Shape::new(&[5, 2]).unwrap());
    let five = graph.constant("five", &Tensor::scalar(5f32)).unwrap();
    let larger = graph.mul(x, &five).unwrap();
    let ones = graph.ones_like(&vector).unwrap();
    let unknown = k.clone().with_shape(PartialShape::UNKNOWN);
    let explicit = |height, width| Padding::Explicit { height, width };
    let (same, valid) = (Padding::Same, Padding::Valid);
    let outputs = [
        ("relu", graph.relu(x)),
        ("relu6", graph.relu6(&larger)),
        ("elu", graph.elu(x)),
        ("selu", graph.selu(x)),
        ("sigmoid", graph.sigmoid(x)),
        ("tanh", graph.tanh(x)),
        ("softplus", graph.softplus(x)),
        ("softsign", graph.softsign(x)),
        ("softmax", graph.softmax(x)),
        ("log_softmax", graph.log_softmax(x)),
        ("leaky_relu", graph.leaky_relu(x, 0.3)),
        ("swish", graph.swish(x)),
        ("gelu", graph.gelu(x, false)),
        ("gelu_approximate", graph.gelu(x, true)),
        ("dropout", graph.dropout(x)),
        ("bias_add", graph.bias_add(image, &channels)),
        (
            "batch_norm",
            graph.batch_norm(image, &channels, &variance, &channels, &variance, 1e-3),
        ),
        (
            "fused_batch_norm",
            graph.fused_batch_norm(image, &channels, &variance, &channels, &variance, 1e-3),
        ),
        ("layer_norm", graph.layer_norm(x, &ones, &vector, 1e-5)),
        (
            "embedding_lookup",
            graph.embedding_lookup(&table.unwrap(), ids),
        ),
        ("batch_matmul", graph.batch_matmul(&q, &v)),
        (
            "batch_matmul_adjoint",
            graph.batch_matmul_adjoint(&q, false, &k, true),
        ),
        ("attention", graph.attention(&q, &k, &v, None)),
        ("attention_masked", graph.attention(&q, &k, &v, Some(&mask))),
        ("attention_unknown", graph.attention(&q, &unknown, &v, None)),
        ("dense_batch", graph.dense(&q, &b, &vector)),
        ("conv2d", graph.conv2d(image, &filter, [1, 1], same)),
        ("conv2d_valid", graph.conv2d(image, &filter, [2, 1], valid)),
        (
            "conv2d_explicit",
            graph.conv2d(image, &filter, [2, 2], explicit([1, 0], [2, 1])),
        ),
        (
            "dilated_conv2d",
            graph.dilated_conv2d(image, &filter, [1, 1], valid, [1, 2]),
        ),
        (
            "depthwise_conv2d",
            graph.depthwise_conv2d(image, &filter, [2, 2], same),
        ),
        ("max_pool", graph.max_pool(image, [2, 2], [2, 2], valid)),
        ("max_pool_same", graph.max_pool(image, [3, 2], [2, 1], same)),
        (
            "max_pool_explicit",
            graph.max_pool(image, [2, 2], [1, 1], explicit([1, 0], [0, 1])),
        ),
        ("avg_pool", graph.avg_pool(image, [2, 3], [2, 2], same)),
    ];
    for (name, output) in outputs {
        model.add(name, output);
    }
}

fn strings(model: &mut Model, ids: &Output, vocabulary: &Path) {
    let words = ["to", "Be", " ÄRGER or ", "not to be", "zebra"];
    let words = words.iter().map(|word| json!(word)).collect();
    let words = model.input("words", DType::STRING, &[5], words);
    let numerals = ["12", "-7", "0"].iter().map(|text| json!(text)).collect();
    let numerals = model.input("numerals", DType::STRING, &[3], numerals);
    let graph = &mut model.graph;
    let split = graph.string_split(&words, "").unwrap();
    let id = OutOfVocabulary::Id(-5);
    let table = graph
        .vocabulary_table("vocabulary", vocabulary, id)
        .unwrap();
    let buckets = OutOfVocabulary::Buckets(3);
    let buckets = graph
        .vocabulary_table("buckets", vocabulary, buckets)
        .unwrap();
    let inverse = graph
        .inverse_vocabulary_table("inverse", vocabulary, "?")
        .unwrap();
    let keys = Tensor::from_slice([3], &[3i64, 1, 4]).unwrap();
    let values = Tensor::from_slice([3], &[0.5f32, 1.5, 2.5]).unwrap();
    let pairs = graph.scope("pairs", |graph| {
        graph.hash_table("table", &keys, &values, &Tensor::scalar(-1f32))
    });
    let pairs = pairs.unwrap();
    let outputs = [
        ("string_strip", graph.string_strip(&words)),
        ("string_join", graph.string_join([&words, &words], "-")),
        ("string_lower", graph.string_lower(&words)),
        ("string_upper", graph.string_upper(&words)),
        ("string_length", graph.string_length(&words)),
        ("substr", graph.substr(&words, -2, 1)),
        (
            "regex_replace",
            graph.regex_replace(&words, "([aeiou])", r"<\1>"),
        ),
        ("regex_full_match", graph.regex_full_match(&words, "[a-z]+")),
        (
            "string_to_float",
            graph.string_to_number(&numerals, DType::FLOAT),
        ),
        (
            "string_to_int",
            graph.string_to_number(&numerals, DType::INT64),
        ),
        (
            "string_to_hash_bucket",
            graph.string_to_hash_bucket(&words, 10),
        ),
        ("string_split_indices", Ok(split.indices)),
        ("string_split_values", Ok(split.values)),
        ("string_split_shape", Ok(split.dense_shape)),
        ("vocabulary", graph.lookup(&table, &words)),
        ("vocabulary_buckets", graph.lookup(&buckets, &words)),
        ("vocabulary_inverse", graph.lookup(&inverse, ids)),
        ("hash_table", graph.lookup(&pairs, ids)),
        ("table_size", graph.table_size(&pairs)),
    ];
    for (name, output) in outputs {
        model.add(name, output);
    }
}

fn examples(model: &mut Model) {
    let full = Example::new()
        .with("age", [42i64])
        .with("size", [1.5f32, -2.0])
        .with("name", ["Ada"])
        .with("steps", [1i64, 2, 3])
        .with("pairs", [1f32, 2.0])
        .with("tags", ["a", "b"])
        .with("counts", [9i64])
        .with("bag", [0.25f32, 0.5]);
    let least = Example::new()
        .with("size", [3f32, 4.0])
        .with("pairs", [5f32, 6.0, 7.0, 8.0]);
    let bytes = [full, least].map(|example| {
        let hex = example
            .to_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>();
        json!(hex)
    });
    let serialized = model.input("examples", DType::STRING, &[2], bytes.to_vec());
    let graph = &mut model.graph;
    let age = FeatureSpec::fixed_len("age", DType::INT64, [0u64; 0]).unwrap();
    let name = FeatureSpec::fixed_len("name", DType::STRING, [1]).unwrap();
    let pairs = FeatureSpec::fixed_len_sequence("pairs", DType::FLOAT, [2]).unwrap();
    let specs = [
        FeatureSpec::var_len("tags", DType::STRING),
        age.with_default(Tensor::scalar(7i64)).unwrap(),
        FeatureSpec::fixed_len("size", DType::FLOAT, [2]).unwrap(),
        name.with_default(Tensor::from_strings([1], ["nobody"]).unwrap())
            .unwrap(),
        FeatureSpec::ragged("bag", DType::FLOAT),
        FeatureSpec::fixed_len_sequence("steps", DType::INT64, [0u64; 0]).unwrap(),
        pairs.with_default(Tensor::scalar(-1f32)).unwrap(),
        FeatureSpec::var_len("counts", DType::INT64),
    ];
    let parsed = graph.parse_example(&serialized, &specs).unwrap();
    let dash = Tensor::from_strings(Shape::SCALAR, ["-"]).unwrap();
    let dash = graph.constant("dash", &dash).unwrap();
    let filled = graph.sparse_to_dense(parsed.sparse("tags").unwrap(), &dash);
    let one = graph.strided_slice(&serialized, &[0.into()]).unwrap();
    let one = one.with_shape(Shape::SCALAR.into());
    let of_one = graph.parse_example(&one, &specs[2..3]).unwrap();
    for key in ["age", "size", "name", "steps", "pairs"] {
        model.add(&format!("parse_{key}"), parsed.dense(key).cloned());
    }
    for key in ["tags", "counts"] {
        let sparse = parsed.sparse(key).unwrap().clone();
        model.add(&format!("parse_{key}_indices"), Ok(sparse.indices));
        model.add(&format!("parse_{key}_values"), Ok(sparse.values));
        model.add(&format!("parse_{key}_shape"), Ok(sparse.dense_shape));
    }
    let ragged = parsed.ragged("bag").unwrap().clone();
    model.add("parse_bag_values", Ok(ragged.values));
    model.add("parse_bag_splits", Ok(ragged.row_splits));
    model.add("sparse_to_dense", filled);
    model.add("parse_one_size", of_one.dense("size").cloned());
    assert!(
        parsed
            .dense("tags")
            .unwrap_err()
            .to_string()
            .contains("dense feature `tags`")
    );
}

fn control_flow(model: &mut Model, x: &Output) {
    let start = model.input("start", DType::INT64, &[], vec![json!(27)]);
    let graph = &mut model.graph;
    let negate = function("negate", |graph, x| graph.neg(x));
    let keep = function("magnitude", |graph, x| graph.abs(x));
    let square = function("square", |graph, x| graph.square(x));
    let square_and_one = function("square_and_one", |graph, x| {
        let one = graph.constant("one", &Tensor::scalar(1f32))?;
        let squared = graph.call(&square, [x])?.output()?;
        graph.add(&squared, &one)
    });
    let mut outputs = Vec::new();
    for (name, truth) in [("if_true", true), ("if_false", false)] {
        let condition = graph.constant(name, &Tensor::scalar(truth)).unwrap();
        let branch = graph.if_then_else(&condition, &negate, &keep, [x]).unwrap();
        outputs.push((name, branch.output()));
    }
    for (name, index) in [("case_0", 0i32), ("case_1", 1), ("case_9", 9)] {
        let index = graph.constant(name, &Tensor::scalar(index)).unwrap();
        let case = graph.case(&index, &[&negate, &keep, &square], [x]).unwrap();
        outputs.push((name, case.output()));
    }
    let (condition, body) = collatz();
    let zero = graph.constant("no_steps", &Tensor::scalar(0i32)).unwrap();
    let ended = graph
        .while_loop(&condition, &body, [&start, &zero])
        .unwrap();
    outputs.push(("while_number", Ok(ended.outputs()[0].clone())));
    outputs.push(("while_steps", Ok(ended.outputs()[1].clone())));
    outputs.push(("call", graph.call(&square_and_one, [x]).unwrap().output()));
    for (name, output) in outputs {
        model.add(name, output);
    }
}

#[test]
fn interop_methods_compute_what_python_computes() {
    let scratch = Scratch::new("graph-ops");
    let vocabulary = scratch.path().join("words.txt");
    std::fs::write(&vocabulary, "be\nto\nor\n").unwrap();
    let mut model = Model {
        graph: GraphBuilder::new(),
        inputs: Vec::new(),
        fed: Map::new(),
        outputs: Vec::new(),
    };
    let (x, y) = (model.floats("x", &[3, 4]), model.floats("y", &[3, 4]));
    let image = model.floats("image", &[2, 5, 6, 3]);
    let image = image.with_shape(PartialShape::try_from([-1, 5, 6, 3]).unwrap());
    let ids = [0, 2, 1, 1].iter().map(|id| json!(id)).collect();
    let ids = model.input("ids", DType::INT64, &[4], ids);
    math(&mut model, &x, &y);
    arrays(&mut model, &x, &y, &image, &ids);
    networks(&mut model, &x, &image, &ids);
    strings(&mut model, &ids, &vocabulary);
    examples(&mut model);
    control_flow(&mut model, &x);

    let pair = |(name, output): &(String, Output)| (name.clone(), output.clone());
    let inputs: Vec<_> = model.inputs.iter().map(pair).collect();
    let outputs: Vec<_> = model.outputs.iter().map(pair).collect();
    let count = outputs.len();
    let signature = Signature::predict(
        inputs.iter().map(|(name, output)| (name.as_str(), output)),
        outputs.iter().map(|(name, output)| (name.as_str(), output)),
    );
    let directory = scratch.path().join("model");
    let options = SavedModelBuilder::options().durability(Durability::None);
    let mut builder = options.create(&directory).unwrap();
    let meta_graph =
        MetaGraphBuilder::new(model.graph, ["serve"]).signature("all", signature.unwrap());
    let embedding: Vec<f32> = (0..10).map(|i| i as f32 / 4.0).collect();
    let embedding = Tensor::from_slice([5, 2], &embedding).unwrap();
    builder
        .add_meta_graph_and_variables(meta_graph, [("embedding", embedding)])
        .unwrap();
    builder.save().unwrap();

    let case = json!({"model": directory, "signature": "all", "inputs": model.fed});
    let file = scratch.path().join("case.json");
    std::fs::write(&file, case.to_string()).unwrap();
    let Some(answer) = tensorflow::run("graph_ops.py", &[&file]) else {
        return;
    };
    let answer: Json = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["faults"], json!([]), "{:#}", answer["faults"]);
    // Every output, by both loaders.
    assert_eq!(answer["compared"], json!(2 * count));
}
