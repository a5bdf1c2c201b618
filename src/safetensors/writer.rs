use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use super::element_type::{ElementType, pack};
use super::header::{Header, METADATA, Stored};
use super::index::{Index, SUFFIX};
use crate::bundle::{Durability, Existing};
use crate::error::{Error, Result};
use crate::output::Output;
use crate::store::LocalStore;
use crate::tensor::{DType, Shape, Tensor};

/// What the name of a file of tensors ends in.
const EXTENSION: &str = ".safetensors";

/// Writes tensors in the safetensors format, to one file or to several with an index.
///
/// The header, which stands first, says where each tensor is. So tensors are
/// [declared](Self::declare) by name, dtype and shape before one is written, and then asked for one
/// by one, in the order of the data: memory is the header and a tensor at a time, or none where they
/// are views of another file. Files are the same, byte for byte, as those of the reference
/// implementation for the same tensors, as long as there is no more than one text of metadata, whose
/// order is by chance there and by name here.
///
/// ```
/// # let directory = std::env::temp_dir().join(format!("savedmodel-st-{}", std::process::id()));
/// # let path = directory.join("model.safetensors");
/// use savedmodel::safetensors::{SafetensorsReader, SafetensorsWriter};
/// use savedmodel::{DType, Shape, Tensor};
///
/// let shape = Shape::new(&[1000])?;
/// let mut writer = SafetensorsWriter::new().metadata("format", "tf").max_file_bytes(10_000);
/// for layer in 0..5 {
///     writer.declare(&format!("layer_{layer}/kernel"), DType::FLOAT, &shape)?;
/// }
/// // Three files and `model.safetensors.index.json`, each in place when all are complete.
/// writer.write(&path, |_name| Tensor::from_slice(&shape, &[0f32; 1000]))?;
///
/// let model = SafetensorsReader::open(&directory)?;
/// assert_eq!(model.tensors().count(), 5);
/// assert_eq!(model.info("layer_4/kernel")?.path(), directory.join("model-00003-of-00003.safetensors"));
/// # std::fs::remove_dir_all(directory)?;
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct SafetensorsWriter {
    metadata: BTreeMap<String, String>,
    declared: BTreeMap<String, Declared>,
    max_file_bytes: Option<u64>,
    existing: Existing,
    durability: Durability,
}

/// A tensor that will be written.
#[derive(Clone, Debug)]
struct Declared {
    dtype: DType,
    element: &'static ElementType,
    shape: Shape,
    byte_len: u64,
}

impl SafetensorsWriter {
    /// Makes a writer of one file without tensors.
    pub fn new() -> Self {
        SafetensorsWriter::default()
    }

    /// Adds a text to the `__metadata__` of every file, in place of one of the same name. Libraries
    /// that read tensors for PyTorch look for `format` = `pt` there.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Sets how many bytes the tensors of a file have at most, before another one is begun. A tensor
    /// larger than this has a file to itself. Default: one file for all.
    pub fn max_file_bytes(mut self, bytes: u64) -> Self {
        self.max_file_bytes = Some(bytes);
        self
    }

    /// Sets what happens to files that are there. Default: [`Existing::Refuse`]. Replaced are those
    /// of the same names alone: an index of fewer files than before leaves the others behind, which
    /// no reader looks at.
    pub fn existing(mut self, existing: Existing) -> Self {
        self.existing = existing;
        self
    }

