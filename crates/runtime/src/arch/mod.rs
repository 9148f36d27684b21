//! What is specific to an architecture.
