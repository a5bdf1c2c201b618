//! One network with two heads, exported as Estimator does it: a signature for each head and way of asking.
//!
//! ```text
//! cargo run --example multi_head -- multi_head/1
//! ```
//!
//! From three numbers about a customer the head `sales` foretells an amount, and the head `churn` whether the
//! customer leaves. Of both the signatures are made that Estimator's `MultiHead` gives a model: `sales`, which is
//! the default too, `churn`, and `predict` for all at once.

use std::path::Path;

use savedmodel::builder::{
    ClassificationOutput, ExportOutput, ExportOutputs, MetaGraphBuilder, PredictOutput,
    RegressionOutput, SavedModelBuilder, ServingInputReceiver, constants,
};
use savedmodel::example::FeatureSpec;
use savedmodel::graph::{GraphBuilder, Output};
use savedmodel::{DType, PartialShape, Result, Shape, Tensor};

/// The variables with their shapes.
const VARIABLES: [(&str, &[u64]); 6] = [
    ("trunk/kernel", &[3, 8]),
    ("trunk/bias", &[8]),
    ("sales/kernel", &[8, 1]),
    ("sales/bias", &[1]),
    ("churn/kernel", &[8, 2]),
    ("churn/bias", &[2]),
];

/// Builds the model in a directory that is not there yet.
pub fn build(directory: &Path) -> Result<()> {
    let mut graph = GraphBuilder::new();
    let mut parameters = Vec::new();
    let mut values = Vec::new();
    for (name, shape) in VARIABLES {
        let variable = graph.variable(name, DType::FLOAT, Shape::new(shape)?)?;
        parameters.push(graph.read(&variable)?);
        let count = shape.iter().product::<u64>();
        let value: Vec<f32> = (0..count).map(|i| (i as f32 * 0.9 + 0.4).cos()).collect();
        values.push((name, Tensor::from_slice(shape, &value)?));
    }
    let examples = graph.placeholder("examples", DType::STRING, PartialShape::new(&[None])?)?;
    let customer = FeatureSpec::fixed_len("customer", DType::FLOAT, [3])?;
    let parsed = graph.parse_example(&examples, &[customer])?;
    let customer = graph.identity("customer", parsed.dense("customer")?)?;

    let layer = |graph: &mut GraphBuilder, x: &Output, place: usize| {
        graph.dense(x, &parameters[2 * place], &parameters[2 * place + 1])
    };
    let trunk = layer(&mut graph, &customer, 0)?;
    let trunk = graph.tanh(&trunk)?;
    let amount = layer(&mut graph, &trunk, 1)?;
    let logits = layer(&mut graph, &trunk, 2)?;
    let probabilities = graph.softmax(&logits)?;

    // Each head has what is asked for by default, and all it predicts under `predict`.
    let default = constants::DEFAULT_SERVING_SIGNATURE_DEF_KEY;
    let sales: [(&str, ExportOutput); 2] = [
        (default, RegressionOutput::new(&amount)?.into()),
        (
            "predict",
            PredictOutput::new([("predictions", &amount)]).into(),
        ),
    ];
    let churn = [
        (
            default,
            ClassificationOutput::of_scores(&probabilities)?.into(),
        ),
        (
            "predict",
            PredictOutput::new([("logits", &logits), ("probabilities", &probabilities)]).into(),
        ),
    ];
    let outputs = ExportOutputs::heads([("sales", sales), ("churn", churn)])?;

    // Examples are fed, or what would be parsed of them; then there are neither Regress nor Classify.
    let receiver = ServingInputReceiver::new([("examples", &examples)])
        .alternative("raw", [("customer", &customer)]);
    let signatures = outputs.signatures(&graph, &receiver)?;
    let meta_graph =
        MetaGraphBuilder::new(graph, [constants::SERVING]).signatures(signatures.included);
    let mut builder = SavedModelBuilder::new(directory)?;
    builder.add_meta_graph_and_variables(meta_graph, values)?;
    builder.save()?;
    Ok(())
}

fn main() -> Result<()> {
    let directory = std::env::args_os().nth(1);
    build(Path::new(&directory.unwrap_or_else(|| "multi_head".into())))
}
