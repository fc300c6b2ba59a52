//! Severities per profile.
