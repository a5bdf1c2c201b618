use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::descr::{Descr, check_void};
use super::elements;
use super::header::{self, Header, LONGEST_PREAMBLE};
use super::layout;
use super::pickle::PickledValue;
use crate::error::{Error, Result};
use crate::store::{Blob, LocalStore, Store};
use crate::tensor::{DType, Shape, Tensor};

/// Reads a `.npy` file: an array of numpy.
///
/// Opening reads the header. [`tensor`](Self::tensor) is then a view of the file if that is mapped
/// or in memory and holds little-endian numbers in row-major order; anything else is copied. Bytes
/// behind the array are not looked at, because several arrays may stand in one file.
///
/// ```
/// # let directory = std::env::temp_dir().join(format!("savedmodel-npy-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("kernel.npy");
/// use savedmodel::numpy::{NpyReader, StringForm, write_npy};
/// use savedmodel::{DType, Tensor};
///
/// let tensor = Tensor::from_bytes(DType::BFLOAT16, [2], vec![0x80, 0x3f, 0x00, 0xc0])?;
/// write_npy(&mut std::fs::File::create(&path)?, &tensor, StringForm::FixedWidth)?;
///
/// let array = NpyReader::open(&path)?;
/// assert_eq!(array.descr(), "<V2");
/// assert_eq!(array.dtype(), None);
/// let array = array.with_void_dtype(DType::BFLOAT16)?;
/// assert_eq!(array.tensor()?, tensor);
/// # std::fs::remove_dir_all(directory)?;
/// # Ok::<(), savedmodel::Error>(())
/// ```
pub struct NpyReader {
    blob: Blob,
    header: Header,
    /// Where the elements begin.
    start: u64,
    void_dtype: Option<DType>,
    /// How messages call the file.
    path: Option<PathBuf>,
    /// And the array, if it is one of several in the file.
    name: Option<String>,
}

