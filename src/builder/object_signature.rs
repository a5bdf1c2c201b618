use super::object_model::{Captured, ObjectModelBuilder};
use super::trace::{Capture, CheckedTrace, Trace};
use crate::error::{Error, Result};
use crate::graph::GraphBuilder;
use crate::object_graph::{StructuredValue, TensorSpec};
use crate::tensor::PartialShape;

impl ObjectModelBuilder {
    /// Makes a signature of a function, under the name that the function was made with.
    ///
    /// Its inputs are named by the [`TensorSpec`](crate::object_graph::TensorSpec)s of the arguments, or
    /// else by the function's arguments. Its outputs are the entries of the dict, or the fields of the
    /// named tuple, that the function returns; tensors without names are `output_0`, `output_1`.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no function of that name; `InvalidArgument` if there is such a signature, if
    /// two inputs have one name, or if the function returns nothing, or nested structures.
    pub fn signature(&mut self, key: &str, function: &str) -> Result<()> {
        let refuse =
            |what: &str| Err(Error::invalid_argument(what.to_owned()).for_key(key.as_bytes()));
        if self.signatures.contains_key(key) {
            return refuse("there is a signature under this key already");
        }
        if key.is_empty() || key.starts_with("__saved_model_") {
            return refuse("no signature can have this key, which TensorFlow reserves");
        }
        let Some(&index) = self.by_name.get(function) else {
            let names = self.by_name.keys().cloned();
            let what = format!("function `{function}`");
            return Err(Error::not_found_among(what, function, names).for_key(key.as_bytes()));
        };
        let trace = &self.traces[index];
        let wrapper =
            wrapper(&trace.checked, function).map_err(|error| error.for_key(key.as_bytes()))?;
        let captures = trace.captures.clone();
        let wrapper = captures.into_iter().fold(wrapper, |wrapper, captured| {
            wrapper.capture(match captured {
                Captured::Variable(variable) => Capture::Variable(variable),
                Captured::Part(index) => Capture::Object(self.object(index)),
            })
        });
        let wrapper = self.add(wrapper, true)?;
        self.signatures.insert(key.to_owned(), wrapper);
        Ok(())
    }
}

/// Makes the function that a signature is: it takes the tensors of another one by keyword, and returns a
/// dict. Tensors come and go in the order of names, as TensorFlow flattens dicts.
///
/// The captures have to be bound by the caller. In TensorFlow: `canonicalize_signatures` in
/// `tensorflow/python/saved_model/signature_serialization.py`.
fn wrapper(trace: &CheckedTrace, python_name: &str) -> Result<Trace> {
    let function = &trace.function;
    let names = trace.tensor_names()?;
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by_key(|&i| &names[i]);
    let shapes = specified_shapes(
        trace
            .arguments
            .iter()
            .chain(trace.keywords.iter().map(|(_, it)| it)),
        function.input_shapes(),
    );

    let mut body = GraphBuilder::function();
    let arguments = function.inputs();
    let mut inputs = vec![None; arguments.len()];
    for i in order.iter().copied().chain(trace.tensors..arguments.len()) {
        let (name, dtype) = &arguments[i];
        let shape = shapes.get(i).cloned().unwrap_or(PartialShape::UNKNOWN);
        inputs[i] = Some(body.argument(name, *dtype, shape)?);
    }
    let call = body.call(function, inputs.iter().flatten())?;

    let outputs = trace.output_names()?;
    let mut named: Vec<(&String, usize)> = outputs.iter().zip(0..).collect();
    named.sort();
    if let Some(pair) = named.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let what = format!("two outputs are called `{}`", pair[0].0);
        return Err(Error::invalid_argument(what));
    }
    let output_shapes = specified_shapes([&trace.returns], function.output_shapes());
    let (mut returned, mut specs) = (Vec::new(), Vec::new());
    for (place, (name, i)) in named.into_iter().enumerate() {
        let Some(output) = call.outputs().get(i) else {
            continue;
        };
        let shape = output_shapes.get(i).cloned();
        let output = output
            .clone()
            .with_shape(shape.unwrap_or(PartialShape::UNKNOWN));
        let spec = TensorSpec::new(output.dtype().base(), output.shape().clone()).named(name);
        specs.push((name.as_str(), spec.into()));
        returned.push((
            match place {
                0 => "identity".to_owned(),
                _ => format!("identity_{place}"),
            },
            output,
        ));
    }
    let name = python_name.trim_start_matches('_');
    let name = name.strip_prefix("inference_").unwrap_or(name);
    let function = body.into_function(
        &format!("signature_wrapper_{name}"),
        returned
            .iter()
            .map(|(name, output)| (name.as_str(), output)),
    )?;
    let wrapper = Trace::new(&function)
        .arguments([])
        .returns(StructuredValue::dict(specs));
    Ok(order.iter().fold(wrapper, |wrapper, &i| {
        let shape = shapes.get(i).cloned().unwrap_or(PartialShape::UNKNOWN);
        let spec = TensorSpec::new(arguments[i].1.base(), shape).named(&names[i]);
        wrapper.keyword(&names[i], spec)
    }))
}

/// Returns the shape of each tensor: as structures specify it, or else as the function knows it.
fn specified_shapes<'a>(
    structures: impl IntoIterator<Item = &'a StructuredValue>,
    known: &[PartialShape],
) -> Vec<PartialShape> {
    let mut shapes: Vec<PartialShape> = Vec::new();
    for leaf in structures.into_iter().flat_map(StructuredValue::flatten) {
        match leaf {
            StructuredValue::TensorSpec(spec) => shapes.push(spec.shape.clone()),
            StructuredValue::BoundedTensorSpec(bounded) => shapes.push(bounded.spec.shape.clone()),
            StructuredValue::TypeSpec(spec) => {
                let count = usize::try_from(spec.num_flat_components).unwrap_or(0);
                let own = known.iter().skip(shapes.len()).take(count).cloned();
                let own: Vec<_> = own.collect();
                shapes.extend(own);
            }
            _ => {}
        }
    }
    shapes
}
