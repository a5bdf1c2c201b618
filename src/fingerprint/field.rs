//! Numbers of the fields that enter fingerprints.

use std::sync::LazyLock;

use crate::wire::canonical::RawField;
use crate::wire::descriptor::{Kind, Message};

/// Of `SavedModel`.
pub(super) const META_GRAPHS: u32 = 2;

/// Of `MetaGraphDef`.
pub(super) const GRAPH_DEF: u32 = 2;
pub(super) const SIGNATURE_DEF: u32 = 5;
pub(super) const OBJECT_GRAPH_DEF: u32 = 7;

/// Of `GraphDef`.
pub(super) const NODE: u32 = 1;
pub(super) const LIBRARY: u32 = 2;
pub(super) const VERSIONS: u32 = 4;

/// Of `NodeDef`; [`NAME`] is that of `NameAttrList` too.
pub(super) const NAME: u32 = 1;
pub(super) const OP: u32 = 2;
pub(super) const ATTR: u32 = 5;

/// Of the entries of maps.
pub(super) const KEY: u32 = 1;
pub(super) const VALUE: u32 = 2;

/// Members of `AttrValue`.
pub(super) const STRING: u32 = 2;
pub(super) const TYPE: u32 = 6;
pub(super) const FUNC: u32 = 10;

/// Of `SavedObjectGraph`.
pub(super) const CONCRETE_FUNCTIONS: u32 = 2;

/// Whether a field of an `AttrValue` is a member of its oneof, as which the schema has all of them;
/// one of another wire type is an unknown field.
pub(super) fn is_attr_member(raw: &RawField) -> bool {
    static ATTR_VALUE: LazyLock<Option<&Message>> =
        LazyLock::new(|| Message::named("tensorflow.AttrValue"));
    let field = ATTR_VALUE.and_then(|value| value.field(raw.number));
    field.is_some_and(|field| match field.kind {
        Kind::Message(_) | Kind::String | Kind::Bytes => raw.length_delimited().is_some(),
        Kind::Float => raw.is_fixed32(),
        _ => raw.varint().is_some(),
    })
}
