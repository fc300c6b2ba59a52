//! A running guest → proofs: what the static checks promised, seen.

/// What a proof came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Seen in the guest; how.
    Proved(String),
    /// The guest shows the contrary; what it shows.
    Disproved(String),
    /// Neither: the guest or QEMU failed in a way that is not the image's own, or it cannot be shown here; why.
    Inconclusive(String),
    /// Nothing was promised; why.
    NotApplicable(String),
}
