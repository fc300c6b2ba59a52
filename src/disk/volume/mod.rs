//! A virtual disk → volumes.