    /// Sets whether finished files survive a crash. Default: [`Durability::Sync`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Says that there will be a tensor.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the format has no type for the dtype; `InvalidArgument` if the name was
    /// declared before or is `__metadata__`, or if four-bit elements do not fill whole bytes.
    pub fn declare(&mut self, name: &str, dtype: DType, shape: &Shape) -> Result<()> {
        let invalid = |what: &str| {
            let error = Error::invalid_argument(what);
            Err(error.for_key(name.as_bytes()))
        };
        let Some(element) = ElementType::of(dtype) else {
            return Err(Error::unsupported(format!(
                "the safetensors format has no type for {dtype} elements"
            ))
            .for_key(name.as_bytes()));
        };
        if name == METADATA {
            return invalid("no tensor can have this name, which the format has taken");
        }
        let Some(byte_len) = element.byte_len(shape.elements()) else {
            return invalid("the elements are no whole number of bytes");
        };
        if self.declared.contains_key(name) {
            return invalid("the name was declared before");
        }
        let declared = Declared {
            dtype,
            element,
            shape: shape.clone(),
            byte_len,
        };
        self.declared.insert(name.to_owned(), declared);
        Ok(())
    }

    /// Writes one file, or several where a limit is set and asks for it: `NAME.safetensors` becomes
    /// `NAME-00001-of-00003.safetensors`, … and `NAME.safetensors.index.json`. Missing directories are
    /// made. `tensor` is asked for each tensor once.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is a file already, if `tensor` gives one of another dtype or shape
    /// than was declared, or if several files are to be written and the name does not end in
    /// `.safetensors`; what `tensor` answers; `Io` as the system has it. There are no files then.
    pub fn write(
        &self,
        path: impl AsRef<Path>,
        mut tensor: impl FnMut(&str) -> Result<Tensor>,
    ) -> Result<()> {
        let path = path.as_ref();
        let mut output = Output::new(self.existing, self.durability);
        let files = self.files();
        let [file] = &files[..] else {
            return self.write_several(path, &files, output, &mut tensor);
        };
        write_file(&mut output, path, file, &self.metadata, &mut tensor)?;
        output.finish()
    }

    /// Declares tensors and writes them; see [`write`](Self::write).
    ///
    /// # Errors
    ///
    /// As for [`declare`](Self::declare) and [`write`](Self::write).
    pub fn write_tensors<'t>(
        mut self,
        path: impl AsRef<Path>,
        tensors: impl IntoIterator<Item = (&'t str, &'t Tensor)>,
    ) -> Result<()> {
        let mut all = BTreeMap::new();
        for (name, tensor) in tensors {
            self.declare(name, tensor.dtype(), tensor.shape())?;
            all.insert(name, tensor);
        }
        self.write(path, |name| match all.get(name) {
            Some(tensor) => Ok(Tensor::clone(tensor)),
            None => Err(Error::not_found("tensor")),
        })
    }

    /// Writes all tensors as one file to a target that need not be one, with many small writes where
    /// tensors are small.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write); the target holds a part of the file then.
    pub fn write_to(
        &self,
        target: &mut impl Write,
        mut tensor: impl FnMut(&str) -> Result<Tensor>,
    ) -> Result<()> {
        let file: File<'_> = self.declared.iter().collect();
        file.write(target, &self.metadata, &mut tensor)
    }

    /// Divides the tensors, in the order of their names, among files.
    fn files(&self) -> Vec<File<'_>> {
        let limit = self.max_file_bytes.unwrap_or(u64::MAX);
        let mut files = vec![Vec::new()];
        let mut bytes = 0u64;
        for (name, declared) in &self.declared {
            let more = bytes.saturating_add(declared.byte_len);
            match files.last_mut() {
                Some(file) if more <= limit || file.is_empty() => {
                    file.push((name, declared));
                    bytes = more;
                }
                _ => {
                    files.push(vec![(name, declared)]);
                    bytes = declared.byte_len;
                }
            }
        }
        files.into_iter().map(File::from_iter).collect()
    }

    fn write_several(
        &self,
        path: &Path,
        files: &[File<'_>],
        mut output: Output,
        tensor: &mut dyn FnMut(&str) -> Result<Tensor>,
    ) -> Result<()> {
        let (_, name) = LocalStore::of_file(path)?;
        let Some(stem) = name.strip_suffix(EXTENSION) else {
            return Err(Error::invalid_argument(format!(
                "the name does not end in `{EXTENSION}`, and several files are named after it"
            ))
            .in_file(path));
        };
        let mut index = Index::default();
        for (number, file) in (1..).zip(files) {
            let part = format!("{stem}-{number:05}-of-{:05}{EXTENSION}", files.len());
            write_file(
                &mut output,
                &path.with_file_name(&part),
                file,
                &self.metadata,
                tensor,
            )?;
            index.total_size += file.byte_len;
            let names = file.tensors.iter().map(|(name, _)| (*name).clone());
            index
                .weight_map
                .extend(names.map(|name| (name, part.clone())));
        }
        let path = path.with_file_name(format!("{name}{SUFFIX}"));
        let text = index.encode();
        output.write(&path, text.len() as u64, |file| {
            Ok(file.write_all(text.as_bytes())?)
        })?;
        output.finish()
    }
}