impl NpyReader {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// `NotFound` and `Io` as the system has them, and what [`new`](Self::new) answers.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let in_file = |error: Error| error.in_file(path);
        let (store, name) = LocalStore::of_file(path)?;
        let blob = store.open(name).map_err(|error| in_file(error.into()))?;
        let mut array = NpyReader::new(blob).map_err(in_file)?;
        array.path = Some(path.to_owned());
        Ok(array)
    }

    /// Reads the header of an array that begins with a blob's first byte.
    ///
    /// # Errors
    ///
    /// `Malformed` if the header is not one that numpy writes, or the elements end before the blob
    /// does; `Unsupported` for a version of the format that this crate does not know; `TooLarge` for
    /// a header beyond 64 KiB.
    pub fn new(blob: Blob) -> Result<Self> {
        let preamble = blob.read(0, blob.len().min(LONGEST_PREAMBLE as u64))?;
        let (text, end) = header::text_range(&preamble)?;
        let start = end as u64;
        let header = Header::parse(&blob.read(text as u64, start - text as u64)?)
            .map_err(|error| error.shifted(text as u64))?;
        check_payload(&header, start, blob.len())?;
        Ok(NpyReader {
            blob,
            header,
            start,
            void_dtype: None,
            path: None,
            name: None,
        })
    }

    /// Reads an array from where a stream stands, and no byte more, into memory. The memory grows
    /// with what comes, whatever the header claims.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new), and `Io` as the stream has it. Arrays of Python objects, whose
    /// length is not known, take all that the stream has.
    pub fn from_stream(mut stream: impl Read) -> Result<Self> {
        let (mut bytes, header, start) = read_header(&mut stream)?;
        match header.payload_len().map_err(|error| error.at(0))? {
            Some(length) => stream.take(length).read_to_end(&mut bytes)?,
            None if header.descr == Descr::Objects => stream.read_to_end(&mut bytes)?,
            None => 0,
        };
        check_payload(&header, start, bytes.len() as u64)?;
        Ok(NpyReader {
            blob: Blob::from_bytes(bytes),
            header,
            start,
            void_dtype: None,
            path: None,
            name: None,
        })
    }

    /// Reads no more than the header; there are no elements.
    #[cfg(feature = "npz")]
    pub(super) fn header_of_stream(mut stream: impl Read) -> Result<Self> {
        let (bytes, header, start) = read_header(&mut stream)?;
        Ok(NpyReader {
            blob: Blob::from_bytes(bytes),
            header,
            start,
            void_dtype: None,
            path: None,
            name: None,
        })
    }

    /// Says of which dtype elements of type `V` are. They are those that numpy has from `ml_dtypes`,
    /// whose name it does not write: BFLOAT16, FLOAT8_*, FLOAT4_E2M1FN, INT4, UINT4, INT2 and UINT2.
    /// Changes nothing for an array of any other type.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the dtype is none of these, or the elements are of another size.
    pub fn with_void_dtype(mut self, dtype: DType) -> Result<Self> {
        check_void(dtype)?;
        if let Descr::Void { width } = self.header.descr {
            if dtype.size() != Some(width) {
                return Err(Error::invalid_argument(format!(
                    "`{}` has elements of {width} bytes, which {dtype} has not",
                    self.header.descr_text
                )));
            }
            self.void_dtype = Some(dtype);
        }
        Ok(self)
    }

    /// Says whether the elements are of type `V` and of the size of that dtype.
    #[cfg(feature = "npz")]
    pub(super) fn can_be(&self, dtype: DType) -> bool {
        matches!(self.header.descr, Descr::Void { width } if dtype.size() == Some(width))
    }

    /// Returns the array with the names that messages call it by.
    #[cfg(feature = "npz")]
    pub(super) fn of_file(mut self, path: Option<&Path>, name: &str) -> Self {
        self.path = path.map(Path::to_owned);
        self.name = Some(name.to_owned());
        self
    }

    /// Returns the array with a dtype that [it can be](Self::can_be).
    #[cfg(feature = "npz")]
    pub(super) fn named(mut self, dtype: DType) -> Self {
        self.void_dtype = Some(dtype);
        self
    }

    /// Returns the type of the elements as the file has it: `<f4`.
    pub fn descr(&self) -> &str {
        &self.header.descr_text
    }

    /// Returns the dtype of the tensor; `None` if [`tensor`](Self::tensor) cannot make one. Python
    /// objects are taken for strings, as TensorFlow does; whether they are is seen when they are read.
    pub fn dtype(&self) -> Option<DType> {
        match self.header.descr {
            Descr::Numbers { dtype, .. } => Some(dtype),
            Descr::Bytes { .. } | Descr::Text { .. } | Descr::Objects => Some(DType::STRING),
            Descr::Void { .. } => self.void_dtype,
            Descr::Refused { .. } => None,
        }
    }

    /// Returns the shape.
    pub fn shape(&self) -> &Shape {
        &self.header.shape
    }

    /// Returns whether the first index varies fastest in the file. Tensors are row-major always.
    pub fn is_fortran_order(&self) -> bool {
        self.header.fortran_order
    }

    /// Returns the array as a tensor. Byte strings and texts lose the zeros at their end, which
    /// fill them up, and texts become UTF-8. Of Python objects (`|O`), all must be texts or byte
    /// strings; nothing is run that their pickle names.
    ///
    /// # Errors
    ///
    /// `Unsupported` for types that TensorFlow has not, for Python objects of other kinds and for type
    /// `V` where [nobody said](Self::with_void_dtype) which it is; `Malformed` for truth values other
    /// than 0 and 1 and for texts that are no Unicode; `Io` if reading fails.
    pub fn tensor(&self) -> Result<Tensor> {
        let tensor = match self.header.descr {
            Descr::Objects => self.pickled().and_then(strings_of),
            _ => self.read(),
        };
        tensor.map_err(|error| self.in_place(error))
    }

    /// Returns the array as a value of Python: of Python objects (`|O`) what they are, and
    /// [`tensor`](Self::tensor) of anything else.
    ///
    /// ```
    /// use savedmodel::numpy::{NpyReader, PickledValue};
    /// use savedmodel::store::Blob;
    ///
    /// let mut file = b"\x93NUMPY\x01\x00\x3a\x00".to_vec();
    /// file.extend(b"{'descr': '|O', 'fortran_order': False, 'shape': (1, 1)}  ");
    /// // pickle.dumps(np.array([[7]], object))
    /// file.extend(b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntVb\ntR");
    /// file.extend(b"(I1\n(I1\nI1\ntcnumpy\ndtype\n(VO8\nI00\nI01\ntRI00\n(lI7\natb.");
    /// let array = NpyReader::new(Blob::from_bytes(file))?;
    /// let PickledValue::Objects { elements, .. } = array.value()? else { panic!() };
    /// assert_eq!(elements, [PickledValue::Int(7)]);
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`tensor`](Self::tensor) and [`PickledValue::read`].
    pub fn value(&self) -> Result<PickledValue> {
        let value = match self.header.descr {
            Descr::Objects => self.pickled(),
            _ => self.read().map(PickledValue::Array),
        };
        value.map_err(|error| self.in_place(error))
    }

    fn in_place(&self, error: Error) -> Error {
        let error = match &self.name {
            // Where the array is in the file is not known here.
            Some(name) => error.without_offset().for_key(name.as_bytes()),
            None => error,
        };
        match &self.path {
            Some(path) => error.in_file(path),
            None => error,
        }
    }

    /// Reads the pickle, which has a shape of its own.
    fn pickled(&self) -> Result<PickledValue> {
        let length = self.blob.len() - self.start;
        let pickle = self.blob.read(self.start, length)?;
        let value = PickledValue::read(&Blob::from_bytes(pickle))
            .map_err(|error| error.shifted(self.start))?;
        let shape = match &value {
            PickledValue::Array(tensor) => Some(tensor.shape()),
            PickledValue::Objects { shape, .. } => Some(shape),
            _ => None,
        };
        match shape == Some(&self.header.shape) {
            true => Ok(value),
            false => Err(Error::malformed(format!(
                "the header has the shape {}, and what was pickled another",
                self.header.shape
            ))
            .at(self.start)),
        }
    }

    fn read(&self) -> Result<Tensor> {
        if let Some(error) = self.refusal() {
            return Err(error.at(0));
        }
        let (Some(size), Ok(Some(length))) =
            (self.header.descr.item_size(), self.header.payload_len())
        else {
            return Err(Error::malformed("the array's elements have no size").at(0));
        };
        let mut bytes = self.blob.read(self.start, length)?;
        let shape = &self.header.shape;
        let lines = shape.dims().iter().filter(|&&dim| dim > 1).count();
        if self.header.fortran_order && lines > 1 {
            bytes = layout::row_major(&bytes, shape.dims(), size).into();
        }
        elements::decode(&self.header.descr, self.void_dtype, shape, bytes)
            .map_err(|error| error.shifted(self.start))
    }

    fn refusal(&self) -> Option<Error> {
        let error = Error::unsupported(match &self.header.descr {
            Descr::Refused { why } => format!("numpy's type `{}`: {why}", self.descr()),
            Descr::Void { .. } if self.void_dtype.is_none() => format!(
                "numpy's type `{}`: the file does not say which dtype it stands for",
                self.descr()
            ),
            _ => return None,
        });
        Some(match self.header.descr {
            Descr::Void { .. } => {
                error.remedy("name the dtype, as in `NpyReader::with_void_dtype(DType::BFLOAT16)`")
            }
            _ => error,
        })
    }
}

