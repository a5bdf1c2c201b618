use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use super::ffi::Output;
use super::options::RunOptions;
use super::outputs::Outputs;
use super::session::Session;
use crate::error::{Error, Printable, Result};
use crate::model::{Component, Signature};
use crate::proto::RunMetadata;
use crate::tensor::{DType, PartialShape, Tensor};

/// A signature of a loaded model, ready to run: its tensors are found, its defaults decoded.
///
/// It keeps the session alive by itself, and any number of threads may run it at the same time.
/// Making one costs more than a run: keep it.
///
/// An input or output that is one tensor goes by its name `x`. One that is made of several is given
/// and returned as such: a sparse one as `x/values`, `x/indices` and `x/dense_shape`, another
/// composite one, as a ragged tensor, as `x/0`, `x/1` and so on.
///
/// An input may be left out if the signature has a default for it, or the graph a value of its own,
/// a `PlaceholderWithDefault`.
pub struct SignatureRunner {
    session: Arc<Session>,
    key: String,
    inputs: Vec<Slot>,
    outputs: Vec<Slot>,
    output_names: Arc<[Box<str>]>,
    fetches: Vec<Output>,
}

/// A tensor of the graph that a signature names.
struct Slot {
    name: String,
    output: Output,
    dtype: DType,
    shape: PartialShape,
    /// What is fed if the caller does not.
    default: Option<Tensor>,
    /// Whether the graph has a value for it, so that nothing need be fed.
    is_optional: bool,
    /// The place of another input that is the same tensor of the graph.
    same_as: Option<usize>,
}

impl SignatureRunner {
    /// Makes one; `is_optional` says of a node whether it has a value if nothing is fed.
    pub(super) fn new(
        session: &Arc<Session>,
        key: &str,
        signature: &Signature,
        is_optional: impl Fn(&str) -> bool,
    ) -> Result<Self> {
        let slots = |kind: &str, components: Vec<Component>| {
            let slots = components.into_iter().map(|component| {
                let name = component.name.clone();
                let is_optional = is_optional(component.node());
                let slot = Slot::new(session, component).map_err(|error| {
                    in_signature(key, format_args!("{kind} `{}`: {error}", Printable(&name)))
                })?;
                Ok(Slot {
                    is_optional,
                    ..slot
                })
            });
            slots.collect::<Result<Vec<Slot>>>()
        };
        let mut inputs = slots("input", signature.input_components()?)?;
        for slot in &mut inputs {
            if let Some(value) = signature.defaults.get(&slot.name) {
                let value = Tensor::from_proto(value)?;
                slot.check(&value)
                    .map_err(|what| in_signature(key, format_args!("the default of {what}")))?;
                slot.default = Some(value);
            }
        }
        for place in 1..inputs.len() {
            let (before, slot) = inputs.split_at_mut(place);
            slot[0].same_as = before
                .iter()
                .position(|other| other.output == slot[0].output);
        }
        let outputs = slots("output", signature.output_components()?)?;
        for slot in &outputs {
            session.check_can_leave(&slot.name, slot.output)?;
        }
        Ok(SignatureRunner {
            session: Arc::clone(session),
            key: key.to_owned(),
            output_names: outputs.iter().map(|slot| (*slot.name).into()).collect(),
            fetches: outputs.iter().map(|slot| slot.output).collect(),
            inputs,
            outputs,
        })
    }

    /// Returns the signature's key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Walks the inputs in the order of their names: name, dtype and shape.
    pub fn inputs(&self) -> impl ExactSizeIterator<Item = (&str, DType, &PartialShape)> {
        let slots = self.inputs.iter();
        slots.map(|slot| (&*slot.name, slot.dtype, &slot.shape))
    }

    /// Returns the value that is fed for an input that the caller leaves out, if there is one.
    pub fn default_of(&self, input: &str) -> Option<&Tensor> {
        let slot = self.inputs.iter().find(|slot| slot.name == input)?;
        slot.default.as_ref()
    }

    /// Walks the outputs in the order of their names: name, dtype and shape.
    pub fn outputs(&self) -> impl ExactSizeIterator<Item = (&str, DType, &PartialShape)> {
        let slots = self.outputs.iter();
        slots.map(|slot| (&*slot.name, slot.dtype, &slot.shape))
    }

