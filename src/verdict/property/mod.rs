//! Earned properties.
