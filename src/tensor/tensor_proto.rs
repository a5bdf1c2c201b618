use std::cell::Cell;

use prost::Message;
use prost::bytes::Bytes;
use prost::encoding::decode_varint;

use crate::error::{Error, ErrorKind, Result};
use crate::proto::{ResourceHandleProto, TensorProto, VariantTensorDataProto};
use crate::tensor::{DType, Element, Shape, Strings, Tensor};

impl Tensor {
    /// Reads a `TensorProto`, the form of constants in a graph. Shares the bytes of
    /// `tensor_content`.
    ///
    /// The rules are those of `Tensor::FromProto` in `tensorflow/core/framework/tensor.cc`. Elements
    /// are in `tensor_content`, as in a bundle, or in the field of their type, where the last value
    /// stands for all that are missing, zero if there is none, and values too many are ignored.
    /// Without a shape, or with one of unknown rank, it is a scalar. Integers wider than their
    /// dtype lose the upper bits.
    ///
    /// ```
    /// # use savedmodel::{Tensor, proto::TensorProto};
    /// let proto = TensorProto { dtype: 1, float_val: vec![0.5], ..Default::default() };
    /// assert_eq!(Tensor::from_proto(&proto)?, Tensor::scalar(0.5f32));
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Unsupported` for a dtype that holds no values and beyond 254 dimensions, `Malformed` if the
    /// shape is invalid or `tensor_content` is not as long as it, or contains a BOOL other than 0
    /// and 1; `TooLarge` if few values stand for more than 2 GiB.
    pub fn from_proto(proto: &TensorProto) -> Result<Tensor> {
        // No more than fits a proto that has all values.
        Tensor::from_proto_within(proto, &Repeats::up_to(1 << 31))
    }

    /// Reads a `TensorProto` as [`from_proto`](Self::from_proto) does, one of several that share a
    /// limit.
    pub(crate) fn from_proto_within(proto: &TensorProto, repeats: &Repeats) -> Result<Tensor> {
        let dtype = DType::from_number(proto.dtype);
        let shape = match &proto.tensor_shape {
            Some(shape) => Shape::from_proto(shape)?,
            None => Shape::SCALAR,
        };
        match dtype {
            DType::STRING | DType::VARIANT | DType::RESOURCE => {
                strings_from_proto(dtype, shape, proto, repeats)
            }
            _ => dense_from_proto(dtype, shape, proto, repeats),
        }
    }

    /// Makes a `TensorProto` as `tf.make_tensor_proto` does
    /// (`tensorflow/python/framework/tensor_util.py`): more than one element in `tensor_content`,
    /// which shares the bytes, except for the dtypes that it writes value by value.
    ///
    /// # Errors
    ///
    /// `Malformed` if an element of a VARIANT or RESOURCE tensor is not the message it should be.
    pub fn to_proto(&self) -> Result<TensorProto> {
        let mut proto = TensorProto {
            dtype: self.dtype().number(),
            tensor_shape: Some(self.shape().to_proto()),
            ..Default::default()
        };
        match self.bytes_shared() {
            Some(bytes) if self.elements() > 1 && is_content(self.dtype()) => {
                proto.tensor_content = bytes;
            }
            _ if self.elements() > 0 => self.fill_values(&mut proto)?,
            _ => {}
        }
        Ok(proto)
    }

    fn fill_values(&self, proto: &mut TensorProto) -> Result<()> {
        match self.dtype() {
            DType::FLOAT => proto.float_val = self.values()?.into_owned(),
            DType::DOUBLE => proto.double_val = self.values()?.into_owned(),
            DType::INT64 => proto.int64_val = self.values()?.into_owned(),
            DType::BOOL => proto.bool_val = self.values()?.into_owned(),
            DType::UINT32 => proto.uint32_val = self.values()?.into_owned(),
            DType::UINT64 => proto.uint64_val = self.values()?.into_owned(),
            DType::COMPLEX64 => {
                proto.scomplex_val = self.values::<[f32; 2]>()?.as_flattened().to_vec();
            }
            DType::COMPLEX128 => {
                proto.dcomplex_val = self.values::<[f64; 2]>()?.as_flattened().to_vec();
            }
            DType::HALF | DType::BFLOAT16 => proto.half_val = self.widened::<u16>()?,
            DType::INT32 | DType::QINT32 => proto.int_val = self.values()?.into_owned(),
            DType::INT16 | DType::QINT16 => proto.int_val = self.widened::<i16>()?,
            DType::UINT16 | DType::QUINT16 => proto.int_val = self.widened::<u16>()?,
            DType::INT8 | DType::QINT8 | DType::INT4 | DType::INT2 => {
                proto.int_val = self.widened::<i8>()?;
            }
            DType::UINT8 | DType::QUINT8 | DType::UINT4 | DType::UINT2 => {
                proto.int_val = self.widened::<u8>()?;
            }
            DType::STRING => proto.string_val = self.shared_elements().collect(),
            DType::VARIANT => proto.variant_val = self.messages::<VariantTensorDataProto>()?,
            DType::RESOURCE => {
                proto.resource_handle_val = self.messages::<ResourceHandleProto>()?
            }
            _ => proto.float8_val = self.bytes_shared().unwrap_or_default(),
        }
        Ok(())
    }

    fn widened<T: Element + Into<i32>>(&self) -> Result<Vec<i32>> {
        Ok(self
            .values::<T>()?
            .iter()
            .map(|value| (*value).into())
            .collect())
    }

    fn messages<M: Message + Default>(&self) -> Result<Vec<M>> {
        self.shared_elements()
            .map(|element| {
                M::decode(element).map_err(|error| {
                    Error::malformed(format!("an element of a {} tensor: {error}", self.dtype()))
                })
            })
            .collect()
    }

    fn shared_elements(&self) -> impl Iterator<Item = Bytes> {
        let elements = self.strings().or(self.opaque());
        elements
            .into_iter()
            .flat_map(|elements| (0..elements.len()).filter_map(|index| elements.get_shared(index)))
    }
}

/// Returns whether `tf.make_tensor_proto` puts more than one element into `tensor_content`.
fn is_content(dtype: DType) -> bool {
    !(dtype.is_complex()
        || matches!(
            dtype,
            DType::BOOL | DType::UINT16 | DType::INT4 | DType::UINT4 | DType::INT2 | DType::UINT2
        ))
}

fn dense_from_proto(
    dtype: DType,
    shape: Shape,
    proto: &TensorProto,
    repeats: &Repeats,
) -> Result<Tensor> {
    let Some(size) = dtype.size() else {
        return Err(Error::unsupported(format!(
            "a TensorProto of dtype {dtype:?}"
        )));
    };
    if shape.elements() == 0 {
        return Tensor::from_bytes(dtype, shape, Bytes::new());
    }
    if !proto.tensor_content.is_empty() {
        let content = proto.tensor_content.clone();
        if shape.elements().checked_mul(size as u64) != Some(content.len() as u64) {
            return Err(Error::malformed(format!(
                "tensor_content of {} bytes for a {dtype} tensor of shape {shape}",
                content.len()
            )));
        }
        return Tensor::from_bytes(dtype, shape, content);
    }
    let bytes = value_bytes(dtype, proto)?;
    let whole = bytes.len() - bytes.len() % size;
    let length = shape.elements().saturating_mul(size as u64);
    Tensor::from_bytes(
        dtype,
        &shape,
        extended(bytes, whole, size, length, repeats)?,
    )
}

/// Returns the elements of the typed fields as they are stored in a bundle. The bytes of a complex
/// number may be halved at the end.
fn value_bytes(dtype: DType, proto: &TensorProto) -> Result<Vec<u8>> {
    let low_bytes = |mask: u8| {
        proto
            .int_val
            .iter()
            .map(|value| *value as u8 & mask)
            .collect()
    };
    let low_words = |values: &[i32]| {
        values
            .iter()
            .flat_map(|value| (*value as u16).to_le_bytes())
            .collect()
    };
    Ok(match dtype {
        DType::FLOAT => little_endian(&proto.float_val)?,
        DType::DOUBLE => little_endian(&proto.double_val)?,
        DType::COMPLEX64 => little_endian(&proto.scomplex_val)?,
        DType::COMPLEX128 => little_endian(&proto.dcomplex_val)?,
        DType::INT64 => little_endian(&proto.int64_val)?,
        DType::UINT32 => little_endian(&proto.uint32_val)?,
        DType::UINT64 => little_endian(&proto.uint64_val)?,
        DType::BOOL => little_endian(&proto.bool_val)?,
        DType::INT32 | DType::QINT32 => little_endian(&proto.int_val)?,
        DType::INT16 | DType::QINT16 | DType::UINT16 | DType::QUINT16 => low_words(&proto.int_val),
        DType::INT8 | DType::QINT8 | DType::UINT8 | DType::QUINT8 => low_bytes(0xff),
        DType::INT4 | DType::UINT4 => low_bytes(0x0f),
        DType::INT2 | DType::UINT2 => low_bytes(0x03),
        DType::HALF | DType::BFLOAT16 => low_words(&proto.half_val),
        _ => proto.float8_val.to_vec(),
    })
}

fn little_endian<T: Element>(values: &[T]) -> Result<Vec<u8>> {
    T::encode(T::DTYPE, values)
}

/// Cuts the first `whole` bytes to `length`, or repeats their last element up to that; zero if
/// there is none.
fn extended(
    mut bytes: Vec<u8>,
    whole: usize,
    size: usize,
    length: u64,
    repeats: &Repeats,
) -> Result<Vec<u8>> {
    bytes.truncate(whole.min(usize::try_from(length).unwrap_or(usize::MAX)));
    if bytes.len() as u64 == length {
        return Ok(bytes);
    }
    let mut repeated = vec![0; repeats.take(length)?];
    let (given, missing) = repeated.split_at_mut(bytes.len());
    given.copy_from_slice(&bytes);
    if let Some(start) = bytes.len().checked_sub(size) {
        let last = &bytes[start..];
        missing
            .chunks_exact_mut(size)
            .for_each(|slot| slot.copy_from_slice(last));
    }
    Ok(repeated)
}

fn strings_from_proto(
    dtype: DType,
    shape: Shape,
    proto: &TensorProto,
    repeats: &Repeats,
) -> Result<Tensor> {
    if shape.elements() > 0 && !proto.tensor_content.is_empty() {
        return match dtype {
            DType::STRING => string_list(shape, &proto.tensor_content),
            _ => Err(Error::malformed(format!(
                "tensor_content in a {dtype} tensor"
            ))),
        };
    }
    let values: Vec<Bytes> = match dtype {
        DType::STRING => proto.string_val.clone(),
        DType::VARIANT => proto
            .variant_val
            .iter()
            .map(|value| value.encode_to_vec().into())
            .collect(),
        _ => proto
            .resource_handle_val
            .iter()
            .map(|value| value.encode_to_vec().into())
            .collect(),
    };
    let last = values.last().cloned().unwrap_or_default();
    let missing = shape.elements().saturating_sub(values.len() as u64);
    // Each element also takes an entry of eight bytes.
    repeats.take(missing.saturating_mul(last.len() as u64 + 8))?;
    let count = shape.elements() as usize;
    let repeated = std::iter::repeat_n(&last, missing as usize);
    let elements: Strings = values.iter().take(count).chain(repeated).collect();
    match dtype {
        DType::STRING => Tensor::from_shared_strings(shape, elements),
        _ => Tensor::from_opaque(dtype, shape, elements),
    }
}

/// Reads the strings of `tensor_content`: all lengths, then all bytes. Split models have constants
/// in this form (`DecodeStringList` in `tensorflow/core/platform/coding.cc`).
fn string_list(shape: Shape, content: &Bytes) -> Result<Tensor> {
    let wrong = || Error::malformed("tensor_content of a string tensor is no list of strings");
    let mut rest = &content[..];
    let (mut ends, mut end) = (Vec::new(), 0u64);
    for _ in 0..shape.elements() {
        let len = decode_varint(&mut rest).map_err(|_| wrong())?;
        end = end.checked_add(len).ok_or_else(wrong)?;
        ends.push(end);
    }
    let start = content.len() - rest.len();
    let elements = Strings::from_parts(ends, content.slice(start..)).map_err(|_| wrong())?;
    Tensor::from_shared_strings(shape, elements)
}

/// Bounds what protos of a few bytes may expand to, all of them together.
pub(crate) struct Repeats {
    limit: u64,
    left: Cell<u64>,
}

impl Repeats {
    pub(crate) fn up_to(limit: u64) -> Self {
        Repeats {
            limit,
            left: Cell::new(limit),
        }
    }

    /// Takes so many bytes from what is left.
    fn take(&self, size: u64) -> Result<usize> {
        match (usize::try_from(size), self.left.get().checked_sub(size)) {
            (Ok(fitting), Some(left)) => {
                self.left.set(left);
                Ok(fitting)
            }
            _ => Err(Error::new(ErrorKind::TooLarge {
                what: "a TensorProto that repeats its last value".to_owned(),
                size,
                limit: self.limit,
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::TensorShapeProto;

    fn unhex(text: &str) -> Vec<u8> {
        let digits = text
            .as_bytes()
            .chunks(2)
            .map(|pair| str::from_utf8(pair).unwrap());
        digits
            .map(|pair| u8::from_str_radix(pair, 16).unwrap())
            .collect()
    }

    fn parse(text: &str) -> Result<Tensor> {
        Tensor::from_proto(&TensorProto::decode(&unhex(text)[..]).unwrap())
    }

    /// Protos, the elements that TensorFlow 2.21 reads from them and what `tf.make_tensor_proto`
    /// writes for those.
    #[test]
    fn elements_are_those_tensorflow_reads() {
        for (proto, data, again) in [
            (
                "0801120812020802120208032a08000040400000803f",
                "000040400000803f0000803f0000803f0000803f0000803f",
                "0801120812020802120208032218000040400000803f0000803f0000803f0000803f0000803f",
            ),
            (
                "0803120812020802120208033a0101",
                "010000000100000001000000010000000100000001000000",
                "0803120812020802120208032218010000000100000001000000010000000100000001000000",
            ),
            (
                "0803120412020802",
                "0000000000000000",
                "080312041202080222080000000000000000",
            ),
            (
                "0811120812020802120208033a06000102030201",
                "000001000200030002000100",
                "0811120812020802120208033a06000102030201",
            ),
            ("080a12005a0101", "01", "080a12005a0101"),
            (
                "0812120812020802120208036210000000000000f03f000000000000f0bf",
                "000000000000f03f000000000000f0bf000000000000f03f000000000000f0bf000000000000f03f000000000000f0bf000000000000f03f000000000000f0bf000000000000f03f000000000000f0bf000000000000f03f000000000000f0bf",
                "0812120812020802120208036260000000000000f03f000000000000f0bf000000000000f03f000000000000f0bf000000000000f03f000000000000f0bf000000000000f03f000000000000f0bf000000000000f03f000000000000f0bf000000000000f03f000000000000f0bf",
            ),
            (
                "08081204120208014a040000803f",
                "0000000000000000",
                "08081204120208014a080000000000000000",
            ),
            (
                "08081204120208024a0c0000803f0000004000004040",
                "0000803f000000400000803f00000040",
                "08081204120208024a100000803f000000400000803f00000040",
            ),
            (
                "08131204120208046a0a81fc0180f80380800201",
                "017e00fc00800100",
                "08131204120208042208017e00fc00800100",
            ),
            (
                "080e1204120208046a0ac1ff0180ff0380800201",
                "c17f80ff00800100",
                "080e1204120208042208c17f80ff00800100",
            ),
            (
                "0818120812020802120208039201020301",
                "030101010101",
                "0818120812020802120208032206030101010101",
            ),
            (
                "081d120812020802120208033a06000102030201",
                "000102030201",
                "081d120812020802120208033a06000102030201",
            ),
            (
                "081f120812020802120208033a06000102030201",
                "000102030201",
                "081f120812020802120208033a210001feffffffffffffffff01ffffffffffffffffff01feffffffffffffffff0101",
            ),
            ("080b12003a0101", "01", "080b12003a0101"),
            (
                "0817120812020802120208038a010101",
                "010000000000000001000000000000000100000000000000010000000000000001000000000000000100000000000000",
                "0817120812020802120208032230010000000000000001000000000000000100000000000000010000000000000001000000000000000100000000000000",
            ),
            ("08012a040000803f", "0000803f", "080112002a040000803f"),
            (
                "0801120218012a040000803f",
                "0000803f",
                "080112002a040000803f",
            ),
            ("08021206120012020803", "", "08021206120012020803"),
            (
                "0801120412020803220c0102030405060708090a0b0c2a0c000000000000803f00000040",
                "0102030405060708090a0b0c",
                "0801120412020803220c0102030405060708090a0b0c",
            ),
            (
                "08011204120208023a020102",
                "0000000000000000",
                "080112041202080222080000000000000000",
            ),
        ] {
            let tensor = parse(proto).unwrap();
            assert_eq!(tensor.bytes(), Some(&unhex(data)[..]), "{proto}");
            assert_eq!(
                tensor.to_proto().unwrap().encode_to_vec(),
                unhex(again),
                "{proto}"
            );
        }
    }

    #[test]
    fn what_tensorflow_refuses_is_refused() {
        for proto in [
            "0801120412020803220b0102030405060708090a0b", // DT_FLOAT/content short
            "0801120412020802220c0102030405060708090a0b0c", // DT_FLOAT/content long
            "0804120412020803220101", // DT_UINT8/content of one element for three
            "08071204120208012203616263", // string/content
            "080a12041202080222020201", // bool/content 2
            "0801120d120b08ffffffffffffffffff012a040000803f", // float/dimension -1
            "0801120d120b08ffffffffffffffffff0122040000803f", // float/dimension -1 content
            "1204120208012a040000803f", // dtype 0
            "08651204120208012a040000803f", // dtype float ref
            "08631204120208012a040000803f", // dtype 99
        ] {
            assert!(parse(proto).is_err(), "{proto}");
        }
    }

    #[test]
    fn integers_lose_bits_above_their_dtype() {
        let of = |dtype: DType, value| {
            let proto = TensorProto {
                dtype: dtype.number(),
                int_val: vec![value],
                half_val: vec![value],
                ..Default::default()
            };
            Tensor::from_proto(&proto)
                .unwrap()
                .bytes()
                .unwrap()
                .to_vec()
        };
        assert_eq!(of(DType::INT8, 300), [0x2c]);
        assert_eq!(of(DType::UINT8, -1), [0xff]);
        assert_eq!(of(DType::UINT16, 65536), [0, 0]);
        assert_eq!(of(DType::HALF, 0x13c00), [0, 0x3c]);
        // TensorFlow keeps the sign here; a bundle has it without.
        assert_eq!(of(DType::INT4, -8), [0x08]);
    }

    #[test]
    fn values_too_many_are_ignored() {
        let proto = TensorProto {
            dtype: 1,
            tensor_shape: Some(Shape::new(&[2]).unwrap().to_proto()),
            float_val: vec![1.0, 2.0, 3.0],
            ..Default::default()
        };
        let tensor = Tensor::from_proto(&proto).unwrap();
        assert_eq!(*tensor.values::<f32>().unwrap(), [1.0, 2.0]);
    }

    #[test]
    fn strings_repeat_and_come_back() {
        let proto = TensorProto {
            dtype: 7,
            tensor_shape: Some(Shape::new(&[3]).unwrap().to_proto()),
            string_val: vec!["a".into(), "bc".into()],
            ..Default::default()
        };
        let tensor = Tensor::from_proto(&proto).unwrap();
        assert_eq!(
            tensor,
            Tensor::from_strings([3], ["a", "bc", "bc"]).unwrap()
        );
        assert_eq!(
            Tensor::from_proto(&tensor.to_proto().unwrap()).unwrap(),
            tensor
        );
    }

    #[test]
    fn variants_come_back() {
        let value = VariantTensorDataProto {
            type_name: "tensorflow::TensorList".to_owned(),
            ..Default::default()
        };
        let proto = TensorProto {
            dtype: 21,
            tensor_shape: Some(TensorShapeProto::default()),
            variant_val: vec![value],
            ..Default::default()
        };
        let tensor = Tensor::from_proto(&proto).unwrap();
        assert_eq!(tensor.opaque().unwrap().len(), 1);
        assert_eq!(tensor.to_proto().unwrap(), proto);
        let broken = ["\u{1}"].into_iter().collect();
        let tensor = Tensor::from_opaque(DType::RESOURCE, [1], broken).unwrap();
        assert!(tensor.to_proto().is_err());
    }

    #[test]
    fn few_bytes_do_not_take_the_memory() {
        for dtype in [DType::FLOAT, DType::STRING, DType::VARIANT] {
            let proto = TensorProto {
                dtype: dtype.number(),
                tensor_shape: Some(Shape::new(&[1 << 62]).unwrap().to_proto()),
                ..Default::default()
            };
            let error = Tensor::from_proto(&proto).unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::TooLarge { .. }),
                "{error}"
            );
        }
    }
}
