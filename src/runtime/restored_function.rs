use std::fmt;
use std::sync::PoisonError;

use super::arguments::{
    Arguments, Conversion, bind, describe, describe_entries, match_entries, matches, pack,
};
use super::saved_model_bundle::SavedModelBundle;
use crate::error::{Error, Printable, Result};
use crate::object_graph::{
    ConcreteFunction, FunctionSpec, Object, ObjectGraph, ObjectKind, StructuredValue,
};
use crate::tensor::Tensor;

/// A function of the model's objects that can be called: a `tf.function` with its traces, or one
/// concrete function, as Python's `tf.saved_model.load` restores it
/// (`tensorflow/python/saved_model/function_deserialization.py`).
///
/// Variables, tables and assets that the function captures are those of the session; what nothing
/// in the graph refers to is made anew from the bundle. Any number of threads may call it.
pub struct RestoredFunction<'b> {
    bundle: &'b SavedModelBundle,
    objects: &'b ObjectGraph,
    path: String,
    parameters: Parameters,
    traces: Vec<Trace>,
}

/// How arguments are brought into the form that traces have.
enum Parameters {
    Python(Box<FunctionSpec>),
    /// The keywords of a concrete function, in the order of its arguments.
    Keywords(Vec<String>),
}

/// One concrete function.
struct Trace {
    name: String,
    positional: Vec<StructuredValue>,
    keywords: Vec<(String, StructuredValue)>,
    result: Option<StructuredValue>,
}

/// So many traces are told.
const MAX_TOLD: usize = 20;

impl<'b> RestoredFunction<'b> {
    pub(super) fn find(bundle: &'b SavedModelBundle, path: &str) -> Result<Self> {
        let objects = bundle.objects()?;
        let mut object = objects.object(path)?;
        if matches!(object.kind(), ObjectKind::User(_))
            && let Some(call) = object.child("__call__")
        {
            object = call;
        }
        let (parameters, traces) = match object.kind() {
            ObjectKind::Function(function) => {
                let traces = function.concrete_functions().map(|it| Trace::new(&it?));
                let spec = Box::new(function.function_spec()?);
                (Parameters::Python(spec), traces.collect::<Result<_>>()?)
            }
            ObjectKind::BareConcreteFunction(function) => {
                let keywords = function.argument_keywords().map(str::to_owned).collect();
                let trace = Trace::new(&function.concrete_function()?)?;
                (Parameters::Keywords(keywords), vec![trace])
            }
            kind => return Err(no_function(path, object, kind)),
        };
        Ok(RestoredFunction {
            bundle,
            objects,
            path: path.to_owned(),
            parameters,
            traces,
        })
    }

