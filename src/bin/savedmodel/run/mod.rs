//! `savedmodel run`, and what it shares with the stock persona.
//!
//! Everything that can be known without TensorFlow is checked before it is looked for.
//!
//! | part | holds |
//! |---|---|
//! | `arguments` | the command line |
//! | `given` | values for inputs, as the command line has them |
//! | `input_files`, `expression`, `examples`, `request` | those of files, of Python, examples and JSON |
//! | `random` | inputs that are made up |
//! | `feed`, `feeds` | values brought to the inputs of a signature |
//! | `engine`, `engine_options`, `noise` | TensorFlow |
//! | `latency` | how long calls take |
//! | `results`, `document` | outputs as text, files and JSON |

mod arguments;
mod document;
#[cfg(feature = "tf-runtime")]
mod engine;
#[cfg(not(feature = "tf-runtime"))]
#[path = "no_engine.rs"]
mod engine;
mod engine_options;
mod examples;
mod expression;
mod feed;
mod feeds;
mod given;
mod input_files;
mod latency;
#[cfg(feature = "tf-runtime")]
mod noise;
mod random;
mod request;
mod results;
#[cfg(test)]
mod vectors;

use std::io::Write;
use std::time::{Duration, Instant};

use savedmodel::model::Component;
use savedmodel::{MetaGraph, SavedModel, Tensor};

use crate::failure::{Failure, Outcome};
use crate::text::Escaped;
use crate::{json, path, remark, show, signature};
use document::{Document, Input, Output, TensorFlow};
use feeds::{Feed, Wanted};
use latency::Latency;
use random::RandomInputs;
use request::Body;

pub(crate) use arguments::Run;
pub(crate) use engine::Engine;
pub(crate) use engine_options::EngineOptions;
pub(crate) use expression::{DEFAULT_SEED, Grammar};
pub(crate) use feeds::tensor_of;
pub(crate) use given::{GivenInputs, InputOptions};
pub(crate) use results::{OutputDirectory, text};

/// `savedmodel run`.
pub(crate) fn run(args: &Run, out: &mut impl Write) -> Result<Outcome, Failure> {
    let options = InputOptions {
        files: &args.inputs,
        exprs: &args.input_exprs,
        examples: &args.input_examples,
        grammar: Grammar::Ours,
        seed: args.seed,
    };
    let mut given = GivenInputs::read(&options, &mut |warning| remark(&warning))?;
    let body = args.request.as_deref().map(Body::read).transpose()?;
    let model = path::model(&args.path)?;
    let meta_graph = match &args.tag_set {
        Some(tags) => show::tagged(&model, tags)?,
        None => show::only_meta_graph(&model)?,
    };
    let named = args.name.as_ref().or(args.signature.as_ref());
    let requested = body.as_ref().and_then(|body| body.signature.as_ref());
    let key = match named.or(requested) {
        Some(key) => key.clone(),
        None => signature::default_key(meta_graph)?,
    };
    let signature = meta_graph.signature(&key)?;
    let inputs = signature.input_components()?;
    if let Some(body) = body {
        let names: Vec<String> = inputs.iter().map(|input| input.name.clone()).collect();
        given.add_request(body.request, &names)?;
    }
    let random = args
        .random
        .then(|| RandomInputs::new(args.seed, args.batch, args.unknown_dims));
    let wanted = Wanted {
        meta_graph,
        key: &key,
        signature: &signature,
        inputs: &inputs,
    };
    let feeds = wanted.feeds(given, random, &mut |text| remark(text))?;
    let outputs = signature.output_components()?;
    check_outputs(&key, &args.output, &outputs)?;
    let directory = args.outdir.as_deref().map(|directory| OutputDirectory {
        directory,
        overwrite: args.overwrite,
        strings: args.strings.into(),
    });
    if let Some(directory) = &directory {
        let is_wanted = |name: &String| args.output.is_empty() || args.output.contains(name);
        let names = outputs.iter().map(|output| &output.name);
        for name in names.filter(|name| is_wanted(name)) {
            directory.free_file(name)?;
        }
    }
    let mut document = Document {
        path: model.path().to_string_lossy().into_owned(),
        tags: meta_graph.tags()?,
        signature: &key,
        inputs: feeds.iter().map(Input::of).collect(),
        outputs: None,
        tensorflow: None,
        latency: None,
    };
    if args.dry_run {
        match args.json {
            true => json::document(out, "run", 1, &document)?,
            false => write_feeds(out, &feeds)?,
        }
        return Ok(Outcome::Sound);
    }
    let found = Found::run(args, &model, meta_graph, &key, &feeds)?;
    let mut files = Vec::new();
    for (name, tensor) in &found.outputs {
        if !args.json {
            let name = Escaped(name.as_bytes());
            writeln!(out, "Result for output key {name}:\n{}", text(tensor)?)?;
        }
        if let Some(directory) = &directory {
            let path = directory.save(name, tensor)?.display().to_string();
            if !args.json {
                let (name, path) = (Escaped(name.as_bytes()), Escaped(path.as_bytes()));
                writeln!(out, "Output {name} is saved to {path}")?;
            }
            files.push(path);
        }
    }
    if args.json {
        let mut files = files.into_iter();
        let outputs = found.outputs.iter();
        document.outputs = Some(
            outputs
                .map(|(name, tensor)| Output::of(name, tensor, files.next()))
                .collect(),
        );
        document.tensorflow = Some(TensorFlow::of(&found.engine, found.first_call));
        document.latency = found.latency.as_ref();
        json::document(out, "run", 1, &document)?;
    } else if let Some(latency) = &found.latency {
        latency.write(found.engine.load_time(), out)?;
    }
    Ok(Outcome::Sound)
}