/// Returns the tensor of objects that are strings.
fn strings_of(value: PickledValue) -> Result<Tensor> {
    let kind = match &value {
        PickledValue::Array(tensor) if tensor.dtype() == DType::STRING => None,
        PickledValue::Array(tensor) => Some(format!("{} elements", tensor.dtype())),
        PickledValue::Objects { elements, .. } => {
            let is_other =
                |it: &&PickledValue| !matches!(it, PickledValue::Str(_) | PickledValue::Bytes(_));
            let other = elements.iter().find(is_other);
            Some(other.map_or("objects", PickledValue::kind).to_owned())
        }
        other => Some(other.kind().to_owned()),
    };
    match (value, kind) {
        (PickledValue::Array(tensor), None) => Ok(tensor),
        (_, kind) => Err(Error::unsupported(format!(
            "an array of Python objects has {} among them, and tensors have texts and byte strings",
            kind.unwrap_or_default()
        ))
        .remedy("save numbers with `array.astype('float32')`, or ask for `NpyReader::value`")),
    }
}

/// Reads everything before the elements; returns it, what it says, and its length.
fn read_header(stream: &mut impl Read) -> Result<(Vec<u8>, Header, u64)> {
    let mut bytes = Vec::new();
    let mut read_to = |bytes: &mut Vec<u8>, length: usize| {
        let missing = length.saturating_sub(bytes.len()) as u64;
        stream.take(missing).read_to_end(bytes).map(|_| ())
    };
    // The shortest kind first: the stream may go on with something else.
    read_to(&mut bytes, LONGEST_PREAMBLE - 2)?;
    if bytes.get(6).is_some_and(|major| *major > 1) {
        read_to(&mut bytes, LONGEST_PREAMBLE)?;
    }
    let (text, end) = header::text_range(&bytes)?;
    read_to(&mut bytes, end)?;
    let Some(header) = bytes.get(text..end) else {
        return Err(cut(
            "the file ends in the array's header".to_owned(),
            text as u64,
        ));
    };
    let header = Header::parse(header).map_err(|error| error.shifted(text as u64))?;
    Ok((bytes, header, end as u64))
}

