use crate::error::Result;
use crate::wire::{Field, Message, Value};

/// The fields of `GraphDef` and `FunctionDefLibrary`.
pub(super) mod field {
    pub(in crate::inspect) const NODE: u32 = 1;
    pub(in crate::inspect) const LIBRARY: u32 = 2;
    pub(in crate::inspect) const VERSIONS: u32 = 4;
    pub(in crate::inspect) const FUNCTION: u32 = 1;
    pub(in crate::inspect) const GRADIENT: u32 = 2;
    pub(in crate::inspect) const REGISTERED_GRADIENT: u32 = 3;
}

/// Fields that stand together, so many that a thread has something to do.
#[derive(Clone, Copy)]
pub(super) enum Piece<'m> {
    /// Some of a `GraphDef`.
    Graph(Message<'m>),
    /// Some of a `FunctionDefLibrary`.
    Library(Message<'m>),
}

/// A piece is a bit larger: it fits the caches of a processor.
const PIECE: usize = 256 << 10;

/// What a graph has besides nodes and functions. Each is a message, encoded.
#[derive(Default)]
pub(super) struct Outline<'m> {
    /// The parts of the `VersionDef`, mostly one.
    pub(super) versions: Vec<Message<'m>>,
    pub(super) gradients: Vec<Message<'m>>,
    pub(super) registered_gradients: Vec<Message<'m>>,
}

impl<'m> Outline<'m> {
    /// Jumps over the nodes and functions of a graph, which may be in parts; they are given out in
    /// pieces on the way.
    pub(super) fn read(graph: &[Message<'m>], give: &mut dyn FnMut(Piece<'m>)) -> Result<Self> {
        let mut outline = Outline::default();
        for part in graph {
            let mut run = Run::new(*part);
            let mut loaded = part.start();
            for field in part.fields() {
                let field = field?;
                match (field.number(), inside(&field)) {
                    (field::LIBRARY, Some(library)) => {
                        run.cut(field.offset()).map(Piece::Graph).map(&mut *give);
                        outline.library(library, give)?;
                        run = Run::after(*part, &field);
                    }
                    (field::VERSIONS, Some(versions)) => outline.versions.push(versions),
                    _ => {}
                }
                run.piece(&field).map(Piece::Graph).map(&mut *give);
                if end(&field) >= loaded {
                    let next = (end(&field) - part.start()) as usize;
                    load(part.bytes().get(next..).unwrap_or_default());
                    loaded = end(&field) + AHEAD as u64;
                }
            }
            run.rest().map(Piece::Graph).map(&mut *give);
        }
        Ok(outline)
    }

    fn library(&mut self, library: Message<'m>, give: &mut dyn FnMut(Piece<'m>)) -> Result<()> {
        let mut run = Run::new(library);
        for field in library.fields() {
            let field = field?;
            match (field.number(), inside(&field)) {
                (field::GRADIENT, Some(gradient)) => self.gradients.push(gradient),
                (field::REGISTERED_GRADIENT, Some(gradient)) => {
                    self.registered_gradients.push(gradient);
                }
                _ => {}
            }
            run.piece(&field).map(Piece::Library).map(&mut *give);
        }
        run.rest().map(Piece::Library).map(&mut *give);
        Ok(())
    }
}

/// Returns the message in a field. One of another wire type is an unknown field to TensorFlow, and so
/// it is here.
pub(super) fn inside<'m>(field: &Field<'m>) -> Option<Message<'m>> {
    match field.value() {
        Value::Bytes(_) => field.message(),
        _ => None,
    }
}

/// Fields of a message that were walked and not given out yet.
struct Run<'m> {
    message: Message<'m>,
    /// Where the first of them begins, counted as the message counts.
    start: u64,
}

impl<'m> Run<'m> {
    fn new(message: Message<'m>) -> Self {
        let start = message.start();
        Run { message, start }
    }

    fn after(message: Message<'m>, field: &Field<'m>) -> Self {
        let start = end(field);
        Run { message, start }
    }

    /// Returns them if with this field they are a piece.
    #[inline]
    fn piece(&mut self, last: &Field<'m>) -> Option<Message<'m>> {
        match end(last) - self.start >= PIECE as u64 {
            true => self.cut(end(last)),
            false => None,
        }
    }

    fn rest(&mut self) -> Option<Message<'m>> {
        self.cut(self.message.start() + self.message.bytes().len() as u64)
    }

    fn cut(&mut self, end: u64) -> Option<Message<'m>> {
        let start = std::mem::replace(&mut self.start, end);
        let place = |offset: u64| (offset - self.message.start()) as usize;
        let bytes = self.message.bytes().get(place(start)..place(end))?;
        (!bytes.is_empty()).then(|| Message::at(bytes, start))
    }
}

/// So many bytes are loaded before nodes in them are jumped over.
const AHEAD: usize = 32 << 10;

/// Brings bytes into the caches: a byte of each line. None of these loads waits for another, while
/// jumping from node to node, which are a few lines long, each tells where the next one is.
fn load(bytes: &[u8]) {
    let lines = bytes.iter().take(AHEAD).step_by(64);
    std::hint::black_box(lines.fold(0, |all, byte| all | byte));
}

fn end(field: &Field<'_>) -> u64 {
    field.offset() + field.raw().len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::varint;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut encoded = vec![number << 3 | 2];
        varint::write_u64(&mut encoded, bytes.len() as u64);
        encoded.extend(bytes);
        encoded
    }

    #[test]
    fn pieces_are_all_fields_but_the_library_which_has_its_own() {
        let node = |size: usize| field(1, &vec![7; size]);
        let function = field(1, b"function");
        let library = [&function[..], &field(3, b"gradient")].concat();
        let large = [node(100), node(PIECE), node(200)].concat();
        let first = [&large[..], &field(2, &library), &node(300)].concat();
        let second = [field(4, b"versions"), node(0), field(2, &[])].concat();
        let file = [&first[..], &second].concat();
        let (first, second) = file.split_at(first.len());
        let parts = [
            Message::at(first, 1000),
            Message::at(second, 1000 + first.len() as u64),
        ];
        let mut pieces = Vec::new();
        let outline = Outline::read(&parts, &mut |piece| pieces.push(piece)).unwrap();
        let whole = |message: Message<'_>| message.fields().all(|field| field.is_ok());
        let mut sizes = Vec::new();
        for piece in pieces {
            let (kind, message) = match piece {
                Piece::Graph(message) => ('g', message),
                Piece::Library(message) => ('l', message),
            };
            let start = message.start() as usize - 1000;
            assert_eq!(&file[start..start + message.bytes().len()], message.bytes());
            assert!(whole(message));
            sizes.push((kind, message.bytes().len()));
        }
        let expected = [
            ('g', node(100).len() + node(PIECE).len()),
            ('g', node(200).len()),
            ('l', library.len()),
            ('g', node(300).len()),
            ('g', field(4, b"versions").len() + node(0).len()),
        ];
        assert_eq!(sizes, expected);
        let bytes = |messages: &[Message<'_>]| {
            messages
                .iter()
                .flat_map(|it| it.bytes().to_vec())
                .collect::<Vec<_>>()
        };
        assert_eq!(bytes(&outline.versions), b"versions");
        assert_eq!(bytes(&outline.registered_gradients), b"gradient");
        assert!(outline.gradients.is_empty());
    }
}