/// What running a signature gave.
struct Found {
    engine: Engine,
    outputs: Vec<(String, Tensor)>,
    first_call: Duration,
    latency: Option<Latency>,
}

impl Found {
    fn run(
        args: &Run,
        model: &SavedModel,
        meta_graph: MetaGraph<'_>,
        key: &str,
        feeds: &[Feed],
    ) -> Result<Self, Failure> {
        let options = EngineOptions {
            library: args.library.as_deref(),
            op_libraries: &args.op_library,
            threads: args.threads,
            is_inline: args.inline,
            assigns_variables: args.assign_variables,
            is_stock: false,
        };
        let engine = Engine::load(&options, model, &meta_graph.tags()?)?;
        let assigned = engine.assigned_variables();
        if !assigned.is_empty() {
            remark(&format!(
                "{} variables have the values of the checkpoint, which loading did not give them",
                assigned.len()
            ));
        }
        let call = engine.signature(key, &args.output, args.timeout)?;
        let feeds: Vec<(&str, &Tensor)> = feeds
            .iter()
            .map(|feed| (&*feed.name, &feed.tensor))
            .collect();
        let start = Instant::now();
        let outputs = call.run(&feeds)?;
        let first_call = start.elapsed();
        let latency = args
            .repeat
            .map(|calls| Latency::measure(first_call, calls, || call.run(&feeds).map(|_| ())));
        Ok(Found {
            latency: latency.transpose()?,
            engine,
            outputs,
            first_call,
        })
    }
}

fn check_outputs(key: &str, wanted: &[String], outputs: &[Component]) -> Result<(), Failure> {
    let is_there = |name: &&String| outputs.iter().any(|output| output.name == **name);
    match wanted.iter().find(|name| !is_there(name)) {
        None => Ok(()),
        Some(name) => {
            let names: Vec<&str> = outputs.iter().map(|output| &*output.name).collect();
            Err(Failure::Usage(
                format!(
                    "signature `{key}` has no output `{name}`: there are `{}`",
                    names.join("`, `")
                )
                .into(),
            ))
        }
    }
}

/// Writes what would be fed.
fn write_feeds(out: &mut impl Write, feeds: &[Feed]) -> Result<(), Failure> {
    for feed in feeds {
        writeln!(
            out,
            "Input {}: {} {}\n{}",
            Escaped(feed.name.as_bytes()),
            feed.tensor.dtype(),
            feed.tensor.shape(),
            text(&feed.tensor)?
        )?;
    }
    Ok(())
}