/// The tensors of one file, in the order of its data.
struct File<'w> {
    tensors: Vec<(&'w String, &'w Declared)>,
    byte_len: u64,
}

impl<'w> FromIterator<(&'w String, &'w Declared)> for File<'w> {
    fn from_iter<I: IntoIterator<Item = (&'w String, &'w Declared)>>(tensors: I) -> Self {
        let mut tensors: Vec<_> = tensors.into_iter().collect();
        tensors.sort_by(|(one, left), (other, right)| {
            let rank = right.element.rank().cmp(&left.element.rank());
            rank.then_with(|| one.cmp(other))
        });
        let byte_len = tensors.iter().fold(0u64, |sum, (_, declared)| {
            sum.saturating_add(declared.byte_len)
        });
        File { tensors, byte_len }
    }
}

impl File<'_> {
    fn write(
        &self,
        target: &mut impl Write,
        metadata: &BTreeMap<String, String>,
        tensor: &mut dyn FnMut(&str) -> Result<Tensor>,
    ) -> Result<()> {
        target.write_all(&self.header(metadata)?)?;
        for (name, declared) in &self.tensors {
            let tensor = tensor(name).map_err(|error| error.for_key(name.as_bytes()))?;
            let bytes = match tensor.bytes() {
                Some(bytes) if declared.describes(&tensor) => bytes,
                _ => {
                    return Err(Error::invalid_argument(format!(
                        "declared as {} {}, and the tensor is {} {}",
                        declared.dtype,
                        declared.shape,
                        tensor.dtype(),
                        tensor.shape()
                    ))
                    .for_key(name.as_bytes()));
                }
            };
            match declared.element.bits {
                4 => target.write_all(&pack(bytes))?,
                _ => target.write_all(bytes)?,
            }
        }
        Ok(())
    }

    fn header(&self, metadata: &BTreeMap<String, String>) -> Result<Vec<u8>> {
        let mut end = 0u64;
        let tensors = self.tensors.iter().map(|(name, declared)| {
            let start = end;
            end = end.saturating_add(declared.byte_len);
            Stored {
                name: (*name).clone(),
                element_type: declared.element.name.to_owned(),
                shape: declared.shape.clone(),
                range: start..end,
            }
        });
        let header = Header {
            tensors: tensors.collect(),
            metadata: metadata.clone(),
        };
        header.encode()
    }
}

impl Declared {
    fn describes(&self, tensor: &Tensor) -> bool {
        (tensor.dtype(), tensor.shape()) == (self.dtype, &self.shape)
    }
}