    /// Runs the signature and returns all outputs.
    ///
    /// Numbers are not copied on the way out, and on the way in neither if they lie at a multiple
    /// of 64 bytes and are 1 KiB or more.
    ///
    /// ```no_run
    /// # use savedmodel::{Tensor, runtime::SavedModelBundle};
    /// # fn example(bundle: SavedModelBundle) -> savedmodel::Result<()> {
    /// let signature = bundle.signature("serving_default")?;
    /// let x = Tensor::from_slice([1, 2], &[1f32, 2.])?;
    /// let outputs = signature.run([("x", &x)])?;
    /// println!("{:?}", outputs["y"].values::<f32>()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NotFound` for a name that no input has; `InvalidArgument` for an input that is missing or
    /// there twice, or whose dtype or shape is not that of the signature; `Runtime` with what
    /// TensorFlow says.
    pub fn run<N: AsRef<str>, T: Borrow<Tensor>>(
        &self,
        feeds: impl IntoIterator<Item = (N, T)>,
    ) -> Result<Outputs> {
        let feeds: Vec<(N, T)> = feeds.into_iter().collect();
        let (inputs, tensors) = self.arrange(&feeds)?;
        let session = &self.session;
        let (tensors, _) = session.run_resolved(None, &inputs, &tensors, &self.fetches, &[])?;
        Ok(Outputs::new(Arc::clone(&self.output_names), tensors))
    }

    /// Runs the signature as far as some outputs need, with options, and returns those outputs in
    /// the order they are named in, and what TensorFlow says of the run.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run), and `NotFound` for a name that no output has.
    pub fn run_with<N: AsRef<str>, T: Borrow<Tensor>>(
        &self,
        options: &RunOptions,
        feeds: impl IntoIterator<Item = (N, T)>,
        outputs: &[&str],
    ) -> Result<(Outputs, RunMetadata)> {
        let feeds: Vec<(N, T)> = feeds.into_iter().collect();
        let (inputs, tensors) = self.arrange(&feeds)?;
        let fetches = outputs.iter().map(|name| {
            let slot = self.outputs.iter().find(|slot| slot.name == **name);
            slot.map(|slot| slot.output)
                .ok_or_else(|| self.no_such("output", name, &self.outputs))
        });
        let fetches: Vec<Output> = fetches.collect::<Result<_>>()?;
        let session = &self.session;
        let (tensors, metadata) =
            session.run_resolved(Some(options), &inputs, &tensors, &fetches, &[])?;
        let names = outputs.iter().map(|name| Box::from(*name)).collect();
        Ok((Outputs::new(names, tensors), metadata))
    }

    /// Finds the value of each input: one that is fed, or the default.
    fn arrange<'t, N: AsRef<str>, T: Borrow<Tensor>>(
        &'t self,
        feeds: &'t [(N, T)],
    ) -> Result<(Vec<Output>, Vec<&'t Tensor>)> {
        let mut values: Vec<Option<&Tensor>> = vec![None; self.inputs.len()];
        for (name, tensor) in feeds {
            let (name, tensor) = (name.as_ref(), tensor.borrow());
            let named = self.inputs.iter().zip(&mut values);
            let Some((slot, value)) = named.into_iter().find(|(slot, _)| slot.name == name) else {
                return Err(self.no_such("input", name, &self.inputs));
            };
            slot.check(tensor)
                .map_err(|what| self.fault(format_args!("{what}")))?;
            if value.replace(tensor).is_some() {
                return Err(self.fault(format_args!("input `{}` is fed twice", Printable(name))));
            }
        }
        for (slot, value) in self.inputs.iter().zip(&mut values) {
            *value = value.or(slot.default.as_ref());
        }
        for (place, slot) in self.inputs.iter().enumerate() {
            let Some(other) = slot.same_as else { continue };
            match (values[other], values[place]) {
                (Some(one), Some(two)) if one != two => {
                    return Err(self.fault(format_args!(
                        "inputs `{}` and `{}` are one tensor and must be equal",
                        Printable(&self.inputs[other].name),
                        Printable(&slot.name)
                    )));
                }
                (one, two) => (values[other], values[place]) = (one.or(two), one.or(two)),
            }
        }
        let mut missing = Vec::new();
        let (mut inputs, mut tensors) = (Vec::new(), Vec::new());
        for (slot, value) in self.inputs.iter().zip(values) {
            match value {
                Some(value) if slot.same_as.is_none() => {
                    inputs.push(slot.output);
                    tensors.push(value);
                }
                None if !slot.is_optional => {
                    missing.push(format!("`{}` ({} {})", slot.name, slot.dtype, slot.shape));
                }
                _ => {}
            }
        }
        match missing[..] {
            [] => Ok((inputs, tensors)),
            _ => Err(self.fault(format_args!("no input {}", Printable(&missing.join(", "))))),
        }
    }

    fn no_such(&self, kind: &str, name: &str, slots: &[Slot]) -> Error {
        let names = slots.iter().map(|slot| slot.name.clone());
        let what = format!(
            "{kind} `{}` of signature `{}`",
            Printable(name),
            Printable(&self.key)
        );
        let there: Vec<String> = slots
            .iter()
            .map(|slot| format!("`{}`", slot.name))
            .collect();
        let error = Error::not_found_among(what, name, names);
        match there[..] {
            [] => error.remedy("there are none"),
            _ => error.remedy(format!("there are {}", Printable(&there.join(", ")))),
        }
    }

    fn fault(&self, what: fmt::Arguments<'_>) -> Error {
        let key = Printable(&self.key);
        Error::invalid_argument(format!("signature `{key}`: {what}"))
    }
}

