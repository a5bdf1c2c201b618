//! Values brought to the inputs of a signature.

use std::collections::{HashMap, HashSet};

use savedmodel::model::Component;
use savedmodel::numpy::is_void;
use savedmodel::{DType, MetaGraph, Signature, Tensor, inspect};

use super::examples::ExampleList;
use super::expression::Grammar;
use super::feed::{Target, feed, feed_tensor};
use super::given::{Given, GivenInputs, Source};
use super::random::RandomInputs;
use crate::failure::Failure;

/// A tensor for an input.
pub(super) struct Feed {
    pub(super) name: String,
    pub(super) tensor: Tensor,
    pub(super) source: Source,
}

/// A signature whose inputs are wanted.
pub(super) struct Wanted<'m> {
    pub(super) meta_graph: MetaGraph<'m>,
    pub(super) key: &'m str,
    pub(super) signature: &'m Signature,
    pub(super) inputs: &'m [Component],
}

/// Turns a value into the tensor that an input takes.
pub(crate) fn tensor_of(
    given: Given,
    input: &Component,
    grammar: Grammar,
) -> Result<Tensor, Failure> {
    let target = Target {
        name: match grammar {
            Grammar::Stock => &input.tensor,
            Grammar::Ours => &input.name,
        },
        dtype: input.dtype,
        shape: &input.shape,
    };
    match given {
        Given::Value(value) => feed(&value, &target, grammar),
        Given::Tensor(tensor) => feed_tensor(&tensor, &target, grammar),
        Given::Void(array) if !is_void(input.dtype) => Err(Failure::Usage(
            format!(
                "{} ({}): the elements are `{}`, of which the file does not say what they are",
                target.name,
                input.dtype,
                array.descr()
            )
            .into(),
        )),
        Given::Void(array) => {
            let array = array.with_void_dtype(input.dtype)?;
            feed_tensor(&array.tensor()?, &target, grammar)
        }
        Given::Examples(examples) => feed_tensor(&examples.to_tensor()?, &target, grammar),
    }
}

