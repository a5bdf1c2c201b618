//! A network of two dense layers, with weights that another program has trained.
//!
//! ```text
//! cargo run --example mlp --features safetensors -- mlp/1
//! ```
//!
//! The weights come from a safetensors file beside the model, `mlp/1.safetensors`, in the form of PyTorch:
//! a layer is `NAME.weight`, a row for each unit, and `NAME.bias`. Where there is no such file, one is made.

use std::path::Path;

use savedmodel::builder::{MetaGraphBuilder, SavedModelBuilder, VariableValue, constants};
use savedmodel::graph::{GraphBuilder, Output};
use savedmodel::safetensors::{SafetensorsReader, SafetensorsWriter};
use savedmodel::{DType, PartialShape, Result, Signature, Tensor};

/// Builds the model in a directory that is not there yet.
pub fn build(directory: &Path) -> Result<()> {
    let file = directory.with_extension("safetensors");
    if !file.exists() {
        train(&file)?;
    }
    let weights = SafetensorsReader::open(&file)?;

    let mut graph = GraphBuilder::new();
    let x = graph.placeholder("x", DType::FLOAT, PartialShape::try_from([-1, 4])?)?;
    let hidden = layer(&mut graph, &weights, "fc1", &x)?;
    let hidden = graph.relu(&hidden)?;
    let logits = layer(&mut graph, &weights, "fc2", &hidden)?;
    let probabilities = graph.softmax(&logits)?;
    let class = graph.argmax(&logits, -1)?;

    let outputs = [("probabilities", &probabilities), ("class", &class)];
    let signature = Signature::predict([("x", &x)], outputs)?;
    let meta_graph = MetaGraphBuilder::new(graph, [constants::SERVING])
        .signature(constants::DEFAULT_SERVING_SIGNATURE_DEF_KEY, signature);
    let mut builder = SavedModelBuilder::new(directory)?;
    let values = VariableValue::all_from_safetensors(&weights)?;
    builder.add_meta_graph_and_variables(meta_graph, values)?;
    builder.save()?;
    Ok(())
}

/// Adds `x · weightᵀ + bias`, with variables named as the tensors of the file.
fn layer(
    graph: &mut GraphBuilder,
    weights: &SafetensorsReader,
    name: &str,
    x: &Output,
) -> Result<Output> {
    let mut variable = |part: &str| {
        let info = weights.info(&format!("{name}.{part}"))?;
        let variable = graph.variable(info.name(), DType::FLOAT, info.shape().clone())?;
        graph.read(&variable)
    };
    let (weight, bias) = (variable("weight")?, variable("bias")?);
    let product = graph.matmul_transposed(x, false, &weight, true)?;
    graph.bias_add(&product, &bias)
}

/// Stands for the program that trains: writes weights.
fn train(file: &Path) -> Result<()> {
    let tensor = |shape: &[u64], seed: usize| {
        let count = shape.iter().product::<u64>() as usize;
        let values: Vec<f32> = (0..count)
            .map(|i| ((i * 37 + seed * 11) % 101) as f32 / 50.0 - 1.0)
            .collect();
        Tensor::from_slice(shape, &values)
    };
    let tensors = [
        ("fc1.weight", tensor(&[16, 4], 1)?),
        ("fc1.bias", tensor(&[16], 2)?),
        ("fc2.weight", tensor(&[3, 16], 3)?),
        ("fc2.bias", tensor(&[3], 4)?),
    ];
    let tensors = tensors.iter().map(|(name, tensor)| (*name, tensor));
    SafetensorsWriter::new().write_tensors(file, tensors)
}

fn main() -> Result<()> {
    let directory = std::env::args_os().nth(1);
    build(Path::new(&directory.unwrap_or_else(|| "mlp".into())))
}
