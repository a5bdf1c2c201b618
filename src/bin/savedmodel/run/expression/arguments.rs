use savedmodel::DType;

use super::Value;
use super::cast::python_int;
use super::promotion::dtype_named;

/// What stands in the place of an argument: a value, or the name of a function or type.
#[derive(Clone, Debug)]
pub(super) enum Term {
    Value(Value),
    /// Those of numpy begin with `np.`.
    Name(String),
}

/// Arguments of a call.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) positional: Vec<Term>,
    pub(super) named: Vec<(String, Term)>,
}

impl Arguments {
    /// Gives arguments to parameters, by place and by name. A `*` ends those that can be given by
    /// place.
    pub(super) fn bind<const N: usize>(
        self,
        function: &str,
        parameters: [&str; N],
    ) -> Result<[Option<Term>; N], String> {
        let mut bound: [Option<Term>; N] = std::array::from_fn(|_| None);
        let by_place = parameters
            .iter()
            .position(|parameter| *parameter == "*")
            .unwrap_or(N);
        if self.positional.len() > by_place {
            return Err(format!(
                "{function} takes {by_place} arguments by place, and there are {}",
                self.positional.len()
            ));
        }
        for (slot, term) in bound.iter_mut().zip(self.positional) {
            *slot = Some(term);
        }
        for (name, term) in self.named {
            let slot = parameters
                .iter()
                .position(|parameter| *parameter == name && name != "*")
                .and_then(|index| bound.get_mut(index));
            match slot {
                Some(slot @ None) => *slot = Some(term),
                Some(_) => return Err(format!("{function} has `{name}` twice")),
                None => {
                    let known: Vec<&str> =
                        parameters.into_iter().filter(|name| *name != "*").collect();
                    return Err(format!(
                        "{function} has no argument `{name}` here; it has {}",
                        known.join(", ")
                    ));
                }
            }
        }
        Ok(bound)
    }
}

/// The type of the elements of an array to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ElementType {
    Number(DType),
    Texts,
    Strings,
    Objects,
}

impl ElementType {
    /// Returns the type that a name has, in Python or numpy.
    pub(super) fn named(name: &str) -> Option<ElementType> {
        let name = name.strip_prefix("np.").unwrap_or(name);
        Some(match name {
            "str" | "str_" | "unicode_" | "U" | "<U" => ElementType::Texts,
            "bytes" | "bytes_" | "string_" | "S" | "|S" => ElementType::Strings,
            "object" | "object_" | "O" | "|O" => ElementType::Objects,
            name => ElementType::Number(dtype_named(name)?),
        })
    }

    pub(super) fn of(term: &Term) -> Result<ElementType, String> {
        let name = match term {
            Term::Name(name) | Term::Value(Value::Str(name)) => name,
            Term::Value(value) => return Err(format!("{} is no type of elements", value.repr())),
        };
        ElementType::named(name).ok_or_else(|| format!("`{name}` is no type of elements"))
    }
}

/// Returns a value that must be there.
pub(super) fn required(term: Option<Term>, name: &str) -> Result<Value, String> {
    value(term)?.ok_or_else(|| format!("the argument `{name}` is missing"))
}

pub(super) fn value(term: Option<Term>) -> Result<Option<Value>, String> {
    match term {
        None => Ok(None),
        Some(Term::Value(value)) => Ok(Some(value)),
        Some(Term::Name(name)) => Err(format!("`{name}` is a function or type, not a value")),
    }
}

/// Returns the type of elements that is asked for; `None` is no demand.
pub(super) fn element_type(term: Option<Term>) -> Result<Option<ElementType>, String> {
    match term {
        None | Some(Term::Value(Value::None)) => Ok(None),
        Some(term) => ElementType::of(&term).map(Some),
    }
}

/// Returns an integer, which floats are not.
pub(super) fn integer(value: &Value) -> Result<i128, String> {
    match value {
        Value::Array(array) if array.shape().is_empty() && array.dtype().is_some() => {
            integer(&array.elements().value(0))
        }
        Value::Bool(_) | Value::Int(_) => python_int(value).map_err(|error| error.to_string()),
        other => Err(format!(
            "'{}' object cannot be interpreted as an integer",
            other.type_name()
        )),
    }
}

/// Returns integers that are given as one, a list or an array.
pub(super) fn integers(value: &Value) -> Result<Vec<i128>, String> {
    match value {
        Value::List(elements) | Value::Tuple(elements) => elements.iter().map(integer).collect(),
        Value::Array(array) if !array.shape().is_empty() => {
            let elements = array.elements();
            (0..elements.len())
                .map(|index| integer(&elements.value(index)))
                .collect()
        }
        single => integer(single).map(|size| vec![size]),
    }
}

/// Returns a shape that is given as one size or a list of sizes.
pub(super) fn shape(value: &Value) -> Result<Vec<u64>, String> {
    integers(value)?
        .into_iter()
        .map(|dim| {
            u64::try_from(dim).map_err(|_| format!("{dim} in a shape; dimensions are not negative"))
        })
        .collect()
}
