//! What the guest writes to its serial console → how far it came, and the line at which it failed.
