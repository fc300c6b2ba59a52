//! Recipe → plan → image: a recipe is read, its features become stages, the stages run one after the other.

pub mod check;
pub mod disk;
pub mod engine;
pub mod lock;
pub mod plan;
pub mod recipe;
pub mod result;
pub mod tree;

pub use plan::{Plan, Stage};
