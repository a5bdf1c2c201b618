//! A small convolutional network for images.
//!
//! ```text
//! cargo run --example cnn --features safetensors -- cnn/1
//! ```
//!
//! Two convolutions with pooling between them, a mean over what is left of each image, and a dense layer.
//! The weights come from a safetensors file beside the model, `cnn/1.safetensors`, under the names and in the
//! layout of TensorFlow's variables. Where there is no such file, one is made.

use std::path::Path;

use savedmodel::builder::{MetaGraphBuilder, SavedModelBuilder, VariableValue, constants};
use savedmodel::graph::{GraphBuilder, Output, Padding};
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
    let shape = PartialShape::try_from([-1, 12, 12, 1])?;
    let images = graph.placeholder("images", DType::FLOAT, shape)?;
    // A tensor of the file becomes a variable of its name.
    let parameter = |graph: &mut GraphBuilder, name: &str| -> Result<Output> {
        let shape = weights.info(name)?.shape().clone();
        let variable = graph.variable(name, DType::FLOAT, shape)?;
        graph.read(&variable)
    };

    let (filters, bias) = (
        parameter(&mut graph, "conv1/kernel")?,
        parameter(&mut graph, "conv1/bias")?,
    );
    let x = graph.conv2d(&images, &filters, [1, 1], Padding::Same)?;
    let x = graph.bias_add(&x, &bias)?;
    let x = graph.relu(&x)?;
    let x = graph.max_pool(&x, [2, 2], [2, 2], Padding::Valid)?;
    let (filters, bias) = (
        parameter(&mut graph, "conv2/kernel")?,
        parameter(&mut graph, "conv2/bias")?,
    );
    let x = graph.conv2d(&x, &filters, [2, 2], Padding::Valid)?;
    let x = graph.bias_add(&x, &bias)?;
    let x = graph.relu(&x)?;
    let x = graph.reduce_mean(&x, &[1, 2], false)?;
    let (kernel, bias) = (
        parameter(&mut graph, "dense/kernel")?,
        parameter(&mut graph, "dense/bias")?,
    );
    let logits = graph.dense(&x, &kernel, &bias)?;
    let probabilities = graph.softmax(&logits)?;
    let (scores, classes) = graph.top_k(&probabilities, 2)?;

    let outputs = [
        ("probabilities", &probabilities),
        ("scores", &scores),
        ("classes", &classes),
    ];
    let signature = Signature::predict([("images", &images)], outputs)?;
    let meta_graph = MetaGraphBuilder::new(graph, [constants::SERVING])
        .signature(constants::DEFAULT_SERVING_SIGNATURE_DEF_KEY, signature);
    let mut builder = SavedModelBuilder::new(directory)?;
    let values = VariableValue::all_from_safetensors(&weights)?;
    builder.add_meta_graph_and_variables(meta_graph, values)?;
    builder.save()?;
    Ok(())
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
        ("conv1/kernel", tensor(&[3, 3, 1, 4], 1)?),
        ("conv1/bias", tensor(&[4], 2)?),
        ("conv2/kernel", tensor(&[3, 3, 4, 8], 3)?),
        ("conv2/bias", tensor(&[8], 4)?),
        ("dense/kernel", tensor(&[8, 5], 5)?),
        ("dense/bias", tensor(&[5], 6)?),
    ];
    let tensors = tensors.iter().map(|(name, tensor)| (*name, tensor));
    SafetensorsWriter::new().write_tensors(file, tensors)
}

fn main() -> Result<()> {
    let directory = std::env::args_os().nth(1);
    build(Path::new(&directory.unwrap_or_else(|| "cnn".into())))
}
