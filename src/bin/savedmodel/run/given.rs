use savedmodel::Tensor;
use savedmodel::numpy::NpyReader;
use serde::Serialize;

use super::examples::{ExampleList, parse_examples};
use super::expression::{Grammar, Value, parse_inputs};
use super::input_files;
use super::request::Request;
use crate::failure::Failure;

/// A value for an input, before anybody knows what the input takes.
pub(crate) enum Given {
    Value(Value),
    Tensor(Tensor),
    /// An array of elements of which the file does not say what they are, but how long.
    Void(NpyReader),
    Examples(ExampleList),
}

/// Where the value of an input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    Request,
    File,
    Expression,
    Examples,
    Random,
    /// The signature has it.
    Default,
}

/// What the command line gives for inputs, of equal keys the last.
#[derive(Default)]
pub(crate) struct GivenInputs {
    inputs: Vec<(String, Given, Source)>,
}

/// The options that give inputs, each as often as it stands there.
pub(crate) struct InputOptions<'a> {
    pub(crate) files: &'a [String],
    pub(crate) exprs: &'a [String],
    pub(crate) examples: &'a [String],
    pub(crate) grammar: Grammar,
    pub(crate) seed: u64,
}

impl GivenInputs {
    /// Reads files, then expressions, then examples; `warn` is told what is passed over.
    pub(crate) fn read(
        options: &InputOptions<'_>,
        warn: &mut impl FnMut(String),
    ) -> Result<Self, Failure> {
        let mut given = GivenInputs::default();
        for text in options.files {
            for (key, value) in input_files::read(text, warn)? {
                given.put(key, value, Source::File);
            }
        }
        for text in options.exprs {
            for (key, value) in parse_inputs(text, options.grammar, options.seed)? {
                if given.source(&key) == Some(Source::File) {
                    warn(format!(
                        "input_key {key} has been specified in both --inputs and --input_exprs \
                         options. Value in --input_exprs will be used."
                    ));
                }
                given.put(key, Given::Value(value), Source::Expression);
            }
        }
        for text in options.examples {
            for (key, list) in parse_examples(text, options.grammar, options.seed)? {
                if matches!(given.source(&key), Some(source) if source != Source::Examples) {
                    warn(format!(
                        "input_key {key} has been specified in multiple options. Value in \
                         --input_examples will be used."
                    ));
                }
                given.put(key, Given::Examples(list), Source::Examples);
            }
        }
        Ok(given)
    }

    /// Adds what a request has, unless it is given besides. Values without a name are those of the
    /// only input.
    pub(crate) fn add_request(
        &mut self,
        request: Request,
        inputs: &[String],
    ) -> Result<(), Failure> {
        // A request has each key once.
        let besides = self.inputs.len();
        let mut add = |key: String, given| {
            let mut known = self.inputs.iter().take(besides);
            if !known.any(|(known, ..)| *known == key) {
                self.inputs.push((key, given, Source::Request));
            }
        };
        match request {
            Request::Named(values) => {
                for (key, value) in values {
                    add(key, Given::Value(value));
                }
            }
            Request::Only(value) => add(only(inputs)?, Given::Value(value)),
            Request::Examples(examples) => {
                add(only(inputs)?, Given::Examples(ExampleList { examples }));
            }
        }
        Ok(())
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().map(|(key, ..)| &**key)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.source(key).is_some()
    }

    pub(crate) fn into_inputs(self) -> Vec<(String, Given, Source)> {
        self.inputs
    }

    /// Says whether examples are given for any input.
    pub(super) fn has_examples(&self) -> bool {
        let mut inputs = self.inputs.iter();
        inputs.any(|(_, given, _)| matches!(given, Given::Examples(_)))
    }

    /// Returns the examples that are given for an input.
    pub(super) fn examples_mut(&mut self, key: &str) -> Option<&mut ExampleList> {
        self.inputs.iter_mut().find_map(|input| match input {
            (known, Given::Examples(examples), _) if known == key => Some(examples),
            _ => None,
        })
    }

    fn source(&self, key: &str) -> Option<Source> {
        let found = self.inputs.iter().find(|(known, ..)| known == key);
        found.map(|(.., source)| *source)
    }

    pub(super) fn put(&mut self, key: String, given: Given, source: Source) {
        match self.inputs.iter_mut().find(|(known, ..)| *known == key) {
            Some(place) => *place = (key, given, source),
            None => self.inputs.push((key, given, source)),
        }
    }
}

fn only(inputs: &[String]) -> Result<String, Failure> {
    match inputs {
        [only] => Ok(only.clone()),
        _ => Err(Failure::Usage(
            format!(
                "the request has values without the names of inputs, and the signature has {} \
                 inputs: {}",
                inputs.len(),
                inputs.join(", ")
            )
            .into(),
        )),
    }
}
