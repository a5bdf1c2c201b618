use std::io::Write;
use std::path::Path;
use std::slice;

use savedmodel::model::Component;
use savedmodel::numpy::StringForm;
use savedmodel::{Signature, Tensor, TensorInfo};

use super::flags::Flags;
use super::{Failure, complain, find_meta_graph, find_signature, open, split_trimmed_tags};
use crate::run::{
    DEFAULT_SEED, Engine, EngineOptions, GivenInputs, Grammar, InputOptions, OutputDirectory,
    tensor_of, text,
};

/// In the order of the stock tool: inputs are read before the model is.
pub(super) fn run(flags: &Flags, out: &mut impl Write) -> Result<(), Failure> {
    let flag = |name| flags.text(name).unwrap_or_default();
    let texts = ["inputs", "input_exprs", "input_examples"].map(|name| flag(name).to_owned());
    if texts.iter().all(String::is_empty) {
        return Err(Failure::Message(
            "At least one of --inputs, --input_exprs or --input_examples must be required"
                .to_owned(),
        ));
    }
    let [files, exprs, examples] = texts.each_ref().map(|text| match text.is_empty() {
        true => &[],
        false => slice::from_ref(text),
    });
    let options = InputOptions {
        files,
        exprs,
        examples,
        grammar: Grammar::Stock,
        seed: DEFAULT_SEED,
    };
    let given = GivenInputs::read(&options, &mut |warning| complain(&warning))?;
    let model = open(flag("dir"))?;
    let tags = split_trimmed_tags(flag("tag_set"))?;
    let meta_graph = find_meta_graph(&model, &tags, &tags.join(","))?;
    let signature = find_signature(meta_graph, flag("signature_def"))?;
    let feeds = feeds(&signature, given)?;
    let outputs: Vec<(&str, &str)> = signature
        .outputs
        .iter()
        .map(|(key, info)| Ok((key.as_str(), tensor_name(key, info)?)))
        .collect::<Result<_, Failure>>()?;
    let directory = flags.text("outdir").map(|directory| OutputDirectory {
        directory: Path::new(directory),
        overwrite: flags.switch("overwrite"),
        strings: StringForm::Objects,
    });
    if let Some(directory) = &directory {
        // No path may leave the directory, whatever the results are.
        for (key, _) in &outputs {
            directory.file(key)?;
        }
    }
    let options = EngineOptions {
        is_stock: true,
        ..EngineOptions::default()
    };
    let engine = Engine::load(&options, &model, &meta_graph.tags()?)?;
    let feeds: Vec<(&str, Tensor)> = feeds
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor.clone()))
        .collect();
    let fetches: Vec<&str> = outputs.iter().map(|(_, name)| *name).collect();
    let values = engine.run(&feeds, &fetches)?;
    for ((key, _), value) in outputs.iter().zip(values) {
        let Some(value) = value else {
            writeln!(out, "Result for output key {key}:\nNone")?;
            continue;
        };
        writeln!(out, "Result for output key {key}:\n{}", text(&value)?)?;
        if let Some(directory) = &directory {
            let file = directory.save(key, &value)?;
            writeln!(out, "Output {key} is saved to {}", file.display())?;
        }
    }
    Ok(())
}

/// Returns the value of each tensor of the graph that is fed.
fn feeds(signature: &Signature, given: GivenInputs) -> Result<Vec<(String, Tensor)>, Failure> {
    let is_input = |key: &&str| signature.inputs.contains_key(*key);
    if let Some(key) = given.keys().find(|key| !is_input(key)) {
        let keys: Vec<&str> = signature.inputs.keys().map(String::as_str).collect();
        return Err(Failure::Message(format!(
            "\"{key}\" is not a valid input key. Please choose from \"{}\", or use --show option.",
            keys.join("\", \"")
        )));
    }
    let components: Vec<Component> = signature.input_components()?;
    let mut feeds: Vec<(String, Tensor)> = Vec::new();
    let mut feed = |name: &str, tensor| match feeds.iter_mut().find(|(known, _)| known == name) {
        Some((_, known)) => *known = tensor,
        None => feeds.push((name.to_owned(), tensor)),
    };
    for (key, info) in &signature.inputs {
        if let (false, Some(value)) = (given.has(key), signature.default_value(key)?) {
            feed(tensor_name(key, info)?, value);
        }
    }
    for (key, value, _) in given.into_inputs() {
        let Some(input) = components.iter().find(|input| input.name == key) else {
            let info = signature.inputs.get(&key);
            info.map_or(Ok(""), |info| tensor_name(&key, info))?;
            continue;
        };
        feed(&input.tensor, tensor_of(value, input, Grammar::Stock)?);
    }
    Ok(feeds)
}

fn tensor_name<'i>(key: &str, info: &'i TensorInfo) -> Result<&'i str, Failure> {
    info.name().ok_or_else(|| {
        Failure::Message(format!(
            "\"{key}\" is made of several tensors, of which saved_model_cli knows nothing: use \
             `savedmodel run`"
        ))
    })
}