impl Slot {
    fn new(session: &Session, component: Component) -> Result<Self> {
        let output = session.tensor(&component.tensor)?;
        let (dtype, actual) = (component.dtype, session.dtype(output));
        if actual != dtype {
            return Err(Error::malformed(format!(
                "it is {dtype} in the signature and {actual} in the graph"
            )));
        }
        Ok(Slot {
            name: component.name,
            output,
            dtype,
            shape: component.shape,
            default: None,
            is_optional: false,
            same_as: None,
        })
    }

    /// TensorFlow looks at dtypes, but takes any shape.
    fn check(&self, tensor: &Tensor) -> Result<(), String> {
        let name = Printable(&self.name);
        if tensor.dtype() != self.dtype {
            return Err(format!(
                "input `{name}` takes {}, not {}",
                self.dtype,
                tensor.dtype()
            ));
        }
        if !self.shape.is_compatible_with(tensor.shape()) {
            let rank = tensor.shape().rank();
            let hint = match self.shape.rank() {
                Some(wanted) if wanted != rank => format!(" (rank {wanted}, not {rank})"),
                _ => String::new(),
            };
            return Err(format!(
                "input `{name}` takes shape {}, not {}{hint}",
                self.shape,
                tensor.shape()
            ));
        }
        Ok(())
    }
}

impl fmt::Debug for SignatureRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |slots: &[Slot]| -> Vec<String> {
            let slots = slots.iter();
            slots
                .map(|slot| format!("{}: {} {}", slot.name, slot.dtype, slot.shape))
                .collect()
        };
        f.debug_struct("SignatureRunner")
            .field("key", &self.key)
            .field("inputs", &show(&self.inputs))
            .field("outputs", &show(&self.outputs))
            .finish_non_exhaustive()
    }
}

fn in_signature(key: &str, what: fmt::Arguments<'_>) -> Error {
    Error::malformed(format!("signature `{}`: {what}", Printable(key)))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::runtime::{LoadOptions, Runtime, SessionOptions};

    /// Prints the median of many calls, with all this crate does and with the library's alone.
    #[test]
    #[ignore = "a measurement of an optimized build: cargo test --release --features tf-runtime --lib overhead -- --ignored --nocapture, with SAVEDMODEL_TF_LIB set"]
    fn the_overhead_of_a_call() {
        let options = LoadOptions::default().session_options(SessionOptions::default().inline());
        let directory = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/cli-goldens/models/half_plus_two"
        );
        let runtime = Runtime::find().unwrap();
        let bundle = options.load(runtime, directory, ["serve"]).unwrap();
        let runner = bundle.signature("serving_default").unwrap();
        let median = |call: &mut dyn FnMut()| {
            let mut times: Vec<f64> = (0..50_000)
                .map(|_| {
                    let start = Instant::now();
                    call();
                    start.elapsed().as_secs_f64() * 1e6
                })
                .collect();
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        };
        for count in [1u64, 64 << 10] {
            let x = Tensor::from_slice([count, 1], &vec![1f32; count as usize]).unwrap();
            let inputs: Vec<Output> = runner.inputs.iter().map(|slot| slot.output).collect();
            let values = [runner.session.raw.value(&x).unwrap()];
            let raw = &runner.session.raw;
            for round in 0..3 {
                let alone = median(&mut || {
                    drop(
                        raw.run(&[], (&inputs, &values), &runner.fetches, &[], None)
                            .unwrap(),
                    );
                });
                let whole = median(&mut || drop(runner.run([("x", &x)]).unwrap()));
                println!(
                    "round {round}, {} bytes: TF_SessionRun {alone:.2} us, SignatureRunner::run {whole:.2} us",
                    4 * count
                );
            }
        }
    }
}
