//! Makes files of records, and split models in them, down to the byte: whatever they say, their
//! hashes are right.

use highway::{HighwayHash, HighwayHasher, Key};

const BLOCK: u64 = 1 << 16;

fn hash(bytes: &[u8]) -> u64 {
    const KEY: [u64; 2] = [0x2f69_6c65_6765_6952, 0x0a73_6472_6f63_6572];
    HighwayHasher::new(Key([KEY[0], KEY[1], KEY[0], KEY[1]])).hash64(bytes)
}

pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// A length-delimited field.
pub(crate) fn field(number: u64, value: &[u8]) -> Vec<u8> {
    [
        varint(number << 3 | 2),
        varint(value.len() as u64),
        value.to_vec(),
    ]
    .concat()
}

/// An integer field.
pub(crate) fn integer(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3), varint(value)].concat()
}

/// A file of records under construction.
pub(crate) struct File(pub(crate) Vec<u8>);

impl File {
    pub(crate) fn new() -> Self {
        let mut file = File(Vec::new());
        file.chunk(b's', 0, 0, &[]);
        file
    }

    /// Appends a chunk; returns where it begins.
    pub(crate) fn chunk(&mut self, kind: u8, records: u64, decoded: u64, data: &[u8]) -> u64 {
        let begin = self.0.len() as u64;
        let rest = [
            &(data.len() as u64).to_le_bytes()[..],
            &hash(data).to_le_bytes(),
            &[kind],
            &records.to_le_bytes()[..7],
            &decoded.to_le_bytes(),
        ]
        .concat();
        let payload = [&hash(&rest).to_le_bytes()[..], &rest, data].concat();
        // Positions of records are not made room for.
        let size = payload.len() as u64;
        let headers = (size + (begin + BLOCK - 25) % BLOCK) / (BLOCK - 24);
        let end = begin + size + 24 * headers;
        for byte in payload {
            let at = self.0.len() as u64;
            if at.is_multiple_of(BLOCK) {
                let header = [(at - begin).to_le_bytes(), (end - at).to_le_bytes()].concat();
                self.0.extend(hash(&header).to_le_bytes());
                self.0.extend(header);
            }
            self.0.push(byte);
        }
        begin
    }

    /// Appends a record in a chunk of its own, not compressed; returns its position.
    pub(crate) fn record(&mut self, record: &[u8]) -> u64 {
        let size = varint(record.len() as u64);
        let data = [&[0][..], &varint(size.len() as u64), &size, record].concat();
        self.chunk(b'r', 1, record.len() as u64, &data)
    }
}

/// A split message: its chunks, and the `ChunkedMessage` that says how they make it.
pub(crate) fn split(chunks: &[&[u8]], message: &[u8]) -> Vec<u8> {
    let mut file = File::new();
    let mut metadata = field(1, &integer(1, 1));
    for chunk in chunks {
        let position = file.record(chunk);
        let info = [
            integer(1, 1),
            integer(2, chunk.len() as u64),
            integer(3, position),
        ]
        .concat();
        metadata.extend(field(2, &info));
    }
    metadata.extend(field(3, message));
    file.record(&metadata);
    file.0
}

/// A `ChunkedMessage` of a chunk and chunked fields.
pub(crate) fn message(chunk: Option<u64>, fields: &[Vec<u8>]) -> Vec<u8> {
    let mut out = chunk.map_or(Vec::new(), |chunk| integer(1, chunk));
    for inner in fields {
        out.extend(field(2, inner));
    }
    out
}

/// A `ChunkedField`: steps are fields, or indices where they are negative, counted from -1.
pub(crate) fn place(path: &[i64], message: &[u8]) -> Vec<u8> {
    let steps = path.iter().map(|step| match step {
        0.. => field(1, &integer(1, *step as u64)),
        _ => field(1, &integer(3, (-1 - step) as u64)),
    });
    let mut out: Vec<u8> = steps.flatten().collect();
    out.extend(field(3, message));
    out
}
