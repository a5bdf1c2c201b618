/// What is wrong with an expression, and at which byte of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) what: String,
}

pub(super) fn fault(at: usize, what: impl Into<String>) -> Fault {
    Fault {
        at,
        what: what.into(),
    }
}

impl Fault {
    /// Returns the same, seen from a text in which this one begins at `start`.
    pub(super) fn shifted(mut self, start: usize) -> Fault {
        self.at += start;
        self
    }
}