impl Wanted<'_> {
    /// Finds a tensor for each input: what is given, what the signature has, what is made up.
    pub(super) fn feeds(
        &self,
        mut given: GivenInputs,
        mut random: Option<RandomInputs>,
        remark: &mut impl FnMut(&str),
    ) -> Result<Vec<Feed>, Failure> {
        self.check_keys(&given)?;
        self.fit_examples(&mut given, random.as_mut(), remark)?;
        let by_name: HashMap<&str, &Component> = self.by_name();
        let mut feeds = Vec::new();
        // Tensors of the graph, which may have several inputs.
        let mut fed = HashSet::new();
        for (key, value, source) in given.into_inputs() {
            let Some(input) = by_name.get(&*key) else {
                continue; // Checked above.
            };
            fed.insert(&*input.tensor);
            feeds.push(Feed {
                tensor: tensor_of(value, input, Grammar::Ours)?,
                name: key,
                source,
            });
        }
        let given: HashSet<&str> = feeds.iter().map(|feed| &*feed.name).collect();
        let is_given = |input: &&Component| given.contains(&*input.name);
        let open: Vec<&Component> = self.inputs.iter().filter(|it| !is_given(it)).collect();
        let ops = self.ops_of(&open)?;
        let mut missing = Vec::new();
        for input in open {
            let (tensor, source) = match (self.default_of(input)?, &mut random) {
                (Some(tensor), _) => (tensor, Source::Default),
                (None, _) if self.has_value(input, &ops)? || fed.contains(&*input.tensor) => {
                    continue;
                }
                (None, Some(random)) => (random.tensor(input)?, Source::Random),
                (None, None) => {
                    missing.push(format!(
                        "`{}` ({} {})",
                        input.name, input.dtype, input.shape
                    ));
                    continue;
                }
            };
            fed.insert(&*input.tensor);
            feeds.push(Feed {
                name: input.name.clone(),
                tensor,
                source,
            });
        }
        if !missing.is_empty() {
            return Err(Failure::Usage(
                format!(
                    "signature `{}`: no input {} (--random makes up what is not given)",
                    self.key,
                    missing.join(", ")
                )
                .into(),
            ));
        }
        feeds.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(feeds)
    }

    fn check_keys(&self, given: &GivenInputs) -> Result<(), Failure> {
        let known = self.by_name();
        let Some(unknown) = given.keys().find(|key| !known.contains_key(key)) else {
            return Ok(());
        };
        let names: Vec<&str> = self.inputs.iter().map(|input| &*input.name).collect();
        let near = names
            .iter()
            .map(|name| (strsim::jaro_winkler(name, unknown), name))
            .filter(|(score, _)| *score >= ALIKE)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let said = match (near, &names[..]) {
            (Some((_, name)), _) => format!("did you mean `{name}`?"),
            (None, []) => "it has none".to_owned(),
            (None, names) => format!("there are `{}`", names.join("`, `")),
        };
        Err(Failure::Usage(
            format!("signature `{}` has no input `{unknown}`: {said}", self.key).into(),
        ))
    }

    /// Compares examples with what the graph parses, and makes some up.
    fn fit_examples(
        &self,
        given: &mut GivenInputs,
        mut random: Option<&mut RandomInputs>,
        remark: &mut impl FnMut(&str),
    ) -> Result<(), Failure> {
        let is_wanted = given.has_examples() || random.is_some();
        let is_text = |input: &Component| input.dtype == DType::STRING;
        if !is_wanted || !self.inputs.iter().any(is_text) {
            return Ok(());
        }
        for (key, spec) in inspect::input_parsing_specs(self.meta_graph, self.signature)? {
            if spec.takes_sequences() {
                continue;
            }
            if let Some(examples) = given.examples_mut(&key) {
                let converted = examples
                    .fit(&spec)
                    .map_err(|failure| self.of_input(&key, failure))?;
                if !converted.is_empty() {
                    remark(&format!(
                        "numbers converted to what the graph parses: {}",
                        converted.join(", ")
                    ));
                }
            } else if !given.has(&key)
                && let Some(random) = random.as_deref_mut()
                && let Some(input) = self.inputs.iter().find(|input| input.name == key)
                && self.default_of(input)?.is_none()
            {
                let examples = random.examples(input, &spec.placeholder()?)?;
                let given_examples = Given::Examples(ExampleList { examples });
                given.put(key, given_examples, Source::Random);
            }
        }
        Ok(())
    }

    /// Returns the value that the signature has for an input.
    fn default_of(&self, input: &Component) -> Result<Option<Tensor>, Failure> {
        Ok(self.signature.default_value(&input.name)?)
    }

    fn by_name(&self) -> HashMap<&str, &Component> {
        let inputs = self.inputs.iter();
        inputs.map(|input| (&*input.name, input)).collect()
    }

    /// Returns the ops of the nodes of inputs by their names, on one walk over the graph.
    fn ops_of(&self, inputs: &[&Component]) -> Result<HashMap<&str, &str>, Failure> {
        let mut wanted: HashSet<&str> = inputs.iter().map(|input| input.node()).collect();
        let mut ops = HashMap::new();
        let mut nodes = self.meta_graph.graph().nodes();
        while !wanted.is_empty()
            && let Some(node) = nodes.next().transpose()?
        {
            if wanted.remove(node.name()) {
                ops.insert(node.name(), node.op());
            }
        }
        Ok(ops)
    }

    /// Says whether the graph has a value for an input that is not fed.
    fn has_value(&self, input: &Component, ops: &HashMap<&str, &str>) -> Result<bool, Failure> {
        match ops.get(input.node()) {
            Some(op) => Ok(*op == "PlaceholderWithDefault"),
            // There is none, in the words of the graph.
            None => Ok(self.meta_graph.graph().node(input.node()).map(|_| false)?),
        }
    }

    fn of_input(&self, key: &str, failure: Failure) -> Failure {
        match failure {
            Failure::Usage(what) => Failure::Usage(format!("input `{key}`: {what}").into()),
            other => other,
        }
    }
}

/// Names are alike from this similarity on.
const ALIKE: f64 = 0.8;
