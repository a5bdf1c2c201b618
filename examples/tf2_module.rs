//! Writes a model of TensorFlow 2 that names the language of words, with everything that a `tf.Module` can have.
//!
//! ```text
//! cargo run --example tf2_module -- languages/1
//! python -c 'import tensorflow as tf
//! m = tf.saved_model.load("languages/1")
//! print(m(tf.constant(["bonjour", "hello"])), m.trainable_variables)'
//! ```
//!
//! In Python the class would be this; `variables` and the losses are lists as Keras has them.
//!
//! ```text
//! class Languages(tf.Module):
//!     def __init__(self):
//!         self.vocabulary = tf.saved_model.Asset("words.txt")
//!         self.ids = tf.lookup.StaticHashTable(tf.lookup.TextFileInitializer(self.vocabulary, ...), -1)
//!         self.layers = [tf.Module()]                 # with `embedding` and `bias`
//!         self.settings = {"temperature": tf.Variable(1.0, trainable=False)}
//!     @tf.function
//!     def __call__(self, words, training=False): ...  # logits in training, else probabilities
//! ```

use std::path::Path;

use savedmodel::builder::{ObjectModelBuilder, StaticTable, Trace};
use savedmodel::graph::{Function, GraphBuilder, Output, Variable};
use savedmodel::object_graph::{
    Child, DescribedVariable, FullArgSpec, ObjectTree, StructuredValue, TensorSpec,
};
use savedmodel::{DType, PartialShape, Result, Shape, Tensor};

fn main() -> Result<()> {
    let directory = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "languages/1".into());
    write(Path::new(&directory))?;
    println!("{directory} is a model");
    Ok(())
}

/// Writes the model to a new directory.
pub fn write(directory: &Path) -> Result<()> {
    // What a checkpoint would have: objects, down to variables.
    let mut tree = ObjectTree::new();
    let root = tree.root();
    let layers = tree.track(root, "layers", Child::List)?;
    let layer = tree.append(layers, Child::Module)?;
    // A row for each word, and one for all others; English and French are the columns.
    let embedding = Tensor::from_slice([5, 2], &[2f32, -2., 3., -1., -2., 2., -1., 3., 0., 0.])?;
    let embedding = DescribedVariable::new(embedding).named("embedding");
    let embedding = tree.track(layer, "embedding", embedding)?;
    let bias = DescribedVariable::new(Tensor::from_slice([2], &[0.5f32, 0.])?).named("bias");
    let bias = tree.track(layer, "bias", bias)?;
    let settings = tree.track(root, "settings", Child::Dict)?;
    let temperature = DescribedVariable::new(Tensor::scalar(1f32)).named("temperature");
    let temperature = tree.track(settings, "temperature", temperature.trainable(false))?;
    // The same objects again: in Python `m.trainable_variables[1] is m.layers[0].bias`.
    let trainable = tree.track(root, "trainable_variables", Child::List)?;
    let variables = tree.track(root, "variables", Child::List)?;
    for variable in [embedding, bias] {
        tree.append(trainable, variable)?;
        tree.append(variables, variable)?;
    }
    tree.append(variables, temperature)?;
    let losses = tree.track(root, "regularization_losses", Child::List)?;

    // What a model has besides.
    let mut model = ObjectModelBuilder::new(tree)?;
    let words = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/words.txt");
    let vocabulary = model.asset(words)?;
    model.attach(root, "vocabulary", vocabulary)?;
    let ids = model.table(StaticTable::vocabulary(vocabulary))?;
    model.attach(root, "ids", ids)?;
    let unknown = model.constant(Tensor::scalar(4i64))?;

    // `__call__(words, training=False)` has a trace for each value of `training`.
    let argument = TensorSpec::new(DType::STRING, PartialShape::new(&[None])?).named("words");
    let trace = |function: &Function, training: bool| {
        let trace = Trace::new(function).arguments([argument.clone().into(), training.into()]);
        let trace = trace.capture(ids).capture(unknown).capture(embedding);
        trace.capture(bias).capture(temperature)
    };
    model.function_with_spec(
        root,
        "__call__",
        FullArgSpec::new(["words", "training"]).defaults([false.into()]),
        [
            trace(&call("call", Some("Softmax"))?, false),
            trace(&call("call_training", None)?, true),
        ],
    )?;
    model.function(losses, "0", [Trace::new(&l2()?).capture(embedding)])?;

    // A signature by which servers call it, with names for what it returns.
    let probabilities = TensorSpec::new(DType::FLOAT, PartialShape::new(&[None, Some(2)])?);
    let serve = trace(&call("serve", Some("Softmax"))?, false)
        .arguments([argument.clone().into()])
        .returns(StructuredValue::dict([(
            "probabilities",
            probabilities.into(),
        )]));
    model.function(root, "serve", [serve])?;
    model.signature("serving_default", "serve")?;
    model.save(directory)?;
    Ok(())
}

/// `activation((embedding[ids[words]] + bias) / temperature)`. What it uses of the model are its last arguments.
fn call(name: &str, activation: Option<&str>) -> Result<Function> {
    let mut body = GraphBuilder::function();
    let words = body.argument("words", DType::STRING, PartialShape::new(&[None])?)?;
    let ids = body.argument("ids", DType::RESOURCE, Shape::SCALAR.into())?;
    let unknown = body.argument("unknown", DType::INT64, Shape::SCALAR.into())?;
    let embedding = read(&mut body, "embedding", &[5, 2])?;
    let bias = read(&mut body, "bias", &[2])?;
    let temperature = read(&mut body, "temperature", &[])?;
    let find = body.op("LookupTableFindV2").input(&ids).input(&words);
    let rows = find.input(&unknown).output()?;
    let axis = body.constant("axis", &Tensor::scalar(0i32))?;
    let gather = body.op("GatherV2").input(&embedding).input(&rows);
    let logits = gather.input(&axis).output()?;
    let logits = body.op("BiasAdd").input(&logits).input(&bias).output()?;
    let divide = body.op("RealDiv").input(&logits).input(&temperature);
    let mut result = divide.output()?;
    if let Some(activation) = activation {
        result = body.op(activation).input(&result).output()?;
    }
    let result = result.with_shape(PartialShape::new(&[None, Some(2)])?);
    body.into_function(name, [("result", &result)])
}

/// Half the sum of squares of the embedding.
fn l2() -> Result<Function> {
    let mut body = GraphBuilder::function();
    let embedding = read(&mut body, "embedding", &[5, 2])?;
    let loss = body.op("L2Loss").input(&embedding).output()?;
    body.into_function("l2", [("loss", &loss.with_shape(Shape::SCALAR.into()))])
}

/// Takes a variable as an argument, and reads it.
fn read(body: &mut GraphBuilder, name: &str, dims: &[u64]) -> Result<Output> {
    let handle = body.argument(name, DType::RESOURCE, Shape::SCALAR.into())?;
    body.read(&Variable::from_handle(
        &handle,
        DType::FLOAT,
        Shape::new(dims)?,
    )?)
}
