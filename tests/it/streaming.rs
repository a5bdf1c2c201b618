//! Tensors that come from a reader, and values that are borrowed.

use std::fs;
use std::io::{self, Read};

use savedmodel::bundle::Durability;
use savedmodel::{BundleReader, BundleWriter, DType, ErrorKind, Shape, Tensor, TensorView};

use crate::random::{Numbers, stored_dtypes};
use crate::writing::{names, work_directory};

/// Gives bytes in pieces of odd lengths, and is interrupted now and then.
struct Trickle<'b> {
    bytes: &'b [u8],
    numbers: Numbers,
}

impl Read for Trickle<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = match self.numbers.below(10) {
            0 => return Err(io::ErrorKind::Interrupted.into()),
            1 => 1,
            _ => self.numbers.below(100_000) as usize + 1,
        };
        let len = len.min(out.len()).min(self.bytes.len());
        let (now, later) = self.bytes.split_at(len);
        out[..len].copy_from_slice(now);
        self.bytes = later;
        Ok(len)
    }
}

#[test]
fn a_reader_a_view_and_a_tensor_give_the_same_bundle() {
    let directory = work_directory("a_reader_a_view_and_a_tensor");
    let mut numbers = Numbers::new(7);
    let writer = |name: &str| {
        BundleWriter::options()
            .durability(Durability::None)
            .threads(if name == "tensors" { 1 } else { 2 })
            .create(directory.join(name))
            .unwrap()
    };
    let [mut tensors, mut views, mut readers] = ["tensors", "views", "readers"].map(writer);
    let dtypes: Vec<DType> = stored_dtypes(&[])
        .into_iter()
        .filter(|dtype| dtype.size().is_some())
        .collect();
    for (i, elements) in [0, 1, 5, 70_000, 300_000, 3, 40_000_000, 2]
        .into_iter()
        .enumerate()
    {
        for (j, dtype) in dtypes.iter().enumerate() {
            if elements > 1000 && (i + j) % 13 != 0 {
                continue;
            }
            let elements = if elements > 1_000_000 {
                elements / 2 * 4 / dtype.size().unwrap() as u64
            } else {
                elements
            };
            let mut few = numbers.tensor(&[*dtype], Shape::new(&[elements.min(1001)]).unwrap());
            if elements > 1001 {
                let size = elements as usize * dtype.size().unwrap();
                let bytes: Vec<u8> = few
                    .bytes()
                    .unwrap()
                    .iter()
                    .copied()
                    .cycle()
                    .take(size)
                    .collect();
                few = Tensor::from_bytes(*dtype, [elements], bytes).unwrap();
            }
            let (key, bytes) = (format!("{i}/{dtype}"), few.bytes().unwrap());
            tensors.add(&key, &few).unwrap();
            let view = TensorView::from_bytes(*dtype, [elements], bytes).unwrap();
            views.add(&key, view).unwrap();
            let reader = Trickle {
                bytes,
                numbers: Numbers::new(i as u64),
            };
            readers
                .add_from_reader(&key, *dtype, [elements], reader)
                .unwrap();
        }
    }
    let four = Shape::new(&[4]).unwrap();
    let slice = "1,2".parse().unwrap();
    tensors
        .add_slice(
            "v",
            &four,
            &slice,
            &Tensor::from_slice([2], &[1u8, 2]).unwrap(),
        )
        .unwrap();
    views
        .add_slice(
            "v",
            &four,
            &slice,
            TensorView::from_slice([2], &[1u8, 2]).unwrap(),
        )
        .unwrap();
    readers
        .add_slice_from_reader("v", &four, &slice, DType::UINT8, &[1, 2][..])
        .unwrap();
    for writer in [tensors, views, readers] {
        writer.finish().unwrap();
    }
    for suffix in ["index", "data-00000-of-00001"] {
        let [tensors, views, readers] = ["tensors", "views", "readers"]
            .map(|name| fs::read(directory.join(format!("{name}.{suffix}"))).unwrap());
        assert!(tensors == views && tensors == readers, "{suffix}");
    }
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_reader_at_fault_leaves_nothing_behind() {
    struct Broken(u64);
    impl Read for Broken {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let len = self.0.min(out.len() as u64);
            self.0 -= len;
            match len {
                0 => Err(io::Error::other("the line is down")),
                _ => Ok(len as usize),
            }
        }
    }
    let directory = work_directory("a_reader_at_fault");
    let prefix = directory.join("b");
    let mut writer = BundleWriter::create(&prefix).unwrap();
    let mut expected = BundleWriter::create(directory.join("expected")).unwrap();
    for (i, len) in [3u64, 5_000_000, 3].into_iter().enumerate() {
        let tensor = Tensor::from_slice([2], &[i as i32, 7]).unwrap();
        writer.add(format!("{i}"), &tensor).unwrap();
        expected.add(format!("{i}"), &tensor).unwrap();
        let bytes = vec![2; len as usize];
        let mut faults = Vec::new();
        let mut add = |dtype, shape, reader: &mut dyn Read| {
            faults.push(
                writer
                    .add_from_reader("x", dtype, [shape], reader)
                    .unwrap_err(),
            );
        };
        add(DType::UINT8, len + 1, &mut &bytes[..]);
        add(DType::UINT8, len - 1, &mut &bytes[..]);
        add(DType::BOOL, len, &mut &bytes[..]);
        add(DType::UINT8, len + 1, &mut Broken(len));
        add(DType::STRING, len, &mut &bytes[..]);
        add(DType::DOUBLE, i64::MAX as u64, &mut &bytes[..]);
        for (error, says) in faults.iter().zip([
            "ended after",
            "has more than",
            "element 0 of a bool tensor is 0x02",
            "the line is down",
            "no fixed size",
            "larger than any file",
        ]) {
            assert!(error.to_string().contains(says), "{error}");
            assert_eq!(error.key(), Some(&b"x"[..]));
        }
        assert!(matches!(
            faults[0].kind(),
            ErrorKind::InvalidArgument { .. }
        ));
        assert!(matches!(faults[3].kind(), ErrorKind::Io { .. }));
    }
    writer.finish().unwrap();
    expected.finish().unwrap();
    for suffix in ["index", "data-00000-of-00001"] {
        let read = |name| fs::read(directory.join(format!("{name}.{suffix}"))).unwrap();
        assert!(read("b") == read("expected"), "{suffix}");
    }
    assert_eq!(BundleReader::open(&prefix).unwrap().entries().count(), 3);
    assert_eq!(names(&directory).len(), 4);

    // What was cut already cannot be taken back.
    let mut writer = BundleWriter::options()
        .max_shard_size(10)
        .create(directory.join("cut"))
        .unwrap();
    let error = writer
        .add_from_reader("x", DType::UINT8, [30], &[0; 25][..])
        .unwrap_err();
    assert!(error.to_string().contains("ended after"), "{error}");
    assert!(writer.add("y", &Tensor::scalar(1)).is_err());
    assert!(writer.finish().is_err());
    assert_eq!(names(&directory).len(), 4);
}

