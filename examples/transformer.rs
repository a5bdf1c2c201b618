//! A transformer block that foretells the next token, with attention in two heads.
//!
//! ```text
//! cargo run --example transformer -- transformer/1
//! ```
//!
//! Tokens and their places are embedded; attention looks back only; two dense layers follow. Each part is
//! normalized before and added to what came in. The logits come from the same embedding.

use std::path::Path;

use savedmodel::builder::{MetaGraphBuilder, SavedModelBuilder, constants};
use savedmodel::graph::{GraphBuilder, Output};
use savedmodel::{DType, PartialShape, Result, Shape, Signature, Tensor};

const TOKENS: u64 = 11;
const LENGTH: u64 = 6;
const DEPTH: u64 = 8;
const HEADS: u64 = 2;

/// The variables with their shapes.
const VARIABLES: [(&str, &[u64]); 14] = [
    ("embedding", &[TOKENS, DEPTH]),
    ("places", &[LENGTH, DEPTH]),
    ("attention/norm/gamma", &[DEPTH]),
    ("attention/norm/beta", &[DEPTH]),
    ("attention/in/kernel", &[DEPTH, 3 * DEPTH]),
    ("attention/in/bias", &[3 * DEPTH]),
    ("attention/out/kernel", &[DEPTH, DEPTH]),
    ("attention/out/bias", &[DEPTH]),
    ("dense/norm/gamma", &[DEPTH]),
    ("dense/norm/beta", &[DEPTH]),
    ("dense/in/kernel", &[DEPTH, 4 * DEPTH]),
    ("dense/in/bias", &[4 * DEPTH]),
    ("dense/out/kernel", &[4 * DEPTH, DEPTH]),
    ("dense/out/bias", &[DEPTH]),
];

/// Builds the model in a directory that is not there yet.
pub fn build(directory: &Path) -> Result<()> {
    let mut graph = GraphBuilder::new();
    let shape = PartialShape::try_from([-1, LENGTH as i64])?;
    let tokens = graph.placeholder("tokens", DType::INT64, shape)?;
    let mut values = Vec::new();
    for (place, (name, shape)) in VARIABLES.into_iter().enumerate() {
        graph.variable(name, DType::FLOAT, Shape::new(shape)?)?;
        let at = |i: u64| ((i * 7 + place as u64 * 5) as f32 * 0.37).sin() * 0.5;
        let value: Vec<f32> = (0..shape.iter().product()).map(at).collect();
        values.push((name, Tensor::from_slice(shape, &value)?));
    }

    let embedding = graph.variables()[0].clone();
    let x = graph.embedding_lookup(&embedding, &tokens)?;
    let places = parameter(&mut graph, "places")?;
    let x = graph.add(&x, &places)?;
    let x = graph.scope("block", |graph| {
        let inner = norm(graph, "attention/norm", &x)?;
        let inner = attend(graph, &inner)?;
        let x = graph.add(&x, &inner)?;
        let inner = norm(graph, "dense/norm", &x)?;
        let inner = dense(graph, "dense/in", &inner)?;
        let inner = graph.gelu(&inner, true)?;
        let inner = dense(graph, "dense/out", &inner)?;
        graph.add(&x, &inner)
    })?;
    let embedding = graph.read(&embedding)?;
    let logits = graph.batch_matmul_adjoint(&x, false, &embedding, true)?;
    let next = graph.argmax(&logits, -1)?;

    let outputs = [("logits", &logits), ("next", &next)];
    let signature = Signature::predict([("tokens", &tokens)], outputs)?;
    let meta_graph = MetaGraphBuilder::new(graph, [constants::SERVING])
        .signature(constants::DEFAULT_SERVING_SIGNATURE_DEF_KEY, signature);
    let mut builder = SavedModelBuilder::new(directory)?;
    builder.add_meta_graph_and_variables(meta_graph, values)?;
    builder.save()?;
    Ok(())
}

/// Lets every token look at itself and those before it, in heads beside each other.
fn attend(graph: &mut GraphBuilder, x: &Output) -> Result<Output> {
    let x = dense(graph, "attention/in", x)?;
    let heads: Vec<Output> = graph
        .split(&x, 3, -1)?
        .iter()
        .map(|part| {
            let (heads, depth) = (HEADS as i64, (DEPTH / HEADS) as i64);
            let part = graph.reshape(part, &[-1, LENGTH as i64, heads, depth])?;
            graph.transpose(&part, &[0, 2, 1, 3])
        })
        .collect::<Result<_>>()?;
    let sees: Vec<bool> = (0..LENGTH * LENGTH)
        .map(|i| i % LENGTH <= i / LENGTH)
        .collect();
    let mask = graph.constant("mask", &Tensor::from_slice([LENGTH, LENGTH], &sees)?)?;
    let seen = graph.attention(&heads[0], &heads[1], &heads[2], Some(&mask))?;
    let seen = graph.transpose(&seen, &[0, 2, 1, 3])?;
    let seen = graph.reshape(&seen, &[-1, LENGTH as i64, DEPTH as i64])?;
    dense(graph, "attention/out", &seen)
}

fn parameter(graph: &mut GraphBuilder, name: &str) -> Result<Output> {
    let place = VARIABLES.iter().position(|(there, _)| *there == name);
    let variable = graph.variables()[place.expect("a name of the list")].clone();
    graph.read(&variable)
}

fn dense(graph: &mut GraphBuilder, name: &str, x: &Output) -> Result<Output> {
    let kernel = parameter(graph, &format!("{name}/kernel"))?;
    let bias = parameter(graph, &format!("{name}/bias"))?;
    graph.dense(x, &kernel, &bias)
}

fn norm(graph: &mut GraphBuilder, name: &str, x: &Output) -> Result<Output> {
    let beta = parameter(graph, &format!("{name}/beta"))?;
    let gamma = parameter(graph, &format!("{name}/gamma"))?;
    graph.layer_norm(x, &beta, &gamma, 1e-5)
}

fn main() -> Result<()> {
    let directory = std::env::args_os().nth(1);
    build(Path::new(
        &directory.unwrap_or_else(|| "transformer".into()),
    ))
}
