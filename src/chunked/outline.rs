use super::metadata::{ChunkedField, ChunkedMessage, FieldIndex};

/// The way from a `SavedModel` to the graph of a meta graph: `meta_graphs`, any index, `graph_def`.
const META_GRAPHS: u32 = 2;
const GRAPH_DEF: u32 = 2;

impl ChunkedMessage {
    /// Returns what of a `SavedModel` is not in chunks of graphs, which mostly is little: tags,
    /// signatures, objects. Meta graphs stay at their index.
    ///
    /// ```
    /// use savedmodel::chunked::ChunkedProto;
    /// use savedmodel::store::Blob;
    ///
    /// let bytes = std::fs::read("tests/vectors/chunked/models/tf1_1000/saved_model.cpb")?;
    /// let file = ChunkedProto::open(Blob::from_bytes(bytes))?;
    /// let outline = file.metadata().message.without_graphs();
    /// let model = file.merge_message(&outline, "tensorflow.SavedModel")?;
    /// assert!(model.len() < file.merge("tensorflow.SavedModel")?.len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn without_graphs(&self) -> ChunkedMessage {
        self.pruned(0)
    }

    /// `way` steps of the way lead here.
    fn pruned(&self, way: usize) -> ChunkedMessage {
        let fields = self.chunked_fields.iter();
        ChunkedMessage {
            chunk_index: self.chunk_index,
            chunked_fields: fields.map(|field| field.pruned(way)).collect(),
        }
    }
}

impl ChunkedField {
    fn pruned(&self, mut way: usize) -> ChunkedField {
        for (at, step) in self.field_tag.iter().enumerate() {
            match (way, step) {
                (0, FieldIndex::Field(META_GRAPHS)) | (1, FieldIndex::Index(_)) => way += 1,
                // What leads into a graph still makes the meta graph it is in.
                (2, FieldIndex::Field(GRAPH_DEF)) => {
                    return ChunkedField {
                        field_tag: self.field_tag[..at].to_vec(),
                        message: ChunkedMessage::default(),
                    };
                }
                _ => return self.clone(),
            }
        }
        ChunkedField {
            field_tag: self.field_tag.clone(),
            message: self.message.pruned(way),
        }
    }
}

#[cfg(test)]
mod tests {
    use FieldIndex::{Field, Index};

    use super::*;

    fn field(field_tag: Vec<FieldIndex>, chunked_fields: Vec<ChunkedField>) -> ChunkedField {
        let message = ChunkedMessage {
            chunk_index: Some(1),
            chunked_fields,
        };
        ChunkedField { field_tag, message }
    }

    #[test]
    fn what_leads_into_graphs_is_left_out_however_it_is_nested() {
        let message = ChunkedMessage {
            chunk_index: Some(0),
            chunked_fields: vec![
                field(
                    vec![Field(2), Index(0), Field(2), Field(1), Index(7)],
                    vec![],
                ),
                field(
                    vec![Field(2), Index(1)],
                    vec![field(vec![Field(2)], vec![])],
                ),
                field(vec![Field(2), Index(0), Field(7)], vec![]),
            ],
        };
        let outline = message.without_graphs();
        let fields = &outline.chunked_fields;
        assert_eq!(outline.chunk_index, Some(0));
        assert_eq!(fields[0].field_tag, [Field(2), Index(0)]);
        assert_eq!(fields[0].message, ChunkedMessage::default());
        assert_eq!(fields[1].message.chunk_index, Some(1));
        assert_eq!(fields[1].message.chunked_fields[0], ChunkedField::default());
        assert_eq!(fields[2], message.chunked_fields[2]);
        // Once more changes nothing.
        assert_eq!(outline.without_graphs(), outline);
    }
}
