//! Recipe → image. What stands so far: recipes are read and validated.

pub mod recipe;
