//! Boot loader configurations → boot entries, in loader order, with the default each firmware path takes.
