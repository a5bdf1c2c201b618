use std::collections::HashMap;

use super::object::Object;

/// Objects that a pickle refers to by numbers. Picklers give them in order, from 0 on.
#[derive(Default)]
pub(super) struct Memo {
    ordered: Vec<Object>,
    /// Those whose numbers are beyond these.
    others: HashMap<u32, Object>,
}

impl Memo {
    pub(super) fn get(&self, number: u32) -> Option<&Object> {
        let ordered = self.ordered.get(number as usize);
        ordered.or_else(|| self.others.get(&number))
    }

    /// Puts an object under a number, in the place of one that has it.
    pub(super) fn put(&mut self, number: u32, object: Object) {
        if let Some(slot) = self.ordered.get_mut(number as usize) {
            *slot = object;
        } else if number as usize == self.ordered.len() {
            self.others.remove(&number);
            self.ordered.push(object);
        } else {
            self.others.insert(number, object);
        }
    }

    /// Returns how many there are: the number of the next one, where a pickle does not say it.
    pub(super) fn len(&self) -> usize {
        self.ordered.len() + self.others.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_in_any_order() {
        let mut memo = Memo::default();
        let int = |memo: &Memo, number| match memo.get(number) {
            Some(Object::Int(value)) => Some(*value),
            _ => None,
        };
        for (number, value) in [(1, 10), (0, 11), (7, 12), (1, 13), (0, 14), (2, 15)] {
            memo.put(number, Object::Int(value));
        }
        let found = [0, 1, 2, 3, 7].map(|number| int(&memo, number));
        assert_eq!(found, [Some(14), Some(13), Some(15), None, Some(12)]);
        assert_eq!(memo.len(), 4);
    }
}
