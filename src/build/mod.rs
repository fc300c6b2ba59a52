//! Recipe → plan → image: a recipe is read, its features become stages, the stages run one after the other.

pub mod check;
pub mod disk;
pub mod distribution;
pub mod engine;
pub mod kernels;
pub mod lock;
pub mod plan;
mod planning;
pub mod recipe;
pub mod result;
mod source;
pub mod tree;

pub use plan::{Plan, Stage};
pub use planning::{Wanted, plan as make_plan};