fn write_file(
    output: &mut Output,
    path: &Path,
    file: &File<'_>,
    metadata: &BTreeMap<String, String>,
    tensor: &mut dyn FnMut(&str) -> Result<Tensor>,
) -> Result<()> {
    output.write(path, file.byte_len, |target| {
        file.write(target, metadata, tensor)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::safetensors::SafetensorsReader;
    use crate::store::Blob;

    fn writer(tensors: &[(&str, DType, &[u64])]) -> SafetensorsWriter {
        let mut writer = SafetensorsWriter::new();
        for (name, dtype, dims) in tensors {
            writer
                .declare(name, *dtype, &Shape::new(dims).unwrap())
                .unwrap();
        }
        writer
    }

    fn ones(writer: &SafetensorsWriter, name: &str) -> Tensor {
        let Declared { dtype, shape, .. } = &writer.declared[name];
        let length = shape.elements() as usize * dtype.size().unwrap();
        Tensor::from_bytes(*dtype, shape, vec![1; length]).unwrap()
    }

    #[test]
    fn a_file_byte_by_byte() {
        let writer = writer(&[
            ("a", DType::BOOL, &[3]),
            ("b", DType::FLOAT, &[]),
            ("c", DType::FLOAT4_E2M1FN, &[1, 2]),
        ])
        .metadata("format", "tf");
        let mut file = Vec::new();
        writer
            .write_to(&mut file, |name| Ok(ones(&writer, name)))
            .unwrap();
        let mut expected = vec![0xc0, 0, 0, 0, 0, 0, 0, 0];
        expected.extend(b"{\"__metadata__\":{\"format\":\"tf\"},");
        expected.extend(b"\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},");
        expected.extend(b"\"c\":{\"dtype\":\"F4\",\"shape\":[1,2],\"data_offsets\":[4,5]},");
        expected.extend(b"\"a\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[5,8]}}");
        expected.resize(8 + 0xc0, b' ');
        expected.extend([1, 1, 1, 1, 0x11, 1, 1, 1]);
        assert_eq!(
            file.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
        let reader = SafetensorsReader::new(Blob::from_bytes(file)).unwrap();
        for name in ["a", "b", "c"] {
            assert_eq!(reader.tensor(name).unwrap(), ones(&writer, name));
        }
    }

    #[test]
    fn a_limit_divides_tensors_by_name() {
        let all: [(&str, DType, &[u64]); 5] = [
            ("a", DType::UINT8, &[6]),
            ("b", DType::UINT8, &[4]),
            ("c", DType::UINT8, &[11]),
            ("d", DType::UINT8, &[0]),
            ("e", DType::UINT8, &[1]),
        ];
        let names = |limit| -> Vec<String> {
            let writer = writer(&all).max_file_bytes(limit);
            let files = writer.files();
            let names = |file: &File<'_>| file.tensors.iter().map(|(name, _)| &***name).collect();
            files.iter().map(names).collect()
        };
        assert_eq!(names(10), ["ab", "c", "de"]);
        assert_eq!(names(9), ["a", "b", "c", "de"]);
        assert_eq!(names(0), ["a", "b", "c", "d", "e"]);
        assert_eq!(names(22), ["abcde"]);
        assert_eq!(SafetensorsWriter::new().files().len(), 1);
    }

    #[test]
    fn what_the_format_has_not_is_refused_by_name() {
        let mut writer = writer(&[("a", DType::FLOAT, &[])]);
        for (name, dtype, dims) in [
            ("s", DType::STRING, &[][..]),
            ("c", DType::COMPLEX128, &[]),
            ("q", DType::QINT8, &[]),
            ("i", DType::INT4, &[2]),
            ("__metadata__", DType::FLOAT, &[]),
            ("a", DType::FLOAT, &[]),
            ("f", DType::FLOAT4_E2M1FN, &[3]),
        ] {
            let error = writer
                .declare(name, dtype, &Shape::new(dims).unwrap())
                .unwrap_err();
            assert_eq!(error.key(), Some(name.as_bytes()), "{error}");
        }
        let error = writer
            .write_to(&mut Vec::new(), |_| Ok(Tensor::scalar(1f64)))
            .unwrap_err();
        assert!(
            error.to_string().contains("declared as float32 []"),
            "{error}"
        );
    }
}
