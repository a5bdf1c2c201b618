//! Inputs that are made up.

use savedmodel::example::{Example, Feature};
use savedmodel::model::Component;
use savedmodel::{DType, Element, Shape, Tensor};

use crate::failure::Failure;

/// So many elements may be made up for an input.
const MAX_ELEMENTS: u64 = 1 << 28;
/// And so many values of examples, which take far more memory each.
const MAX_VALUES: u64 = 1 << 24;
/// What is made up stays below it, so that it is found in small tables.
const BELOW: u64 = 10;

/// Makes values up: numbers from 0 to 1, whole ones below 10, bytes of any value, words of letters.
///
/// The same seed makes the same values, whatever the machine.
pub(super) struct RandomInputs {
    state: u64,
    batch: u64,
    unknown_dims: u64,
}

impl RandomInputs {
    /// Sizes are for dimensions that a signature leaves open: the first, and all others.
    pub(super) fn new(seed: u64, batch: u64, unknown_dims: u64) -> Self {
        RandomInputs {
            state: seed,
            batch,
            unknown_dims,
        }
    }

    /// Returns the shape of what is made up for an input; one dimension if the rank is unknown.
    pub(super) fn shape(&self, input: &Component) -> Result<Shape, Failure> {
        let dims = match input.shape.dims() {
            Some(dims) => {
                let dims = dims.iter().enumerate();
                let open = |at| {
                    if at == 0 {
                        self.batch
                    } else {
                        self.unknown_dims
                    }
                };
                dims.map(|(at, dim)| dim.unwrap_or(open(at))).collect()
            }
            None => vec![self.batch],
        };
        let elements = dims
            .iter()
            .try_fold(1u64, |product, dim| product.checked_mul(*dim));
        match elements {
            Some(..=MAX_ELEMENTS) => Ok(Shape::new(&dims)?),
            _ => Err(Failure::Usage(
                format!(
                    "input `{}` of shape {} is too large to be made up: more than {MAX_ELEMENTS} \
                     elements",
                    input.name, input.shape
                )
                .into(),
            )),
        }
    }

    pub(super) fn tensor(&mut self, input: &Component) -> Result<Tensor, Failure> {
        let shape = self.shape(input)?;
        let dtype = input.dtype;
        let limit = match dtype {
            DType::INT2 | DType::UINT2 => 2,
            DType::INT4 | DType::UINT4 => 8,
            DType::UINT8 | DType::QUINT8 => 256,
            _ => BELOW,
        };
        macro_rules! whole {
            ($($element:ty),*) => {
                match dtype {
                    $(_ if <$element>::reads(dtype) => {
                        self.fill(dtype, shape, |random| random.below(limit) as $element)
                    })*
                    _ => Err(Failure::Usage(
                        format!(
                            "input `{}` takes {dtype}, of which nothing can be made up",
                            input.name
                        )
                        .into(),
                    )),
                }
            };
        }
        match dtype {
            DType::STRING => {
                let words = (0..shape.elements()).map(|_| self.word());
                Ok(Tensor::from_strings(shape.clone(), words)?)
            }
            DType::BOOL => self.fill(dtype, shape, |random| random.below(2) == 1),
            DType::DOUBLE => self.fill(dtype, shape, RandomInputs::fraction),
            DType::COMPLEX64 => self.fill(dtype, shape, |random| {
                [random.fraction() as f32, random.fraction() as f32]
            }),
            DType::COMPLEX128 => self.fill(dtype, shape, |random| {
                [random.fraction(), random.fraction()]
            }),
            _ if dtype.is_floating() => {
                let values = self.fill(DType::FLOAT, shape, |random| random.fraction() as f32)?;
                Ok(values.cast(dtype)?)
            }
            _ => whole!(i8, u8, i16, u16, i32, u32, i64, u64),
        }
    }

    /// Makes up as many examples as an input takes, with as many values for each feature as a form has.
    pub(super) fn examples(
        &mut self,
        input: &Component,
        form: &Example,
    ) -> Result<Vec<Example>, Failure> {
        let count = self.shape(input)?.elements();
        let values = form.features().map(|(_, feature)| 1 + feature.len() as u64);
        let values = values.fold(1, u64::saturating_add);
        if count.saturating_mul(values) > MAX_VALUES {
            return Err(Failure::Usage(
                format!(
                    "input `{}` takes {count} examples, too many to be made up: more than \
                     {MAX_VALUES} values and features",
                    input.name
                )
                .into(),
            ));
        }
        Ok((0..count).map(|_| self.example(form)).collect())
    }

    fn example(&mut self, form: &Example) -> Example {
        let mut example = Example::new();
        for (name, feature) in form.features() {
            let count = 0..feature.len();
            let made_up = match feature {
                Feature::Unset => Feature::Unset,
                Feature::Bytes(_) => Feature::Bytes(count.map(|_| self.word().into()).collect()),
                Feature::Float(_) => {
                    Feature::Float(count.map(|_| self.fraction() as f32).collect())
                }
                Feature::Int64(_) => {
                    Feature::Int64(count.map(|_| self.below(BELOW) as i64).collect())
                }
            };
            example.insert(name, made_up);
        }
        example
    }

    fn fill<T: Element>(
        &mut self,
        dtype: DType,
        shape: Shape,
        mut value: impl FnMut(&mut Self) -> T,
    ) -> Result<Tensor, Failure> {
        let values: Vec<T> = (0..shape.elements()).map(|_| value(self)).collect();
        Ok(Tensor::from_slice_as(dtype, shape, &values)?)
    }

    fn word(&mut self) -> Vec<u8> {
        let length = 3 + self.below(6);
        (0..length).map(|_| b'a' + self.below(26) as u8).collect()
    }

    /// A number from 0 to 1, without 1, also when it becomes one of single precision.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 40) as f64 / (1u64 << 24) as f64
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