    /// Walks the names of the concrete functions, in the order in which they are tried.
    pub fn concrete_function_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.traces.iter().map(|trace| &*trace.name)
    }

    /// Calls the function with arguments by position and by keyword, and returns what it returns.
    ///
    /// Arguments and results have the structure that they have in Python. Values that are no
    /// tensors, as `training=False`, choose the trace, as do dtypes and shapes of tensors; the first
    /// trace that matches is run. A value that is made of several tensors, as a ragged one, is a
    /// list of those.
    ///
    /// ```no_run
    /// # use savedmodel::{Tensor, runtime::SavedModelBundle};
    /// # fn example(bundle: SavedModelBundle) -> savedmodel::Result<()> {
    /// let function = bundle.function("scale")?;
    /// let y = function.call([Tensor::scalar(2f32).into()], [("factor", 3.0.into())])?;
    /// println!("{:?}", y.as_tensor());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the arguments are not those of the function's parameters, or match no
    /// trace: then with the traces there are. `Unsupported` if the function captures, takes or
    /// returns what cannot enter or leave TensorFlow. `Runtime` with what TensorFlow says.
    pub fn call<'k>(
        &self,
        positional: impl IntoIterator<Item = StructuredValue>,
        keywords: impl IntoIterator<Item = (&'k str, StructuredValue)>,
    ) -> Result<StructuredValue> {
        let keywords = keywords.into_iter();
        let keywords = keywords.map(|(name, value)| (name.to_owned(), value));
        let given = (positional.into_iter().collect(), keywords.collect());
        self.call_bound(given)
            .map_err(|error| error.in_file(self.bundle.model().model_path()))
    }

    fn call_bound(&self, given: Arguments) -> Result<StructuredValue> {
        let arguments = match &self.parameters {
            Parameters::Python(spec) => bind(&spec.fullargspec, given),
            Parameters::Keywords(names) => by_keyword(names, given),
        };
        let arguments = arguments.map_err(|error| match self.traces.is_empty() {
            true => error,
            false => error.remedy(self.signatures()),
        })?;
        for conversion in [Conversion::Forbidden, Conversion::Allowed] {
            for trace in &self.traces {
                if let Some(tensors) = self.arrange(trace, &arguments, conversion) {
                    return self.run(trace, tensors);
                }
            }
        }
        let mut shown: Vec<String> = arguments.0.iter().map(describe).collect();
        if !arguments.1.is_empty() {
            shown.push(describe_entries(&arguments.1));
        }
        Err(Error::invalid_argument(format!(
            "no trace of `{}` takes ({})",
            Printable(&self.path),
            Printable(&shown.join(", "))
        ))
        .remedy(self.signatures()))
    }

    /// Returns the tensors for a trace's arguments, if it takes these.
    fn arrange(
        &self,
        trace: &Trace,
        (positional, keywords): &Arguments,
        conversion: Conversion,
    ) -> Option<Vec<Tensor>> {
        let mut tensors = Vec::new();
        if let Parameters::Keywords(names) = &self.parameters {
            // A concrete function's tensors are in the order of its keywords.
            let value = |name: &String| keywords.iter().find(|(known, _)| known == name);
            for name in names {
                let (_, value) = value(name)?;
                let spec = trace.tensor_spec(name);
                match spec {
                    Some(spec) if !matches(spec, value, conversion, &mut tensors) => return None,
                    Some(_) => {}
                    None => tensors.push(value.as_tensor()?.clone()),
                }
            }
            return Some(tensors);
        }
        let positional = StructuredValue::Tuple(positional.clone());
        let expected = StructuredValue::Tuple(trace.positional.clone());
        let fits = matches(&expected, &positional, conversion, &mut tensors)
            && match_entries(&trace.keywords, keywords, conversion, &mut tensors);
        fits.then_some(tensors)
    }

    fn run(&self, trace: &Trace, tensors: Vec<Tensor>) -> Result<StructuredValue> {
        let call = {
            let captures = self.bundle.captures.lock();
            let mut captures = captures.unwrap_or_else(PoisonError::into_inner);
            captures.call(self.bundle, self.objects, &trace.name)?
        };
        let dtypes = tensors.iter().map(Tensor::dtype);
        if !dtypes.eq(call.dtypes.iter().copied()) {
            return Err(Error::malformed(format!(
                "function `{}` does not take the tensors that its trace does",
                Printable(&trace.name)
            )));
        }
        let session = self.bundle.shared_session();
        for output in &call.results {
            session.check_can_leave(&self.path, *output)?;
        }
        let tensors: Vec<&Tensor> = tensors.iter().collect();
        let results = session.run_call(&call, &tensors, &call.results)?;
        let mut rest = results.iter().cloned();
        let packed = trace.result.as_ref().and_then(|it| pack(it, &mut rest));
        Ok(match packed {
            Some(packed) if rest.next().is_none() => packed,
            // No structure is known for them.
            _ => StructuredValue::List(results.into_iter().map(StructuredValue::Tensor).collect()),
        })
    }

    /// Lists the traces.
    fn signatures(&self) -> String {
        if self.traces.is_empty() {
            return "it was saved without a trace: nobody called it before".to_owned();
        }
        let told: Vec<String> = self
            .traces
            .iter()
            .take(MAX_TOLD)
            .map(|trace| {
                let mut shown: Vec<String> = trace.positional.iter().map(describe).collect();
                if !trace.keywords.is_empty() {
                    shown.push(describe_entries(&trace.keywords));
                }
                format!("({})", shown.join(", "))
            })
            .collect();
        let more = match self.traces.len().saturating_sub(MAX_TOLD) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("its traces take {}{more}", Printable(&told.join(", or ")))
    }
}

impl fmt::Debug for RestoredFunction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RestoredFunction({:?}; {})",
            self.path,
            self.signatures()
        )
    }
}

impl Trace {
    fn new(function: &ConcreteFunction<'_>) -> Result<Self> {
        let signature = function.canonicalized_input_signature()?;
        let (positional, keywords) = match signature.as_ref().and_then(StructuredValue::elements) {
            Some([positional, StructuredValue::Dict(keywords)]) => (
                positional.elements().unwrap_or_default().to_vec(),
                keywords.clone(),
            ),
            _ => (Vec::new(), Vec::new()),
        };
        Ok(Trace {
            name: function.name().to_owned(),
            positional,
            keywords,
            result: function.output_signature()?,
        })
    }

    /// Returns what a concrete function expects under a keyword, as far as that is known.
    fn tensor_spec(&self, keyword: &str) -> Option<&StructuredValue> {
        let named = self.keywords.iter();
        let named = named
            .filter(|(name, _)| name == keyword)
            .map(|(_, spec)| spec);
        let positional = self.positional.iter().filter(|spec| {
            matches!(spec, StructuredValue::TensorSpec(spec) if spec.name.as_deref() == Some(keyword))
        });
        named.chain(positional).next()
    }
}

/// Gives the arguments of a concrete function their keywords.
fn by_keyword(names: &[String], (positional, keywords): Arguments) -> Result<Arguments> {
    let spec = crate::object_graph::FullArgSpec {
        args: names.to_vec(),
        varargs: None,
        varkw: None,
        defaults: None,
        kwonlyargs: Vec::new(),
        kwonlydefaults: None,
    };
    let (values, _) = bind(&spec, (positional, keywords))?;
    Ok((Vec::new(), names.iter().cloned().zip(values).collect()))
}

fn no_function(path: &str, object: Object<'_>, kind: ObjectKind<'_>) -> Error {
    let error = Error::invalid_argument(format!(
        "object `{}` is no function but {}",
        Printable(path),
        kind.name()
    ));
    let functions = object.children().filter(|(_, child)| {
        matches!(
            child.kind(),
            ObjectKind::Function(_) | ObjectKind::BareConcreteFunction(_)
        )
    });
    let names: Vec<String> = functions
        .take(MAX_TOLD)
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    match names[..] {
        [] => error,
        _ => error.remedy(format!("it has {}", Printable(&names.join(", ")))),
    }
}
