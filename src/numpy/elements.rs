use prost::bytes::Bytes;

use super::descr::{ByteOrder, Descr};
use super::layout;
use crate::error::{Error, ErrorKind, Result};
use crate::tensor::{DType, Shape, Strings, Tensor};

/// Elements of no bytes take memory that no file explains; so many are accepted.
const MAX_EMPTY_STRINGS: u64 = 1 << 20;

/// Makes a tensor of elements in row-major order. `bytes` has as many as the shape says; `void` is
/// the dtype of those that numpy knows nothing of.
///
/// # Errors
///
/// `Malformed`, at the byte of the elements, for truth values and texts that are none; `TooLarge`
/// for too many strings of no bytes; `Unsupported` for types that TensorFlow has not.
pub(super) fn decode(
    descr: &Descr,
    void: Option<DType>,
    shape: &Shape,
    bytes: Bytes,
) -> Result<Tensor> {
    let size = descr.item_size().unwrap_or(0);
    match *descr {
        Descr::Numbers { dtype, order } => {
            let width = if dtype.is_complex() { size / 2 } else { size };
            if order == ByteOrder::Little || width == 1 {
                return Tensor::from_bytes(dtype, shape, bytes);
            }
            let mut bytes = Vec::from(bytes);
            layout::swap(&mut bytes, width);
            Tensor::from_bytes(dtype, shape, bytes)
        }
        Descr::Void { .. } => Tensor::from_bytes(void.unwrap_or_default(), shape, bytes),
        Descr::Bytes { .. } => {
            let items = items(&bytes, size, shape)?;
            let strings: Strings = items.map(|item| trimmed(item, 1)).collect();
            Tensor::from_shared_strings(shape, strings)
        }
        Descr::Text { order, .. } => {
            let items = items(&bytes, size, shape)?.enumerate();
            let texts = items.map(|(index, item)| {
                // The place is that in the file where the order is its own.
                text(trimmed(item, 4), order).ok_or_else(|| {
                    Error::malformed(format!("element {index} is no text in UTF-32"))
                        .at((index * size) as u64)
                })
            });
            Tensor::from_shared_strings(shape, texts.collect::<Result<Strings>>()?)
        }
        Descr::Objects => Err(Error::unsupported("objects are no bytes")),
        Descr::Refused { why } => Err(Error::unsupported(why)),
    }
}

/// Cuts fixed-width strings apart.
fn items<'b>(
    bytes: &'b [u8],
    size: usize,
    shape: &Shape,
) -> Result<impl Iterator<Item = &'b [u8]> + use<'b>> {
    let count = shape.elements();
    if size == 0 && count > MAX_EMPTY_STRINGS {
        return Err(Error::new(ErrorKind::TooLarge {
            what: "an array of strings of no bytes".to_owned(),
            size: count,
            limit: MAX_EMPTY_STRINGS,
        }));
    }
    // Within the file, so within `usize`, or few.
    let count = count as usize;
    Ok((0..count).map(move |index| &bytes[index * size..(index + 1) * size]))
}

/// Takes units of zeros from the end.
fn trimmed(item: &[u8], unit: usize) -> &[u8] {
    let used = item
        .chunks(unit)
        .rposition(|unit| unit.iter().any(|&byte| byte != 0));
    match used {
        Some(last) => &item[..(last + 1) * unit],
        None => &[],
    }
}

fn text(item: &[u8], order: ByteOrder) -> Option<String> {
    let units = item.as_chunks::<4>().0.iter();
    units
        .map(|unit| {
            char::from_u32(match order {
                ByteOrder::Little => u32::from_le_bytes(*unit),
                ByteOrder::Big => u32::from_be_bytes(*unit),
            })
        })
        .collect()
}
