//! The one walk over an image that collects every fact.
