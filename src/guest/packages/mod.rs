//! Package databases → installed packages.
