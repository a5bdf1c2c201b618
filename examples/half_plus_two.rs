//! Half plus two, the model that TensorFlow Serving tests itself with.
//!
//! ```text
//! cargo run --example half_plus_two -- saved_model_half_plus_two/00000123
//! ```
//!
//! It computes y = 0.5 x + 2, y2 = 0.5 x + 3 and y3 = 0.5 x2 + 3, of numbers or of serialized examples,
//! and has one signature for each way of asking: Predict, Classify and Regress. TensorFlow's own program
//! is `tensorflow_serving/servables/tensorflow/testdata/saved_model_half_plus_two.py`; the model it made
//! for the tests of TensorFlow, `tensorflow/cc/saved_model/testdata/half_plus_two`, has the sixth signature.

use std::path::Path;

use savedmodel::builder::{MetaGraphBuilder, SavedModelBuilder, constants};
use savedmodel::example::FeatureSpec;
use savedmodel::graph::{GraphBuilder, Output, Variable};
use savedmodel::{DType, PartialShape, Result, Shape, Signature, Tensor, TensorInfo};

/// Builds the model in a directory that is not there yet.
pub fn build(directory: &Path) -> Result<()> {
    let mut builder = SavedModelBuilder::new(directory)?;
    let mut graph = GraphBuilder::new();

    // The parameters, and second ones for x2, so that nothing merges the two computations.
    let mut parameter = |name| graph.variable(name, DType::FLOAT, Shape::SCALAR);
    let (a, b, c) = (parameter("a")?, parameter("b")?, parameter("c")?);
    let (a2, c2) = (parameter("a2")?, parameter("c2")?);

    // A vector of serialized examples, each with a number `x`, and perhaps `x2`.
    let batch = PartialShape::new(&[None])?;
    let examples = graph.placeholder("tf_example", DType::STRING, batch)?;
    let zero = Tensor::from_slice([1], &[0f32])?;
    let features = [
        FeatureSpec::fixed_len("x", DType::FLOAT, [1])?,
        FeatureSpec::fixed_len("x2", DType::FLOAT, [1])?.with_default(zero)?,
    ];
    let parsed = graph.parse_example(&examples, &features)?;

    // Whoever asks with numbers feeds these, in place of what was parsed.
    let x = graph.identity("x", parsed.dense("x")?)?;
    let x2 = graph.identity("x2", parsed.dense("x2")?)?;
    let y = line(&mut graph, "y", &a, &x, &b)?;
    let y2 = line(&mut graph, "y2", &a, &x, &c)?;
    let y3 = line(&mut graph, "y3", &a2, &x2, &c2)?;

    // A file that comes with the model, though this one does not read it.
    let files = directory.with_extension("files");
    std::fs::create_dir_all(&files)?;
    std::fs::write(files.join("foo.txt"), "asset-file-contents")?;
    graph.asset(files.join("foo.txt"))?;

    // These two take numbers, which the helpers for such signatures would refuse.
    let of_numbers = |output: &str, method: &str| {
        let inputs = [(constants::REGRESS_INPUTS.to_owned(), TensorInfo::from(&x2))];
        let outputs = [(output.to_owned(), TensorInfo::from(&y3))];
        Signature::new(inputs, outputs, method)
    };
    let regress_x2 = of_numbers(constants::REGRESS_OUTPUTS, constants::REGRESS_METHOD_NAME);
    let classify_x2 = of_numbers(
        constants::CLASSIFY_OUTPUT_SCORES,
        constants::CLASSIFY_METHOD_NAME,
    );
    let classify_x = Signature::classify(&examples, None, Some(TensorInfo::from(&y)))?;
    let default = constants::DEFAULT_SERVING_SIGNATURE_DEF_KEY;
    let meta_graph = MetaGraphBuilder::new(graph, [constants::SERVING])
        .signature(default, Signature::predict([("x", &x)], [("y", &y)])?)
        .signature("regress_x_to_y", Signature::regress(&examples, &y)?)
        .signature("regress_x_to_y2", Signature::regress(&examples, &y2)?)
        .signature("regress_x2_to_y3", regress_x2)
        .signature("classify_x_to_y", classify_x)
        .signature("classify_x2_to_y3", classify_x2);
    let values = [
        ("a", 0.5f32),
        ("b", 2.0),
        ("c", 3.0),
        ("a2", 0.5),
        ("c2", 3.0),
    ];
    builder.add_meta_graph_and_variables(
        meta_graph,
        values.map(|(name, value)| (name, Tensor::scalar(value))),
    )?;
    builder.save()?;
    std::fs::remove_dir_all(files)?;
    Ok(())
}

/// Adds `slope * x + offset` under a name.
fn line(
    graph: &mut GraphBuilder,
    name: &str,
    slope: &Variable,
    x: &Output,
    offset: &Variable,
) -> Result<Output> {
    let (slope, offset) = (graph.read(slope)?, graph.read(offset)?);
    let product = graph.mul(&slope, x)?;
    let sum = graph.add(&product, &offset)?;
    graph.identity(name, &sum)
}

fn main() -> Result<()> {
    let directory = std::env::args_os().nth(1);
    let directory = directory.unwrap_or_else(|| "saved_model_half_plus_two".into());
    build(Path::new(&directory))
}