/// Gives so many bytes of a pattern without holding them.
struct Pattern {
    at: u64,
    end: u64,
}

/// Not a multiple of anything that a writer cuts by.
const PERIOD: usize = 65_521;

impl Read for Pattern {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        static BYTES: [u8; PERIOD] = {
            let mut bytes = [0; PERIOD];
            let mut i = 0;
            while i < PERIOD {
                bytes[i] = (i * 7 + i / 251) as u8;
                i += 1;
            }
            bytes
        };
        let from = (self.at % PERIOD as u64) as usize;
        let len = (out.len().min(PERIOD - from) as u64).min(self.end - self.at) as usize;
        out[..len].copy_from_slice(&BYTES[from..from + len]);
        self.at += len as u64;
        Ok(len)
    }
}

const PREFIX: &str = "SAVEDMODEL_TEST_STREAM_TO";
const SIZE: &str = "SAVEDMODEL_TEST_STREAM_BYTES";

/// Writes a tensor in a process that does nothing else, and checks it; returns the most memory, in
/// KiB, that the process had resident while it wrote.
#[cfg(target_os = "linux")]
fn peak_of_streaming(test: &str, size: u64) -> u64 {
    let directory = work_directory(test);
    let prefix = directory.join("b");
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "streaming::in_a_process_of_its_own",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(PREFIX, &prefix)
        .env(SIZE, size.to_string())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let peak = text
        .lines()
        .find_map(|line| line.strip_prefix("peak KiB: "));
    let peak = peak.and_then(|peak| peak.trim().parse().ok()).expect(&text);
    // Every byte is what the reader gave, and has the checksum that was stored.
    let reader = BundleReader::options().threads(2).open(&prefix).unwrap();
    let tensor = reader.tensor("large").unwrap();
    let mut pattern = Pattern { at: 0, end: size };
    let mut piece = vec![0; 1 << 20];
    for stored in tensor.bytes().unwrap().chunks(piece.len()) {
        pattern.read_exact(&mut piece[..stored.len()]).unwrap();
        assert!(*stored == piece[..stored.len()]);
    }
    assert_eq!(reader.tensor("behind").unwrap(), Tensor::scalar(7));
    drop((tensor, reader));
    fs::remove_dir_all(directory).unwrap();
    println!("{size} bytes written with {peak} KiB resident");
    peak
}

#[test]
#[ignore = "the other tests run it as a process"]
fn in_a_process_of_its_own() {
    let (Ok(prefix), Ok(size)) = (std::env::var(PREFIX), std::env::var(SIZE)) else {
        return;
    };
    let size: u64 = size.parse().unwrap();
    let mut writer = BundleWriter::options()
        .durability(Durability::None)
        .create(prefix)
        .unwrap();
    let pattern = Pattern { at: 0, end: size };
    writer
        .add_from_reader("large", DType::FLOAT, [size / 4], pattern)
        .unwrap();
    writer.add("behind", &Tensor::scalar(7)).unwrap();
    writer.finish().unwrap();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    println!(
        "\npeak KiB: {}",
        peak.unwrap().trim().trim_end_matches(" kB")
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_large_tensor_takes_little_memory() {
    let peak = peak_of_streaming("a_large_tensor_takes_little_memory", 256 << 20);
    assert!(peak < 32 << 10, "{peak} KiB");
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "writes 3 GiB"]
fn three_gibibytes_take_little_memory() {
    let peak = peak_of_streaming("three_gibibytes", 3 << 30);
    assert!(peak < 32 << 10, "{peak} KiB");
}