/// Proves that the elements lie within so many bytes, if their length is known.
fn check_payload(header: &Header, start: u64, len: u64) -> Result<()> {
    let left = len.saturating_sub(start);
    match header.payload_len().map_err(|error| error.at(0))? {
        Some(length) if length > left => Err(cut(
            format!(
                "an array `{}` of shape {} has {length} bytes, and {left} are left in the file",
                header.descr_text, header.shape
            ),
            start,
        )),
        _ => Ok(()),
    }
}

fn cut(what: String, offset: u64) -> Error {
    Error::malformed(what)
        .at(offset)
        .remedy("the file is cut short: copy it again from its source")
}

impl fmt::Debug for NpyReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NpyReader({} {})", self.descr(), self.shape())
    }
}

#[cfg(test)]
mod tests {
    use prost::bytes::Bytes;

    use super::*;
    use crate::error::ErrorKind;
    use crate::numpy::{StringForm, write_npy};

    fn file(header: &str, elements: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(elements);
        bytes
    }

    fn array(descr: &str, fortran_order: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
        let header =
            format!("{{'descr': {descr}, 'fortran_order': {fortran_order}, 'shape': {shape}}}\n");
        file(&header, elements)
    }

    fn read(bytes: Vec<u8>) -> Result<Tensor> {
        let stream = NpyReader::from_stream(&bytes[..]).and_then(|array| array.tensor());
        let tensor = NpyReader::new(Blob::from_bytes(bytes)).and_then(|array| array.tensor());
        match (&tensor, &stream) {
            (Ok(one), Ok(other)) => assert_eq!(one, other),
            (Err(_), Err(_)) => {}
            _ => panic!("{tensor:?} and from the stream {stream:?}"),
        }
        tensor
    }

    #[test]
    fn elements_are_views_where_they_can_be() {
        let bytes = Bytes::from(array("'<i2'", "False", "(2, 2)", &[1, 0, 2, 0, 3, 0, 4, 0]));
        let array = NpyReader::new(Blob::from_bytes(bytes.clone())).unwrap();
        let tensor = array.tensor().unwrap();
        assert_eq!(*tensor.values::<i16>().unwrap(), [1, 2, 3, 4]);
        let place = tensor.bytes().unwrap().as_ptr();
        assert_eq!(place, bytes[bytes.len() - 8..].as_ptr());
    }

    #[test]
    fn other_orders_are_copied() {
        let big = array("'>i2'", "False", "(2, 2)", &[0, 1, 0, 2, 0, 3, 0, 4]);
        assert_eq!(*read(big).unwrap().values::<i16>().unwrap(), [1, 2, 3, 4]);
        let fortran = array("'>i2'", "True", "(2, 2)", &[0, 1, 0, 3, 0, 2, 0, 4]);
        assert_eq!(
            *read(fortran).unwrap().values::<i16>().unwrap(),
            [1, 2, 3, 4]
        );
        let complex = array("'>c8'", "False", "()", &[0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0]);
        let complex = read(complex).unwrap();
        assert_eq!(*complex.values::<[f32; 2]>().unwrap(), [[1.0, -2.0]]);
    }

    #[test]
    fn strings_lose_what_fills_them_up() {
        let bytes = array("'|S3'", "False", "(4,)", b"abc\0\0\0a\0b\0\0c");
        let strings = read(bytes).unwrap();
        let strings: Vec<&[u8]> = strings.strings().unwrap().iter().collect();
        assert_eq!(strings, [&b"abc"[..], b"", b"a\0b", b"\0\0c"]);
        let utf32 = |text: &str| -> Vec<u8> {
            text.chars()
                .flat_map(|c| (c as u32).to_le_bytes())
                .collect()
        };
        let bytes = array("'<U2'", "True", "(2, 2)", &utf32("aé日本\0\0x\0"));
        let texts = read(bytes).unwrap();
        let texts: Vec<&[u8]> = texts.strings().unwrap().iter().collect();
        assert_eq!(texts, ["aé".as_bytes(), b"", "日本".as_bytes(), b"x"]);
        let bad = array("'>U1'", "False", "(2,)", &[0, 0, 0, 65, 0, 0, 0xd8, 0]);
        let start = bad.len() as u64 - 8;
        assert_eq!(read(bad).unwrap_err().offset(), Some(start + 4));
    }

