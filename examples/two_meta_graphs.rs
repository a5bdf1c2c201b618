//! Two programs over the same variables: one for CPUs, one for GPUs.
//!
//! ```text
//! cargo run --example two_meta_graphs -- two_meta_graphs/1
//! ```
//!
//! Both normalize images with what training has found. The one with the tags `serve` and `gpu` does it in one
//! fused node, the one with `serve` alone in the arithmetic it consists of. Variables are written once.

use std::path::Path;

use savedmodel::builder::{MetaGraphBuilder, SavedModelBuilder, constants};
use savedmodel::graph::GraphBuilder;
use savedmodel::{DType, PartialShape, Result, Shape, Signature, Tensor};

const CHANNELS: u64 = 3;

/// Builds the model in a directory that is not there yet.
pub fn build(directory: &Path) -> Result<()> {
    let values = [
        ("mean", [0.5f32, 0.25, -0.5]),
        ("variance", [1.0, 4.0, 0.25]),
        ("beta", [0.0, 1.0, -1.0]),
        ("gamma", [1.0, 0.5, 2.0]),
    ];
    let values = values.map(|(name, value)| Ok((name, Tensor::from_slice([CHANNELS], &value)?)));
    let values: Vec<(&str, Tensor)> = values.into_iter().collect::<Result<_>>()?;

    let mut builder = SavedModelBuilder::new(directory)?;
    let meta_graph = meta_graph(&[constants::SERVING], false)?;
    builder.add_meta_graph_and_variables(meta_graph, values)?;
    let fused = self::meta_graph(&[constants::SERVING, constants::GPU], true)?;
    builder.add_meta_graph(fused)?;
    builder.save()?;
    Ok(())
}

fn meta_graph(tags: &[&str], fused: bool) -> Result<MetaGraphBuilder> {
    let mut graph = GraphBuilder::new();
    let shape = PartialShape::try_from([-1, -1, -1, CHANNELS as i64])?;
    let images = graph.placeholder("images", DType::FLOAT, shape)?;
    // Variables meet by their names.
    let mut parameter = |name: &str| {
        let variable = graph.variable(name, DType::FLOAT, Shape::new(&[CHANNELS])?)?;
        graph.read(&variable)
    };
    let (mean, variance) = (parameter("mean")?, parameter("variance")?);
    let (beta, gamma) = (parameter("beta")?, parameter("gamma")?);
    let normalized = match fused {
        true => graph.fused_batch_norm(&images, &mean, &variance, &beta, &gamma, 1e-3)?,
        false => graph.batch_norm(&images, &mean, &variance, &beta, &gamma, 1e-3)?,
    };
    let signature = Signature::predict([("images", &images)], [("normalized", &normalized)])?;
    let meta_graph = MetaGraphBuilder::new(graph, tags.iter().copied());
    Ok(meta_graph.signature(constants::DEFAULT_SERVING_SIGNATURE_DEF_KEY, signature))
}

fn main() -> Result<()> {
    let directory = std::env::args_os().nth(1);
    build(Path::new(
        &directory.unwrap_or_else(|| "two_meta_graphs".into()),
    ))
}
