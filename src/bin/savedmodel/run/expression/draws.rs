use savedmodel::DType;

use super::Value;
use super::arguments::{
    Arguments, ElementType, Term, element_type, integer, required, shape, value,
};
use super::array::Array;
use super::cast::float_of;
use super::elements::{Elements, widened, wrapped};
use super::functions::{Context, KNOWN, natural};
use super::random::Random;

/// Calls a function of `np.random`.
pub(super) fn call(
    name: &str,
    arguments: Arguments,
    context: &mut Context,
) -> Result<Value, String> {
    if matches!(name, "rand" | "randn") {
        if !arguments.named.is_empty() {
            return Err(format!("np.random.{name} takes sizes by place"));
        }
        let dims = arguments
            .positional
            .into_iter()
            .map(|term| required(Some(term), "size").and_then(|size| integer(&size)))
            .map(|dim| dim.map(Value::Int))
            .collect::<Result<Vec<Value>, String>>()?;
        let dims = (!dims.is_empty()).then_some(Value::Tuple(dims));
        return drawn(dims, context, |random| match name {
            "rand" => random.unit(),
            _ => random.normal(),
        });
    }
    let number = |term: Option<Term>, default: f64| match value(term)? {
        None => Ok(default),
        Some(value) => match natural(&value)? {
            array if array.shape().is_empty() && array.dtype().is_some() => {
                float_of(&array.elements().value(0)).map_err(|error| error.to_string())
            }
            _ => Err(format!("np.random.{name} takes numbers here, not arrays")),
        },
    };
    let function = format!("np.random.{name}");
    match name {
        "random" | "random_sample" | "ranf" | "sample" => {
            let [size] = arguments.bind(&function, ["size"])?;
            drawn(value(size)?, context, Random::unit)
        }
        "standard_normal" => {
            let [size] = arguments.bind(&function, ["size"])?;
            drawn(value(size)?, context, Random::normal)
        }
        "uniform" => {
            let [low, high, size] = arguments.bind(&function, ["low", "high", "size"])?;
            let (low, high) = (number(low, 0.0)?, number(high, 1.0)?);
            if !(high - low).is_finite() {
                return Err("the range of np.random.uniform is not finite".to_owned());
            }
            drawn(value(size)?, context, |random| {
                low + (high - low) * random.unit()
            })
        }
        "normal" => {
            let [loc, scale, size] = arguments.bind(&function, ["loc", "scale", "size"])?;
            let (loc, scale) = (number(loc, 0.0)?, number(scale, 1.0)?);
            if scale.is_sign_negative() {
                return Err("scale < 0".to_owned());
            }
            drawn(value(size)?, context, |random| {
                loc + scale * random.normal()
            })
        }
        "randint" => randint(arguments, context),
        _ => Err(format!(
            "no function `np.random.{name}` here; there are {KNOWN}"
        )),
    }
}

/// Draws as many numbers as a size says; without one, a single number of Python.
fn drawn(
    size: Option<Value>,
    context: &mut Context,
    mut draw: impl FnMut(&mut Random) -> f64,
) -> Result<Value, String> {
    let Some(size) = size.filter(|size| *size != Value::None) else {
        return Ok(Value::Float(draw(&mut context.random)));
    };
    let dims = shape(&size)?;
    let total = context.charge_shape(&dims)?;
    let values = (0..total).map(|_| draw(&mut context.random)).collect();
    Array::new(dims, Elements::Floats(DType::DOUBLE, values))
        .map(Value::Array)
        .ok_or_else(String::new)
}

fn randint(arguments: Arguments, context: &mut Context) -> Result<Value, String> {
    let [low, high, size, dtype] =
        arguments.bind("np.random.randint", ["low", "high", "size", "dtype"])?;
    let low = integer(&required(low, "low")?)?;
    let (low, high) = match value(high)? {
        None | Some(Value::None) => (0, low),
        Some(high) => (low, integer(&high)?),
    };
    let dtype = match element_type(dtype)? {
        None => DType::INT64,
        Some(ElementType::Number(dtype)) if dtype.is_integer() || dtype == DType::BOOL => dtype,
        Some(_) => return Err("np.random.randint makes integers".to_owned()),
    };
    if low >= high {
        return Err("low >= high".to_owned());
    }
    for (name, bound) in [("low", low), ("high", high - 1)] {
        if widened(dtype, wrapped(dtype, bound)) != bound {
            return Err(format!("{name} is out of bounds for {dtype}"));
        }
    }
    let span = u64::try_from(high - low).ok();
    let draw = |random: &mut Random| low + i128::from(random.below(span));
    match value(size)? {
        None | Some(Value::None) => Ok(Value::Int(draw(&mut context.random))),
        Some(size) => {
            let dims = shape(&size)?;
            let total = context.charge_shape(&dims)?;
            let values = (0..total).map(|_| wrapped(dtype, draw(&mut context.random)));
            let elements = Elements::Ints(dtype, values.collect());
            Array::new(dims, elements)
                .map(Value::Array)
                .ok_or_else(String::new)
        }
    }
}