    #[test]
    fn what_a_header_claims_takes_no_memory() {
        for (descr, shape) in [
            ("'<f8'", "(1152921504606846975,)"),
            ("'<f8'", "(9223372036854775807,)"),
            ("'|S4000000000'", "(4000000000,)"),
            ("'|S0'", "(9223372036854775807,)"),
            ("'<U9999999999'", "(1,)"),
        ] {
            assert!(read(array(descr, "False", shape, &[0; 64])).is_err());
        }
        assert_eq!(
            read(array("'|S0'", "False", "(3,)", &[]))
                .unwrap()
                .elements(),
            3
        );
    }

    #[test]
    fn every_cut_is_noticed() {
        let whole = array("'<f4'", "False", "(2,)", &[0; 8]);
        for length in 0..whole.len() {
            let error = read(whole[..length].to_vec()).unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Malformed { .. }),
                "{error}"
            );
            assert!(error.offset().is_some_and(|at| at <= length as u64));
        }
        let mut longer = whole;
        longer.extend(b"another");
        assert_eq!(read(longer).unwrap().elements(), 2);
    }

    #[test]
    fn types_that_tensorflow_has_not_are_refused_by_name() {
        for (descr, message) in [
            ("'<M8[s]'", "`<M8[s]`"),
            ("'|V2'", "with_void_dtype"),
            ("[('x', '<f4')]", "`[('x', '<f4')]`"),
        ] {
            let error = read(array(descr, "False", "(1,)", &[0; 8])).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }));
            assert!(error.to_string().contains(message), "{error}");
        }
        let void = NpyReader::new(Blob::from_bytes(array("'|V2'", "False", "(1,)", &[0; 2])));
        let error = void.unwrap().with_void_dtype(DType::INT4).unwrap_err();
        assert!(error.to_string().contains("2 bytes"), "{error}");
    }

    #[test]
    fn python_objects_are_strings_or_values() {
        let strings = Tensor::from_strings([2], ["ab", "c"]).unwrap();
        let mut file = Vec::new();
        write_npy(&mut file, &strings, StringForm::Objects).unwrap();
        assert_eq!(read(file.clone()).unwrap(), strings);
        let array = NpyReader::new(Blob::from_bytes(file.clone())).unwrap();
        assert_eq!((array.descr(), array.dtype()), ("|O", Some(DType::STRING)));
        assert_eq!(array.value().unwrap(), PickledValue::Array(strings));
        for length in 0..file.len() {
            assert!(read(file[..length].to_vec()).is_err());
        }
        let pickle = file[128..].to_vec();
        let error = read(array_of_objects("(3,)", &pickle)).unwrap_err();
        assert!(error.to_string().contains("shape [3]"), "{error}");
        // `BINBYTES1` of one byte becomes `NONE`, and lengths stay.
        let at = pickle.windows(3).position(|it| it == b"C\x01c").unwrap();
        let mut other = pickle.clone();
        other.splice(at..at + 3, *b"NN0");
        let file = array_of_objects("(2,)", &other);
        let error = read(file.clone()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }));
        assert!(error.to_string().contains("has None among them"), "{error}");
        let value = NpyReader::new(Blob::from_bytes(file)).unwrap().value();
        let PickledValue::Objects { elements, .. } = value.unwrap() else {
            panic!()
        };
        assert_eq!(elements[1], PickledValue::None);
        // Offsets are those of the file.
        let evil = array_of_objects("()", b"cos\nsystem\n.");
        let start = evil.len() as u64 - 12;
        assert_eq!(read(evil).unwrap_err().offset(), Some(start));
    }

    fn array_of_objects(shape: &str, pickle: &[u8]) -> Vec<u8> {
        array("'|O'", "False", shape, pickle)
    }

    #[test]
    fn truth_is_0_or_1() {
        let mut bytes = array("'|b1'", "False", "(3,)", &[0, 1, 1]);
        assert_eq!(
            *read(bytes.clone()).unwrap().values::<bool>().unwrap(),
            [false, true, true]
        );
        *bytes.last_mut().unwrap() = 2;
        assert!(read(bytes).is_err());
    }
}
