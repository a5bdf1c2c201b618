//! A model that judges texts: strings, a vocabulary file, serialized examples.
//!
//! ```text
//! cargo run --example text_model -- text_model/1
//! ```
//!
//! A text is made small, cut into words at white space, and its words are found in a vocabulary that comes
//! with the model; unknown words share two more numbers. The mean of the words' embeddings gives a score.
//! Serialized examples have a feature `text` and may have `stars`.

use std::path::Path;

use savedmodel::builder::{MetaGraphBuilder, SavedModelBuilder, constants};
use savedmodel::example::FeatureSpec;
use savedmodel::graph::{GraphBuilder, OutOfVocabulary, Output};
use savedmodel::{DType, PartialShape, Result, Shape, Signature, Tensor, TensorInfo};

const WORDS: [&str; 6] = ["good", "bad", "not", "very", "film", "boring"];
const UNKNOWN: u32 = 2;
const DEPTH: u64 = 4;

/// Builds the model in a directory that is not there yet.
pub fn build(directory: &Path) -> Result<()> {
    let mut builder = SavedModelBuilder::new(directory)?;
    let files = directory.with_extension("files");
    std::fs::create_dir_all(&files)?;
    let vocabulary = files.join("vocabulary.txt");
    std::fs::write(&vocabulary, WORDS.join("\n"))?;

    let mut graph = GraphBuilder::new();
    let batch = PartialShape::new(&[None])?;
    let examples = graph.placeholder("examples", DType::STRING, batch)?;
    let features = [
        FeatureSpec::fixed_len("text", DType::STRING, Shape::SCALAR)?,
        FeatureSpec::fixed_len("stars", DType::FLOAT, Shape::SCALAR)?
            .with_default(Tensor::scalar(3f32))?,
    ];
    let parsed = graph.parse_example(&examples, &features)?;
    // Whoever has no examples feeds these.
    let text = graph.identity("text", parsed.dense("text")?)?;
    let stars = graph.identity("stars", parsed.dense("stars")?)?;

    let table = OutOfVocabulary::Buckets(UNKNOWN);
    let table = graph.vocabulary_table("vocabulary", &vocabulary, table)?;
    let words = graph.scope("words", |graph| words(graph, &text))?;
    let ids = graph.lookup(&table, &words)?;
    let numbers = WORDS.len() as u64 + u64::from(UNKNOWN);
    let embedding = graph.variable("embedding", DType::FLOAT, Shape::new(&[numbers, DEPTH])?)?;
    let vectors = graph.embedding_lookup(&embedding, &ids)?;
    let mean = graph.scope("mean", |graph| mean(graph, &words, &vectors))?;

    let kernel = graph.variable("score/kernel", DType::FLOAT, Shape::new(&[DEPTH + 1, 1])?)?;
    let bias = graph.variable("score/bias", DType::FLOAT, Shape::new(&[1])?)?;
    let (kernel, bias) = (graph.read(&kernel)?, graph.read(&bias)?);
    let star_column = graph.expand_dims(&stars, -1)?;
    let inputs = graph.concat([&mean, &star_column], -1)?;
    let logit = graph.dense(&inputs, &kernel, &bias)?;
    let score = graph.sigmoid(&logit)?;
    let one = graph.constant("one", &Tensor::scalar(1f32))?;
    let rest = graph.sub(&one, &score)?;
    let scores = graph.concat([&rest, &score], -1)?;
    // The names of the classes, for each example again. Ops without a method are added by name.
    let names = Tensor::from_strings([2], ["negative", "positive"])?;
    let names = graph.constant("class_names", &names)?;
    let shape = graph.shape(&scores)?;
    let classes = graph.op("BroadcastTo").input(&names).input(&shape);
    let classes = classes.output()?.with_shape(scores.shape().clone());

    let (of_classes, of_scores) = (TensorInfo::from(&classes), TensorInfo::from(&scores));
    let classify = Signature::classify(&examples, Some(of_classes), Some(of_scores))?;
    let predict = Signature::predict([("text", &text), ("stars", &stars)], [("score", &score)])?;
    let meta_graph = MetaGraphBuilder::new(graph, [constants::SERVING])
        .signature("regress", Signature::regress(&examples, &score)?)
        .signature("classify", classify)
        .signature(constants::DEFAULT_SERVING_SIGNATURE_DEF_KEY, predict);
    let value = |shape: &[u64], factor: f32| {
        let count = shape.iter().product::<u64>();
        let values: Vec<f32> = (0..count).map(|i| (i as f32 * factor).sin()).collect();
        Tensor::from_slice(shape, &values)
    };
    let values = [
        ("embedding", value(&[numbers, DEPTH], 1.3)?),
        ("score/kernel", value(&[DEPTH + 1, 1], 0.7)?),
        ("score/bias", value(&[1], 0.0)?),
    ];
    builder.add_meta_graph_and_variables(meta_graph, values)?;
    builder.save()?;
    std::fs::remove_dir_all(files)?;
    Ok(())
}

/// Cuts texts into words, a row for each text; behind the last word of a row it is empty.
fn words(graph: &mut GraphBuilder, text: &Output) -> Result<Output> {
    let text = graph.string_lower(text)?;
    let text = graph.regex_replace(&text, "[[:punct:]]", "")?;
    let words = graph.string_split(&text, "")?;
    let nothing = graph.constant("nothing", &Tensor::from_strings(Shape::SCALAR, [""])?)?;
    let words = graph.sparse_to_dense(&words, &nothing)?;
    Ok(words.with_shape(PartialShape::new(&[None, None])?))
}

/// Takes the mean of the vectors of words, without those of empty ones.
fn mean(graph: &mut GraphBuilder, words: &Output, vectors: &Output) -> Result<Output> {
    let nothing = graph.constant("nothing", &Tensor::from_strings(Shape::SCALAR, [""])?)?;
    let counts = graph.not_equal(words, &nothing)?;
    let counts = graph.cast(&counts, DType::FLOAT)?;
    let counts = graph.expand_dims(&counts, -1)?;
    let vectors = graph.mul(vectors, &counts)?;
    let sum = graph.reduce_sum(&vectors, &[1], false)?;
    let count = graph.reduce_sum(&counts, &[1], false)?;
    let one = graph.constant("one", &Tensor::scalar(1f32))?;
    let count = graph.maximum(&count, &one)?;
    graph.div(&sum, &count)
}

fn main() -> Result<()> {
    let directory = std::env::args_os().nth(1);
    build(Path::new(&directory.unwrap_or_else(|| "text_model".into())))
}
